"""Problems as GitHub draws them: alerts, with place, remedy and what stands there. Pure."""

from collections.abc import Iterator, Sequence

from baseten_deploy.errors import Problem

from .amounts import count
from .blocks import Block, Weight, folded
from .markdown import begun, block, code, texts

# The summary has room for 1 MiB, a comment for 64 KiB.
PROBLEMS = 100
# More warnings than these are folded: they must not hide what comes after them.
OPEN_WARNINGS = 3


def errors(problems: Sequence[Problem], annotated: int) -> Iterator[Block]:
    """Each error by itself; and how many there are, when the reader has not seen them all as annotations."""
    yield from _told(problems, annotated, "error")
    for problem in problems[:PROBLEMS]:
        yield Block(alert(problem, "CAUTION"), Weight.PROBLEM, "errors")
    yield from _more(problems, "error")


def warnings(problems: Sequence[Problem], annotated: int) -> Iterator[Block]:
    """The first few warnings open, the rest one click away."""
    yield from _told(problems, annotated, "warning")
    for problem in problems[:OPEN_WARNINGS]:
        yield Block(alert(problem, "WARNING"), Weight.PROBLEM, "warnings")
    if rest := problems[OPEN_WARNINGS:PROBLEMS]:
        alerts = "\n\n".join(alert(problem, "WARNING") for problem in rest)
        yield Block(folded(count(len(rest), "more warning"), alerts), Weight.PROBLEM, "warnings")
    yield from _more(problems, "warning")


def alert(problem: Problem, kind: str) -> str:
    """A problem as an alert. `kind` is `CAUTION` or `WARNING`."""
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    lines = [f"{f'{code(place)}: ' if place else ''}**{texts(problem.message)}**"]
    if problem.remedy:
        lines[0] += "<br>"
        lines.append(begun(texts(problem.remedy)))
    if problem.excerpt:
        lines += ["", *block(problem.excerpt).split("\n")]
    return "\n".join(f"> {line}".rstrip() for line in (f"[!{kind}]", *lines))


def _told(problems: Sequence[Problem], annotated: int, noun: str) -> Iterator[Block]:
    if 0 < annotated < len(problems):
        said = f"{count(len(problems), noun)}; only the first {annotated} are annotations."
        yield Block(said, Weight.PROBLEM, f"how many {noun}s there are")


def _more(problems: Sequence[Problem], noun: str) -> Iterator[Block]:
    if (more := len(problems) - PROBLEMS) > 0:
        yield Block(f"… and {count(more, f'more {noun}')}, in the log of the step.", Weight.PROBLEM, f"{noun}s")
