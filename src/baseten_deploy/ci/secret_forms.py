r"""What a secret looks like when somebody repeats it: as it is, or as JSON, URLs, pages and base64 write it.

Each character may be written in its own way (`%2f`, `\/`, `\u002f`, `&#47;`), so a form is a pattern of characters and
no list of texts: the ways can be mixed, in either case, and one within the other. Base64 is looked for wherever the
secret stands in what was encoded (`user:KEY`, `Bearer KEY`), in both alphabets. Pure; replacing is `redaction`.
"""

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby, product
from operator import itemgetter

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.report.markdown import escape

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE = {"+": "-", "/": "_"}
_LETTERS = expression(r"[A-Za-z0-9]+")
_WRITTEN = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}  # by JSON, behind a backslash
# HTML's names of what is neither letter nor digit, as far as it has any.
_NAMES = {
    "&": "amp",
    "<": "lt",
    ">": "gt",
    '"': "quot",
    "'": "apos",
    "/": "sol",
    "\\": "bsol",
    "+": "plus",
    "=": "equals",
    "#": "num",
    "$": "dollar",
    "%": "percnt",
    "*": "ast",
    ",": "comma",
    ".": "period",
    ":": "colon",
    ";": "semi",
    "!": "excl",
    "?": "quest",
    "@": "commat",
    "(": "lpar",
    ")": "rpar",
    "_": "lowbar",
    "[": "lsqb",
    "]": "rsqb",
    "{": "lcub",
    "}": "rcub",
    "|": "verbar",
    "`": "grave",
    "^": "Hat",
}
# JSON within JSON doubles backslashes: three levels. All repetitions are bounded, so that no text takes long.
_BACKSLASH = r"(?:\\|%5[cC])"
_PERCENT = "%(?:25){0,3}"
_AMPERSAND = "&(?:amp;|[#]38;){0,2}"
# Letters and digits stay as they are in nearly every text. Where they do not, it is read with them as they are.
_HEX = "(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])"
_ESCAPED_LETTER = expression(
    rf"""{_PERCENT}(?P<percent>{_HEX})
      | {_BACKSLASH}{{1,8}}u00(?P<json>{_HEX})
      | {_AMPERSAND}[#]0{{0,5}}(?P<decimal>4[89]|5[0-7]|6[5-9]|[78][0-9]|90|9[789]|1[01][0-9]|12[0-2]);
      | {_AMPERSAND}[#][xX]0{{0,5}}(?P<hex>{_HEX});""",
    re.VERBOSE,
)


def with_letters(text: str) -> "Reading | None":
    """`text` with its letters and digits as they are; `None` where they are so already."""
    if not ("%" in text or "u00" in text or "&" in text):
        return None
    read: list[str] = []
    places, end = [(0, 0)], 0
    length = 0
    for found in _ESCAPED_LETTER.finditer(text):
        digits = found["percent"] or found["json"] or found["hex"]
        char = chr(int(digits, 16) if digits else int(found["decimal"]))
        read += (text[end : found.start()], char)
        length += found.start() - end
        end = found.end()
        places += ((length, found.start()), (length + 1, end))
        length += 1
    return Reading("".join((*read, text[end:])), places) if end else None


@dataclass(frozen=True)
class Reading:
    """A text that was read in another way, and which place in it is which in the original, at each change."""

    text: str
    places: Sequence[tuple[int, int]]

    def original(self, span: tuple[int, int]) -> tuple[int, int]:
        """A span of it as one of the original."""
        return self._place(span[0]), self._place(span[1])

    def _place(self, at: int) -> int:
        here, there = self.places[bisect_right(self.places, at, key=itemgetter(0)) - 1]
        return there + at - here


