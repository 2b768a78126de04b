"""Results in order, made ahead, in bounded memory, and an end at any moment."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from baseten_deploy.archive.read_ahead import Ahead


def ahead(work: Callable[[Any], Any], items: Iterator[Any], **settings: Any) -> Ahead[Any, Any]:
    """Two threads, each result of one byte, room for three."""
    return Ahead(work, items, **{"threads": 2, "room": 3, "most": 1, "size": lambda _: 1} | settings)


def all_of(results: Ahead[Any, Any]) -> list[Any]:
    """Everything, to the end."""
    return list(iter(results.take, None))


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_in_order(threads: int) -> None:
    """Whichever thread is ready first."""
    assert [number * number for number in range(300)] == all_of(
        ahead(lambda number: number * number, iter(range(300)), threads=threads)
    )


def test_nothing_at_all() -> None:
    """Is an end, each time it is asked for."""
    results = ahead(str, iter(()))
    assert [None, None] == [results.take(), results.take()]


def test_it_begins_at_once_and_keeps_its_bounds() -> None:
    """As many as there is room for, before anybody takes one; then one for each that is taken."""
    begun: list[int] = []
    enough = threading.Semaphore(0)

    def work(number: int) -> int:
        begun.append(number)
        enough.release()
        return number

    results = ahead(work, iter(range(100)), threads=1)
    for _ in range(3):
        assert enough.acquire(timeout=10)
    assert not enough.acquire(timeout=0.05)
    assert 0 == results.take()
    assert enough.acquire(timeout=10)
    assert [0, 1, 2, 3] == begun
    results.close()


def test_a_result_counts_as_what_it_is() -> None:
    """One that turned out small makes room."""
    done = threading.Event()

    def work(number: int) -> int:
        if number == 9:
            done.set()
        return number

    results = ahead(work, iter(range(10)), room=5, most=4, size=lambda _: 0)
    assert done.wait(10)
    assert list(range(10)) == all_of(results)


def test_what_fails_is_raised_in_its_place() -> None:
    """After the results before it."""

    def work(number: int) -> float:
        return 1 / (2 - number)

    results = ahead(work, iter(range(5)))
    assert [0.5, 1.0] == [results.take(), results.take()]
    with pytest.raises(ZeroDivisionError):
        results.take()


def test_items_that_fail() -> None:
    """Just so."""

    def items() -> Iterator[int]:
        yield 1
        raise KeyError("x")

    results = ahead(lambda number: number, items())
    assert 1 == results.take()
    with pytest.raises(KeyError):
        results.take()
    assert results.take() is None


def test_closing_ends_a_take() -> None:
    """Although the work hangs; afterwards every take fails, and no thread begins anything."""
    hanging, released, begun = threading.Event(), threading.Event(), []

    def work(number: int) -> int:
        begun.append(number)
        hanging.set()
        released.wait(10)
        return number

    results = ahead(work, iter(range(100)), threads=1)
    assert hanging.wait(10)
    threading.Timer(0.02, results.close).start()
    with pytest.raises(ValueError, match="closed"):
        results.take()
    released.set()
    results.close()
    with pytest.raises(ValueError, match="closed"):
        results.take()
    assert [0] == begun
