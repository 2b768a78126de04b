"""The archive: reproducible, streamed, and an error instead of a corrupt one."""

import hashlib
import io
import os
import random
import tarfile
import threading
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import write_tree

from baseten_deploy.archive.digest import READY_BYTES, content_digest, digest_and_pack
from baseten_deploy.archive.stream import AHEAD_BYTES, BLOCK_BYTES, Archives, ArchiveStream
from baseten_deploy.archive.tar import header
from baseten_deploy.errors import UploadFailed
from baseten_deploy.truss.ignore_rules import IgnoreRules
from baseten_deploy.truss.packing_list import PackedFile, PackingList

SIZES = (0, 1, 511, 512, 513, BLOCK_BYTES - 513, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7)


def listed(directory: Path) -> tuple[PackedFile, ...]:
    """Everything in `directory`."""
    packing = PackingList(IgnoreRules(custom=True, patterns=()), directory)
    packing.add_tree(directory, [directory])
    assert [] == packing.problems
    return packing.files


def packed(files: tuple[PackedFile, ...], threads: int | None = None) -> bytes:
    """The whole archive."""
    stream = ArchiveStream(files, threads=threads)
    content = stream.read()
    assert stream.sha256 == hashlib.sha256(content).hexdigest()
    assert (len(content), stream.total_source_bytes) == (stream.bytes_read, stream.source_bytes)
    return content


def unpacked(archive: bytes) -> Mapping[str, bytes]:
    """Names and contents, by the standard library."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.fixture
def mixed(tmp_path: Path) -> tuple[PackedFile, ...]:
    """Files of all sizes around the borders of blocks, half of them incompressible."""
    source = random.Random(1)
    contents = {
        f"file-{index}": source.randbytes(size) if index % 2 else b"line of text\n" * (size // 13) + bytes(size % 13)
        for index, size in enumerate(SIZES)
    }
    return listed(write_tree(tmp_path, contents))


def test_contents_come_back(mixed: tuple[PackedFile, ...]) -> None:
    """What is unpacked is what was packed, around all borders."""
    expected = {file.name: file.source.read_bytes() for file in mixed if isinstance(file.source, Path)}
    assert expected == unpacked(packed(mixed))


def test_same_bytes_with_any_number_of_threads(mixed: tuple[PackedFile, ...]) -> None:
    """The digest of an archive does not depend on the machine."""
    first = packed(mixed, threads=1)
    assert [first] * 3 == [packed(mixed, threads=threads) for threads in (2, 5, 16)]


def test_same_bytes_from_another_checkout(tmp_path: Path) -> None:
    """Times, owners, umask and order on disk do not show."""
    files = {"b": "2", "a/c": "1", "run": "#!"}
    one = write_tree(tmp_path / "one", files)
    two = write_tree(tmp_path / "two", dict(reversed(files.items())))
    for root, mode in ((one, 0o777), (two, 0o700)):
        (root / "run").chmod(mode)
    (one / "b").chmod(0o600)
    os.utime(two / "b", (1, 1))
    assert packed(listed(one)) == packed(tuple(reversed(listed(two))))
    assert content_digest(listed(one)) == content_digest(tuple(reversed(listed(two))))


def test_headers_say_nothing_about_the_machine(tmp_path: Path) -> None:
    """Owner 0 without names, time 0, two modes, plain files only; no time in the gzip header either."""
    root = write_tree(tmp_path, {"a/plain": "x", "run": "y"})
    (root / "run").chmod(0o775)
    archive = packed(listed(root))
    assert archive[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert [("a/plain", 0o644), ("run", 0o755)] == [(member.name, member.mode) for member in tar]
        assert {(0, 0, "", "", 0, tarfile.REGTYPE)} == {
            (member.uid, member.gid, member.uname, member.gname, member.mtime, member.type) for member in tar
        }


def test_it_is_one_gzip_member_and_a_whole_tar(mixed: tuple[PackedFile, ...]) -> None:
    """Readers that stop after the first member get everything, with a checksum; the tar ends as tools expect."""
    decompressor = zlib.decompressobj(wbits=31)
    tar = decompressor.decompress(packed(mixed))
    assert decompressor.eof
    assert decompressor.unused_data == b""
    assert len(tar) % tarfile.RECORDSIZE == 0
    assert tar.endswith(bytes(2 * tarfile.BLOCKSIZE))


def test_what_does_not_compress_is_stored(tmp_path: Path) -> None:
    """Noise grows by its headers alone, weights that lose little are left as they are, and others are compressed."""
    source = random.Random(2)
    noise = source.randbytes(4 * BLOCK_BYTES)
    # As bfloat16 has it: the mantissa is random, of the exponent few values occur. Deflate saves a sixth.
    weights = bytes(
        byte for low in source.randbytes(BLOCK_BYTES) for byte in (low, source.choice(bytes(range(48, 80))))
    )
    # As trained ones really are: half of them have one of two exponents.
    exponents = source.choices(range(0x38, 0x3E), weights=(1, 2, 4, 8, 8, 4), k=BLOCK_BYTES)
    trained = bytes(
        byte for low, high in zip(source.randbytes(BLOCK_BYTES), exponents, strict=True) for byte in (low, high)
    )
    text = b"line of text\n" * (BLOCK_BYTES // 4)
    for name, content, most, least in (
        ("noise", noise, 1.001, 1.0),
        ("weights", weights, 1.001, 0.99),
        ("trained", trained, 0.85, 0.6),
        ("text", text, 0.05, 0.0),
        ("mixed", noise + text, 0.6, 0.5),
    ):
        archive = packed(listed(write_tree(tmp_path / name, {"file": content})))
        assert {"file": content} == unpacked(archive)
        assert least <= len(archive) / len(content) <= most, name


def test_an_empty_packing_list(tmp_path: Path) -> None:
    """Still an archive."""
    assert {} == unpacked(packed(()))
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name",
    ["x" * 101, "d" * 120 + "/" + "e" * 200, "é/ü.py", "é" * 60 + ".py", "a b\tc", "new\nline", "\N{GRINNING FACE}"],
)
def test_long_and_foreign_names_come_back(name: str) -> None:
    """Names beyond 100 characters and beyond ASCII."""
    assert {name: b"hello"} == unpacked(packed((PackedFile.of_bytes(name, b"hello"),)))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), st.binary(), max_size=5
    )
)
def test_any_name_and_content_comes_back(contents: dict[str, bytes]) -> None:
    """Whatever a file may be called."""
    files = tuple(PackedFile.of_bytes(f"d/{name}", content) for name, content in contents.items())
    assert {f"d/{name}": content for name, content in contents.items()} == unpacked(packed(files, threads=1))


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=110)
    | st.text("ab/.", min_size=95, max_size=105),
    st.sampled_from([0o644, 0o755]),
    st.integers(0, 2**34) | st.sampled_from([8**11 - 1, 8**11]),
)
def test_headers_are_those_of_the_standard_library(name: str, mode: int, size: int) -> None:
    """Byte for byte, however they are made."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, size
    assert info.tobuf(tarfile.PAX_FORMAT, "utf-8") == header(PackedFile(name, Path("/dev/null"), mode, size))


