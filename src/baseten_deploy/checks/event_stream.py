"""Server-sent events: what a streaming model answers, event by event. Pure.

Spec: the event stream format of the HTML standard; the chunks of OpenAI's chat completions.
"""

from collections.abc import Iterator
from typing import Any


def events(text: str) -> Iterator[str]:
    """The data of each event, without the closing `[DONE]`. Spec: the event stream format of the HTML standard."""
    lines: list[str] = []
    for line in (*text.replace("\r\n", "\n").split("\n"), ""):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            data = "\n".join(lines)
            lines = []
            if data.strip() != "[DONE]":
                yield data


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
