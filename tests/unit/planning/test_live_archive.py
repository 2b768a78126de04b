"""Reading a live archive: what is found in it, and that no archive, however hostile, is more than a reason."""

import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zlib
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import Dripping, FakeClock, Script, make_client

from baseten_deploy.archive.stream import ArchiveStream
from baseten_deploy.planning.diff import ArchivedFile
from baseten_deploy.planning.live_archive import Bounds, Unreadable, read_archive
from baseten_deploy.truss.packed_file import PackedFile

URL = "https://bucket.s3.test/key?X-Amz-Signature=presigned-secret"


def found(name, content, *, executable=False):
    """Make what should be found of a file."""
    return ArchivedFile(name, len(content), hashlib.sha256(content).hexdigest(), executable)


def tar(*members, mode="w", form=tarfile.PAX_FORMAT):
    """Make a tar of (name, content) pairs and ready `TarInfo`s."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:
        for member in members:
            info, content = (
                (member, b"") if isinstance(member, tarfile.TarInfo) else (tarfile.TarInfo(member[0]), member[1])
            )
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def info(name, kind, link="", mode=0o644):
    """Make an entry without content."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, mode
    return entry


def answer(data, **response):
    """Make the answer to a download, which is read while it comes."""
    return httpx.Response(200, stream=httpx.ByteStream(data), **response)


def read(data, bounds=None, **response):
    """Read an archive that is answered with these bytes."""
    return read_archive(make_client(Script(answer(data, **response))), URL, bounds)


def why(data, bounds=None):
    """Give the reason why an archive is not read."""
    with pytest.raises(Unreadable) as caught:
        read(data, bounds)
    return str(caught.value)


class TestContent:
    """What is found."""

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_names_sizes_and_digests(self, mode):
        """In a plain and in a gzipped tar, with contents longer than a block."""
        content = bytes(range(256)) * 9000
        assert {"config.yaml": found("config.yaml", b""), "data/w.bin": found("data/w.bin", content)} == read(
            tar(("config.yaml", b""), ("data/w.bin", content), mode=mode)
        )

    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    @pytest.mark.parametrize("sizes", [[1], [1, 1], [0, 1, 0, 1, 1], [3]])
    def test_in_pieces(self, mode, sizes):
        """Whether it is zipped does not depend on how much of it comes first."""
        data = tar(("config.yaml", b"a: 1\n"), mode=mode)
        pieces = []
        for size in sizes:
            pieces.append(data[:size])
            data = data[size:]
        script = Script(lambda _: httpx.Response(200, stream=Dripping([*pieces, data], FakeClock())))
        assert ["config.yaml"] == list(read_archive(make_client(script), URL))

    def test_an_archive_of_this_action(self, tmp_path):
        """What this action packs is read back, in several gzip members or one, with modes."""
        (tmp_path / "run.sh").write_bytes(b"#!/bin/sh\n")
        status = (tmp_path / "run.sh").stat()
        files = [
            PackedFile.of_bytes("config.yaml", b"a: 1\n"),
            PackedFile("ünï/run.sh", tmp_path / "run.sh", 0o755, status.st_size, status.st_mtime_ns),
            PackedFile.of_bytes("d/" * 100 + "long.txt", b"x"),
        ]
        expected = {
            "config.yaml": found("config.yaml", b"a: 1\n"),
            "ünï/run.sh": found("ünï/run.sh", b"#!/bin/sh\n", executable=True),
            "d/" * 100 + "long.txt": found("d/" * 100 + "long.txt", b"x"),
        }
        assert expected == read(ArchiveStream(files).read())

    @pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
    def test_long_names(self, form):
        """Of all formats, up to what a path can be."""
        name = "/".join(["folder" * 6] * 5) if form == tarfile.USTAR_FORMAT else "/".join(["folder" * 6] * 90)
        assert [name] == list(read(tar((name, b"x"), form=form)))

    def test_as_tar_writes_it(self):
        """Directories have no content, `./` is no part of a name, and the last of two equal names counts."""
        data = tar(info(".", tarfile.DIRTYPE), info("./d", tarfile.DIRTYPE), ("./d/a", b"old"), ("d/a", b"new"))
        assert {"d/a": found("d/a", b"new")} == read(data)

    def test_links_have_their_targets_content(self):
        """Hard links and symlinks within the archive; one that leads out of it has none."""
        data = tar(
            ("d/a", b"content"),
            info("hard", tarfile.LNKTYPE, "d/a"),
            info("d/soft", tarfile.SYMTYPE, "../d/a"),
            info("out", tarfile.SYMTYPE, "/etc/passwd"),
        )
        assert [("hard", 7), ("d/soft", 7), ("out", 0)] == [(f.name, f.size) for f in list(read(data).values())[1:]]
        assert "" == read(data)["out"].sha256

    @pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "\u202etxt", "a\nb", "C:\\x"])
    def test_hostile_names_are_only_names(self, name, tmp_path, monkeypatch):
        """Nothing is written anywhere, whatever a name says."""
        monkeypatch.chdir(tmp_path)
        assert [name] == list(read(tar((name, b"x"))))
        assert [] == list(tmp_path.iterdir())

    def test_a_name_that_is_not_utf8(self):
        """It has to be shown and sent as text, so what cannot be read is replaced."""
        data = tar(("n\udcff", b"x"), form=tarfile.GNU_FORMAT)
        assert ["n\ufffd"] == list(read(data))


