"""A line when nothing was said for a while: whoever watches a log wants to know that it goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from baseten_deploy.background import start
from baseten_deploy.report.amounts import duration

SILENCE_SECONDS = 30.0
_LEAST_PAUSE = 0.01


@contextmanager
def heartbeat(
    title: str, say: Callable[[str], None], silence: Callable[[], float], *, every: float = SILENCE_SECONDS
) -> Iterator[None]:
    """While the body runs, `say` that `title` does, each time that there was `silence` for `every` seconds.

    These are seconds of the machine's own clock: what hangs is a socket or a disk, which know no other.
    """
    ended = threading.Event()
    started = time.monotonic()

    def beat() -> None:
        while not ended.wait(max(_LEAST_PAUSE, every - silence())):
            if silence() >= every and not ended.is_set():
                say(f"{title}: still going after {duration(time.monotonic() - started)}")

    start(beat, "heartbeat")  # without a thread for it there is none: it is a comfort
    try:
        yield
    finally:
        ended.set()
