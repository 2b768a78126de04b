"""The service's rate limits: a sliding window per key of the caller and endpoint."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """At most `count` requests in `seconds`."""

    count: int
    seconds: float


class Limiter:
    """Counts requests; knows no endpoints."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[object, deque[float]] = defaultdict(deque)

    def wait(self, key: object, limit: Limit) -> float:
        """Count a request; 0 when it may pass, else after how many seconds the next one may."""
        now = self._clock()
        with self._lock:
            seen = self._seen[key]
            while seen and seen[0] <= now - limit.seconds:
                seen.popleft()
            if len(seen) >= limit.count:
                return seen[0] + limit.seconds - now
            seen.append(now)
            return 0.0
