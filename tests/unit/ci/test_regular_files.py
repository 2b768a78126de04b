"""Files that somebody else named."""

import os
from pathlib import Path

import pytest

from baseten_deploy.ci.regular_files import open_to_append, read_regular


class TestRead:
    """What is read."""

    def test_a_file(self, tmp_path):
        """Also through a link that stays within; up to the limit."""
        (tmp_path / "file").write_bytes(b"text")
        (tmp_path / "link").symlink_to("file")
        assert [b"text"] * 2 == [read_regular(tmp_path / name, tmp_path, 4) for name in ("file", "link")]

    def test_not_more_than_is_needed(self, tmp_path):
        """A sparse file of gigabytes ends nothing."""
        with (tmp_path / "file").open("wb") as file:
            file.truncate(20 * 2**30)
        with pytest.raises(ValueError, match="more than 10 bytes"):
            read_regular(tmp_path / "file", tmp_path, 10)

    def test_nothing_else(self, tmp_path):
        """A pipe would hang, a device never end, a link lead out."""
        root = tmp_path / "root"
        root.mkdir()
        (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
        os.mkfifo(root / "pipe")
        (root / "out").symlink_to("../secret")
        (root / "device").symlink_to("/dev/zero")
        (root / "loop").symlink_to("loop")
        for name in ("pipe", "out", "device", "loop", "missing", ".", "../secret"):
            with pytest.raises((OSError, ValueError)):
                read_regular(root / name, root, 100)
        with pytest.raises(ValueError, match="no file"):
            read_regular("/dev/zero", Path("/dev"), 100)


class TestAppend:
    """What is written to."""

    def test_a_file(self, tmp_path):
        """Made when it is missing, kept when it is there."""
        for _ in range(2):
            with open_to_append(tmp_path / "file") as file:
                file.write(b"x")
        assert b"xx" == (tmp_path / "file").read_bytes()

    def test_the_null_device(self):
        """Is how a file is switched off."""
        with open_to_append("/dev/null") as file:
            file.write(b"x")

    def test_a_pipe_that_somebody_reads(self, tmp_path):
        """Is still none."""
        os.mkfifo(tmp_path / "pipe")
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        try:
            with pytest.raises(ValueError, match="no file"):
                open_to_append(tmp_path / "pipe")
        finally:
            os.close(reader)
