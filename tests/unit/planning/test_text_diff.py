"""The diff of a small text file: shown where a reviewer may see it, and nowhere else."""

import pytest

from baseten_deploy.planning.text_diff import LINES, TEXT_BYTES, text_diff


def test_a_text():
    """A unified diff without file dates."""
    expected = ("--- live", "+++ this run", "@@ -1,2 +1,2 @@", " a", "-b", "+c")
    assert expected == text_diff("model/model.py", b"a\nb\n", b"a\nc\n")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.py", None, b"a"),
        ("a.py", b"a", None),
        ("a.bin", b"\0a", b"b"),
        ("a.txt", b"\xff\xfe", b"b"),
        ("a.txt", b"a" * (TEXT_BYTES + 1), b"b"),
        ("config.yaml", b"secrets: {a: b}", b"secrets: {a: c}"),
        (".env.production", b"A=1", b"A=2"),
        ("id_rsa", b"a", b"b"),
        ("notes.txt", b"x", b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"),
        ("notes.txt", b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", b"x"),
    ],
)
def test_what_is_not_shown(name, before, after):
    """Half of a pair, what is no text or large, and what is or was a credential; the config has a diff of its own."""
    assert () == text_diff(name, before, after)


def test_a_long_one():
    """Is cut in lines."""
    after = "\n".join(f"line {number}" for number in range(1000)).encode()
    assert LINES == len(text_diff("a.py", b"x", after))
