"""Keeps secrets out of everything that is shown: one place that knows them all and takes them out of any text.

The runner's masks (`runner.Runner.mask`) are the second line of defence; they cover neither comments nor files nor
other CI systems. What a secret may look like by the time that somebody repeats it is `secret_forms`.
"""

import re
import threading

from baseten_deploy.expressions import expression

from .secret_forms import Form, forms, with_letters

PLACEHOLDER = "***"
# The query of a presigned URL is a credential, and nobody knows the URL before a server names it. URLs without a query
# are matched as well: else those that stand within one would each be looked for to its end.
_URL = expression(r"""(https?:(?:\\?/){2}[^\s?"'<>]*)(\?[^\s"'<>]+)?""", re.IGNORECASE)
# A shorter text is no secret worth the name, and taking it out would shred every message.
_SHORTEST = 4


class Redactor:
    """The secrets of this run, and `redact`, which every sink applies."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._forms: tuple[Form, ...] = ()
        self._lock = threading.RLock()  # a plan reads two things at once, and learns a secret from either

    def add(self, secret: str) -> None:
        """Learn a secret, in all forms in which a server or a library is likely to repeat it."""
        lines = {line.strip() for line in (secret, *secret.splitlines())}
        with self._lock:
            new = {line for line in lines if len(line) >= _SHORTEST} - self._known
            self._forms += tuple(form for plain in new for form in forms(plain))
            self._known |= new

    def redact(self, text: str) -> str:
        """`text` with every known secret replaced. Apply it before anything is cut: half a secret is not known."""
        spans = [span for form in self._forms for span in form.find(text)]
        if (reading := with_letters(text)) is not None:
            spans += [reading.original(span) for form in self._forms for span in form.find(reading.text)]
        if not spans:
            return text
        kept, end = [], 0
        for start, stop in _merged(spans):
            kept.append(text[end:start])
            end = stop
        return PLACEHOLDER.join((*kept, text[end:]))

    def redact_foreign(self, text: str) -> str:
        """As `redact`, for what a server says: its URLs lose their queries."""
        return self.redact(_URL.sub(lambda url: url[1] + (f"?{PLACEHOLDER}" if url[2] else ""), text))

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap as one: secrets within secrets, or one that begins within another."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
