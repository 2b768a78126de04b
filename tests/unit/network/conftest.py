"""Fixtures of the tests of the way out."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from baseten_deploy.network import certificates


@pytest.fixture
def public_authorities(monkeypatch: pytest.MonkeyPatch, all_authorities: Callable[[], str]) -> None:
    """All of them, as in a real run."""
    monkeypatch.setattr(certificates, "public", all_authorities)


@pytest.fixture
def memory_of() -> Callable[[], AbstractContextManager[Callable[[], int]]]:
    """The most bytes that Python had more than before, within a `with`."""

    @contextmanager
    def measured() -> Iterator[Callable[[], int]]:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        try:
            yield lambda: peak[0] - before
        finally:
            peak.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    peak: list[int] = []
    return measured
