"""The step summary: outcome first, then what to do, ids and links, the archive, the smoke test. Pure text."""

from collections.abc import Mapping, Sequence

from .errors import Problem
from .markdown import block, code, link, table, texts
from .status import Status

HEADLINES = {
    Status.SUCCESS: "✅ Deployed",
    Status.PLANNED: "📝 Planned, nothing was changed",
    Status.SKIPPED: "⏭️ Skipped",
    Status.INVALID: "❌ Invalid input, nothing was sent",
    Status.AUTH_FAILED: "❌ The API key was refused",
    Status.REJECTED: "❌ Refused before the upload, nothing was changed",
    Status.UPLOAD_FAILED: "❌ The upload failed, no deployment was made",
    Status.COMMIT_FAILED: "❌ The commit failed, no deployment was made",
    Status.DEPLOY_FAILED: "❌ The deployment did not become live",
    Status.DEPLOY_TIMEOUT: "❌ The deployment was not live in time",
    Status.PREDICT_FAILED: "❌ Live, but the smoke test failed",
    Status.PROMOTION_FAILED: "❌ Live, but the promotion failed",
    Status.ROLLED_BACK: "❌ Rolled back",
    Status.REGISTRATION_FAILED: "❌ Live, but the registration failed",
    Status.CLEANUP_FAILED: "❌ The clean-up failed",
    Status.CANCELLED: "⚠️ Cancelled",
    Status.INTERNAL_ERROR: "💥 A bug of this action",
}

SUCCESSES = {"promote": "✅ Promoted", "cleanup": "✅ Cleaned up"}

_ROWS = (
    ("Model", "model-name", "model-id"),
    ("Deployment", "deployment-name", "deployment-id"),
    ("Deployment status", "deployment-status", ""),
    ("Environment", "environment", ""),
    ("Content digest", "content-digest", ""),
    ("Archive", "archive-bytes", "archive-sha256"),
    ("Live after", "deploy-time-seconds", ""),
    ("Smoke test", "predict-seconds", ""),
    ("Model entity", "nemo-entity", ""),
)
_UNITS = {"archive-bytes": " bytes", "deploy-time-seconds": " s", "predict-seconds": " s"}


def summary(
    status: Status,
    outputs: Mapping[str, str],
    errors: Sequence[Problem],
    warnings: Sequence[Problem],
    log_tail: Sequence[str] = (),
    notes: Sequence[str] = (),
    mode: str = "deploy",
) -> str:
    """The Markdown of the step summary.

    `log_tail` is shown when the deployment failed; `notes` are Markdown of the steps, for example a table.
    """
    name = outputs.get("model-name", "")
    headline = SUCCESSES.get(mode, HEADLINES[status]) if status is Status.SUCCESS else HEADLINES[status]
    parts = [f"## {headline}{f': {code(name)}' if name else ''}"]
    parts += [_problem(problem) for problem in errors]
    parts += notes
    plan = outputs.get("plan", "").rstrip()
    if plan:
        parts.append(plan)
    elif rows := _facts(outputs):
        parts.append(table(("", ""), rows))
    links = [
        link(text, outputs[key])
        for text, key in (("Logs", "logs-url"), ("Predict endpoint", "predict-url"))
        if outputs.get(key)
    ]
    if links:
        parts.append(" · ".join(links))
    if response := outputs.get("predict-response"):
        parts.append(f"<details><summary>Smoke test's response</summary>\n\n{block(response)}\n\n</details>")
    if log_tail and errors:
        lines = block("\n".join(log_tail))
        parts.append(f"<details open><summary>Last lines of the log</summary>\n\n{lines}\n\n</details>")
    if warnings and not plan:  # which has them
        parts.append("### Warnings")
        parts += [_problem(problem) for problem in warnings]
    parts.append(f"Status: {code(status)}")
    return "\n\n".join(parts) + "\n"


def _problem(problem: Problem) -> str:
    place = ":".join(str(part) for part in (problem.file, problem.line) if part)
    lines = [f"{code(place)}: " if place else "", f"**{texts(problem.message)}**"]
    if problem.remedy:
        lines.append(f"<br>{texts(problem.remedy)}")
    return "> " + "".join(lines)


def _facts(outputs: Mapping[str, str]) -> list[tuple[str, str]]:
    rows = []
    for title, first, second in _ROWS:
        values = [code(outputs[key] + _UNITS.get(key, "")) for key in (first, second) if outputs.get(key)]
        if values:
            note = " (new)" if first == "model-name" and outputs.get("model-created") == "true" else ""
            rows.append((title, " ".join(values) + note))
    return rows
