"""The page of a run, for the step summary and the comment: heading and verdict, problems, evidence, details. Pure text.

What a run was about is in its `Facts`; what a step adds is a block (`blocks`). Everything in it may be foreign: it
passes through `markdown`. Secrets are taken out before, by who makes the `Facts`.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from baseten_deploy.status import Status

from .account import Account, Answer, Known
from .alerts import errors, warnings
from .amounts import count, duration, size
from .blocks import Block, Page, Weight, folded
from .facts import Facts
from .heading import heading
from .markdown import block, code, escape, record
from .timeline import gantt
from .verdict import verdict

LOG_CHARACTERS = 400  # of a line
PAYLOAD_CHARACTERS = 2000  # of a curl; a longer one is a file's
SHORT = 12  # digits of a digest
TIMELINE_SECONDS = 10.0  # a shorter run has none


def summary(facts: Facts) -> str:
    """The Markdown of the step summary, as long as it may be."""
    return page(facts).text()


def page(facts: Facts) -> Page:
    """The page of a run."""
    blocks = [*errors(facts.errors, facts.annotated), *_way_back(facts)]
    if facts.plan:
        blocks = [*facts.plan.blocks, *([] if facts.plan.refused else blocks), *facts.blocks, *_timeline(facts)]
        return replace(facts.plan, blocks=tuple(blocks))
    blocks += [*warnings(facts.warnings, facts.annotated)]
    blocks += _evidence(facts)
    blocks += [Block(note, Weight.EVIDENCE, "notes") for note in facts.notes if note]
    blocks += facts.blocks
    blocks += _how_to_ask(facts)
    if rows := list(_rows(facts)):
        blocks.append(Block(record(rows), Weight.DETAIL, "the facts"))
    if whole := _whole(facts):
        blocks.append(Block(folded("Digests", "\n\n".join(whole)), Weight.DETAIL, "digests"))
    return Page(heading(facts), verdict(facts), (*blocks, *_trace(facts)))


def _way_back(facts: Facts) -> Iterator[Block]:
    """How to bring an environment back that serves a deployment that failed, with the ids."""
    account = facts.account
    target = account.serves_ours
    if target is None or facts.status not in _FAILING:
        return
    if not account.is_failing and facts.status != "watch_failed":
        return
    previous = target.before.deployment_id
    if not previous or account.is_ours(previous):
        said = f"{code(target.name)} served nothing before that could be brought back."
        yield Block(f"**The way back:** {said}", Weight.PROBLEM, "the way back")
        return
    inputs = {
        "mode": "rollback",
        "model-id": account.model_id,
        "environment": target.name,
        "deployment-id": previous,
    }
    step = "\n".join(f"{name}: {value}" for name, value in inputs.items())
    said = f"**The way back** to {code(previous)}, which {code(target.name)} served before: run this action with"
    yield Block(f"{said}\n\n{block(step, 'yaml')}", Weight.PROBLEM, "the way back")


# A deployment that ends so is not one to keep.
_FAILING = frozenset({"predict_failed", "watch_failed", "promotion_failed"})


def _evidence(facts: Facts) -> Iterator[Block]:
    """The answer that the verdict speaks of, and the log of what failed: errors first."""
    answers = facts.account.answers
    last = answers[-1] if answers else None
    wrong = last is not None and not last.good and bool(facts.errors)
    if last and last.text:
        where = escape(last.asked) if last.asked else "the deployment"
        title = (
            f"What {where} answered to the smoke test"
            if wrong
            else f"The smoke test's answer, of {where}{_when(facts.account, last)}"
        )
        yield Block(
            folded(title, block(last.text), is_open=wrong), Weight.EVIDENCE if wrong else Weight.DETAIL, "the answer"
        )
    if not facts.errors:
        return
    if errors := _block(facts.log_errors):
        yield Block(folded("Errors in the log", errors, is_open=True), Weight.EVIDENCE, "errors of the log")
    if tail := _block(facts.log_tail):
        deployment = facts.account.deployment
        is_open = not errors and not (deployment and deployment.answers)
        yield Block(
            folded("Last lines of the log", tail, is_open=is_open),
            Weight.EVIDENCE if is_open else Weight.TRACE,
            "the last lines of the log",
        )


def _when(account: Account, answer: Answer) -> str:
    """Of an environment that serves something else by now: what gave the answer."""
    target = next((each for each in account.targets if each.name == answer.asked), None)
    if target is None or not account.deployment or not target.now.known or account.is_ours(target.now.deployment_id):
        return ""
    return f" while it served {escape(account.deployment.id)}"


def _block(lines: Sequence[str]) -> str:
    return block("\n".join(_shortened(line) for line in lines)) if lines else ""


def _shortened(line: str) -> str:
    return line if len(line) <= LOG_CHARACTERS else f"{line[:LOG_CHARACTERS]} …"


def _how_to_ask(facts: Facts) -> Iterator[Block]:
    """A `curl` for what answers; nothing for what cannot."""
    if not facts.endpoint:
        return
    payload = facts.account.payload
    if not payload or len(payload) > PAYLOAD_CHARACTERS or "***" in payload:
        payload = "@payload.json"
    command = " \\\n  ".join(
        (
            f"curl -X POST {shlex.quote(facts.endpoint)}",
            '-H "Authorization: Api-Key $BASETEN_API_KEY"',
            '-H "Content-Type: application/json"',
            f"-d {payload if payload.startswith('@') else shlex.quote(payload)}",
        )
    )
    is_open = not facts.status.exit_code
    yield Block(folded("Ask it", block(command, "bash"), is_open=is_open), Weight.NEXT, "the curl")


def _rows(facts: Facts) -> Iterator[tuple[str, str]]:
    """What was made and how it went, as far as it is known."""
    outputs = facts.outputs
    known = {name: code(value) for name, value in outputs.items() if value}
    new = " (new)" if outputs.get("model-created") == "true" and "model-name" in known else ""
    rows = (
        ("Chain", f"{known.get('model-name', '')} {known['chain-id']}{new}" if "chain-id" in known else ""),
        ("Model", f"{known.get('model-name', '')} {known.get('model-id', '')}{new}" if "chain-id" not in known else ""),
        ("Deployment", f"{known.get('deployment-name', '')} {known.get('deployment-id', '')}"),
        ("Last status seen", known.get("deployment-status", "")),
        *_environments(facts.account),
        ("Live after", _seconds(outputs.get("deploy-time-seconds", "")) if facts.account.made is Known.YES else ""),
        ("Smoke test answered in", _seconds(outputs.get("predict-seconds", ""))),
        ("Archive" if "archive-bytes" in known else "Truss", _archive(facts)),
        ("Content digest", _short(outputs.get("content-digest", ""))),
        ("Model entity", known.get("nemo-entity", "")),
    )
    return ((title, text.strip()) for title, text in rows if text.strip())


def _environments(account: Account) -> Iterator[tuple[str, str]]:
    """What each environment of the run serves and served."""
    for target in account.targets:
        name = code(target.name)
        if target.before.known:
            before = code(target.before.deployment_id) or "nothing"
            now = code(target.now.deployment_id) or "nothing"
            if not target.now.known:
                yield f"{name} served", f"{before} when this run began"
            elif target.now == target.before:
                yield f"{name} serves", before
            else:
                yield f"{name} serves", f"{now}, before {before}"
        elif target.now.known:
            yield f"{name} serves", code(target.now.deployment_id) or "nothing"


def _whole(facts: Facts) -> list[str]:
    """The digests in full, each a paragraph: no table is broader than a phone, and 64 digits are."""
    names = {"Content digest": "content-digest", "Archive's SHA-256": "archive-sha256"}
    return [f"{title}: {code(facts.outputs[name])}" for title, name in names.items() if facts.outputs.get(name)]


def _short(digest: str) -> str:
    return code(digest[:SHORT]) if digest else ""


def _trace(facts: Facts) -> Iterator[Block]:
    """How long each step took, and the status."""
    yield from _timeline(facts)
    yield Block(f"Status: {code(facts.status)}", Weight.TRACE, "the status")


def _timeline(facts: Facts) -> Iterator[Block]:
    """How long each step took, of a run that took long enough."""
    total = max((phase.end for phase in facts.phases), default=0.0)
    if len(facts.phases) > 1 and total >= TIMELINE_SECONDS:  # one bar tells nothing
        is_open = bool(facts.status.exit_code) and facts.status is not Status.INVALID and not facts.plan
        chart = folded(f"Timeline, {duration(total)}", gantt(facts.phases), is_open=is_open)
        yield Block(chart, Weight.TRACE, "the timeline")


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