def test_files_above_8_gib_have_a_header() -> None:
    """Their size does not fit into the classic field."""
    found = header(PackedFile("weights", Path("/dev/null"), 0o644, 20 * 2**30))
    with tarfile.open(fileobj=io.BytesIO(found), mode="r:") as tar:
        assert [("weights", 20 * 2**30)] == [(tar.firstmember.name, tar.firstmember.size)]


def test_reads_of_any_size(mixed: tuple[PackedFile, ...]) -> None:
    """A read is short only at the end, which is what boto3 takes for the end; after it, reads are empty."""
    whole = packed(mixed)
    stream = ArchiveStream(mixed, threads=2)
    sizes = cycle((1, 0, 70_000, BLOCK_BYTES + 1, 5))
    pieces = []
    while sum(map(len, pieces)) < len(whole):
        size = next(sizes)
        pieces.append(stream.read(size))
        assert len(pieces[-1]) == min(size, len(whole) - sum(map(len, pieces[:-1])))
    assert whole == b"".join(pieces)
    assert [b"", b""] == [stream.read(1), stream.read()]


@pytest.mark.parametrize("change", ["content", "shorter", "longer", "gone", "symlink", "fifo", "time"])
@pytest.mark.parametrize("size", [0, 10, 3 * BLOCK_BYTES])
def test_a_changed_file_is_an_error(tmp_path: Path, change: str, size: int) -> None:
    """Never an archive that is not what was listed; the error names the file. A digest may be of what was listed."""
    root = write_tree(tmp_path / "truss", {"data": b"x" * size, "other": b"y" * size})
    files = listed(root)
    digest = content_digest(files)
    file = root / "data"
    if change in {"gone", "symlink", "fifo"}:
        file.unlink()
    if change == "symlink":
        file.symlink_to("other")
    elif change == "fifo":
        os.mkfifo(file)
    elif change == "time":
        os.utime(file, (1, 1))
    elif change != "gone":
        file.write_bytes(b"z" * (size + {"content": 0, "shorter": -min(size, 1), "longer": 1}[change]))
        os.utime(file, (2, 2))
    with pytest.raises(UploadFailed, match="`data`"):
        ArchiveStream(files).read()
    if all(file.content is not None for file in files):
        assert digest == content_digest(files)  # small ones were read then
    else:
        with pytest.raises(UploadFailed, match="`data`"):
            content_digest(files)


