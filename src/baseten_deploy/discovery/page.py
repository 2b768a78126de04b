"""The Trusses of a repository as people read them: one table, what changed first. Pure.

It is the summary and the comment of `mode: discover`.
"""

from collections.abc import Sequence

from baseten_deploy.cost.estimate import HOURS_PER_MONTH, Estimate
from baseten_deploy.cost.page import note, short, usd
from baseten_deploy.report.amounts import count
from baseten_deploy.report.markdown import code, escape, table, texts

from .comparison import Compared, Reason
from .reading import ReadTruss

# Three columns, for names and ids break nowhere: as broad as a phone.
_HEADER = ("Truss", "Changed", "Per hour, now → then")
_WORDS = {
    Reason.NEW_MODEL: "🆕 new model",
    Reason.CONTENT: "✏️ content differs from live",
    Reason.UNKNOWN: "❔ not known",
}
_UNFOLDED = 40  # rows of what did not change
_REASONS = 3  # why a cost is not known


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
    if why := _why_unknown(compared):
        parts.append(why)
    if any(each.cost and each.cost.then for each in compared):
        parts.append(note())
    return "\n\n".join(parts)


def page_of_wrong(trusses: Sequence[ReadTruss]) -> str:
    """When one of them cannot be deployed: all of them, and what is wrong; nothing was compared."""
    wrong = [each for each in trusses if each.problems]
    rows = [(_both(each), "<br>".join(texts(problem.message) for problem in each.problems)) for each in wrong]
    total = count(len(trusses), "Truss").replace("Trusss", "Trusses")
    said = f"**{len(wrong)} of {total} cannot be deployed**; nothing was compared with what is live."
    return "\n\n".join([said, table(("Truss", "What is wrong"), rows)])


def line(compared: Compared) -> str:
    """For the log."""
    how = f"changed ({compared.reason})" if compared.reason else "unchanged"
    return f"{compared.truss.directory}: {compared.truss.name}, {how}{f': {compared.said}' if compared.said else ''}"


def _row(each: Compared) -> tuple[str, ...]:
    why = _WORDS[each.reason] if each.reason else "no, the same as live"
    if each.reason is Reason.CONTENT and not each.live:
        why = "✏️ nothing is live there yet"
    if each.said:
        why = f"{why}: {escape(each.said)}"
    elif each.live:
        why = f"{why} {code(each.live)}"
    return _both(each.truss), why, _now_and_then(each.cost)


def _now_and_then(cost: Estimate | None) -> str:
    if cost is None:
        return "not known"
    now = short(cost.now) if cost.now else "not known" if cost.serves else "nothing"
    then = short(cost.then) if cost.then else "not known"
    return now if now == then else f"{now}<br>→ {then}"


def _both(truss: ReadTruss) -> str:
    """Where it is and what it is called."""
    return "<br>".join(filter(None, (code(truss.directory), code(truss.name))))


def _totals(changed: Sequence[Compared]) -> str:
    """By how much all of them together get dearer, and of how many that is not known."""
    differences = [each.cost.difference if each.cost else None for each in changed]
    known = [each for each in differences if each is not None]
    if not known:
        return " What they can cost is not known." if differences else ""
    unknown = len(differences) - len(known)
    return f"{_total(known)}{f'; of {unknown} of them it is not known' if unknown else ''}."


def _total(known: Sequence[float]) -> str:
    total = sum(known)
    if abs(total) < 0.00005:
        return " Together they cost the same as now"
    more = "more" if total > 0 else "less"
    month = usd(abs(total) * HOURS_PER_MONTH)
    return f" Together they can cost **{usd(abs(total))} an hour {more}** than now ({month} a month)"


def _why_unknown(compared: Sequence[Compared]) -> str:
    """Why costs are not known, each reason once; `""` when all are."""
    reasons = dict.fromkeys(
        why for each in compared if each.cost for why in (each.cost.why_not_now, each.cost.why_not_then) if why
    )
    shown = [*reasons][:_REASONS]
    more = f", and {count(len(reasons) - len(shown), 'more reason')}" if len(reasons) > len(shown) else ""
    return f"Costs are not known because {'; '.join(map(texts, shown))}{more}." if shown else ""
