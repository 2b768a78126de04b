"""The cost of a run as people read it: one line in words, and a table of now and then. Pure.

Names in it are the service's: they pass through `redact` and `markdown`.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence

from baseten_deploy.report.markdown import code, escape, table, texts

from .estimate import HOURS_PER_MONTH, Cost, Estimate

# Less is no difference that anybody pays: prices have five digits.
_SAME_USD = 0.00005
_TITLES = ("Instance type", "Replicas", "Per hour", f"Per month of {HOURS_PER_MONTH} h")


def sentence(found: Estimate) -> str:
    """What it will cost and how that differs from now, in one sentence of Markdown, without the note."""
    if found.then is None:
        return f"{_subject(found)}: **the cost is not known**, because {texts(found.why_not_then)}."
    most = f"{_subject(found)}: at most **{usd(found.then.most)} an hour** ({usd(_month(found.then.most))} a month)"
    return f"{most}, {_difference(found)}{_at_least(found)}."


def told(estimates: Sequence[Estimate], redact: Callable[[str], str]) -> str:
    """All of it as one line for a verdict, `""` for nothing."""
    said = " ".join(f"{'**Cost** of' if not index else 'Of'} {sentence(each)}" for index, each in enumerate(estimates))
    return redact(said)


def section(estimates: Sequence[Estimate], redact: Callable[[str], str], *, is_told: bool = False) -> list[str]:
    """The cost for the plan: what a reviewer decides by, as blocks of Markdown. Nothing when there is none.

    `is_told`: the verdict has said it in words already.
    """
    parts = []
    for found in estimates:
        if not is_told:
            parts.append(redact(f"**Cost** of {sentence(found)}"))
        if found.then and _is_same(found):
            title = f"How the cost of {_as_html(_subject(found))} is reckoned" if is_told else "How that is reckoned"
            parts.append(redact(_details(title, found)))
        elif found.then:
            if is_told and len(estimates) > 1:
                parts.append(redact(f"**Cost** of {_subject(found)}"))
            parts += [redact(_table(found)), note()]
    return parts


def folded(found: Estimate, redact: Callable[[str], str]) -> str:
    """The cost for the summary of a deploy, which is made already: one line, the rest below it."""
    return redact(_details(_as_html(f"Cost of {sentence(found)}"), found))


def line(found: Estimate) -> str:
    """For the log, where nothing is Markdown."""
    return html.unescape(sentence(found)).replace("**", "").replace("`", "").replace("\u200b", "")


def note() -> str:
    """What the numbers are."""
    return (
        "<sub>An estimate at list prices, as if that many replicas ran all the time: without discounts, and without "
        "what runs twice while a promotion goes on.</sub>"
    )


def usd(amount: float) -> str:
    """Dollars, with as many digits as somebody decides by: `$0.0348`, `$1.21`, `$1,762`."""
    digits = 0 if amount >= 1000 else 2 if amount >= 0.1 or amount == 0 else 4
    return f"${amount:,.{digits}f}"


def plain(amount: float) -> str:
    """Dollars as a number for machines: `1.2072`, `12`."""
    return f"{amount:.4f}".rstrip("0").rstrip(".")


def short(cost: Cost | None) -> str:
    """For a cell of a table of many: `$0.00 to $1.21`."""
    if cost is None:
        return "?"
    return usd(cost.most) if cost.least == cost.most else f"{usd(cost.least)} to {usd(cost.most)}"


def _as_html(markdown: str) -> str:
    """Our own sentence where Markdown does not reach: its code and its bold words, everything in them inert."""
    html_code = re.sub(r"`([^`]*)`", lambda found: f"<code>{escape(found[1])}</code>", markdown)
    return re.sub(r"\*\*([^*]*)\*\*", r"<b>\1</b>", html_code)


def _details(title: str, found: Estimate) -> str:
    return f"<details><summary>{title}</summary>\n\n{_table(found)}\n\n{note()}\n\n</details>"


def _is_same(found: Estimate) -> bool:
    """Whether neither end of the replicas costs another amount than now."""
    changes = (found.difference, found.difference_at_least)
    return found.serves and all(each is not None and abs(each) < _SAME_USD for each in changes)


def _subject(found: Estimate) -> str:
    return code(found.where) if found.where else "this deployment"


def _difference(found: Estimate) -> str:
    difference = found.difference
    if difference is None:
        return f"and what it costs now is not known, because {texts(found.why_not_now)}"
    if not found.where:
        return "beside what serves now"
    if not found.serves:
        return "where nothing is served now"
    if abs(difference) < _SAME_USD:
        return "the same as now"
    return f"{_change(difference)}{_share(found)}"


def _at_least(found: Estimate) -> str:
    """What runs all the time: said where that changes, and where there is nothing to compare it with."""
    then, difference = found.then, found.difference_at_least
    if then is None or then.least == then.most:
        return ""
    least = f"; at least **{usd(then.least)} an hour** ({usd(_month(then.least))} a month)"
    if not found.serves or difference is None:
        return least if then.least else ""
    if abs(difference) < _SAME_USD:
        return ""
    return f"{least}, {_change(difference)}"


def _change(difference: float) -> str:
    return f"**{usd(abs(difference))} {'more' if difference > 0 else 'less'}** than now"


def _share(found: Estimate) -> str:
    """By how much in proportion: a percentage as long as that says something."""
    if not (found.now and found.then and found.now.most > 0):
        return ""
    times = found.then.most / found.now.most
    return f" ({times:,.0f} times as much)" if times >= 3 else f" ({100 * (times - 1):+.0f} %)"


def _table(found: Estimate) -> str:
    """Now beside then, a line each: as broad as a phone."""
    columns = list(_columns(found))
    header = ("", *(title for title, _ in columns))
    return table(header, zip(_TITLES, *(cells for _, cells in columns), strict=True))


def _columns(found: Estimate) -> Iterator[tuple[str, list[str]]]:
    if found.now and found.now == found.then:
        yield "Now and then", _cells(found.now)
        return
    if found.now:
        yield "Now", _cells(found.now)
    elif found.where and found.serves:
        yield "Now", ["not known"] * len(_TITLES)
    elif found.where:
        yield "Now", ["nothing", "0", usd(0), usd(0)]
    if found.then:
        kept = ", kept" if found.kept else ""
        machine, *rest = _cells(found.then)
        yield "Then", [machine + kept, *rest]


def _cells(cost: Cost) -> list[str]:
    nodes = f", {cost.nodes} nodes" if cost.nodes > 1 else ""
    by_default = ", the service's default" if cost.replicas.by_default else ""
    months = _span(_month(cost.least), _month(cost.most))
    return [code(cost.machine.name) + nodes, escape(f"{cost.replicas}{by_default}"), short(cost), months]


def _span(low: float, high: float) -> str:
    return usd(high) if low == high else f"{usd(low)} to {usd(high)}"


def _month(per_hour: float) -> float:
    return per_hour * HOURS_PER_MONTH
