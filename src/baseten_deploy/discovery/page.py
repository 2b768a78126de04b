"""The Trusses of a repository as people read them: one table, what changed first. Pure.

It is the summary and the comment of `mode: discover`.
"""

from collections.abc import Sequence

from baseten_deploy.cost.estimate import HOURS_PER_MONTH
from baseten_deploy.cost.page import note, short, usd
from baseten_deploy.report.amounts import count
from baseten_deploy.report.markdown import code, escape, table, texts

from .comparison import Compared, Reason
from .reading import ReadTruss

_HEADER = ("", "Truss", "Model", "Why", "Per hour now", "Then")
_WORDS = {
    Reason.NEW_MODEL: "new model",
    Reason.CONTENT: "its content differs from what is live",
    Reason.UNKNOWN: "not known",
}
_UNFOLDED = 40  # rows of what did not change


def page(compared: Sequence[Compared], target: str) -> str:
    """What changed, and below it what did not."""
    changed = [each for each in compared if each.reason]
    same = [each for each in compared if not each.reason]
    total = count(len(compared), "Truss").replace("Trusss", "Trusses")
    parts = [f"**{len(changed)} of {total} changed**, compared with {code(target)}.{_totals(changed)}"]
    if changed:
        parts.append(table(_HEADER, map(_row, changed)))
    if same and len(same) <= _UNFOLDED and not changed:
        parts.append(table(_HEADER, map(_row, same)))
    elif same:
        rows = table(_HEADER, map(_row, same))
        parts.append(f"<details><summary>{len(same)} unchanged</summary>\n\n{rows}\n\n</details>")
    if any(each.cost and each.cost.then for each in compared):
        parts.append(note())
    return "\n\n".join(parts)


def page_of_wrong(trusses: Sequence[ReadTruss]) -> str:
    """When one of them cannot be deployed: all of them, and what is wrong; nothing was compared."""
    wrong = [each for each in trusses if each.problems]
    rows = [
        ("❌", code(each.directory), code(each.name), "<br>".join(texts(problem.message) for problem in each.problems))
        for each in wrong
    ]
    total = count(len(trusses), "Truss").replace("Trusss", "Trusses")
    said = f"**{len(wrong)} of {total} cannot be deployed**; nothing was compared with what is live."
    return "\n\n".join([said, table(("", "Truss", "Model", "What is wrong"), rows)])


def line(compared: Compared) -> str:
    """For the log."""
    how = f"changed ({compared.reason})" if compared.reason else "unchanged"
    return f"{compared.truss.directory}: {compared.truss.name}, {how}{f': {compared.said}' if compared.said else ''}"


def _row(each: Compared) -> tuple[str, ...]:
    mark = {None: "", Reason.NEW_MODEL: "🆕", Reason.UNKNOWN: "❔"}.get(each.reason, "✏️")
    why = _WORDS[each.reason] if each.reason else "the same as what is live"
    if each.said:
        why = f"{why}: {escape(each.said)}"
    elif each.live:
        why = f"{why}, {code(each.live)}"
    now = "nothing" if each.cost and not each.cost.serves else short(each.cost.now if each.cost else None)
    then = each.cost.then if each.cost else None
    return mark, code(each.truss.directory), code(each.truss.name), why, now, short(then)


def _totals(changed: Sequence[Compared]) -> str:
    """By how much all of them together get dearer, when that is known of each."""
    differences = [each.cost.difference if each.cost else None for each in changed]
    known = [each for each in differences if each is not None]
    if not known or len(known) < len(differences):
        return ""
    total = sum(known)
    if abs(total) < 0.00005:
        return " Together they cost the same as now."
    more = "more" if total > 0 else "less"
    month = usd(abs(total) * HOURS_PER_MONTH)
    return f" Together they can cost **{usd(abs(total))} an hour {more}** than now ({month} a month)."
