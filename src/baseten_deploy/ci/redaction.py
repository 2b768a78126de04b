"""Keeps secrets out of everything that is shown: one place that knows them all and takes them out of any text.

The runner's masks are the second line of defence; they cover neither comments nor files nor other CI systems.
"""

import base64
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
_ENTITIES = {ord(char): f"&#{ord(char)};" for char in "&<>`*_[]()|~\\#!@:$"}
# A shorter text is no secret worth the name, and taking it out would shred every message.
_SHORTEST = 4


def _escaped(plain: str) -> Iterator[str]:
    """As HTML and Markdown write it; how ours begins and ends depends on what stands around it."""
    yield plain.translate(_ENTITIES)
    for before, after in product(("", "a", "1"), ("", "a", ".", " .")):
        yield escape(before + plain + after)[len(before) :].removesuffix(after)


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
            data = plain.encode("utf-8", "surrogatepass")
            encoded = base64.b64encode(data).decode().rstrip("=")
            forms = {plain, quote(data, safe=""), quote(data), quote_plus(data), encoded, *_escaped(plain)}
            forms |= {json.dumps(plain, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
            self._forms = sorted(forms | set(self._forms), key=len, reverse=True)

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
