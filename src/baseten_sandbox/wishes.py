"""The payload's `sandbox` object: what somebody who tries a checks file wants to be answered.

::

    {"sandbox": {"status": 500, "body": {...}, "delay": 0.5}}      this, after half a second
    {"sandbox": {"text": "hello"}}                                 a text that is no JSON
    {"sandbox": {"bytes": 2048, "content-type": "audio/wav"}}      so many bytes
    {"sandbox": {"stream": ["Hel", "lo"], "delay": 0.2, "gap": 0.05}}   server-sent events, the first after 0.2 s
    {"sandbox": {"fails-every": 3}}                                flaky: each third such request is a 500
    {"sandbox": {"wakes-after": 2}}                                waking: the first two such requests are 503
    {"sandbox": {"hostile": "garbage"}}                            one of `HOSTILE`

The status of `fails-every` and `wakes-after` may be another one.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from baseten_sandbox.errors import invalid


@dataclass(frozen=True)
class Answer:
    """What a predict answers after `delay` seconds; `body` None echoes, `text` that is no JSON goes out as it is."""

    status: int = 200
    body: Any = None
    delay: float = 0.0
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/octet-stream"
    stream: tuple[str, ...] = ()
    gap: float = 0.0


_EXPLODING = "a" * 40 + "b"
HOSTILE: Mapping[str, Answer] = {
    "garbage": Answer(content=bytes(range(256)) * 8, content_type="application/json"),
    "commands": Answer(
        text="::error::you were hacked\n::set-output name=status::success\n##[error]too\n::stop-commands::x"
    ),
    "markup": Answer(body={"text": "</details>\n# <img src=x onerror=alert(1)> | @everyone [x](javascript:1) ``` "}),
    "control": Answer(text="\x1b[2J\x00\x07\u202edeyortsed\r\n\x9b31m"),
    "deep": Answer(content=b"[" * 100_000 + b"]" * 100_000, content_type="application/json"),
    "exploding": Answer(body={"text": _EXPLODING}),
    "huge": Answer(content=b"x" * (17 * 2**20), content_type="text/plain"),
    "no-events": Answer(content=b": nothing\n\n", content_type="text/event-stream"),
    "stream-error": Answer(
        content=b'data: {"error": {"message": "out of memory"}}\n\n', content_type="text/event-stream"
    ),
    "redirect": Answer(status=302, text="", headers={"Location": "http://127.0.0.1:9/"}),
}


class Wishes:
    """Reads them, and counts where a wish is about more than one request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()

    def answer(self, payload: Any) -> Answer | None:
        """What this payload wishes for, `None` when it wishes for nothing."""
        wish = payload.get("sandbox") if isinstance(payload, dict) else None
        if not isinstance(wish, dict):
            return None
        try:
            return self._answer(wish)
        except (TypeError, ValueError, KeyError) as error:
            raise invalid(f"sandbox: {error}") from error

    def _answer(self, wish: Mapping[str, Any]) -> Answer:
        if "hostile" in wish:
            return HOSTILE[wish["hostile"]]
        status, delay = int(wish.get("status", 200)), float(wish.get("delay", 0))
        number = self._count(wish)
        if "wakes-after" in wish or "fails-every" in wish:
            waking = number <= int(wish.get("wakes-after", 0))
            failing = "fails-every" in wish and number % int(wish["fails-every"]) == 0
            if waking or failing:
                return Answer(int(wish.get("status", 503 if waking else 500)), text="not now", delay=delay)
            status = 200
        content = None
        if "bytes" in wish:
            content = (b"RIFF" + bytes(range(256)) * (int(wish["bytes"]) // 256 + 1))[: int(wish["bytes"])]
        return Answer(
            status,
            wish.get("body"),
            delay,
            wish.get("text"),
            content=content,
            content_type=str(wish.get("content-type", "application/octet-stream")),
            stream=tuple(map(str, wish.get("stream", ()))),
            gap=float(wish.get("gap", 0)),
        )

    def _count(self, wish: Mapping[str, Any]) -> int:
        key = json.dumps(wish, sort_keys=True)
        with self._lock:
            self._seen[key] += 1
            return self._seen[key]


def streamed(answer: Answer, head: Mapping[str, Any], sleep: Callable[[float], object]) -> Response:
    """The pieces as the chunks of a chat, `gap` seconds between them, with `usage` in the last."""

    def chunks() -> Iterator[str]:
        for number, piece in enumerate(answer.stream):
            if number:
                sleep(answer.gap)
            choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
        usage = {"prompt_tokens": 1, "completion_tokens": len(answer.stream), "total_tokens": len(answer.stream) + 1}
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        yield f"data: {json.dumps({**head, 'choices': [last], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"

    return Response(chunks(), answer.status, content_type="text/event-stream")
