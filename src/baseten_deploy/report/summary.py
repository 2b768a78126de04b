"""The step summary: outcome, what to do, the log's errors, ids and links, smoke test, timeline. Pure text.

Everything in it may be foreign: it passes through `markdown`. Secrets are taken out before, by who makes the `Facts`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from baseten_deploy.errors import Problem
from baseten_deploy.status import Status

from .amounts import count, duration, size
from .markdown import block, code, link, record, texts
from .timeline import Phase, gantt

HEADLINES = {
    Status.SUCCESS: "✅ Deployed",
    Status.PLANNED: "📝 Planned, nothing was changed",
    Status.SKIPPED: "⏭️ Skipped",
    Status.INVALID: "❌ Invalid input, nothing was changed",
    Status.AUTH_FAILED: "❌ The API key was refused",
    Status.REJECTED: "❌ Refused before the upload, nothing was changed",
    Status.UPLOAD_FAILED: "❌ The upload failed, no deployment was made",
    Status.COMMIT_FAILED: "❌ The commit failed, no deployment was made",
    Status.DEPLOY_FAILED: "❌ The deployment did not become live",
    Status.DEPLOY_TIMEOUT: "❌ The deployment was not live in time",
    Status.PREDICT_FAILED: "❌ Live, but the smoke test failed",
    Status.WATCH_FAILED: "❌ Live, but it failed its watch",
    Status.PROMOTION_FAILED: "❌ Live, but the promotion failed",
    Status.ROLLED_BACK: "❌ Rolled back",
    Status.REGISTRATION_FAILED: "❌ Live, but the registration failed",
    Status.CLEANUP_FAILED: "❌ The clean-up failed",
    Status.CANCELLED: "⚠️ Cancelled",
    Status.INTERNAL_ERROR: "💥 A bug of this action",
}

SUCCESSES = {
    "promote": "✅ Promoted",
    "rollback": "✅ Rolled back as asked for",
    "cleanup": "✅ Cleaned up",
    "discover": "✅ Trusses found",
}

# The summary has room for 1 MiB, a comment for 64 KiB.
PROBLEMS = 100
LOG_CHARACTERS = 400  # of a line


@dataclass(frozen=True)
class Facts:
    """What is known at the end of a run. Without secrets.

    `annotated` is how many annotations of a kind the CI system shows, 0 when it shows none. `packed_bytes` are those of
    the `packed_files` before compression. `notes` are Markdown of the steps. `log_errors` are the lines of the log that
    tell of errors, `log_tail` the last ones whatever they tell.
    """

    status: Status
    mode: str = "deploy"
    outputs: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    annotated: int = 0
    phases: Sequence[Phase] = ()
    packed_files: int = 0
    packed_bytes: int = 0
    log_errors: Sequence[str] = ()
    log_tail: Sequence[str] = ()
    notes: Sequence[str] = ()


def summary(facts: Facts) -> str:
    """The Markdown of the step summary."""
    outputs = facts.outputs
    plan = outputs.get("plan", "").rstrip()
    parts = [f"## {_headline(facts)}", *_problems(facts.errors, facts.annotated, "error")]
    parts += facts.notes
    answered_wrongly = facts.status in (Status.PREDICT_FAILED, Status.ROLLED_BACK)
    response = outputs.get("predict-response", "")
    if response and answered_wrongly:
        parts.append(_response(response, is_open=True))
    if facts.errors:
        parts += _log(facts, tail_is_open=not (response and answered_wrongly))
    if plan:
        parts.append(plan)
    elif rows := list(_rows(facts)):
        parts.append(record(rows))
    if links := _links(outputs):
        parts.append(links)
    if response and not answered_wrongly:
        parts.append(_response(response))
    if facts.warnings and not plan:  # which has them
        parts += ["### Warnings", *_problems(facts.warnings, facts.annotated, "warning")]
    if len(facts.phases) > 1:  # one bar tells nothing
        total = duration(max(phase.end for phase in facts.phases))
        parts.append(_folded(f"Timeline, {total}", gantt(facts.phases), is_open=not plan))
    parts.append(f"Status: {code(facts.status)}")
    return "\n\n".join(parts) + "\n"


def _headline(facts: Facts) -> str:
    text = HEADLINES[facts.status]
    if facts.status is Status.SUCCESS:
        text = SUCCESSES.get(facts.mode, text)
    if facts.status is Status.PREDICT_FAILED and facts.outputs.get("checks-failed", "0") != "0":
        text = "❌ Live, but a check failed"
    name = code(facts.outputs.get("model-name", ""))
    return f"{text}: {name}" if name else text


def _problems(problems: Sequence[Problem], annotated: int, noun: str) -> list[str]:
    """Each with its place and remedy; and how many there are, when the reader has not seen them all elsewhere."""
    parts = [_problem(problem) for problem in problems[:PROBLEMS]]
    if more := len(problems) - len(parts):
        parts.append(f"… and {count(more, f'more {noun}')}, in the log of the step.")
    if 0 < annotated < len(problems):
        parts.insert(0, f"{count(len(problems), noun)}; only the first {annotated} are annotations.")
    return parts


def _problem(problem: Problem) -> str:
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    lines = [f"{code(place)}: " if place else "", f"**{texts(problem.message)}**"]
    if problem.remedy:
        lines.append(f"<br>{texts(problem.remedy)}")
    return "> " + "".join(lines) + (f"\n\n{block(problem.excerpt)}" if problem.excerpt else "")


def _response(text: str, *, is_open: bool = False) -> str:
    return _folded("Smoke test's response", block(text), is_open=is_open)


def _log(facts: Facts, *, tail_is_open: bool) -> Iterator[str]:
    """Errors first; what stands around them is one click away."""
    errors, tail = _block(facts.log_errors), _block(facts.log_tail)
    if errors:
        yield _folded("Errors in the log", errors, is_open=True)
    if tail:
        yield _folded("Last lines of the log", tail, is_open=tail_is_open and not errors)


def _block(lines: Sequence[str]) -> str:
    return block("\n".join(_shortened(line) for line in lines)) if lines else ""


def _shortened(line: str) -> str:
    return line if len(line) <= LOG_CHARACTERS else f"{line[:LOG_CHARACTERS]} …"


def _folded(title: str, markdown: str, *, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>\n\n{markdown}\n\n</details>"


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    """What was made and how it went, as far as it is known."""
    known = {name: code(value) for name, value in facts.outputs.items() if value}
    new = " (new)" if facts.outputs.get("model-created") == "true" and "model-name" in known else ""
    rows = (
        ("Model", f"{known.get('model-name', '')} {known.get('model-id', '')}{new}"),
        ("Deployment", f"{known.get('deployment-name', '')} {known.get('deployment-id', '')}"),
        ("Last status seen", known.get("deployment-status", "")),
        ("Environment", known.get("environment", "")),
        ("Environment serves", known.get("promoted-deployment-id", "")),
        (
            "It serves" if facts.status is Status.SKIPPED else "It served before",
            known.get("previous-deployment-id", ""),
        ),
        ("Live after", _seconds(facts.outputs.get("deploy-time-seconds", ""))),
        ("Smoke test answered in", _seconds(facts.outputs.get("predict-seconds", ""))),
        ("Archive" if "archive-bytes" in known else "Truss", _archive(facts)),
        ("Archive's SHA-256", known.get("archive-sha256", "")),
        ("Content digest", known.get("content-digest", "")),
        ("Model entity", known.get("nemo-entity", "")),
    )
    return ((title, text.strip()) for title, text in rows if text.strip())


def _seconds(value: str) -> str:
    try:
        return duration(float(value))
    except (ValueError, OverflowError):
        return code(value)


def _archive(facts: Facts) -> str:
    """How many files, how large, how far they were compressed."""
    packed = facts.outputs.get("archive-bytes", "")
    parts = []
    if facts.packed_files:
        parts.append(f"{count(facts.packed_files, 'file')}, {size(facts.packed_bytes)}")
    if packed.isdecimal() and len(packed) < 20:
        parts.append(f"packed into {size(int(packed))}")
        if facts.packed_bytes:
            parts.append(f"({100 * int(packed) / facts.packed_bytes:.0f} %)")
    elif packed:
        parts.append(code(packed))
    return " ".join(parts)


def _links(outputs: Mapping[str, str]) -> str:
    found = (("Logs", "logs-url"), ("Predict endpoint", "predict-url"))
    return " · ".join(link(text, outputs[key]) for text, key in found if outputs.get(key))