def test_a_file_that_changes_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """Also when its beginning is already uploaded."""
    root = write_tree(tmp_path, {"data": random.Random(3).randbytes(BLOCK_BYTES) * 40})
    stream = ArchiveStream(listed(root), threads=2)
    stream.read(1)
    with (root / "data").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UploadFailed, match="`data` was changed while it was packed"):
        stream.read()
    with pytest.raises(ValueError, match="closed"):
        stream.read()


def test_closing_stops_the_threads(mixed: tuple[PackedFile, ...]) -> None:
    """At any moment, any number of times; a read after it is an error, not an end."""
    before = set(threading.enumerate())
    for size in (0, 1, BLOCK_BYTES):
        stream = ArchiveStream(mixed, threads=3)
        stream.read(size)
        stream.close()
        stream.close()
        with pytest.raises(ValueError, match="closed"):
            stream.read()
    for thread in threading.enumerate():
        if thread.name.startswith("pack"):
            thread.join(10)
    assert set(threading.enumerate()) <= before


def test_closing_from_another_thread_ends_a_read(tmp_path: Path) -> None:
    """As a cancelled upload does."""
    root = write_tree(tmp_path, {"data": random.Random(1).randbytes(50 * BLOCK_BYTES)})
    stream = ArchiveStream(listed(root), threads=1)
    stream.read(1)
    closer = threading.Thread(target=stream.close)
    closer.start()
    with pytest.raises(ValueError, match="closed"):
        deque(iter(lambda: stream.read(1), b""), maxlen=0)  # byte by byte: longer than any thread takes to start
    closer.join()


def test_a_finished_stream_has_no_threads(mixed: tuple[PackedFile, ...]) -> None:
    """Even when nobody closes it."""
    before = set(threading.enumerate())
    packed(mixed)
    assert set(threading.enumerate()) <= before


def test_one_archive_for_each_try(mixed: tuple[PackedFile, ...]) -> None:
    """The same bytes each time."""
    archives = Archives(mixed)
    assert [packed(mixed)] * 3 == [archives.open().read() for _ in range(3)]
    archives.close()


def test_the_first_archive_is_packed_ahead(tmp_path: Path) -> None:
    """Before anybody asks for it, as far as there is room; closing stops that."""
    noise = random.Random(5).randbytes(AHEAD_BYTES + 4 * BLOCK_BYTES)
    before = set(threading.enumerate())
    unused = Archives(listed(write_tree(tmp_path, {"noise": noise})))
    assert before < set(threading.enumerate())  # they wait for room
    unused.close()
    for thread in threading.enumerate():
        if thread.name.startswith("pack"):
            thread.join(10)
    assert set(threading.enumerate()) <= before
    with pytest.raises(ValueError, match="closed"):
        unused.open().read()


@pytest.mark.parametrize("room", [0, 1, 2 * BLOCK_BYTES, READY_BYTES])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_digest_and_the_beginning_in_one_pass(tmp_path: Path, room: int, threads: int) -> None:
    """Digest and archive are what they are without it, however much is ready when it is sent, and whoever packs it."""
    source = random.Random(7)
    sizes = [*(source.choice((0, 3, 400, 4096, 5000, 90_000, 700_000)) for _ in range(60)), 0, BLOCK_BYTES]
    files = listed(
        write_tree(
            tmp_path / "truss",
            {
                f"d{index % 3}/{'n' * (index * 3)}-é"[: 200 - index % 2]: source.randbytes(size)
                for index, size in enumerate(sizes)
            }
            | {"z/large": b"text\n" * BLOCK_BYTES, "z/more": b"x"},
        )
    )
    first = digest_and_pack(files, room=room, threads=threads)
    assert content_digest(files) == first.digest
    assert bool(room) == bool(first.ready)
    archives = Archives(files, deque(first.ready))
    assert [packed(files)] * 2 == [archives.open().read() for _ in range(2)]


