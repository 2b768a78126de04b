"""The benchmarks run end to end; how fast anything is, no test asserts."""

import re

import pytest
from benchmarks.__main__ import main


def test_every_case_gets_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quick` measures each Truss on each sink with each contender that is installed, and reports the goals."""
    assert main(["--quick", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^\| ([^|]+) \| (unlimited|1 Gbit/s) \| ([^|]+) \|", printed, re.MULTILINE)
    expected = [
        (size, sink, contender)
        for size in ("5 KB", "2 MB code", "12 MB mixed")
        for sink in ("unlimited", "1 Gbit/s")
        for contender in ("this action", "tar, gzip, boto3")
    ]
    assert sorted(expected) == sorted((a, b, c) for a, b, c in rows)
    assert "| management API requests to the commit (4) | 4 |" in printed
