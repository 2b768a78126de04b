"""Requirements files that the image build cannot read."""

from pathlib import Path

import pytest
from trees import MODEL, write_tree

from baseten_deploy.errors import Problem
from baseten_deploy.truss.directory import read_truss

TEXT = "numpy==1.26.4\n# für später\nscipy\n"


def warnings(directory: Path, files: dict[str, bytes], named: str = "requirements.txt") -> list[Problem]:
    """What is said of a Truss that names one."""
    config = f"model_name: x\nrequirements_file: {named}\n" if named else "model_name: x\n"
    root = write_tree(directory, {"config.yaml": config, "model/model.py": MODEL, **files})
    return list(read_truss(root, root).warnings)


@pytest.mark.parametrize(
    ("content", "what", "line"),
    [
        (TEXT.encode("utf-16"), "UTF-16", 1),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16", 1),
        (TEXT.encode("utf-16-le"), "UTF-16 without a byte-order mark", 1),
        (b"numpy\n".decode().encode("utf-16-be"), "UTF-16 without a byte-order mark", 1),
        (TEXT.encode("latin-1"), "not UTF-8, perhaps Latin-1", 2),
        (b"numpy\n\n# \x93quoted\x94\n", "not UTF-8, perhaps Latin-1", 3),
    ],
)
@pytest.mark.parametrize("name", ["requirements.txt", "deploy/requirements-prod.txt"])
def test_is_named_with_its_encoding(tmp_path, name, content, what, line):
    """As PowerShell and old editors write them; the remedy has the command that is right."""
    (warning,) = warnings(tmp_path, {name: content}, name)
    assert (name, line) == (warning.file, warning.line)
    assert f"`{name}` is {what}: the image build cannot read it" == warning.message
    assert "-Encoding utf8" in warning.remedy


@pytest.mark.parametrize(
    "content", [TEXT.encode(), b"\xef\xbb\xbf" + TEXT.encode(), TEXT.replace("\n", "\r\n").encode(), b"", b"numpy"]
)
def test_utf_8_is_fine(tmp_path, content):
    """Also with a byte-order mark, and whatever ends the lines."""
    assert [] == warnings(tmp_path, {"requirements.txt": content})


def test_what_it_includes_is_read_too(tmp_path):
    """Relative to the file that includes it, each once."""
    files = {
        "deploy/requirements.txt": b"-r base.txt\n-c ../limits.txt\n--requirement=requirements.txt\n-r missing.txt\n",
        "deploy/base.txt": TEXT.encode("utf-16"),
        "limits.txt": TEXT.encode("latin-1"),
        "other.txt": TEXT.encode("latin-1"),
    }
    assert ["deploy/base.txt", "limits.txt"] == [
        warning.file for warning in warnings(tmp_path, files, "deploy/requirements.txt")
    ]


def test_the_usual_file_without_being_named(tmp_path):
    """A build command may install it."""
    assert ["requirements.txt"] == [w.file for w in warnings(tmp_path, {"requirements.txt": TEXT.encode("utf-16")}, "")]
