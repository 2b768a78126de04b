"""Markdown that foreign text cannot break out of."""

import re
from collections.abc import Iterable, Sequence

# Everything that GitHub-flavoured Markdown gives a meaning, as HTML entities: a backslash would do for most of it, but
# not inside a table cell or where the text is HTML.
_SPECIAL = {char: f"&#{ord(char)};" for char in "&<>`*_[]()|~\\#!@:$"}


def escape(text: str) -> str:
    """`text` as plain words on one line: no markup, no mention, no link, no table cell."""
    return "".join(_SPECIAL.get(char, char) for char in " ".join(text.split()))


def code(text: str) -> str:
    """`text` as inline code on one line. Also fine inside a table cell."""
    line = " ".join(text.split())
    if not line:
        return ""
    if "|" in line or "`" in line:  # a table would be split at `|` even within code
        return f"<code>{escape(line)}</code>"
    return f"`{line}`"


def block(text: str, language: str = "") -> str:
    """`text` as a fenced block, with a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def link(text: str, url: str) -> str:
    """A link; anything but an http(s) URL without odd characters is shown as code instead."""
    if re.fullmatch(r"https?://[\w.:/%{}@+,;=~-]+", url):
        return f"[{escape(text)}]({url})"
    return code(url)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def texts(message: str) -> str:
    """Our own messages: `code spans` in them stay, everything else is plain."""
    parts = message.split("`")
    if len(parts) % 2 == 0:
        return escape(message)
    return "".join(code(part) if index % 2 else escape(part) for index, part in enumerate(parts))
