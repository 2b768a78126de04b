"""Server-sent events: what a streaming model answers, event by event. Pure.

Spec: the event stream format of the HTML standard; the chunks of OpenAI's chat completions.
"""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

_LINE_END = expression(r"\r\n|\n|\r")
_DONE = "[DONE]"
_TOKENS = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls")


@dataclass(frozen=True)
class Event:
    """One event: its type, `""` for a message, and its data."""

    kind: str
    data: str

    @cached_property
    def json(self) -> Any:
        """The data as JSON, `None` when it is none."""
        return _parsed(self.data)

    @property
    def is_error(self) -> bool:
        """Whether the model tells that it failed: `event: error`, `{"error": ...}`, vLLM's `"object": "error"`."""
        if self.kind.lower() == "error":
            return True
        return isinstance(self.json, dict) and (bool(self.json.get("error")) or self.json.get("object") == "error")


def events(text: str) -> Iterator[str]:
    """The data of each event of a stream, without the closing `[DONE]`."""
    return (event.data for event in stream_events(text))


def stream_events(text: str) -> Iterator[Event]:
    """Each event, without the closing `[DONE]`. One that the stream ends in counts, although the standard drops it.

    Lines end at CR, LF or both; a byte-order mark at the start is none of the first line. An error without data is one.
    """
    lines: list[str] = []
    kind = ""
    for line in (*_LINE_END.split(text.removeprefix("\ufeff")), ""):
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                lines.append(value)
            elif name == "event":
                kind = value.strip()
            continue
        data = "\n".join(lines)
        if (lines or kind.lower() == "error") and data.strip() != _DONE:
            yield Event(kind, data)
        lines, kind = [], ""


def is_event_stream(text: str) -> bool:
    """Whether a text of an untold type is a stream of events: each line of it is a field of one, or a comment."""
    lines = [line for line in _LINE_END.split(text.removeprefix("\ufeff")) if line]
    return bool(lines) and all(re.match(r":|(?:data|event|id|retry)(?::|$)", line) for line in lines)


def deltas(event: Any) -> list[str]:
    """The texts that one event of an OpenAI-like stream adds."""
    choices = event.get("choices") if isinstance(event, dict) else None
    texts = []
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict):
            delta = choice.get("delta") or choice.get("message") or {}
            content = delta.get("content") if isinstance(delta, dict) else None
            texts.append(content or choice.get("text") or "")
    return [text for text in texts if isinstance(text, str) and text]


def carries(event: Any) -> bool:
    """Whether an event of an OpenAI-like stream carries tokens, of whatever kind: text, reasoning or a tool's call."""
    choices = event.get("choices") if isinstance(event, dict) else None
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict):
            delta = choice.get("delta") or choice.get("message")
            found = [delta.get(key) for key in _TOKENS] if isinstance(delta, dict) else []
            if choice.get("text") or any(found):
                return True
    return False


def _parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
