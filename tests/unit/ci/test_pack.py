"""Commits in packs that git itself made, and what a damaged or hostile pack comes to: nothing."""

import os
import struct
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.ci.pack import COMMIT_BYTES, commit_in_packs

_QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "x@y.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(directory: Path, *arguments: str, given: str = "") -> str:
    """What git says."""
    environment = {"PATH": os.environ["PATH"], **_QUIET}
    command = ["git", *arguments]
    done = subprocess.run(
        command, cwd=directory, env=environment, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def packed(tmp_path: Path, messages: list[str], *init: str, window: int = 0) -> tuple[Path, list[str]]:
    """The objects of a repository with a commit for each message, all in one pack, and the names of the commits.

    Of so many others each may be kept as the difference to.
    """
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "-q", *init)
    tree, names = git(directory, "mktree"), []
    for message in messages:
        parents = [part for name in names[-1:] for part in ("-p", name)]
        names.append(git(directory, "commit-tree", tree, *parents, given=message))
    git(directory, "update-ref", "refs/heads/main", names[-1])
    git(directory, "repack", "-qad", f"--window={window}", "--depth=50")
    git(directory, "prune-packed")
    objects = directory / ".git/objects"
    assert not list(objects.glob("[0-9a-f][0-9a-f]/*"))
    return objects, names


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_each_commit_is_found(tmp_path, kind):
    """As git says it, wherever it stands in the index."""
    objects, names = packed(tmp_path, [f"commit {number}" for number in range(60)], f"--object-format={kind}")
    for name in names:
        assert git(objects.parent, "cat-file", "commit", name) == commit_in_packs(name, objects).strip()


@pytest.mark.parametrize("length", [0, 1, 15, 16, 200, 2047, 2048, 40_000])
def test_lengths(tmp_path, length):
    """The length of an object is of varying width."""
    objects, [name] = packed(tmp_path, ["x" * length + "\n"])
    assert ("x" * length).strip() == commit_in_packs(name, objects).partition("\n\n")[2].strip()


def test_one_that_is_too_long(tmp_path):
    """Nobody's merge has a message of a megabyte; it is not read."""
    objects, [name] = packed(tmp_path, ["x " * COMMIT_BYTES])
    assert "" == commit_in_packs(name, objects)


def test_one_that_is_a_difference(tmp_path):
    """Is whole or unknown, and never something else."""
    base = "\n".join(f"line {number} of a long message that hardly changes" for number in range(300))
    messages = [f"{base}\nversion {number}" for number in range(12)]
    objects, names = packed(tmp_path, messages, window=50)
    listed = git(objects.parent, "verify-pack", "-v", *map(str, (objects / "pack").glob("*.idx"))).splitlines()
    whole = {line.split()[0] for line in listed if len(line.split()) == 5 and " commit " in line}
    deltas = {line.split()[0] for line in listed if len(line.split()) == 7 and " commit " in line}
    assert deltas
    assert whole == {name for name in names if commit_in_packs(name, objects)}


def test_offsets_of_64_bits(tmp_path):
    """In the index of a pack beyond 2 GB."""
    objects, names = packed(tmp_path, ["one", "two"])
    [pack] = (objects / "pack").glob("*.pack")
    index = pack.with_suffix(".idx")
    index.unlink()
    git(objects.parent, "index-pack", "--index-version=2,0", str(pack))
    assert index.stat().st_size > 8 + 256 * 4 + 3 * (20 + 4 + 4 + 8)
    assert "one" == commit_in_packs(names[0], objects).partition("\n\n")[2].strip()


def test_of_several_packs(tmp_path):
    """All are looked at, and a damaged one is no reason not to."""
    objects, names = packed(tmp_path, ["one", "two"])
    (objects / "pack/pack-0.idx").write_bytes(b"\xfftOc\0\0\0\2" + b"\xff" * 1024)
    (objects / "pack/pack-1.idx").write_bytes(b"")
    assert "two" == commit_in_packs(names[1], objects).partition("\n\n")[2].strip()


def test_none(tmp_path):
    """No pack, or none that has it."""
    assert "" == commit_in_packs("a" * 40, tmp_path)
    objects, _ = packed(tmp_path, ["one"])
    for name in ("0" * 40, "f" * 40):
        assert "" == commit_in_packs(name, objects)


def test_of_another_than_its_name(tmp_path):
    """An index that leads to another commit is not believed."""
    objects, names = packed(tmp_path, ["one", "two"])
    [index] = (objects / "pack").glob("*.idx")
    data = bytearray(index.read_bytes())
    count = struct.unpack(">I", data[8 + 255 * 4 : 8 + 256 * 4])[0]
    start = 8 + 256 * 4 + count * 24
    offsets = [data[start + 4 * number : start + 4 * number + 4] for number in range(count)]
    data[start : start + 4 * count] = b"".join(reversed(offsets))
    index.chmod(0o600)
    index.write_bytes(data)
    listed = {name: commit_in_packs(name, objects) for name in names}
    assert {"", *(text for name, text in listed.items() if git_name(text) == name)} >= set(listed.values())


def git_name(text: str) -> str:
    """What git calls a commit of this text."""
    import hashlib  # noqa: PLC0415

    data = text.encode()
    return hashlib.sha1(b"commit %d\0" % len(data) + data).hexdigest()


@pytest.mark.parametrize("name", ["idx", "pack"])
def test_what_is_no_file(tmp_path, name):
    """A pipe is not waited for, a link out not followed."""
    objects, [commit] = packed(tmp_path, ["one"])
    [file] = (objects / "pack").glob(f"*.{name}")
    moved = tmp_path / file.name
    file.rename(moved)
    os.mkfifo(file)
    began = time.monotonic()
    assert "" == commit_in_packs(commit, objects)
    assert time.monotonic() - began < 10
    file.unlink()
    file.symlink_to(moved)
    assert "" == commit_in_packs(commit, objects)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A good repository: its objects, the name and text of its commit, and both files."""
    objects, [name] = packed(tmp_path_factory.mktemp("whole"), ["one"])
    [index], [pack] = (objects / "pack").glob("*.idx"), (objects / "pack").glob("*.pack")
    for file in (index, pack):
        file.chmod(0o600)
    return objects, name, commit_in_packs(name, objects), (index, index.read_bytes()), (pack, pack.read_bytes())


class TestDamaged:
    """Whatever the files hold: a text of that name, or nothing."""

    @given(which=st.sampled_from([3, 4]), at=st.integers(0, 2000), put=st.binary(max_size=8), cut=st.booleans())
    def test_in_any_way(self, whole, which, at, put, cut):
        """Bytes changed, inserted, cut off."""
        objects, name, text = whole[:3]
        file, good = whole[which]
        at %= len(good)
        file.write_bytes(good[:at] + put + (b"" if cut else good[at + len(put) :]))
        try:
            assert commit_in_packs(name, objects) in ("", text)
        finally:
            file.write_bytes(good)
