"""So many calls, so many at once: a thread with a connection for each, and a main thread that can always leave.

What a call is and what becomes of its result is the caller's.
"""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import count
from typing import Generic, Protocol, TypeVar

from baseten_deploy.records import dataclass

T = TypeVar("T")

LOOK_SECONDS = 0.2  # a signal is handled at once; a slot that hangs is noticed so often
_SWITCH_SECONDS = 0.0005  # between threads: what has come must not wait until another thread has read its answer
_HANGS_SECONDS = 5.0  # beyond what a call may take: it hangs where no time-out reaches, as in a name look-up


class Slot(Protocol):
    """A place for one call at a time."""

    def close(self) -> None:
        """End its connection."""


S = TypeVar("S", bound=Slot)


@dataclass
class _Worker(Generic[S]):
    slot: S
    number: int = -1  # of the call that is under way
    since: float = field(default_factory=time.monotonic)
    given_up: bool = False


def run_calls(
    times: int,
    at_once: int,
    make_slot: Callable[[], S],
    call: Callable[[S, int], T],
    hung: Callable[[int], T],
    *,
    stop: threading.Event,
    longest: float,
) -> Iterator[tuple[int, T]]:
    """Make `times` calls, numbered from 0, at most `at_once` of them at once, and yield each result as it comes.

    `longest` is what one call may take in seconds; for one that takes much longer, `hung` makes the result. Leaving the
    iterator, by an exception too, sets `stop` for the calls that are under way, and waits for none of them.
    """
    results: queue.SimpleQueue[tuple[int, T | Exception]] = queue.SimpleQueue()
    numbers = count()
    lock = threading.Lock()

    def work(worker: _Worker[S]) -> None:
        try:
            while not stop.is_set() and not worker.given_up:
                with lock:
                    number = next(numbers)
                if number >= times:
                    return
                worker.number, worker.since = number, time.monotonic()
                result: T | Exception
                try:
                    result = call(worker.slot, number)
                except Exception as error:  # noqa: BLE001 - raised where the results are taken
                    result = error
                if worker.given_up:
                    return
                results.put((number, result))
        finally:
            worker.number = -1
            worker.slot.close()

    workers = [_Worker(make_slot()) for _ in range(min(at_once, times))]
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        _start(workers, work)
        yield from _results(results, times, workers, hung, longest)
    finally:
        stop.set()
        sys.setswitchinterval(before)


def _start(workers: Sequence[_Worker[S]], work: Callable[[_Worker[S]], None]) -> None:
    """Start a thread for each, or for as many as the system allows; for none, the work is done here."""
    for number, worker in enumerate(workers):
        try:
            threading.Thread(target=work, args=(worker,), name=f"check-{number}", daemon=True).start()
        except RuntimeError:  # a limit of the container
            if not number:
                work(worker)
            return


def _results(
    results: "queue.SimpleQueue[tuple[int, T | Exception]]",
    times: int,
    workers: Sequence[_Worker[S]],
    hung: Callable[[int], T],
    longest: float,
) -> Iterator[tuple[int, T]]:
    left = times
    hanging: set[int] = set()
    while left:
        try:
            number, result = results.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            for worker in workers:
                late = worker.number >= 0 and time.monotonic() - worker.since > longest + _HANGS_SECONDS
                if late and not worker.given_up:
                    worker.given_up = True
                    number = worker.number
                    if number >= 0:
                        hanging.add(number)
                        left -= 1
                        yield number, hung(number)
            if left and all(worker.given_up for worker in workers):  # nobody is left to make the other calls
                raise TimeoutError("every connection hangs") from None
            continue
        if isinstance(result, Exception):
            raise result
        if number in hanging:  # it was given up, and ended after all
            continue
        left -= 1
        yield number, result