class TestRequest:
    """How it is fetched."""

    def test_without_credentials(self):
        """The presigned URL is all that is sent."""
        script = Script(answer(tar(("a", b""))))
        client = make_client(script)
        read_archive(client, URL)
        assert [("GET", URL)] == [(request.method, str(request.url)) for request in script.requests]
        assert "authorization" not in script.requests[0].headers

    def test_an_encoding_on_the_way_is_not_the_archive(self):
        """An object that S3 serves with `Content-Encoding: gzip` is read as it is stored."""
        data = gzip.compress(tar(("a", b"x")))
        assert ["a"] == list(read(data, headers={"Content-Encoding": "gzip"}))

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (httpx.Response(403, text="<Error>AccessDenied presigned-secret</Error>"), "403"),
            (httpx.Response(302, headers={"Location": "https://elsewhere.test/"}), "302"),
            (httpx.ReadTimeout("x"), "in time"),
            (httpx.ConnectError(URL), "broke"),
            (httpx.ReadError(URL), "broke"),
        ],
    )
    def test_failures_are_reasons(self, answer, reason):
        """Redirects are not followed, and no reason repeats the URL."""
        script = Script(answer)
        with pytest.raises(Unreadable, match=reason) as caught:
            read_archive(make_client(script), URL)
        assert 1 == len(script.requests)
        assert "presigned-secret" not in str(caught.value)

    @pytest.mark.parametrize(
        "url", ["http://s3.test/x", "file:///etc/passwd", "ftp://h/x", "https://", "http://[", "x"]
    )
    def test_only_https(self, url):
        """Or loopback; anything else is not fetched."""
        with pytest.raises(Unreadable):
            read_archive(make_client(Script(answer(tar()))), url)
        assert [] == list(read_archive(make_client(Script(answer(tar()))), "http://127.0.0.1:1/x"))


