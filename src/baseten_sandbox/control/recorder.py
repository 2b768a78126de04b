"""The request log: what came in, in order, and what was answered. Tests read it; nothing here decides."""

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Service = Literal["management", "inference", "s3"]


@dataclass(frozen=True)
class RecordedRequest:
    """One request. Header names are in lower case; `status` is None while, and when, nothing was answered."""

    service: Service
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes  # empty for S3
    time: float
    status: int | None = None
    fault: str | None = None

    @property
    def json(self) -> Any:
        """The parsed JSON body; None when there is none or it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status}"


class Recorder:
    """Numbers requests as they come and notes their answers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._requests: dict[int, RecordedRequest] = {}

    def begin(self, request: RecordedRequest) -> int:
        """Note a request; the answer is its number."""
        with self._lock:
            number = next(self._numbers)
            self._requests[number] = replace(request, time=self._clock())
            return number

    def end(self, number: int, **changes: Any) -> None:
        """Note what became of it, unless it is forgotten."""
        with self._lock:
            if number not in self._requests:
                return
            self._requests[number] = replace(self._requests[number], **changes)

    def requests(self) -> tuple[RecordedRequest, ...]:
        """All requests so far, in the order in which they came."""
        with self._lock:
            return tuple(self._requests.values())

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()
