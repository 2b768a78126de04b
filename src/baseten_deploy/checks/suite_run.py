"""Runs one check after the other against one place: warm-up, live side, calls, verdict. Knows no run and no files.

How calls are made is `session`, how many at once `load`, what they must be `judge`.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from baseten_deploy.network.way_out import WayOut
from baseten_deploy.records import dataclass

from .answer import Answer, NoAnswer
from .check import Check
from .load import run_calls
from .results import Call, CheckResult, Failure, Tally, judged
from .route import url_of
from .session import Session, Slot

LIVE_WAIT_SECONDS = 60.0


@dataclass
class LiveSide:
    """What serves in the target before this run changes that: where it is asked, or why it is not.

    `answers` are those that it gave, by the name of the check: after a promotion it is asked no more.
    """

    predict_url: str = ""
    absent: str = "nothing serves there yet"
    answers: dict[str, Answer | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where checks are asked: `title` for people, and the URL of predict there."""

    title: str
    predict_url: str


@dataclass(frozen=True)
class Means:
    """What is needed to ask: the key, what the smoke test sends, how long a model may take to wake up in seconds."""

    api_key: str
    payload: Any
    wait_seconds: float
    chance: Callable[[], float]
    redact: Callable[[str], str] = str
    way: WayOut = field(default_factory=WayOut)


def run_check(
    check: Check, place: Place, live: LiveSide, means: Means, report: Callable[[CheckResult], object]
) -> None:
    """Run one check. `report` gets the result so far when it begins and when it ends, also when that is too early."""
    tally, began = Tally(check), time.monotonic()
    done, session = False, None
    try:
        session = _session(check, place.predict_url, means, means.wait_seconds)
        live_answer = _live_answer(check, live, means, tally.notes) if check.expect.live else None
        if check.warm_up:
            for _ in _calls(session, check.warm_up, check, lambda _number, outcome: outcome):
                pass

        def judge(number: int, outcome: Answer | NoAnswer) -> Call:
            return judged(check, number + 1, outcome, live_answer, means.redact)

        for call in _calls(session, check.repeat, check, judge):
            tally.add(call)
        done = True
    except (ValueError, TimeoutError) as error:  # a URL or a proxy that cannot be used; every connection hangs
        tally.add(Call(None, failure=Failure(tally.calls + 1, (means.redact(str(error)),), unseen=True)))
        done = True
    finally:
        if session:
            session.stop.set()
        report(tally.result(time.monotonic() - began, done=done))


def _session(check: Check, predict_url: str, means: Means, wait_seconds: float) -> Session:
    if check.body is not None:
        body = check.body
    else:
        body = b"" if means.payload is None else json.dumps(means.payload).encode()
    return Session(
        check,
        url_of(check, predict_url),
        means.api_key,
        body,
        wait_seconds=wait_seconds,
        chance=means.chance,
        redact=means.redact,
        way=means.way,
    )


def _calls(session: Session, times: int, check: Check, use: Callable[[int, Answer | NoAnswer], Any]) -> Iterator[Any]:
    stop = session.stop = threading.Event()

    def call(slot: Slot, number: int) -> Any:
        return use(number, slot.call())

    def hung(number: int) -> Any:
        # What goes over the wire ends by itself: it hangs before there is a connection.
        return use(number, NoAnswer(f"no answer within {check.timeout:g} s", check.timeout, unseen=True))

    longest = check.timeout + session.wait_seconds
    results = run_calls(times, check.concurrency, session.slot, call, hung, stop=stop, longest=longest)
    return (result for _, result in results)


def _live_answer(check: Check, live: LiveSide, means: Means, notes: list[str]) -> Answer | None:
    """The live side's answer; where there is none, a note says so, and nothing is compared."""
    known = live.answers.get(check.name)
    if known is None:
        known = live.answers[check.name] = _ask_live(check, live, means)
    if isinstance(known, Answer):
        return known
    notes.append(f"Not compared with what is live: {known}")
    return None


def _ask_live(check: Check, live: LiveSide, means: Means) -> Answer | str:
    if not live.predict_url:
        return live.absent
    session = _session(check, live.predict_url, means, min(means.wait_seconds, LIVE_WAIT_SECONDS))
    outcome: Answer | NoAnswer = next(_calls(session, 1, check, lambda _number, outcome: outcome))
    if isinstance(outcome, NoAnswer):
        return f"it does not answer ({outcome.reason})"
    wanted = check.expect.status
    if not (outcome.status == wanted or (wanted is None and 200 <= outcome.status < 300)):
        return f"it answers {outcome.status}"
    return outcome