class TestBounds:
    """No archive takes more than what is allowed."""

    def test_declared_size(self):
        """An archive that says that it is too large is not downloaded."""
        chunks = Dripping([b"x" * 10] * 100, FakeClock())
        script = Script(lambda _: httpx.Response(200, headers={"Content-Length": "1000"}, stream=chunks))
        with pytest.raises(Unreadable, match=r"it has 1\.0 kB; up to 100 bytes are read"):
            read_archive(make_client(script), URL, Bounds(archive_bytes=100))
        assert 0 == chunks.taken

    def test_downloaded_bytes(self):
        """One that does not say it is given up as soon as it is seen."""
        chunks = Dripping([tar(("a", bytes(10**6)))[:1000]] * 10**6, FakeClock())
        script = Script(lambda _: httpx.Response(200, stream=chunks))
        with pytest.raises(Unreadable, match=r"it has more than 5\.0 kB"):
            read_archive(make_client(script), URL, Bounds(archive_bytes=5000))
        assert chunks.taken < 10

    def test_unpacked_bytes(self):
        """A small archive of endless zeros."""
        data = gzip.compress(tar(("zeros", bytes(10**6))))
        assert "it unpacks to more than 100.0 kB" == why(data, Bounds(content_bytes=100_000))

    def test_entries(self):
        """Of any kind."""
        data = tar(*(info(str(n), tarfile.DIRTYPE) for n in range(20)))
        assert "it has more than 10 entries" == why(data, Bounds(entries=10))

    def test_time(self):
        """A server that drips is given up, however steadily it drips."""
        clock = FakeClock()
        chunks = Dripping([b"\0"] * 10**6, clock, seconds=1.0)
        with pytest.raises(Unreadable, match="longer than 90 s"):
            read_archive(make_client(Script(lambda _: httpx.Response(200, stream=chunks))), URL, now=clock.now)
        assert chunks.taken < 100

    @pytest.mark.parametrize(
        "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
    )
    def test_a_name_is_not_read_into_memory(self, kind):
        """A header may declare a name of gigabytes; `tarfile` would read it whole."""
        header = tarfile.TarInfo("././@LongLink")
        header.type, header.size = kind, 3 * 10**9
        body = header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)
        assert "it has a name or header of more than" in why(body)

    def test_memory(self):
        """A large archive is read in little memory."""
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        entry = tarfile.TarInfo("weights")
        entry.size = 200 * 1024 * 1024
        zeros = bytes(1024 * 1024)
        data = packer.compress(entry.tobuf()) + b"".join(packer.compress(zeros) for _ in range(200))
        data += packer.compress(bytes(1024)) + packer.flush()
        client = make_client(Script(answer(data)))
        tracemalloc.start()
        assert ["weights"] == list(read_archive(client, URL))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20 * 1024 * 1024


class TestDamage:
    """What is no archive is said to be none."""

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "it is no tar archive"),
            (b"<Error>NoSuchKey</Error>", "it is no tar archive"),
            (gzip.compress(b""), "it is no tar archive"),
            (tar(("a", b"x"))[:511], "it is no tar archive"),
            (tar(("a", b"x"))[:512], "it ends too early"),
            (b"<html>" * 500, "it is no tar archive"),
            (b"\x1f\x8b" + b"junk" * 100, "it is damaged"),
            (gzip.compress(b"no tar" * 500), "it is no tar archive"),
            (gzip.compress(tar(("a", bytes(10**5))))[:-20], "it is damaged"),
            (tar(("a", b"x"))[:1024], "it ends too early"),
            (tar(("a", bytes(3000)))[:1500], "it ends too early"),
        ],
        ids=range(11),
    )
    def test_reasons(self, data, reason):
        """A truncated archive must not pass for one with fewer files."""
        assert reason in why(data)

    @given(st.binary(max_size=3000), st.sampled_from([b"", tar(("config.yaml", b"a: 1"))[:512], b"\x1f\x8b\x08\x00"]))
    def test_any_bytes(self, data, start):
        """Whatever comes is read or a reason, and never another exception."""
        with suppress(Unreadable):
            read(start + data)

    @given(st.data())
    def test_any_byte_of_an_archive_may_be_wrong(self, data):
        """A flipped byte in a header or an extension is read or a reason."""
        archive = bytearray(tar(("x" * 150, b"abc"), info("l", tarfile.SYMTYPE, "y" * 150)))
        for _ in range(data.draw(st.integers(1, 4))):
            archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
        with suppress(Unreadable):
            read(bytes(archive))
