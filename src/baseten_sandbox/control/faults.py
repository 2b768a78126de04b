"""The fault switch: which requests go wrong, and how. What a fault does to the connection is `gate`'s.

A fault matches on service, method and a regular expression over path and query; it may wait for the n-th match, last
for some matches, or strike with a probability (seeded, so that a run can be repeated).
"""

import random
import re
import shlex
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from .recorder import Service


class Kind(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"  # the connection is closed before the request is read
    RESET = "reset"  # the connection is reset
    HANG = "hang"  # no answer, for `seconds` or until the client goes
    STATUS = "status"  # `status`, `body` and `headers` instead of the answer
    TRUNCATE = "truncate"  # a well-formed answer with half of the JSON
    CUT = "cut"  # half of the answer, then the connection is closed
    CONTENT_TYPE = "content-type"  # the answer as text/html
    SHAPE = "shape"  # JSON, but `body` (default a list) instead of what is documented
    DRIP = "drip"  # the answer byte by byte, `seconds` apart
    ENDLESS = "endless"  # an answer that does not end
    DELAY = "delay"  # the answer after `seconds`


_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Fault:
    """One fault.

    `method` and `path` empty match any; `path` is searched in `/path?query`. The fault strikes from the `nth` match on,
    `times` times (None: always), each time with `probability`. `acts` says that the server does its work before it
    fails; kinds that spoil the real answer always do.
    """

    kind: Kind
    method: str = ""
    path: str = ""
    service: Service | None = None
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    acts: bool = False
    status: int = 500
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def duration(self) -> float:
        """`seconds`, or what is usual: an hour to hang, a second to delay, a moment between two bytes."""
        usual = {Kind.HANG: 3600.0, Kind.DELAY: 1.0}.get(self.kind, 0.05)
        return usual if self.seconds is None else self.seconds

    def __str__(self) -> str:
        name = f"{self.kind} {self.status}" if self.kind is Kind.STATUS else str(self.kind)
        return f"{name} after acting" if self.acts else name

    def matches(self, service: Service, method: str, target: str) -> bool:
        """Whether it is about such a request."""
        return (
            self.service in (None, service) and self.method in ("", method) and re.search(self.path, target) is not None
        )

    def on(self, method: str = "", path: str = "", **changes: Any) -> "Fault":
        """The same fault for other requests."""
        return replace(self, method=method, path=path, **changes)


def status(code: int, body: str = '{"error": "scripted"}', **rest: Any) -> Fault:
    """An answer with this status; `headers`, `acts` and the rest as in `Fault`."""
    return Fault(Kind.STATUS, status=code, body=body, **rest)


def too_many(retry_after: float | None = None, **rest: Any) -> Fault:
    """429, with `Retry-After` and `retry_after` or without a hint."""
    if retry_after is None:
        return status(429, '{"error": "rate limited"}', **rest)
    body = f'{{"error": "rate limited", "retry_after": {retry_after}}}'
    return status(429, body, headers={"Retry-After": str(max(1, round(retry_after)))}, **rest)


def bad_gateway(**rest: Any) -> Fault:
    """502 with a proxy's HTML page."""
    return status(502, _HTML, headers={"Content-Type": "text/html"}, **rest)


def s3_error(code: int, name: str, **rest: Any) -> Fault:
    """An error of S3, for example `s3_error(503, "SlowDown")` or `s3_error(400, "ExpiredToken")`."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{name}</Code><Message>{name}</Message></Error>'
    headers = {"Content-Type": "application/xml"}
    return status(code, body, headers=headers, **{"service": "s3", **rest})


def matrix() -> dict[str, Fault]:
    """The faults that every call must survive, by name; use `Fault.on` to aim one."""
    return {
        "refuse": Fault(Kind.REFUSE),
        "reset before": Fault(Kind.RESET),
        "reset after": Fault(Kind.RESET, acts=True),
        "hang before": Fault(Kind.HANG),
        "hang after": Fault(Kind.HANG, acts=True),
        "408": status(408),
        "429": too_many(),
        "429 with hint": too_many(1),
        "500": status(500),
        "500 after": status(500, acts=True),
        "502 html": bad_gateway(),
        "503": status(503),
        "504": status(504),
        "504 after": status(504, acts=True),
        "truncated": Fault(Kind.TRUNCATE),
        "cut": Fault(Kind.CUT),
        "content type": Fault(Kind.CONTENT_TYPE),
        "shape": Fault(Kind.SHAPE),
        "endless": Fault(Kind.ENDLESS),
    }


def parse(text: str) -> Fault:
    """A fault from the command line: `[METHOD] [/PATH] KIND [name=value ...]`.

    For example `POST /v1/models$ reset acts=true` or `PUT partNumber=2 status status=503 times=2`.
    """
    values: dict[str, Any] = {}
    types = {item.name: item.type for item in fields(Fault)}
    for word in shlex.split(text):
        name, found, value = word.partition("=")
        if word in set(Kind):
            values["kind"] = Kind(word)
        elif word.isupper():
            values["method"] = word
        elif found and name in types and name not in {"kind", "headers"}:
            values[name] = _value(name, value)
        else:
            values["path"] = word
    if "kind" not in values:
        raise ValueError(f"fault {text!r}: names none of {', '.join(Kind)}")
    return Fault(**values)


def _value(name: str, value: str) -> Any:
    if name == "acts":
        return value.lower() == "true"
    if name in {"nth", "status"}:
        return int(value)
    if name == "times":
        return None if value == "always" else int(value)
    return float(value) if name in {"probability", "seconds"} else value


class Faults:
    """The faults that are switched on, and how often each was met."""

    def __init__(self, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - not for security
        self._switched_on: list[_Armed] = []

    def add(self, *faults: Fault) -> None:
        """Switch faults on; the first that strikes wins."""
        with self._lock:
            self._switched_on += [_Armed((fault,)) for fault in faults]

    def add_random(self, probability: float, kinds: Iterable[Fault] | None = None) -> None:
        """Let requests fail with this probability, each time in one of these ways (default: any of `matrix`)."""
        choices = tuple(kinds) if kinds is not None else tuple(matrix().values())
        chosen = [replace(fault, times=None, probability=probability) for fault in choices]
        with self._lock:
            self._switched_on.append(_Armed(tuple(chosen)))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._switched_on.clear()

    def active(self) -> Sequence[Fault]:
        """The faults that can still strike."""
        with self._lock:
            return [fault for armed in self._switched_on if not armed.spent for fault in armed.choices]

    def pick(self, service: Service, method: str, target: str) -> Fault | None:
        """The fault that strikes this request, if any."""
        with self._lock:
            for armed in self._switched_on:
                fault = armed.strike(self._random, service, method, target)
                if fault is not None:
                    return fault
            return None


class _Armed:
    """A fault, or several to choose from, with what it has met so far."""

    def __init__(self, choices: tuple[Fault, ...]) -> None:
        self.choices = choices
        self._met = 0
        self._struck = 0

    @property
    def spent(self) -> bool:
        times = self.choices[0].times
        return times is not None and self._struck >= times

    def strike(self, rng: random.Random, service: Service, method: str, target: str) -> Fault | None:
        matching = [fault for fault in self.choices if fault.matches(service, method, target)]
        if not matching or self.spent:
            return None
        self._met += 1
        if self._met < matching[0].nth or rng.random() >= matching[0].probability:
            return None
        self._struck += 1
        return rng.choice(matching)
