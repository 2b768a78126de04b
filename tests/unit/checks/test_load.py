"""So many calls, so many at once, whatever becomes of them."""

import threading
import time

import pytest

from baseten_deploy.checks import load
from baseten_deploy.checks.load import run_calls


class Slot:
    """A place that remembers what became of it."""

    def __init__(self):
        self.closed = False

    def close(self):
        """As a connection's."""
        self.closed = True


def run(times, at_once, call, *, slots=None, stop=None, longest=5.0):
    """Run them all; the results by their number."""
    made = [] if slots is None else slots

    def make():
        made.append(Slot())
        return made[-1]

    stop = stop or threading.Event()
    return run_calls(times, at_once, make, call, lambda number: f"hung {number}", stop=stop, longest=longest)


@pytest.mark.parametrize(("times", "at_once"), [(1, 1), (1, 64), (7, 3), (1000, 64), (64, 64)])
def test_each_is_made_once(times, at_once):
    """Whatever the number of slots, of which there are never more than calls; all are closed in the end."""
    slots = []
    found = dict(run(times, at_once, lambda _, number: number * 2, slots=slots))
    assert {number: number * 2 for number in range(times)} == found
    assert min(times, at_once) == len(slots)


def test_so_many_are_under_way_at_once():
    """Not more, and not fewer while there are calls left."""
    lock, now, most = threading.Lock(), [0], [0]
    together = threading.Barrier(8, timeout=10)

    def call(_slot, _number):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait()
        with lock:
            now[0] -= 1

    assert 32 == len(list(run(32, 8, call)))
    assert 8 == most[0]


def test_an_error_of_a_call_is_raised_where_the_results_are_taken():
    """It is a bug, and must not end as a thread's."""

    def call(_slot, number):
        if number == 2:
            raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        list(run(5, 2, call))


def test_leaving_stops_the_rest():
    """A signal's exception waits for nobody."""
    stop, release, begun = threading.Event(), threading.Event(), []

    def call(_slot, number):
        begun.append(number)
        if number:
            release.wait(10)
        return number

    calls = run(1000, 4, call, stop=stop)
    assert 0 == next(calls)[0]
    calls.close()
    assert stop.is_set()
    release.set()
    time.sleep(0.2)
    assert len(begun) < 20


def test_one_that_hangs_for_good_is_given_up(monkeypatch):
    """Where no time-out reaches: the others go on, and it is told as what it is."""
    monkeypatch.setattr(load, "_HANGS_SECONDS", 0.3)
    monkeypatch.setattr(load, "LOOK_SECONDS", 0.05)
    release = threading.Event()

    def call(_slot, number):
        if number == 1:
            release.wait(20)
        return number

    found = dict(run(6, 2, call, longest=0.1))
    release.set()
    assert {0: 0, 1: "hung 1", 2: 2, 3: 3, 4: 4, 5: 5} == found


def test_all_hang(monkeypatch):
    """Then nobody is left to make the other calls."""
    monkeypatch.setattr(load, "_HANGS_SECONDS", 0.2)
    monkeypatch.setattr(load, "LOOK_SECONDS", 0.05)
    release = threading.Event()
    with pytest.raises(TimeoutError):
        list(run(6, 2, lambda _slot, _number: release.wait(20), longest=0.1))
    release.set()


@pytest.mark.parametrize("allowed", [0, 3])
def test_a_system_with_few_threads(monkeypatch, allowed):
    """A container's limit makes it slower, not wrong; without any, the work is done in the main thread."""
    started = []
    start = threading.Thread.start

    def limited(thread):
        if len(started) >= allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert 20 == len(list(run(20, 8, lambda _slot, number: number)))
