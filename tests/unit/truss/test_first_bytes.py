"""The first bytes of files: of which, how much, and nothing of what cannot be read."""

import os
from pathlib import Path

from trees import write_tree

from baseten_deploy.truss.first_bytes import FIRST_BYTES, first_bytes, read_first
from baseten_deploy.truss.ignore_rules import IgnoreRules
from baseten_deploy.truss.packing_list import PackedFile, PackingList


def packed(root: Path) -> tuple[PackedFile, ...]:
    """All files below a directory."""
    packing = PackingList(IgnoreRules(custom=True, patterns=()), root)
    packing.add_tree(root, [root])
    return packing.files


def test_small_files_and_text_are_read(tmp_path):
    """Whatever is small, and what looks like text up to a bound; neither weights nor what is empty."""
    files = {
        "a.bin": "x" * 1024,
        "b.bin": "x" * 1025,
        "c.json": "x" * 5000,
        "d.json": "x" * 70_000,
        "e": "x" * 5000,
        ".f": "x" * 5000,
        "g": "",
    }
    root = write_tree(tmp_path, files)
    assert {"a.bin": 1024, "c.json": FIRST_BYTES, "e": FIRST_BYTES, ".f": FIRST_BYTES} == {
        file.name: len(content) for file, content in first_bytes(packed(root))
    }


def test_what_is_in_memory_is_read_there():
    """A config that was written anew."""
    assert [b"abc"] == [content for _, content in first_bytes([PackedFile.of_bytes("config.yaml", b"abc")])]


def test_what_took_the_place_of_a_file_is_not_read(tmp_path):
    """A link, a FIFO, a directory, nothing at all: none of them hangs or leads elsewhere."""
    root = write_tree(tmp_path, {"secret": "x", "directory/": ""})
    (root / "link").symlink_to("secret")
    os.mkfifo(root / "fifo")
    assert [b"", b"", b"", b""] == [read_first(root / name) for name in ("link", "fifo", "directory", "nothing")]
