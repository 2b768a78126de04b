"""Our own Markdown as text for a log: without tags, folds and entities, tables in columns. Pure."""

import html
import re

from baseten_deploy.expressions import expression

_TAG = expression(r"</?(?:details|summary|sub|code|br|b)(?: open)?/?>")
_SUMMARY = expression(r"<details(?: open)?><summary>(.*?)</summary>")
_ALERT = expression(r"> \[!(CAUTION|WARNING|NOTE)\]")
_LINK = expression(r"\[([^\]]*)\]\((https?://[^)\s]+)\)")
_WORDS = {"CAUTION": "Error:", "WARNING": "Warning:", "NOTE": "Note:"}


def plain(markdown: str) -> str:
    """The text of a page. Code in fences stays as it is."""
    lines: list[str] = []
    rows: list[list[str]] = []
    fence = ""
    for line in markdown.split("\n"):
        run = re.match("(?:> )?(`{3,})", line)
        if fence:
            if run and run[1] == fence and line.rstrip().endswith(fence):
                fence = ""
            else:
                lines.append(f"  {line.removeprefix('> ')}")
            continue
        if line.startswith("|"):
            rows.append([_words(cell) for cell in line.strip("|").split("|")])
            continue
        lines += _columns(rows)
        rows = []
        if run:
            fence = run[1]
        else:
            lines += _line(line)
    lines += _columns(rows)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _line(line: str) -> list[str]:
    if found := _SUMMARY.match(line):
        return [f"{_words(found[1])}:"]
    if found := _ALERT.match(line):
        return [_WORDS[found[1]]]
    if line.strip() == "</details>":
        return []
    return [_words(re.sub(r"^#+ ", "", line.removeprefix("> ")))]


def _words(markdown: str) -> str:
    text = _LINK.sub(r"\1: \2", markdown.replace("<br>", " "))
    text = _TAG.sub("", text).replace("**", "").replace("`", "")
    return html.unescape(text).replace("\u200b", "").strip()


def _columns(rows: list[list[str]]) -> list[str]:
    """A table's rows, each column as wide as its widest cell."""
    rows = [row for row in rows if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
    if not rows:
        return []
    widths = [max(len(row[n]) if n < len(row) else 0 for row in rows) for n in range(max(map(len, rows)))]
    return ["  ".join(cell.ljust(widths[n]) for n, cell in enumerate(row)).rstrip() for row in rows]
