"""One answer of a model, with the time of every piece of it; and why there is none. Pure.

Read off the wire by `connection` and `websocket`; judged by `judge`.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.service.shapes import is_identifier

from .event_stream import carries, deltas, events

REQUEST_ID = "x-baseten-request-id"
NO_JSON: Any = object()
_DATA_LINE = expression(rb"^data:[^\r\n]*", re.MULTILINE)
_TOKEN_COUNTS = ("completion_tokens", "output_tokens")  # of chat completions, and of those who name it otherwise
_USAGE = b'"usage"'


@dataclass(frozen=True)
class Answer:
    """What came. `seconds` are from the request's first byte to the answer's last.

    `headers` have lower-case names. `marks` say when each piece of the body was there: its end within the body, and
    the seconds since the request; `complete` is false for a body that was cut at its bound.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float
    marks: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    complete: bool = True

    @property
    def request_id(self) -> str:
        """What the service calls this request, `""` when it does not say, or says what has not the shape of an id."""
        said = self.headers.get(REQUEST_ID, "")
        return said if is_identifier(said) else ""

    @property
    def media_type(self) -> str:
        """The `Content-Type` as it came."""
        return self.headers.get("content-type", "")

    @cached_property
    def is_stream(self) -> bool:
        """Whether it is made of server-sent events."""
        return self.media_type.lower().startswith("text/event-stream")

    @cached_property
    def plain(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @cached_property
    def events(self) -> tuple[str, ...]:
        """The data of each event of a stream."""
        return tuple(events(self.plain)) if self.is_stream else ()

    @cached_property
    def event_values(self) -> tuple[Any, ...]:
        """The events that are JSON."""
        values = (_json(data) for data in self.events)
        return tuple(value for value in values if value is not NO_JSON)

    @cached_property
    def text(self) -> str:
        """The text; of a stream its joined content, else the data of its events line by line."""
        if not self.is_stream:
            return self.plain
        pieces = [piece for value in self.event_values for piece in deltas(value)]
        return "".join(pieces) if pieces else "\n".join(self.events)

    @cached_property
    def value(self) -> Any:
        """The text as JSON, or `NO_JSON`."""
        return _json(self.text)

    @cached_property
    def first_event_seconds(self) -> float | None:
        """Until the byte that completed the first event's line, of a stream."""
        found = _DATA_LINE.search(self.body) if self.is_stream else None
        return self._seconds_of(found.end()) if found else None

    @cached_property
    def tokens_per_second(self) -> float | None:
        """Of an answer with `usage`: its tokens over its whole time.

        Of a stream those after the first, over the time between the first and the last event that carry any.
        """
        if _USAGE not in self.body:  # most have none, and need not be read for it
            return None
        if not self.is_stream:
            tokens = _tokens(self.value)
            return tokens / self.seconds if tokens and self.seconds > 0 else None
        tokens = next((count for value in reversed(self.event_values) if (count := _tokens(value))), 0)
        if tokens < 2:
            return None
        lines = list(_DATA_LINE.finditer(self.body))
        first, last = (next(filter(_carries, each), None) for each in (lines, reversed(lines)))
        took = self._seconds_of(last.end()) - self._seconds_of(first.end()) if first and last else 0.0
        return (tokens - 1) / took if took > 0 else None

    def _seconds_of(self, offset: int) -> float:
        """When the body's byte before `offset` was there."""
        index = bisect_right(self.marks, (offset - 1, float("inf")))
        return self.marks[min(index, len(self.marks) - 1)][1] if self.marks else self.seconds


@dataclass(frozen=True)
class NoAnswer:
    """Why a call has none: in words without secrets, after how many seconds; `waking` says that it may yet come.

    `hint` are the seconds that the other side asked to wait; `status` is 0 without one. `unseen` says that the model
    was never reached: there was no connection, or a gateway answered that has no way to it.
    """

    reason: str
    seconds: float
    waking: bool = False
    status: int = 0
    hint: float | None = None
    request_id: str = ""
    unseen: bool = False


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NO_JSON


def _carries(line: re.Match[bytes]) -> bool:
    return carries(_json(line[0][5:].decode("utf-8", "replace")))


def _tokens(value: Any) -> int:
    usage = value.get("usage") if isinstance(value, dict) else None
    counts = [usage.get(name) for name in _TOKEN_COUNTS] if isinstance(usage, dict) else []
    return next((count for count in counts if isinstance(count, int) and not isinstance(count, bool) and count > 0), 0)
