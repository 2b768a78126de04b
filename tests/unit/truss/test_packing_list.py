"""The packing list: names, modes, and everything that stands in the way."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy.truss.ignore_rules import DEFAULT_RULES, IgnoreRules
from baseten_deploy.truss.packing_list import PackedFile, PackingList, listed

EVERYTHING = IgnoreRules(custom=True, patterns=())


def packing_list(directory: Path, rules: IgnoreRules = EVERYTHING) -> PackingList:
    """The packing list of a Truss that is its own workspace."""
    packing = PackingList(rules, directory)
    packing.add_tree(directory, [directory])
    return packing


def names(packing: PackingList) -> list[str]:
    """Names of the files."""
    return [file.name for file in packing.files]


def problem_of(directory: Path, file: str) -> str:
    """The message of the only problem of `directory`, which is with `file`."""
    (problem,) = packing_list(directory).problems
    assert file == problem.file
    assert problem.remedy
    return problem.message


def test_files_are_sorted_by_name(tmp_path: Path) -> None:
    """By code points, whatever order the directory has; directories themselves have no entry."""
    root = write_tree(tmp_path, {"b.py": "", "a/z.py": "", "a.py": "", "Z.py": "", "empty/": ""})
    assert ["Z.py", "a.py", "a/z.py", "b.py"] == names(packing_list(root))


def test_facts_of_a_file(tmp_path: Path) -> None:
    """Source, size and time are those on disk; the mode is 0755 for what its owner may execute, else 0644."""
    root = write_tree(tmp_path, {"run.sh": "hello", "plain": ""})
    (root / "run.sh").chmod(0o700)
    (root / "plain").chmod(0o467)
    os.utime(root / "run.sh", ns=(1, 123456789))
    plain, run = packing_list(root).files
    assert PackedFile("run.sh", root / "run.sh", 0o755, 5, 123456789) == run
    assert plain.mode == 0o644


def test_a_symlink_to_a_file_inside_is_that_file(tmp_path: Path) -> None:
    """Relative, absolute, and over another symlink: content and mode of the target."""
    root = write_tree(tmp_path, {"data/real.sh": "hello"})
    (root / "data/real.sh").chmod(0o755)
    (root / "relative").symlink_to("data/real.sh")
    (root / "absolute").symlink_to(root / "data/real.sh")
    (root / "data/twice").symlink_to("../relative")
    packing = packing_list(root)
    assert [] == packing.problems
    assert {("data/real.sh", 0o755, 5)} == {
        (file.source.relative_to(root).as_posix(), file.mode, file.size)
        for file in packing.files
        if isinstance(file.source, Path)
    }
    assert ["absolute", "data/real.sh", "data/twice", "relative"] == names(packing)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../secret", "A symlink to `../secret`, which is outside of the Truss"),
        ("/etc/passwd", "A symlink to `/etc/passwd`, which is outside of the Truss"),
        ("/etc", "A symlink to `/etc`, which is outside of the Truss"),
        ("../truss-2/file", "A symlink to `../truss-2/file`, which is outside of the Truss"),
        ("data", "A symlink to the directory `data`"),
        (".", "A symlink to the directory `.`"),
        ("gone", "A broken symlink to `gone`"),
        ("file/below", "A broken symlink to `file/below`"),
        ("link", "A symlink to `link` that cannot be followed: Too many levels of symbolic links"),
        (".git/config", "A symlink to `.git/config`, into `.git`, where CI checkouts keep a token"),
        ("data/../.git/config", "A symlink to `data/../.git/config`, into `.git`, where CI checkouts keep a token"),
        ("fifo", "A FIFO, which an archive cannot hold"),
    ],
)
def test_symlinks_that_are_refused(tmp_path: Path, target: str, message: str) -> None:
    """A pull request must not be able to pack the runner's files, nor to make a run hang."""
    root = write_tree(
        tmp_path / "truss",
        {"data/x": "", "file": "", "sub/": "", ".git/config": "token", ".truss_ignore": ".git\nfifo\n"},
    )
    write_tree(tmp_path, {"secret": "", "truss-2/file": ""})
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to(target)
    packing = packing_list(root, IgnoreRules(custom=True, patterns=(".git", "fifo")))
    assert [(message, "link")] == [(problem.message, problem.file) for problem in packing.problems]
    assert "link" not in names(packing)


def test_a_chain_of_symlinks_that_leaves_the_truss_is_refused(tmp_path: Path) -> None:
    """Only where it ends counts."""
    root = write_tree(tmp_path / "truss", {"a/": ""})
    write_tree(tmp_path, {"secret": ""})
    (root / "a/first").symlink_to("second")
    (root / "a/second").symlink_to("../../secret")
    assert {"a/first", "a/second"} == {problem.file for problem in packing_list(root).problems}


def test_ignored_symlinks_are_no_problem(tmp_path: Path) -> None:
    """To a file they are tested as a file, to a directory as a directory, broken ones as a file."""
    root = write_tree(tmp_path / "truss", {"file": ""})
    for name, target in (("to-file", "/etc/passwd"), ("to-directory", "/etc"), ("broken", "gone"), ("loop", "loop")):
        (root / name).symlink_to(target)
    packing = packing_list(root, IgnoreRules(custom=True, patterns=("to-file", "to-directory/", "broken", "loop")))
    assert ([], ["file"]) == (packing.problems, names(packing))


