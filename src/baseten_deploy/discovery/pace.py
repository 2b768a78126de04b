"""Many questions to one service: so many at a time, and no more of them a second than its limit for one key allows."""

import queue
import threading
from collections.abc import Callable, Sequence

from baseten_deploy.background import in_background
from baseten_deploy.clock import Clock

AT_ONCE = 8
# The service allows a key 100 a second of each call, and other jobs use it too.
PER_SECOND = 75.0


def at_once(jobs: Sequence[Callable[[], None]], clock: Clock, most: int = AT_ONCE) -> None:
    """Do all jobs, `most` of them at a time, in threads that never keep a cancelled run from ending.

    Raises what the first of them raised that raised anything; then the rest is left undone.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    pace = Pace(clock)
    failed = False

    def work() -> None:
        nonlocal failed
        while not failed:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                pace.wait()
                job()
            except BaseException:
                failed = True
                raise

    for worker in [in_background(work) for _ in range(min(most, len(jobs)))]:
        worker.result()


class Pace:
    """Lets whoever waits go on, one after the other, at most `per_second` of them."""

    def __init__(self, clock: Clock, per_second: float = PER_SECOND) -> None:
        self._clock = clock
        self._between = 1 / per_second
        self._next = clock.now()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until it is this one's turn."""
        with self._lock:
            now = self._clock.now()
            turn = max(self._next, now)
            self._next = turn + self._between
        if turn > now:
            self._clock.sleep(turn - now)
