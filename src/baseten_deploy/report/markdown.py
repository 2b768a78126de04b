"""Markdown that foreign text cannot break out of."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from baseten_deploy.expressions import expression

# Everything that GitHub-flavoured Markdown gives a meaning, as HTML entities: a backslash would do for most of it, but
# not inside a table cell or where the text is HTML. The rest should be readable, also in a raw log: `_` stays between
# letters and digits, where it is no emphasis, `:` before a space, where it begins no URL, and parentheses and `!`,
# which mean something only beside brackets. But not a `)` that may make a list, nor a `!` that other text may follow.
_SPECIAL = expression(
    r"""[&<>`*\[\]|~\\#@$\u200b]
      | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])
      | :(?![ ])
      | ^[0-9]+\)
      | !$""",
    re.VERBOSE,
)
# GitHub looks for mentions, issues and bare addresses in what is rendered, where an entity is its character again: a
# space of no width parts them.
_REFERENCE = expression(r"(?<=[@#])|(?<=www)(?=\.)|(?<=GH)(?=-\d)", re.IGNORECASE)


def escape(text: str) -> str:
    """`text` as plain words on one line: no markup, no mention, no link, no table cell."""
    return _escape(" ".join(text.split()))


def _escape(line: str) -> str:
    return _SPECIAL.sub(_as_entities, _REFERENCE.sub("\u200b", visible(line)))  # where it is the only one


def _as_entities(found: re.Match[str]) -> str:
    return "".join(char if char.isdigit() else f"&#{ord(char)};" for char in found[0])


def code(text: str) -> str:
    """`text` as inline code on one line. Also fine inside a table cell."""
    line = visible(" ".join(text.split()))
    if not line:
        return ""
    if "|" in line or "`" in line:  # a table would be split at `|` even within code
        return f"<code>{escape(line)}</code>"
    return f"`{line}`"


def block(text: str, language: str = "") -> str:
    """`text` as a fenced block, with a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{visible(text.rstrip())}\n{fence}"


def link(text: str, url: str) -> str:
    """A link; anything but an http(s) URL without odd characters is shown as code instead."""
    if re.fullmatch(r"https?://[\w.:/%{}@+,;=~-]+", url):
        return f"[{escape(text)}]({url})"
    return code(url)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def record(rows: Iterable[tuple[str, str]]) -> str:
    """A table of names and their values, which are Markdown already. GitHub draws a header, so the first row is one."""
    first, *rest = rows
    return "\n".join(f"| {name} | {value} |" for name, value in (first, (":---", ":---"), *rest))


def texts(message: str) -> str:
    """Our own messages: `code spans` in them stay, everything else is plain."""
    line = " ".join(message.split())
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return _escape(line)
    said = "".join(code(part) if index % 2 else _escape(part) for index, part in enumerate(parts))
    return said.strip() or _escape(line)  # spans with nothing in them are not nothing; `**x **` is not bold


def begun(markdown: str) -> str:
    """`markdown`, which is escaped already, as the beginning of a line: no list, no heading, no rule."""
    found = re.match(r"([0-9]*)([-+=.])", markdown)
    if not found:
        return markdown
    return f"{found[1]}&#{ord(found[2])};{markdown[found.end() :]}"


def visible(text: str) -> str:
    r"""`text` with every character that draws nothing or turns its surroundings around written out: `\u202e`.

    Line feeds and tabs stay.
    """
    if text.isascii() and text.isprintable():  # as nearly all are
        return text
    return "".join(char if char in "\n\t" or _is_drawn(char) else _written_out(char) for char in text)


def cut(markdown: str, limit: int, note: str) -> str:
    """`markdown` in at most `limit` characters: whole lines from its start, what is open closed, `note` at the end."""
    if len(markdown) <= limit:
        return markdown
    kept: list[str] = []
    fence, ending = "", ""
    size = details = 0
    for line in markdown.split("\n"):
        size += len(line) + 1
        run = re.match("`{3,}", line)
        if not fence:
            details += line.count("<details") - line.count("</details>")
            fence = run[0] if run else ""
        elif run and line == run[0] and len(run[0]) >= len(fence):
            fence = ""
        closing = (f"{fence}\n" if fence else "") + "\n</details>\n" * details + f"\n{note}"
        if size + len(closing) > limit:
            break
        kept.append(line)
        ending = closing
    return "\n".join([*kept, ending])[:limit]


def _is_drawn(char: str) -> bool:
    category = unicodedata.category(char)
    return char == " " or category[0] not in "CZ"


def _written_out(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