def test_special_files_are_refused(tmp_path: Path) -> None:
    """FIFO and socket; nothing waits for them."""
    root = write_tree(tmp_path, {"file": ""})
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(root / "socket"))
    packing = packing_list(root)
    assert [
        ("fifo", "A FIFO, which an archive cannot hold"),
        ("socket", "A socket, which an archive cannot hold"),
    ] == [(problem.file, problem.message) for problem in packing.problems]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_devices_are_refused(tmp_path: Path) -> None:
    """A device is neither opened nor packed."""
    try:
        os.mknod(tmp_path / "null", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this container may not make devices")
    assert problem_of(tmp_path, "null") == "A device, which an archive cannot hold"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory for a test that runs without root's right to read everything."""
    with tempfile.TemporaryDirectory() as directory:
        user = os.geteuid()
        Path(directory).chmod(0o755)
        if user == 0:
            os.chown(directory, 65534, 65534)
            os.seteuid(65534)
        yield Path(directory).resolve()
        os.seteuid(user)


def test_unreadable_files_and_directories_are_problems(unprivileged: Path) -> None:
    """Both are named, with the reason."""
    root = write_tree(unprivileged, {"secret": "", "closed/file": "", "open": ""})
    (root / "secret").chmod(0)
    (root / "closed").chmod(0)
    packing = packing_list(root)
    assert [("secret", "Cannot be read: Permission denied"), ("closed", "Cannot be read: Permission denied")] == [
        (problem.file, problem.message) for problem in packing.problems
    ]
    assert ["open"] == names(packing)


def test_hard_links_are_plain_files(tmp_path: Path) -> None:
    """Each name has the content; nothing refers to the other one."""
    root = write_tree(tmp_path, {"one": "hello"})
    os.link(root / "one", root / "two")
    assert [("one", 5), ("two", 5)] == [(file.name, file.size) for file in packing_list(root).files]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """Its name is escaped in the message, which has to be printed."""
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text("")
    except OSError:
        pytest.skip("this file system has no such names")
    assert problem_of(tmp_path, "caf\\udce9.py") == "The name is not UTF-8"


def test_what_is_dropped_and_may_be_missed(tmp_path: Path) -> None:
    """Caches, virtual environments and empty directories are not worth a word; `lib/` and `x.so` are."""
    root = write_tree(
        tmp_path,
        {
            "model/lib/util.py": "",
            "model/x.so": "",
            "build/out": "",
            "dist/": "",
            "env/pyvenv.cfg": "",
            "model/__pycache__/x.pyc": "",
            ".git/config": "",
            ".DS_Store": "",
            "debug.log": "",
            "model/model.py": "",
        },
    )
    packing = packing_list(root, DEFAULT_RULES)
    assert {"model/lib/", "model/x.so", "build/"} == {dropped.name for dropped in packing.dropped}
    assert ["model/model.py"] == names(packing)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "`f0`"), (5, "`f0`, `f1`, `f2`, `f3`, `f4`"), (7, "`f0`, `f1`, `f2`, `f3`, `f4` and 2 more")],
)
def test_lists_in_messages_are_short(count: int, expected: str) -> None:
    """The first five, and how many more."""
    assert expected == listed(f"f{index}" for index in range(count))


def test_small_files_are_read_when_they_are_listed(tmp_path: Path) -> None:
    """All of a small file, the beginning of one of text, nothing of data; what they are is the same without it."""
    root = write_tree(tmp_path, {"small.bin": "x" * 4096, "data.bin": "x" * 4097, "text.py": "y" * 5000, "empty": ""})
    packing = packing_list(root)
    assert {"small.bin": 4096, "data.bin": 0, "text.py": 2048, "empty": 0} == {
        file.name: len(file.beginning) for file in packing.files
    }
    assert {"small.bin", "empty"} == {file.name for file in packing.files if file.content is not None}
    small = PackingList(EVERYTHING, root, room=5000)
    small.add_tree(root, [root])
    assert packing.files == small.files
    assert 5000 > sum(len(file.beginning) for file in small.files)


@pytest.mark.parametrize("content", ["", "x", "x" * 5000])
def test_a_file_is_what_it_is_wherever_its_source_is_written(tmp_path: Path, content: str) -> None:
    """As a path, as text, as the directory that it is in; its representation shows nothing of the content."""
    (file,) = packing_list(write_tree(tmp_path, {"a/b.txt": content})).files
    source = tmp_path / "a" / "b.txt"
    same = [PackedFile("a/b.txt", each, 0o644, len(content), file.mtime_ns) for each in (source, str(source))]
    assert [file, file] == same
    assert 1 == len({file, *same})
    assert (source, str(source)) == (file.source, file.path)
    assert "xx" not in repr(PackedFile.of_bytes("config.yaml", b"xx"))
