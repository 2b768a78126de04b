"""A line when nothing was said for a while."""

import io
import threading

import pytest

from baseten_deploy.ci.heartbeat import heartbeat
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner


def test_it_speaks_in_silence() -> None:
    """As often as it takes, with the name of what goes on."""
    said: list[str] = []
    three = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            three.set()

    with heartbeat("Validate", say, lambda: 1.0, every=0.01):
        assert three.wait(10)
    assert said[0].startswith("Validate: still going after ")


def test_it_is_quiet_while_others_speak() -> None:
    """Each line of a log is sign of life enough."""
    said: list[str] = []
    asked = threading.Semaphore(0)

    def silence() -> float:
        asked.release()
        return 0.0

    with heartbeat("Wait", said.append, silence, every=0.01):
        for _ in range(6):
            assert asked.acquire(timeout=10)
    assert [] == said


def test_it_ends_with_the_body() -> None:
    """Also when that fails, and without a line after it."""
    before = threading.active_count()
    said: list[str] = []
    with pytest.raises(ValueError, match="x"), heartbeat("Wait", said.append, lambda: 0.0, every=30.0):
        raise ValueError("x")
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(10)
    assert threading.active_count() <= before
    assert [] == said


def test_silence_is_counted_from_the_last_line() -> None:
    """Whoever wrote it."""
    runner = Runner({}, Redactor(), io.StringIO())
    runner._written_at -= 100
    assert runner.silence() >= 100
    runner.info("hello")
    assert runner.silence() < 50
