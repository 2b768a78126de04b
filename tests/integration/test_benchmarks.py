"""The benchmarks run end to end; how fast anything is, no test asserts."""

import re
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.document import BEGIN, END, write


def test_every_case_gets_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quick` measures each Truss on each sink with each contender that is installed, and reports the goals."""
    assert main(["--quick", "--rounds", "1", "--ends", "1", "--at-once", "2"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^\| ([^|]+) \| (unlimited|1 Gbit/s) \| ([^|]+) \|", printed, re.MULTILINE)
    sent = [(size, "unlimited") for size in ("5 KB", "2 MB code", "12 MB mixed", "500 files")]
    expected = {(*each, name) for each in [*sent, ("5 KB", "1 Gbit/s")] for name in ("this action", "tar, gzip, boto3")}
    assert (expected, len(expected)) == (set(rows), len(rows))
    assert "| management API requests to the commit (4) | 4 |" in printed
    assert 2 == len(re.findall(r"^\| 5 KB \| 50 ms \|", printed, re.MULTILINE))
    assert re.search(r"^\| 2 runs at once \| nobody refused \| 0 failed; ", printed, re.MULTILINE)
    assert re.search(r"^\| offline plan of 300 files, s \| 0.5 \| ", printed, re.MULTILINE)
    assert re.search(r"^\| from live to the end, s, p50 and p95 \| 3 and 6 \| ", printed, re.MULTILINE)


def test_what_was_measured_replaces_what_was(tmp_path: Path) -> None:
    """Between its marks, and nothing else; a document without them is left alone."""
    document = tmp_path / "benchmarks.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(document, "new")
    write(document, "newer")
    assert f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n" == document.read_text()
    (tmp_path / "other.md").write_text("by hand\n")
    with pytest.raises(ValueError, match="no marks"):
        write(tmp_path / "other.md", "new")
    assert "by hand\n" == (tmp_path / "other.md").read_text()
