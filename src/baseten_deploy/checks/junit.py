"""The results as JUnit XML, which test reporters read. Written whole or not at all.

Spec: the schema of Jenkins' xUnit plugin (`testsuites`, `testsuite`, `testcase`), as GitHub's and GitLab's reporters
take it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .results import CheckResult

# What XML 1.0 has no way to write.
_NO_XML = expression("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Round:
    """All checks against one place; `place` names it."""

    place: str
    results: Sequence[CheckResult]


def junit_xml(rounds: Sequence[Round]) -> str:
    """The document. A check that did not finish is skipped."""
    suites = "\n".join(_suite(each) for each in rounds)
    results = [result for each in rounds for result in each.results]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="checks" {_counts(results)}>\n{suites}\n</testsuites>\n'
    )


def write(path: Path, text: str) -> None:
    """Write the report, its directories made. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _suite(each: Round) -> str:
    cases = "\n".join(_case(each.place, result) for result in each.results)
    return f"<testsuite name={_quoted('checks of ' + each.place)} {_counts(each.results)}>\n{cases}\n</testsuite>"


def _counts(results: Sequence[CheckResult]) -> str:
    failed = sum(result.done and not result.passed for result in results)
    skipped = sum(not result.done for result in results)
    seconds = sum(result.seconds for result in results)
    return f'tests="{len(results)}" failures="{failed}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'


def _case(place: str, result: CheckResult) -> str:
    check = result.check
    head = (
        f"<testcase classname={_quoted('checks of ' + place)} name={_quoted(check.name)} file={_quoted(check.file)} "
        f'line="{check.line}" time="{result.seconds:.3f}">'
    )
    if not result.done:
        body = '<skipped message="it did not run to its end"/>'
    elif result.passed:
        body = ""
    else:
        said = "; ".join(result.reasons)
        body = f'<failure message={_quoted(said)} type="check">{_text(_told(result))}</failure>'
    return f"{head}{body}<system-out>{_text(_numbers(result))}</system-out></testcase>"


def _told(result: CheckResult) -> str:
    parts = list(result.reasons)
    for failure in result.failures:
        parts.append(f"Repeat {failure.number}: {'; '.join(failure.reasons)}")
        parts += filter(None, (failure.diff or failure.came, "\n".join(failure.log)))
        if failure.request_id:
            parts.append(f"Request {failure.request_id}")
    return "\n".join(parts)


def _numbers(result: CheckResult) -> str:
    values = (
        ("calls", result.calls),
        ("failed", result.failed),
        ("p50-seconds", result.p50),
        ("p95-seconds", result.p95),
        ("first-token-seconds", result.first_token),
        ("tokens-per-second", result.tokens_per_second),
    )
    lines = [
        f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in values
        if value is not None
    ]
    return "\n".join([*lines, *result.notes])


def _text(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("\ufffd", " ".join(text.split())))
