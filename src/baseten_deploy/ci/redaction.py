"""Keeps secrets out of everything that is shown: one place that knows them all and takes them out of any text.

The runner's masks are the second line of defence; they cover neither comments nor files nor other CI systems.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote, quote_plus

from baseten_deploy.report.markdown import escape

PLACEHOLDER = "***"
# The query of a presigned URL is a credential, and nobody knows the URL before a server names it. URLs without a query
# are matched as well: else those that stand within one would each be looked for to its end.
_URL = re.compile(r"""(https?:(?:\\?/){2}[^\s?"'<>]*)(\?[^\s"'<>]+)?""", re.IGNORECASE)
_SPECIAL = "&<>`*_[]()|~\\#!@:$"
_PERCENT = re.compile("%[0-9A-F]{2}")
_GO = {ord(char): f"\\u{ord(char):04x}" for char in "&<>"}
_URL_SAFE = str.maketrans("+/", "-_")
# A shorter text is no secret worth the name, and taking it out would shred every message.
_SHORTEST = 4


def _forms(plain: str) -> set[str]:
    """`plain` in all forms in which a server or a library is likely to repeat it."""
    data = plain.encode("utf-8", "surrogatepass")
    forms = {plain, *_percent(data), *_html(plain), *_base64(data)}
    for ascii_only in (True, False):
        for once in _json(plain, ascii_only=ascii_only):  # and JSON within JSON: an error that quotes a body
            forms |= {once, *_json(once, ascii_only=ascii_only)}
    return forms | {form.replace("/", "\\/") for form in forms if "/" in form}  # base64 within JSON


def _json(text: str, *, ascii_only: bool) -> Iterator[str]:
    r"""As JSON writes it: plainly, with the `\/` of PHP, with the `\u0026` of Go."""
    plainly = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    yield plainly
    yield plainly.replace("/", "\\/")
    yield plainly.translate(_GO)


def _percent(data: bytes) -> Iterator[str]:
    """As URLs and forms write it, with digits in either case."""
    for text in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield text
        yield _PERCENT.sub(lambda found: found[0].lower(), text)


def _html(plain: str) -> Iterator[str]:
    """As HTML and Markdown write it; how ours begins and ends depends on what stands around it."""
    yield html.escape(plain, quote=False)
    yield html.escape(plain)
    yield html.escape(plain).replace("&#x27;", "&apos;")
    yield html.escape(plain).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    for entity in ("&#{};", "&#x{:x};", "&#x{:X};", "&#x{:02X};"):
        for escaped in ("&<>\"'", "&<>\"'/`=", _SPECIAL):
            yield plain.translate({ord(char): entity.format(ord(char)) for char in escaped})
    for before, after in product(("", "a", "1"), ("", "a", ".", " .")):
        yield escape(before + plain + after)[len(before) :].removesuffix(after)


def _base64(data: bytes) -> Iterator[str]:
    """In base64 and base64url, wherever it begins within what was encoded: `user:KEY`, `Bearer KEY`.

    Three bytes become four characters, so there are three alignments; a character that also tells of a byte before or
    behind is left out.
    """
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data).decode()
        core = encoded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
        if len(core) >= _SHORTEST:
            yield core
            yield core.translate(_URL_SAFE)


class Redactor:
    """The secrets of this run, and `redact`, which every sink applies."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, secret: str) -> None:
        """Learn a secret, in all forms in which a server or a library is likely to repeat it."""
        for line in {secret, *secret.splitlines()}:
            plain = line.strip()
            if len(plain) < _SHORTEST:
                continue
            self._forms = sorted(_forms(plain) | set(self._forms), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """`text` with every known secret replaced."""
        for form in self._forms:
            text = text.replace(form, PLACEHOLDER)
        return text

    def redact_foreign(self, text: str) -> str:
        """As `redact`, for what a server says: its URLs lose their queries."""
        return self.redact(_URL.sub(lambda url: url[1] + (f"?{PLACEHOLDER}" if url[2] else ""), text))

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"
