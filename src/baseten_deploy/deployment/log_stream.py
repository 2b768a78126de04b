"""Prints a deployment's log while it comes up: no line twice, none lost, and never a failed run for its sake."""

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from baseten_deploy.background import start
from baseten_deploy.ci.foreign_text import last_states, without_escapes
from baseten_deploy.errors import Cancelled
from baseten_deploy.expressions import expression
from baseten_deploy.service.answers import LogLine
from baseten_deploy.service.http import HttpError

PAGE = 1000
PAGES = 100  # a poll ends, whatever the server answers
LOCK_SECONDS = 1.0  # the run does not wait longer for a fetch that hangs
# Lines of other replicas arrive late: each poll looks back by this much, and knows what it has shown.
OVERLAP_MILLIS = 10_000
LAST_POLLS = 3
TAIL = 40
ERRORS = 20

_ERROR_LEVELS = frozenset({"ERROR", "CRITICAL", "FATAL", "EXCEPTION", "ALERT", "EMERGENCY"})
# Build tools and frameworks write errors with any level, or none.
_ERROR_TEXT = expression(
    r"\b(?:error|fatal|critical)\b(?: \[[^\]]*\])?\s?[:\]]|^\s*(?:[\w.]*(?:Error|Exception)\b(?::|$)|Traceback \()"
    r"|\bexit(?:ed with)? (?:code|status):? [1-9]|\bout of memory\b|\bCommand .{0,200}\bfailed\b",
    re.IGNORECASE,
)


# It says that an error follows, and not which.
_HEAD = expression(r"Traceback \(most recent call last\):?$|During handling of the above")


class LogReader:
    """The lines of one deployment that were not read before, poll by poll.

    Each poll reads the whole window from `OVERLAP_MILLIS` before the newest known line. Equal lines are told apart by
    their number: a line is new when the window holds it more often than it was shown. A poll that stops on the way is
    continued by the next where it stopped, so that every poll that reads anything gets ahead.
    """

    def __init__(self, fetch: Callable[[int, int], list[LogLine]], start_millis: int) -> None:
        self._fetch = fetch
        self._start = start_millis
        self._stopped_at: int | None = None
        self._shown: Counter[LogLine] = Counter()
        self.behind = False  # the last poll did not read the window from its start to its end

    def new_lines(self) -> list[LogLine]:
        """Read on. Raises `HttpError`; nothing is lost by it."""
        counted: Counter[LogLine] = Counter()
        fresh = []
        whole = self._stopped_at is None
        begin = max(self._start, self._stopped_at or 0)  # what is before the start is known, and forgotten
        window, self._stopped_at = self._window(begin)
        self.behind = not whole or self._stopped_at is not None
        for line in window:
            if _millis(line) >= begin:  # an older one is not counted any more
                counted[line] += 1
                if counted[line] > self._shown[line]:
                    fresh.append(line)
        self._shown |= counted
        if whole and self._shown:
            self._start = max(self._start, max(map(_millis, self._shown)) - OVERLAP_MILLIS)
            self._shown = Counter({line: n for line, n in self._shown.items() if _millis(line) >= self._start})
        return fresh

    def _window(self, start: int) -> tuple[list[LogLine], int | None]:
        """All lines from `start` on, and where the reading stopped if that was before the end.

        Pages begin at a millisecond, so a full page's last one is read again whole.
        """
        window: list[LogLine] = []
        for _ in range(PAGES):
            try:
                page = self._fetch(start, PAGE)
            except HttpError:
                if window:
                    break  # the rest comes with the next poll
                raise
            if len(page) < PAGE:
                return window + page, None
            last = max(map(_millis, page))
            if last > start:
                window += [line for line in page if _millis(line) < last]
                start = last
            else:  # a page full of one millisecond: there is no way to ask for the rest of it
                window += page
                start += 1
        return window, start


def _millis(line: LogLine) -> int:
    return line.nanoseconds // 1_000_000


class LogStream:
    """Follows the log in a thread. `tail` and `errors` keep the last lines, and those that tell of errors.

    `first_error` is what the first of these says, without time and replica: the rest often follows from it.
    `rhythm` tells after how many seconds it is read next.
    """

    def __init__(self, reader: LogReader, show: Callable[[str], None], rhythm: Callable[[], float]) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.errors: deque[str] = deque(maxlen=ERRORS)
        self.first_error = ""
        self._reader = reader
        self._show = show
        self._rhythm = rhythm
        self._hint = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def poll(self) -> bool:
        """Print what is new. A failed fetch is made up for by the next: whether one is worth it at once."""
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            return False  # the thread hangs in a fetch; the run does not wait for it
        try:
            lines = self._reader.new_lines()
            self._hint = 0.0
        except HttpError as error:
            self._hint = error.failure.hint or 0.0
            return error.failure.transient and not error.failure.hint
        finally:
            self._lock.release()
        texts = [format_line(line) for line in lines]
        self.tail.extend(texts)
        self.errors.extend(text for line, text in zip(lines, texts, strict=True) if is_error(line))
        self.first_error = self.first_error or next(filter(None, map(error_in, lines)), "")
        if texts:
            self._show("\n".join(texts))
        return self._reader.behind

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the body runs; then, unless the run was cancelled, read once more what came since."""
        thread = start(self._follow, "log-stream")  # without one the log is read once, at the end
        try:
            yield
        except Cancelled:
            self._stop.set()
            raise
        except BaseException:
            self._finish(thread)
            raise
        self._finish(thread)

    def _finish(self, thread: threading.Thread | None) -> None:
        self._stop.set()
        if thread:
            thread.join(timeout=LOCK_SECONDS)
        for _ in range(LAST_POLLS):
            if not self.poll():
                break

    def _follow(self) -> None:
        while not self._stop.is_set():
            self.poll()
            self._stop.wait(max(self._hint, self._rhythm()))


def is_error(line: LogLine) -> bool:
    """Whether a line tells what went wrong."""
    return line.level.upper() in _ERROR_LEVELS or bool(_ERROR_TEXT.search(without_escapes(line.message[:1000])))


def error_in(line: LogLine) -> str:
    """What a line says is wrong, `""` for nothing; of a traceback its last line, and nothing of its head alone."""
    if not is_error(line):
        return ""
    said = [text.strip() for text in last_states(without_escapes(line.message)).split("\n") if text.strip()]
    said = [text for text in said if not _HEAD.match(text)]
    telling = [text for text in said if _ERROR_TEXT.search(text)]
    return (telling or said or [""])[-1]


def format_line(line: LogLine) -> str:
    """One log line for people: time with its zone, replica, level, message as a terminal would show it in the end."""
    seconds = line.nanoseconds // 1_000_000_000 % 86_400  # by hand: a library refuses times that are none
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z"
    parts = (time, f"[{line.replica}]" if line.replica else "", line.level if line.level not in ("", "INFO") else "")
    return " ".join(filter(None, (*parts, last_states(without_escapes(line.message)).rstrip())))
