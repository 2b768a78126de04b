"""The checks as people read them: lines of the log, the table of the summary and the comment. Pure text.

Foreign text is without secrets already (see `results`) and passes through `report.markdown`.
"""

from collections.abc import Iterator, Sequence

from baseten_deploy.report.amounts import count, duration
from baseten_deploy.report.markdown import block, code, escape, table, texts

from .check import Check, Suite
from .results import CheckResult, Failure

UNFOLDED = 5  # passed checks; more are folded
_LOG_LINES = 40


def line(result: CheckResult) -> str:
    """One line for the log."""
    verdict = "passed" if result.passed else "failed" if result.done else "not finished"
    numbers = [count(result.calls, "call")]
    for title, value in (("p50", result.p50), ("p95", result.p95), ("first token", result.first_token)):
        if value is not None:
            numbers.append(f"{title} {duration(value)}")
    if result.tokens_per_second:
        numbers.append(f"{result.tokens_per_second:.0f} tokens/s")
    reasons = "".join(f"\n  {reason}" for reason in result.reasons)
    notes = "".join(f"\n  {note}" for note in result.notes)
    return f"{verdict}: {result.check.name} ({', '.join(numbers)}){reasons}{notes}"


def results_table(results: Sequence[CheckResult], where: str) -> str:
    """The table and the failures below it; `where` says who was asked."""
    passed = [result for result in results if result.passed]
    others = [result for result in results if not result.passed]
    heading = f"### Checks of {where}: {len(passed)} of {len(results)} passed"
    if len(passed) <= UNFOLDED:
        return "\n\n".join([heading, _table(results), *_failures(results)])
    folded = f"<details><summary>{count(len(passed), 'check')} passed</summary>\n\n{_table(passed)}\n\n</details>"
    return "\n\n".join([heading, *([_table(others)] if others else []), *_failures(others), folded])


def _table(results: Sequence[CheckResult]) -> str:
    rates = any(result.tokens_per_second for result in results)
    header = ["check", "result", "calls", "p50", "p95", "first token", *(["tokens/s"] if rates else [])]
    return table(header, (_row(result, rates=rates) for result in results))


def _row(result: CheckResult, *, rates: bool) -> list[str]:
    verdict = "✅ passed" if result.passed else "❌ failed" if result.done else "⚠️ not finished"
    calls = f"{result.calls}, {result.failed} failed" if result.failed else str(result.calls)
    times = [duration(value) if value is not None else "" for value in (result.p50, result.p95, result.first_token)]
    rate = [f"{result.tokens_per_second:.0f}" if result.tokens_per_second else ""] if rates else []
    notes = "".join(f"<br>{texts(note)}" for note in result.notes)
    return [escape(result.check.name) + notes, verdict, calls, *times, *rate]


def _failures(results: Sequence[CheckResult]) -> Iterator[str]:
    for result in results:
        if result.passed or not result.done:
            continue
        yield f"**{escape(result.check.name)}**: {' · '.join(texts(reason) for reason in result.reasons)}"
        for failure in result.failures[:1]:
            yield from _told(failure)


def _told(failure: Failure) -> Iterator[str]:
    if failure.diff:
        yield block(failure.diff, "diff")
    elif failure.came:
        yield block(failure.came)
    if failure.request_id:
        yield f"Request {code(failure.request_id)}"
    if failure.log:
        yield block("\n".join(failure.log[:_LOG_LINES]))


def described(suite: Suite) -> str:
    """What a deploy will check, for the plan."""
    rows = ([escape(check.name), code(check.asks), escape(_wants(check))] for check in suite.checks)
    return (
        f"### Checks\n\n{count(len(suite.checks), 'check')} of {code(suite.file)} will run after the smoke test.\n\n"
        + table(("check", "asks", "calls"), rows)
    )


def _wants(check: Check) -> str:
    parts = [str(check.repeat)]
    if check.concurrency > 1:
        parts.append(f"{min(check.concurrency, check.repeat)} at once")
    if check.warm_up:
        parts.append(f"after {check.warm_up} to warm up")
    return ", ".join(parts)