def test_what_is_ready_is_bounded(tmp_path: Path) -> None:
    """By its room, and by the first file that is larger than a block: weights are never kept."""
    noise = random.Random(8).randbytes(BLOCK_BYTES // 2)
    files = listed(write_tree(tmp_path, {f"{number:02}": noise for number in range(40)}))
    ready = digest_and_pack(files, room=4 * BLOCK_BYTES).ready
    assert 4 <= len(ready) <= 5
    write_tree(tmp_path, {"03-weights": noise * 3})
    assert 2 >= len(digest_and_pack(listed(tmp_path)).ready)


@pytest.mark.parametrize("read", [content_digest, lambda files, calm: digest_and_pack(files, calm=calm, room=1).digest])
def test_calm_is_when_no_small_files_are_left_to_read(tmp_path: Path, read: Callable[..., str]) -> None:
    """Many of them are all read by then, whatever large ones there are before and after."""
    large = b"x" * (2 * BLOCK_BYTES)
    small = {f"f/{number:03}": b"%d" % number * 2000 for number in range(300)}
    files = listed(write_tree(tmp_path, {"a": large, "z": large} | small))
    expected, called = content_digest(files), []

    def calm() -> None:
        called.append(1)
        for name in small:
            (tmp_path / name).unlink()

    assert expected == read(files, calm=calm)
    assert [1] == called


def test_calm_is_at_once_where_there_are_few(tmp_path: Path) -> None:
    """Large files are read with little of Python."""
    files = listed(write_tree(tmp_path, {"config.yaml": b"", "weights": b"x" * (2 * BLOCK_BYTES)}))
    with pytest.raises(UploadFailed, match="`weights`"):
        digest_and_pack(files, calm=(tmp_path / "weights").unlink)


@pytest.mark.parametrize("change", ["content", "longer", "gone", "symlink"])
@pytest.mark.parametrize("size", [0, 10, 5000])
def test_a_change_before_the_first_pass_is_noticed(tmp_path: Path, change: str, size: int) -> None:
    """Also of a file whose content was read when it was listed."""
    files = listed(write_tree(tmp_path, {"data": b"x" * size, "other": b"y" * size}))
    file = tmp_path / "data"
    if change in {"gone", "symlink"}:
        file.unlink()
    if change == "symlink":
        file.symlink_to("other")
    elif change != "gone":
        file.write_bytes(b"z" * (size + (change == "longer")))
        os.utime(file, (2, 2))
    with pytest.raises(UploadFailed, match="`data`"):
        digest_and_pack(files)


def test_a_file_that_is_swapped_while_it_is_listed_is_noticed(tmp_path: Path) -> None:
    """What was read when it was listed is packed only while the file has the time and the size that it had then."""
    (tmp_path / "data").write_bytes(b"old")
    (file,) = listed(tmp_path)
    assert b"old" == file.content
    (tmp_path / "data").write_bytes(b"new")
    os.utime(tmp_path / "data", ns=(file.mtime_ns + 1, file.mtime_ns + 1))
    with pytest.raises(UploadFailed, match="`data` was changed while it was packed"):
        packed((file,))


def test_300_megabytes_take_little_memory(tmp_path: Path) -> None:
    """Neither the archive nor a file is ever whole in memory."""
    size = 300 * 1024 * 1024
    block = random.Random(2).randbytes(BLOCK_BYTES)
    with (tmp_path / "weights").open("wb") as file:
        for _ in range(size // BLOCK_BYTES):
            file.write(block)
    files = listed(tmp_path)
    tracemalloc.start()
    try:
        content_digest(files)
        stream = ArchiveStream(files, threads=2)
        while stream.read(BLOCK_BYTES):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stream.source_bytes == size
    assert peak < 40 * 1024 * 1024


def test_the_digest_is_about_content(tmp_path: Path) -> None:
    """Name, mode and content count; the time does not."""
    root = write_tree(tmp_path, {"a": "1", "b": "2"})
    first = content_digest(listed(root))
    os.utime(root / "a", (1, 1))
    assert first == content_digest(listed(root))
    changed = set()
    (root / "a").chmod(0o755)
    changed.add(content_digest(listed(root)))
    (root / "a").write_text("2")
    changed.add(content_digest(listed(root)))
    (root / "a").rename(root / "c")
    changed.add(content_digest(listed(root)))
    assert len(changed - {first}) == 3


def test_the_digest_is_the_documented_one() -> None:
    """SHA-256 over name, mode, size and SHA-256 of each file, so that anybody can compute it."""
    files = (PackedFile.of_bytes("b", b"two"), PackedFile("a", b"one", 0o755, 3))
    lines = [
        f"a\x00755\x003\x00{hashlib.sha256(b'one').hexdigest()}\n",
        f"b\x00644\x003\x00{hashlib.sha256(b'two').hexdigest()}\n",
    ]
    assert hashlib.sha256("".join(lines).encode()).hexdigest() == content_digest(files)
