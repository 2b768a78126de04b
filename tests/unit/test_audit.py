"""`scripts/audit.py`: what pip-audit says is told as it is, and not having looked is never called clean."""

import json

import pytest

import audit

CLEAN = {"dependencies": [{"name": "httpx", "version": "0.28.1", "vulns": []}], "fixes": []}
BAD = {
    "dependencies": [
        {"name": "h11", "version": "0.14.0", "vulns": [{"id": "GHSA-vqfr", "fix_versions": ["0.16.0"], "aliases": []}]},
        {"name": "idna", "version": "3.6", "vulns": [{"id": "PYSEC-1", "fix_versions": [], "aliases": []}]},
    ]
}
OFFLINE = "Traceback (most recent call last):\n  ...\nConnectionError: Name or service not known\n"


def tool(directory, name, output, errors="", code=0):
    """Write a pip-audit that gives this answer, whatever it is asked."""
    path = directory / name
    path.write_text(f"#!/bin/sh\ncat <<'X'\n{output}\nX\ncat >&2 <<'X'\n{errors}\nX\nexit {code}\n")
    path.chmod(0o755)
    return (path,)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((0, json.dumps(CLEAN), ""), audit.Finding(1)),
        (
            (1, json.dumps(BAD), "Found 2 known vulnerabilities"),
            audit.Finding(
                2,
                (
                    "h11 0.14.0: GHSA-vqfr, mended in 0.16.0",
                    "idna 3.6: PYSEC-1, mended in no version yet",
                ),
            ),
        ),
        ((1, "", OFFLINE), audit.Finding(0, reason="ConnectionError: Name or service not known")),
        ((0, "{}", ""), audit.Finding(0, reason="pip-audit ended with 0 and said nothing")),
        ((2, "null", ""), audit.Finding(0, reason="pip-audit ended with 2 and said nothing")),
        (
            (0, json.dumps({"dependencies": [{"name": "x", "skip_reason": "not found"}]}), ""),
            audit.Finding(0, reason="the database that answers does not know x"),
        ),
    ],
    ids=["clean", "vulnerable", "offline", "half an answer", "no answer", "a package that nobody knows"],
)
def test_an_answer_is_read_as_what_it_is(answer, expected):
    """Clean only where all was looked at; both kinds of exit code 1 are told apart."""
    assert expected == audit.read(*answer)


@pytest.mark.parametrize(
    ("output", "errors", "arguments", "code", "said"),
    [
        (json.dumps(CLEAN), "", ["--must-look"], 0, "requirements.txt: 1 packages, none known to be vulnerable"),
        (json.dumps(BAD), "", [], 1, "requirements.txt: 2 packages, 2 known to be vulnerable"),
        ("", OFFLINE, [], 0, "requirements.txt: could not look, so nothing is known: ConnectionError"),
        ("", OFFLINE, ["--must-look"], 1, "could not look"),
    ],
    ids=["clean", "vulnerable", "offline", "offline, and must look"],
)
def test_the_exit_code(tmp_path, capsys, output, errors, arguments, code, said):
    """Red for a vulnerability; for not having looked only where looking was the point."""
    assert code == audit.main(arguments, tool(tmp_path, "pip-audit", output, errors, code=1))
    out = capsys.readouterr().out
    assert said in out


def test_a_tool_that_is_not_there_is_not_clean(tmp_path, capsys):
    """It is told as not having looked."""
    assert 0 == audit.main([], (tmp_path / "missing",))
    assert "could not look" in capsys.readouterr().out