@dataclass(frozen=True)
class Form:
    """One form of a secret: its characters, each a text of one or a set of those that it may be (base64's ends)."""

    parts: tuple[str | frozenset[str], ...]
    overlaps_itself: bool = False
    is_base64: bool = False

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it stands in `text`."""
        start = 0
        if self._anchor not in text:
            return
        while found := self._pattern.search(text, start):
            yield found.span()
            start = found.start() + 1 if self.overlaps_itself else found.end()

    def matches(self, text: str) -> bool:
        """Whether all of `text` is this form."""
        return self._pattern.fullmatch(text) is not None

    def __repr__(self) -> str:
        return "Form(***)"

    @cached_property
    def _anchor(self) -> str:
        """A text without which the form is nowhere."""
        plain = "".join(part if isinstance(part, str) else " " for part in self.parts)
        return max(_LETTERS.findall(plain), key=len, default="")

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """A regular expression for the characters in all their ways."""
        written = []
        for part, group in groupby(self.parts):
            count = len(list(group))
            if isinstance(part, frozenset):
                written.append(f"(?:{'|'.join(_ways(char, in_base64=True) for char in sorted(part))})?")
            elif part == "\\":  # a run of them as one: how they are divided among the characters is nobody's business
                written.append(f"(?:(?:{_numbers(part)}){{{count}}}|{_BACKSLASH}{{{count},{8 * count}}})")
            else:
                written.append(f"(?:{_ways(part, in_base64=self.is_base64)})" * count)
        return re.compile("".join(written))  # noqa: TID251 - of a secret, when it is known


def forms(secret: str) -> tuple[Form, ...]:
    """All forms of a secret, which has no blanks around it."""
    overlaps = any(secret.startswith(secret[size:]) for size in range(1, len(secret)))
    found = [Form(tuple(secret), overlaps)]
    texts = _as_markdown(secret) - {secret}
    found += [Form(tuple(text), overlaps) for text in texts if not found[0].matches(text)]
    return (*found, *_as_base64(secret.encode("utf-8", "surrogatepass")))


def _as_markdown(secret: str) -> set[str]:
    """As our own pages write it; how it begins and ends depends on what stands around it."""
    around = product(("", "a", "1"), ("", "a", ".", " ."))
    return {escape(before + secret + after)[len(before) :].removesuffix(after) for before, after in around}


def _as_base64(data: bytes) -> Iterator[Form]:
    """In all three alignments: three bytes become four characters. The ends may also tell of a byte beside them."""
    for offset in range(3):
        begin, end = 8 * offset, 8 * (offset + len(data))
        first, last = begin // 6, (end - 1) // 6
        encoded = b64encode(bytes(offset) + data + bytes(-(offset + len(data)) % 3)).decode()
        parts: list[str | frozenset[str]] = list(encoded[first : last + 1])
        for place in {first, last}:
            bit, value = 6 * place, _ALPHABET.index(encoded[place])
            known = 63 >> max(0, begin - bit) & 63 << max(0, bit + 6 - end) & 63
            if known != 63:
                ends = (char for each, char in enumerate(_ALPHABET) if each & known == value & known)
                parts[place - first] = frozenset(ends)
        if sum(isinstance(part, str) for part in parts) >= 4:
            yield Form(tuple(parts), is_base64=True)


def _ways(char: str, *, in_base64: bool) -> str:
    """The ways to write one character, as alternatives."""
    if char.isascii() and char.isalnum():
        return char
    ways = [_numbers(char), f"{_BACKSLASH}{{0,7}}{re.escape(char)}"]  # the longer first: `&#38;` begins with `&`
    if in_base64 and char in _URL_SAFE:
        ways.append(re.escape(_URL_SAFE[char]))
    if char == " ":
        ways.append(r"\+")
    if char in _WRITTEN:
        ways.append(f"{_BACKSLASH}{{1,8}}{_WRITTEN[char]}")
    return "|".join(ways)


def _numbers(char: str) -> str:
    """The ways that write a character's number, or its name, as alternatives."""
    percent = "".join(f"{_PERCENT}{_either_case(f'{byte:02x}')}" for byte in char.encode("utf-8", "surrogatepass"))
    units = char.encode("utf-16-be", "surrogatepass").hex()
    json = "".join(f"{_BACKSLASH}{{1,8}}u{_either_case(units[at : at + 4])}" for at in range(0, len(units), 4))
    number = f"#0{{0,5}}{ord(char)}|#[xX]0{{0,5}}{_either_case(f'{ord(char):x}')}"
    name = f"|{_NAMES[char]}" if char in _NAMES else ""
    return f"{percent}|{json}|{_AMPERSAND}(?:{number}{name});"


def _either_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)
