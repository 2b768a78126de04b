"""A page's parts, and how they fit into what GitHub takes: the least important is cut first.

A page is a heading, a verdict of at most three lines, and blocks below it. **To add something to the pages**, make its
Markdown in a function of your own package and hang it on the run::

    run.blocks.append(Block(markdown, Weight.RESULT, "the watch"))

`weight` tells where it stands (the blocks of one weight in the order in which they came) and how long it stays when
the page is too long; `title` names it in the note that says what was cut. What is long goes into `folded`. A line that
needs no block of its own is one of `run.notes`. Heading and verdict are not a block's business: they are written from
the account (`report.heading`, `report.verdict`).
"""

from collections.abc import Callable, Sequence
from enum import IntEnum

from baseten_deploy.records import dataclass

from .markdown import cut


class Weight(IntEnum):
    """What a block is to its reader, the most important first: the order on the page, and against that of cutting."""

    PROBLEM = 1  # what is wrong, and what to do
    EVIDENCE = 2  # what proves it: errors of the log, the wrong answer, a check that failed
    RESULT = 3  # what came out: tables of checks, of the watch, of cost; what would change
    NEXT = 4  # what a reader does now: the curl
    DETAIL = 5  # ids, digests, amounts, lists
    TRACE = 6  # the timeline, the whole log


@dataclass(frozen=True)
class Block:
    """A part of a page. `markdown` is complete by itself: fences and folds that it opens it closes."""

    markdown: str
    weight: Weight = Weight.RESULT
    title: str = ""


@dataclass(frozen=True)
class Page:
    """A heading, the lines of the verdict, and what stands below them."""

    heading: str
    verdict: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    refused: bool = False  # the page says itself what the service refused

    def text(self, limit: int = 1 << 62, measure: Callable[[str], int] = len) -> str:
        """The Markdown, in at most `limit` by `measure`. Heading and verdict stay."""
        blocks = sorted((each for each in self.blocks if each.markdown), key=lambda each: each.weight)
        whole = self._with([each.markdown for each in blocks])
        if measure(whole) <= limit:
            return whole
        return self._fitted(blocks, limit, measure)

    def _fitted(self, blocks: Sequence[Block], limit: int, measure: Callable[[str], int]) -> str:
        """Without as many of the last blocks as it takes; the last that has room is cut within."""
        kept = list(blocks)
        gone: list[str] = []
        while kept:
            last = kept.pop()
            gone.insert(0, last.title or "more")
            note = _note(gone)
            room = limit - measure(self._with([*(each.markdown for each in kept), note])) - len("\n\n")
            if room < 0:
                continue
            shortened = _shortened(last.markdown, room, measure)
            return self._with([*(each.markdown for each in kept), *filter(None, (shortened,)), note])
        return cut(self._with([]), limit, "")

    def _with(self, blocks: Sequence[str]) -> str:
        head = f"## {self.heading}"
        verdict = "  \n".join(self.verdict)  # two blanks: a line break wherever it is read
        return "\n\n".join(filter(None, (head, verdict, *blocks))) + "\n"


def folded(title: str, markdown: str, *, is_open: bool = False) -> str:
    """What one opens to read. `title` is HTML already."""
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>\n\n{markdown}\n\n</details>"


def _shortened(markdown: str, room: int, measure: Callable[[str], int]) -> str:
    """As much of a block as there is room for; a beginning that shows nothing is left out."""
    characters = room
    while characters > _LEAST:
        text = cut(markdown, characters, "").rstrip()
        if measure(text) <= room:
            return text
        characters = characters * room // max(measure(text), 1) - 1
    return ""


_LEAST = 200


def _note(gone: Sequence[str]) -> str:
    return f"*Left out here, for length: {', '.join(dict.fromkeys(gone))}.*"
