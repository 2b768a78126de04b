"""The log: no line twice, none lost, and no failed run for its sake."""

import threading
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baseten_deploy.deployment import log_stream as module
from baseten_deploy.deployment.log_stream import (
    OVERLAP_MILLIS,
    PAGE,
    LogReader,
    LogStream,
    error_in,
    format_line,
    is_error,
)
from baseten_deploy.errors import Cancelled
from baseten_deploy.service.answers import LogLine
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.retry import Failure, Fault

BROKEN = HttpError(Failure(Fault.NO_ANSWER), "broken", "GET /logs")


def a_second():
    """A second between two looks."""
    return 1.0


def line(millis, text="x", replica="", *, nanos=0):
    """Make a line of that millisecond."""
    return LogLine(millis * 1_000_000 + nanos, text, replica)


class Server:
    """A log that grows: lines become visible later than they were written. Fails the fetches that it is told to."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.fetches = []
        self.failing = []  # of the fetches to come: whether each fails
        self.largest = PAGE

    def fetch(self, start, limit):
        """A page, as the service answers it."""
        self.fetches.append(start)
        if self.failing and self.failing.pop(0):
            raise BROKEN
        found = sorted((row for row in self.lines if row.nanoseconds // 1_000_000 >= start), key=_time)
        return found[: min(limit, self.largest)]


def _time(row):
    return row.nanoseconds


def read(reader):
    """One poll; nothing when it fails."""
    try:
        return reader.new_lines()
    except HttpError:
        return []


class TestReader:
    """Poll by poll."""

    def test_every_line_once(self):
        """Polls without news have none."""
        server = Server(line(5, "a"), line(6, "b"))
        reader = LogReader(server.fetch, 0)
        assert server.lines == reader.new_lines()
        assert [] == reader.new_lines()
        server.lines.append(line(7, "c"))
        assert [line(7, "c")] == reader.new_lines()

    def test_equal_lines_are_lines(self):
        """Three dots in the same nanosecond are three dots; a fourth that comes later is one more."""
        server = Server(*[line(5, ".")] * 3)
        reader = LogReader(server.fetch, 0)
        assert 3 == len(reader.new_lines())
        server.lines.append(line(5, "."))
        assert [line(5, ".")] == reader.new_lines()
        assert [] == reader.new_lines()

    def test_replicas_and_levels_tell_lines_apart(self):
        """The same text of two replicas is two lines."""
        server = Server(line(5, "up", "r1"))
        reader = LogReader(server.fetch, 0)
        reader.new_lines()
        server.lines.append(line(5, "up", "r2"))
        assert [line(5, "up", "r2")] == reader.new_lines()

    def test_late_lines(self):
        """Another replica's line arrives ten seconds after newer ones were shown."""
        server = Server(line(20_000, "new"))
        reader = LogReader(server.fetch, 0)
        reader.new_lines()
        server.lines.append(line(20_000 - OVERLAP_MILLIS, "late"))
        assert [line(10_000, "late")] == reader.new_lines()

    @pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1, 3500])
    @pytest.mark.parametrize("per_milli", [1, 3, 999])
    def test_pages(self, count, per_milli):
        """Any number of lines, some on the edge of a page, in one poll and in order."""
        server = Server(*[line(i // per_milli, str(i), nanos=i % per_milli) for i in range(count)])
        reader = LogReader(server.fetch, 0)
        assert server.lines == reader.new_lines()
        assert [] == reader.new_lines()

    def test_a_page_of_one_millisecond(self):
        """More of them cannot be asked for; what follows is not held up."""
        server = Server(*[line(5, str(i), nanos=i) for i in range(PAGE + 50)], line(6, "after"))
        reader = LogReader(server.fetch, 0)
        lines = reader.new_lines()
        assert (PAGE + 1, line(6, "after")) == (len(lines), lines[-1])
        assert [] == reader.new_lines()

    def test_a_failure_on_the_first_page(self):
        """Is the caller's to hear, and loses nothing."""
        server = Server(line(5))
        server.failing = [True]
        reader = LogReader(server.fetch, 0)
        with pytest.raises(HttpError):
            reader.new_lines()
        assert [line(5)] == reader.new_lines()

    def test_a_failure_between_pages(self):
        """What was read is shown, and the next poll goes on from there."""
        server = Server(*[line(i, str(i)) for i in range(2500)])
        server.failing = [False, True]
        reader = LogReader(server.fetch, 0)
        first = reader.new_lines()
        assert 999 == len(first)
        assert reader.behind
        assert server.lines == first + reader.new_lines()
        assert [] == reader.new_lines()
        assert not reader.behind

    def test_gets_ahead_though_every_other_fetch_fails(self):
        """A window of many pages within the overlap is not begun anew for ever."""
        server = Server(*[line(i // 4, str(i), nanos=i % 4) for i in range(8 * PAGE)])
        reader = LogReader(server.fetch, 0)
        lines = []
        for _ in range(30):
            server.failing = [False, True]
            lines += read(reader)
        assert Counter(server.lines) == Counter(lines)

    def test_late_lines_while_behind(self):
        """A poll that goes on from where the last one stopped does not forget to look back."""
        server = Server(*[line(i, str(i)) for i in range(1500)])
        server.failing = [False, True]
        reader = LogReader(server.fetch, 0)
        lines = reader.new_lines()
        server.lines += [line(3, "late"), line(30_000, "far ahead")]
        for _ in range(3):
            lines += reader.new_lines()
        assert Counter(server.lines) == Counter(lines)

    def test_a_poll_ends(self):
        """Whatever the server answers: here, always a full page of a later time."""

        def fetch(start, limit):
            fetches.append(start)
            return [line(start + i) for i in range(limit)]

        fetches = []
        LogReader(fetch, 0).new_lines()
        assert module.PAGES == len(fetches)

    def test_a_flood_is_followed(self):
        """More than a poll can read is read by the next ones."""
        total = int(module.PAGES * PAGE * 1.5)
        server = Server(*[line(i // 100, str(i), nanos=i % 100) for i in range(total)])
        by_start = {}
        for row in server.lines:
            by_start.setdefault(row.nanoseconds // 1_000_000, len(by_start) * 100)

        def fetch(start, limit):
            at = start * 100
            return server.lines[at : at + limit]

        reader = LogReader(fetch, 0)
        assert total == sum(len(reader.new_lines()) for _ in range(3))

    def test_a_server_that_ignores_the_start(self):
        """Old lines that it repeats are not printed again."""
        rows = [line(0, "old"), line(60_000, "new")]
        reader = LogReader(lambda _start, _limit: rows, 0)
        assert rows == reader.new_lines()
        assert [] == reader.new_lines() + reader.new_lines()

    def test_remembers_only_the_overlap(self):
        """A log of days does not fill the memory."""
        server = Server()
        reader = LogReader(server.fetch, 0)
        for second in range(1000):
            server.lines = [line(second * 1000, str(second))]
            reader.new_lines()
        assert len(reader._shown) <= OVERLAP_MILLIS // 1000 + 1


@st.composite
def histories(draw):
    """Lines with the poll before which each becomes visible, in the order of their writing; at most 10 s late."""
    texts = st.sampled_from(["a", "b", "."])
    steps = draw(st.lists(st.tuples(st.integers(0, 4000), texts, st.integers(0, OVERLAP_MILLIS)), max_size=60))
    now, lines = 0, []
    for step, text, delay in steps:
        now += step
        lines.append((line(now, text), now + delay))
    return lines


class TestProperties:
    """A simulated log server."""

    @given(
        histories(),
        st.integers(2, 7),
        st.lists(st.integers(1, 15_000), min_size=1, max_size=30),
        st.lists(st.booleans(), max_size=60),
    )
    @example(  # a poll that is broken off before the window of the next one begins
        [(line(ms, "a"), ms) for ms in (0, 0, 1, 1, 2, 2, 3, 4, 7, 282, 402, 787, 2002, 6002, 10002)],
        3,
        [1],
        [index in (8, 12) for index in range(13)],
    )
    def test_nothing_twice_and_nothing_lost(self, history, page, polls, failing):
        """Under paging, late lines, identical lines and failures anywhere, everything is shown exactly once."""
        # More lines of a millisecond than a page has cannot be asked for.
        counts = Counter(row.nanoseconds for row, _ in history)
        history = [(row, at) for row, at in history if counts[row.nanoseconds] < page]
        server = Server()
        server.failing = list(failing)
        reader = LogReader(lambda start, _limit: server.fetch(start, page), 0)
        now, shown = 0, []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "PAGE", page)
            for pause in [*polls, *[100_000] * (len(failing) + 4)]:
                now += pause
                # A line is at most ten seconds behind the newest that is visible.
                server.lines = [row for row, at in history if at <= now]
                shown += read(reader)
        assert Counter(row for row, _ in history) == Counter(shown)


class Shown(list):
    """What was shown; `wait` until there is something."""

    def __init__(self):
        super().__init__()
        self._event = threading.Event()

    def append(self, text):
        """Show it."""
        super().append(text)
        self._event.set()

    def wait(self):
        """Until the thread has shown something."""
        assert self._event.wait(10)


class TestStream:
    """In a thread, while the run waits."""

    def stream(self, server):
        """A stream and what it showed."""
        shown = Shown()
        return LogStream(LogReader(server.fetch, 0), shown.append, a_second), shown

    def test_shows_everything(self):
        """Also what came between its last poll and the end."""
        server = Server(line(5, "early"))
        stream, shown = self.stream(server)
        with stream.following():
            shown.wait()
            server.lines.append(line(6, "last words"))
        assert ["00:00:00Z early", "00:00:00Z last words"] == shown
        assert shown == list(stream.tail)

    def test_shows_why_it_failed(self):
        """The lines before a failure matter most."""
        server = Server()
        stream, shown = self.stream(server)

        def fail():
            with stream.following():
                server.lines.append(line(5, "Traceback"))
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert ["00:00:00Z Traceback"] == shown

    def test_the_last_poll_has_blips_too(self):
        """Two failures do not cost the last lines."""
        server = Server(*[line(i, str(i), nanos=i) for i in range(1500)])
        stream, shown = self.stream(server)
        with stream.following():
            shown.wait()
            with stream._lock:
                server.lines.append(line(2000, "last words"))
                server.failing = [True, True]
                stream._stop.set()
        assert "last words" in shown[-1]

    @pytest.mark.parametrize("failing", [[True] * 50, [False, True] * 25])
    def test_failures_never_fail_the_run(self, failing):
        """The log is a courtesy."""
        server = Server(*[line(i, str(i)) for i in range(5000)])
        server.failing = failing
        stream, _ = self.stream(server)
        with stream.following():
            pass

    def test_a_cancelled_run_does_not_wait_for_it(self):
        """There are seconds left, for better things."""
        server = Server()
        stream, _ = self.stream(server)

        def cancel():
            with stream.following():
                raise Cancelled

        with pytest.raises(Cancelled):
            cancel()
        fetches = len(server.fetches)
        assert fetches <= 1

    def test_a_fetch_that_hangs_holds_nobody_up(self, monkeypatch):
        """The run ends without the log's end."""
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
        release, entered = threading.Event(), threading.Event()

        def hang(_start, _limit):
            entered.set()
            release.wait(10)
            return []

        stream = LogStream(LogReader(hang, 0), [].append, lambda: 1.0)
        try:
            with stream.following():
                entered.wait(10)
        finally:
            release.set()

    @pytest.mark.parametrize(
        ("failure", "again"),
        [
            (Failure(Fault.NO_ANSWER), True),
            (Failure(Fault.STATUS, 503), True),
            (Failure(Fault.STATUS, 429, 30.0), False),
            (Failure(Fault.STATUS, 404), False),
            (Failure(Fault.STATUS, 403), False),
        ],
    )
    def test_asks_again_at_once_where_it_helps(self, failure, again):
        """Not after a no, and not against the service's wish."""

        def refuse(_start, _limit):
            raise HttpError(failure, "no", "GET /logs")

        stream = LogStream(LogReader(refuse, 0), [].append, lambda: 1.0)
        assert again is stream.poll()
        assert (failure.hint or 0.0) == stream._hint

    def test_the_tail_is_short(self):
        """The report shows the end, not the log."""
        stream, _ = self.stream(Server(*[line(i, str(i)) for i in range(500)]))
        stream.poll()
        assert (module.TAIL, "00:00:00Z 499") == (len(stream.tail), stream.tail[-1])


class TestFormat:
    """A line for people."""

    @pytest.mark.parametrize(
        ("row", "text"),
        [
            (LogLine(1_700_000_000_999_999_999, "hello\n"), "22:13:20Z hello"),
            (LogLine(1_700_000_000_000_000_000, "hello", "abc"), "22:13:20Z [abc] hello"),
            (LogLine(1_700_000_000_000_000_000, "hello", "abc", "ERROR"), "22:13:20Z [abc] ERROR hello"),
            (LogLine(1_700_000_000_000_000_000, "hello", "", "INFO"), "22:13:20Z hello"),
            (LogLine(0, ""), "00:00:00Z"),
            (LogLine(0, "\x1b[1m\x1b[32mdone\x1b[0m"), "00:00:00Z done"),
            (LogLine(0, "\r".join(f"{n}%" for n in range(501))), "00:00:00Z 500%"),
            (LogLine(0, "1/2\r2/2\x1b[K\r\n"), "00:00:00Z 2/2"),
            (LogLine(0, "a\rb\r\nc\rd"), "00:00:00Z b\nd"),
            (LogLine(0, "\x1b]0;title\x07text"), "00:00:00Z text"),
        ],
    )
    def test_time_replica_level_message(self, row, text):
        """What is known of it."""
        assert text == format_line(row)

    @given(st.integers())
    def test_any_time(self, nanoseconds):
        """Also one before the big bang: a strange clock must not end the run."""
        assert format_line(LogLine(nanoseconds, "x")).endswith(" x")


class TestErrors:
    """Which lines the report shows first."""

    @pytest.mark.parametrize(
        "message",
        [
            *("ERROR: No matching distribution found", "error: failed to solve: x", "[ERROR] x", "ValueError: bad"),
            *(
                "Traceback (most recent call last):",
                "torch.cuda.OutOfMemoryError: CUDA",
                "exit code: 1",
                "Out of memory",
            ),
        ],
    )
    def test_by_its_words(self, message):
        """Whatever level a tool writes it with."""
        assert is_error(LogLine(0, message, "", "INFO"))

    def test_in_colour(self):
        """A sequence between the words does not hide them."""
        assert is_error(LogLine(0, "\x1b[31mERROR\x1b[0m: x", "", "INFO"))

    @pytest.mark.parametrize("message", ["0 errors", "Installing error-handling 1.0", "exit code: 0", "ready", ""])
    def test_other_lines(self, message):
        """Are none, unless their level says so."""
        assert not is_error(LogLine(0, message, "", "INFO"))
        assert is_error(LogLine(0, message, "", "error"))

    def test_are_kept(self):
        """Beside the last lines."""
        server = Server(line(1, "a"), line(2, "ERROR: b"), line(3, "c"))
        stream = LogStream(LogReader(server.fetch, 0), lambda _: None, lambda: 1.0)
        stream.poll()
        assert ["00:00:00Z ERROR: b"] == list(stream.errors)
        assert 3 == len(stream.tail)


class TestFirstError:
    """The line that an annotation quotes."""

    @pytest.mark.parametrize(
        ("message", "level", "expected"),
        [
            ("all is well", "INFO", ""),
            (
                "ERROR: No matching distribution found for torhc",
                "INFO",
                "ERROR: No matching distribution found for torhc",
            ),
            ("something odd", "ERROR", "something odd"),
            ("Traceback (most recent call last):", "ERROR", ""),
            (
                'Traceback (most recent call last):\n  File "model.py", line 3\nValueError: no weights',
                "ERROR",
                "ValueError: no weights",
            ),
            ("\x1b[31merror: exit code 1\x1b[0m", "INFO", "error: exit code 1"),
        ],
    )
    def test_what_a_line_says(self, message, level, expected):
        """Without colours and without the head of a traceback."""
        assert expected == error_in(LogLine(1_000_000_000, message, level=level))

    def test_the_first_is_kept(self):
        """Also when so many follow that it is no longer among the last ones."""
        lines = [LogLine(10**9 + number, f"ERROR: number {number}") for number in range(100)]
        stream = LogStream(LogReader(lambda _since, _limit: lines, 0), lambda _text: None, lambda: 1.0)
        stream.poll()
        assert "ERROR: number 0" == stream.first_error
        assert not any("number 0" in line for line in stream.errors)
