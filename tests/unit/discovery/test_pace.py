"""Many questions at once, and not too many a second."""

import threading
import time

import pytest
from transport import FakeClock

from baseten_deploy.discovery.pace import Pace, at_once


class TestAtOnce:
    """Eight at a time."""

    def test_never_more(self):
        """All are done, by no more than so many threads at once."""
        lock, running, most, done = threading.Lock(), 0, 0, []

        def job(number):
            def work():
                nonlocal running, most
                with lock:
                    running += 1
                    most = max(most, running)
                time.sleep(0.002)
                with lock:
                    running -= 1
                    done.append(number)

            return work

        at_once([job(number) for number in range(40)], FakeClock())
        assert list(range(40)) == sorted(done)
        assert 1 < most <= 8

    def test_what_fails_ends_it(self):
        """A bug is not swallowed, and nothing hangs."""

        def broken():
            raise ZeroDivisionError

        done = []
        with pytest.raises(ZeroDivisionError):
            at_once([broken, *([lambda: done.append(1)] * 5)], FakeClock(), most=1)
        assert [] == done

    def test_nothing_to_do(self):
        """Is done at once."""
        at_once([], FakeClock())


class TestPace:
    """The limit of a key is for each second, and other jobs have it too."""

    def test_never_faster(self):
        """Each of 300 begins after the one before, 75 a second: four seconds, not two."""
        clock = FakeClock()
        pace = Pace(clock)
        times = []
        for _ in range(300):
            pace.wait()
            times.append(clock.now())
        assert all(75 >= sum(start <= each < start + 0.999 for each in times) for start in times)
        assert 299 / 75 == pytest.approx(times[-1] - times[0])

    def test_what_is_slow_by_itself(self):
        """Does not wait."""
        clock = FakeClock()
        pace = Pace(clock)
        for _ in range(5):
            pace.wait()
            clock.time += 1
        assert [] == clock.sleeps
