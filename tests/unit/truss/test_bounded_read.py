"""What a Truss says about itself is read within bounds, whatever lies at its place."""

import os

import pytest

from baseten_deploy.errors import InvalidInput
from baseten_deploy.truss.bounded_read import TooLarge, read_within
from baseten_deploy.truss.directory import read_truss

MIB = 1024 * 1024


def sparse(path, size):
    """Make a file of a size that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(size)


def refused(workspace):
    """Read the Truss in `workspace`, which must be invalid; what is wrong."""
    with pytest.raises(InvalidInput) as caught:
        read_truss(workspace, workspace)
    return caught.value.problems


@pytest.fixture
def workspace(tmp_path):
    """A Truss that is valid so far."""
    (tmp_path / "config.yaml").write_text("model_name: m\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.py").write_text("class Model:\n    def predict(self, x):\n        return x\n")
    return tmp_path


class TestReadWithin:
    """One file."""

    @pytest.mark.parametrize("size", [0, 1, 9, 10])
    def test_up_to_the_limit(self, tmp_path, size):
        """All of it."""
        (tmp_path / "f").write_bytes(b"x" * size)
        assert b"x" * size == read_within(tmp_path / "f", 10)

    @pytest.mark.parametrize("size", [11, 20 * 1024**3])
    def test_beyond(self, tmp_path, size):
        """Its size is enough to know."""
        sparse(tmp_path / "f", size)
        with pytest.raises(TooLarge):
            read_within(tmp_path / "f", 10)

    def test_what_is_no_file(self, tmp_path):
        """A FIFO that nobody writes to, a directory, a device without an end: an error at once."""
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "fifo", tmp_path, tmp_path / "missing"):
            with pytest.raises(OSError):  # noqa: PT011 - which one is the system's business
                read_within(path, 10)
        with pytest.raises(OSError, match="no regular file"):
            read_within(type(tmp_path)("/dev/zero"), 10)


class TestOfATruss:
    """`config.yaml` and the ignore file are `invalid` before they are parsed."""

    @pytest.mark.parametrize("size", [10 * MIB + 1, 20 * 1024**3, 2**43])
    def test_a_huge_config(self, workspace, size):
        """It is named, with its limit."""
        sparse(workspace / "config.yaml", size)
        first = refused(workspace)[0]
        assert ("config.yaml", "Larger than 10 MiB, so it is not read") == (first.file, first.message)

    def test_a_huge_config_of_text(self, workspace):
        """Not only a sparse one."""
        (workspace / "config.yaml").write_text("# x\n" * (3 * MIB))
        assert "Larger than 10 MiB, so it is not read" == refused(workspace)[0].message

    @pytest.mark.parametrize("size", [MIB + 1, 20 * 1024**3])
    def test_a_huge_ignore_file(self, workspace, size):
        """The same."""
        sparse(workspace / ".truss_ignore", size)
        first = refused(workspace)[0]
        assert (".truss_ignore", "Larger than 1 MiB, so it is not read") == (first.file, first.message)

    def test_up_to_the_limits(self, workspace):
        """A large config is read; so is an ignore file with Windows' line ends."""
        (workspace / "config.yaml").write_text("model_name: m\n" + "# x\n" * 100_000)
        (workspace / ".truss_ignore").write_bytes(b"*.log\r\n" + b"# x\n" * 200_000)
        truss = read_truss(workspace, workspace)
        assert "m" == truss.config["model_name"]
        assert truss.ignore.ignores_file("a.log")

    def test_more_than_s3_takes(self, workspace):
        """A sparse file of six TiB is refused by its size, before anything reads it."""
        sparse(workspace / "weights.bin", 6 * 1024**4)
        problem = refused(workspace)[0]
        assert "The files of `.` have 6.0 TiB; an archive may have 5 TiB" == problem.message
        assert "`weights.bin`" in problem.remedy
