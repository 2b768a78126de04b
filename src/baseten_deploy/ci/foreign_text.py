r"""Text that somebody else wrote, as it may be shown: no terminal, no line reader and no CI system obeys it. Pure.

Spec of the escape sequences: ECMA-48, with what xterm adds. Marks of CI systems: the logging commands of Azure
Pipelines (`##vso[` and `##[`, anywhere in a line), TeamCity's service messages (`##teamcity[`), GitLab's collapsible
sections (`section_start:`), Buildkite's groups (`---`, `+++`, `~~~` and `^^^` at the start of a line). GitHub's
`::command::` is `runner`'s to stop, which knows how.
"""

import re

from baseten_deploy.expressions import expression

# A log line that is longer is no line that somebody reads.
LINE_BYTES = 16 * 1024
_CUT = " … cut here"

# Each is dropped whole: with a title or an address in it (OSC, DCS), with its parameters (CSI), or by itself. What is
# not ended is no more than its beginning, so that nothing of the text behind it is lost.
_ESCAPES = expression(
    r"""(?: \x1b\] | \x9d ) [^\x07\x1b\x9c\x9d\n]* (?: \x07 | \x1b\\ | \x9c )
      | (?: \x1b[PX^_] | [\x90\x98\x9e\x9f] ) [^\x1b\x90\x98\x9c\x9e\x9f\n]* (?: \x1b\\ | \x9c )
      | (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?
      | \x1b [ -/]* [0-~]?""",
    re.VERBOSE,
)
_STARTS = "\x1b\x90\x98\x9b\x9d\x9e\x9f"
# With what is invisible: .NET skips it when it looks for `::`, and some of it turns the direction of a line.
_UNSEEN = expression(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_CONTROL = expression(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A visible blank parts what would be obeyed: an invisible character some readers skip.
_MARKS = (
    (expression(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE), "## "),
    (expression(r"(section_(?:start|end)):", re.IGNORECASE), r"\1 :"),
    (expression(r"^(?=---|\+\+\+|~~~|\^\^\^)", re.MULTILINE), " "),
)


def without_escapes(text: str) -> str:
    """`text` without what it tells a terminal to do. Before secrets are taken out: one may be split by a sequence."""
    return _ESCAPES.sub("", text) if any(start in text for start in _STARTS) else text


def printable(text: str) -> str:
    """`text` with a blank for each control and invisible character but LF and TAB; marks of CI systems are inert."""
    text = _UNSEEN.sub(" ", without_escapes(text).replace("\r\n", "\n"))
    for mark, harmless in _MARKS:
        text = mark.sub(harmless, text)
    return text


def without_controls(text: str) -> str:
    """`text` as a value that programs read: no escape sequence, a blank for each control character but LF and TAB."""
    return _CONTROL.sub(" ", without_escapes(text).replace("\r\n", "\n"))


def last_states(text: str) -> str:
    """Each line of `text` as a terminal would show it in the end: what follows its last carriage return.

    A progress bar is one state and not hundreds. A return at the end of a line begins nothing.
    """
    if "\r" not in text:
        return text
    return "\n".join(_last_state(line) for line in text.split("\n"))


def _last_state(line: str) -> str:
    states = [state for state in line.split("\r") if state.strip()]
    return states[-1] if states else ""


def cut_lines(text: str, limit: int = LINE_BYTES) -> str:
    """`text` with no line longer than `limit` bytes of UTF-8; a line that was cut says so."""
    if len(text) * 4 <= limit:
        return text
    return "\n".join(_cut_line(line, limit) for line in text.split("\n"))


def _cut_line(line: str, limit: int) -> str:
    if len(line) * 4 <= limit:
        return line
    data = line.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return line
    return data[: limit - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT
