"""Reading again and again: the rhythm, and what a read means that fails."""

import random
from collections import Counter
from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import FakeClock

from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import (
    CALM,
    LIVELY_SECONDS,
    UNSEEN_SECONDS,
    Reads,
    Rhythm,
    UnseenError,
    pause_after,
)
from baseten_deploy.service.retry import Failure, Fault


def failure(status=503, hint=None):
    """A call that was answered with a status."""
    return HttpError(Failure(Fault.STATUS, status, hint), f"{status}: so it is", "GET /v1/x")


class Service:
    """Answers each read with the next of its script; the last one for ever."""

    def __init__(self, *script, end=3600.0):
        self.clock = FakeClock()
        self.script = list(script)
        self.asked = 0
        self.warned, self.given = [], []
        self.reads = Reads(self.answer, self.clock, self.clock.now() + end, self.warned.append)

    def answer(self, seconds):
        """One read."""
        self.asked += 1
        self.given.append(seconds)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, HttpError):
            raise entry
        return entry

    def look(self, times=1):
        """Look, with a pause of a second before each."""
        seen = None
        for _ in range(times):
            self.clock.sleep(1)
            seen = self.reads.look()
        return seen


class TestReads:
    """What a failed read means."""

    def test_a_good_answer(self):
        """It is passed on, and nothing is said."""
        service = Service("there")
        assert ["there", []] == [service.look(), service.warned]
        assert service.reads.unseen() is None

    @given(st.lists(st.sampled_from([302, 400, 405, 408, 425, 429, 451, 500, 502, 503, 504, 520, 530]), max_size=8))
    def test_failures_say_nothing(self, statuses):
        """Whatever they are: the next good answer counts."""
        service = Service(*map(failure, statuses), "there")
        assert "there" == service.look(len(statuses) + 1)

    def test_a_gap_is_told_once(self):
        """When it is over, with its length and what was answered last."""
        service = Service("there", failure(502), failure(503, hint=20), "there", "there")
        service.look(5)
        assert 1 == len(service.warned)
        assert "could not be asked for 2" in service.warned[0]
        assert "503: so it is" in service.warned[0]

    def test_a_blip_is_not(self):
        """Nobody would have noticed."""
        service = Service("there", failure(), "there")
        service.look(3)
        assert [] == service.warned

    def test_too_long(self):
        """After five minutes without one good answer nothing is known any more."""
        service = Service("there", failure())
        service.look()
        start = service.clock.now()
        with pytest.raises(UnseenError, match=r"no good answer for 5 min .*503: so it is"):
            service.look(10_000)
        assert UNSEEN_SECONDS <= service.clock.now() - start < UNSEEN_SECONDS + 2

    def test_the_wait_ends_in_a_gap(self):
        """What was seen before the gap is no knowledge."""
        service = Service("there", failure(hint=3600), end=10.0)
        service.look(2)
        assert service.clock.now() <= 1010
        unseen = service.reads.unseen()
        assert unseen
        assert unseen.last.status == 503

    def test_each_ends_with_its_wait(self):
        """A read may take what is left of the wait, 30 s at most, and a moment at its end."""
        service = Service("there", end=33.0)
        service.look(33)
        assert [30.0, 30.0, 30.0, 29.0, 28.0] == service.given[:5]
        assert [3.0, 2.0, 2.0, 2.0] == service.given[-4:]

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, status):
        """Three times in a row; anything else in between begins the count anew."""
        service = Service(failure(status), failure(status), "there", failure(status), failure(status), failure(status))
        service.look(5)
        with pytest.raises(HttpError, match=str(status)):
            service.look()

    def test_what_is_not_there_is_counted(self):
        """A 404 is an answer: it ends a gap, and how many are enough is for who waits to say."""
        service = Service(failure(503, hint=30), failure(404), failure(404), "there", failure(404))
        service.look(3)
        assert [2, 1] == [service.reads.missing, len(service.warned)]
        service.look()
        assert 0 == service.reads.missing
        service.look(9)
        assert 9 == service.reads.missing

    def test_failures_do_not_hammer(self):
        """The pauses between them grow."""
        service = Service(failure())
        with pytest.raises(UnseenError):
            service.look(10_000)
        assert service.asked < 60
        pauses = [seconds for seconds in service.clock.sleeps if seconds != 1]
        assert all(a <= b for a, b in pairwise(pauses[:6]))


class TestRhythm:
    """When to read next."""

    @given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
    def test_bounds(self, quiet, chance):
        """Never more often than nearly every second, never more seldom than every five."""
        assert 1 <= pause_after(quiet, chance) <= 5
        assert (pause_after(quiet, chance) < CALM[0]) == (quiet < LIVELY_SECONDS)

    def test_it_gets_lively_when_something_moves(self):
        """For half a minute."""
        clock = FakeClock()
        rhythm = Rhythm(clock)
        assert 1.25 == rhythm.pause()
        clock.sleep(2)
        assert 2.25 == rhythm.pause()
        clock.sleep(40)
        assert 4.25 == rhythm.pause()
        rhythm.moved()
        assert [1.25, 5.0] == [rhythm.pause(), rhythm.log_pause()]
        clock.sleep(30)
        assert 8.5 == rhythm.log_pause()


class Chance(FakeClock):
    """A clock of its own for each job, with chances of its own."""

    def __init__(self, seed):
        super().__init__()
        self.time = 0.0
        self._random = random.Random(seed)

    def chance(self):
        """Any."""
        return self._random.random()


def job(seed):
    """The times of a job's requests for status and log, from a wait of 1 to 40 minutes, and when it noticed the end."""
    draw = random.Random(f"build {seed}")
    live = draw.uniform(60, 2400)
    moves = [live * 0.85, live * 0.97, float("inf")]
    clock, requests = Chance(f"job {seed}"), []
    rhythm = Rhythm(clock)
    next_log = rhythm.log_pause()
    while clock.now() < live:
        clock.sleep(rhythm.pause())
        requests.append(clock.now())
        if clock.now() >= moves[0]:
            moves.pop(0)
            rhythm.moved()
        while next_log <= clock.now():  # the thread of the log
            requests.append(next_log)
            next_log += rhythm.log_pause()
    return requests, clock.now() - live


class TestAskingGently:
    """30 jobs of a matrix that share a key, over builds of 1 to 40 minutes, in virtual time."""

    @pytest.mark.parametrize("seed", range(5))
    def test_together_they_stay_below_20_a_second(self, seed):
        """Although they begin at one moment; over any ten seconds, and no second comes near the limit of 100."""
        seconds = Counter(int(time) for number in range(30) for time in job(f"{seed} {number}")[0])
        spans = [sum(seconds[second] for second in range(start, start + 10)) for start in range(2400)]
        assert max(spans) < 200
        assert max(seconds.values()) < 40

    def test_what_is_live_is_noticed(self):
        """Within 3 s at the median, within 6 s at the worst."""
        late = [job(number)[1] for number in range(600)]
        assert median(late) <= 3
        assert max(late) <= 6
