"""Calls of one check, slot by slot: over kept connections, and again while the model still wakes up.

How one call goes over the wire is `connection` and `websocket`; how many are under way at once is `load`.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.error_answer import error_text
from baseten_deploy.service.retry import backoff

from . import websocket
from .answer import Answer, NoAnswer
from .check import Check, Kind
from .connection import BODY_BYTES, TOGETHER_BYTES, Broken, Connection, NotConnected, make_request
from .route import Endpoint, endpoint_of, proxy_of

# Answers of a gateway in front of a model that is not there yet.
WAKING = frozenset({408, 425, 429, 502, 503, 504, *range(520, 531)})
SHOWN_CHARACTERS = 300


class Session:
    """What all calls of a check at one URL share. Thread-safe.

    `wait_seconds` is how long a model may take to wake up, counted from the last good answer; that time is nobody's.
    `redact` takes secrets out of what is quoted.
    """

    def __init__(
        self,
        check: Check,
        url: str,
        api_key: str,
        body: bytes,
        *,
        wait_seconds: float,
        chance: Callable[[], float],
        redact: Callable[[str], str] = str,
        way: WayOut,
    ) -> None:
        self.check = check
        self.endpoint: Endpoint = endpoint_of(url)
        self._proxy = proxy_of(self.endpoint, way)
        self._trust = way.trust if self.endpoint.secure else None
        self._headers = {"Authorization": f"Api-Key {api_key}", "User-Agent": "baseten-deploy", **dict(check.headers)}
        if body and not any(name.lower() == "content-type" for name in self._headers) and check.kind is Kind.HTTP:
            self._headers["Content-Type"] = "application/json"
        self._body = body
        self._body_bytes = min(BODY_BYTES, TOGETHER_BYTES // check.concurrency)
        self._request = make_request(self.endpoint, check.method, self._headers, body)
        self.wait_seconds = wait_seconds
        self.stop = threading.Event()  # of the calls that are under way
        self.chance = chance
        self._redact = redact
        self._lock = threading.Lock()
        self._waking_since: float | None = None

    def slot(self) -> "Slot":
        """A place for one call at a time, with a connection of its own."""
        return Slot(self)

    def may_wait(self, seconds: float) -> bool:
        """Whether a model that does not answer yet may have so many seconds more."""
        with self._lock:
            now = time.monotonic()
            if self._waking_since is None:
                self._waking_since = now
            return now + seconds - self._waking_since < self.wait_seconds and not self.stop.is_set()

    def answered(self) -> None:
        """The model is awake."""
        self._waking_since = None

    def once(self, connection: Connection) -> Answer | NoAnswer:
        """One call over the wire."""
        check, began = self.check, time.perf_counter()

        def none(reason: str, *, waking: bool = False, status: int = 0, unseen: bool = False) -> NoAnswer:
            took = time.perf_counter() - began
            return NoAnswer(self._redact(reason), took, waking=waking, status=status, unseen=unseen or waking)

        for last in (False, True):
            try:
                answer = self._send(connection)
                break
            except TimeoutError:
                return none(f"no answer within {check.timeout:g} s")
            except NotConnected as error:
                return none(str(error), waking=error.again, unseen=True)
            except websocket.Refused as error:
                answer = error.answer
                said = f"no websocket: the server answered {answer.status} {self.said(answer)}".rstrip()
                return none(said, waking=answer.status in WAKING, status=answer.status)
            except Broken as error:
                if not (error.unused and not last):
                    return none(str(error))
        if answer.status in WAKING and check.expect.status != answer.status:
            return NoAnswer(
                f"the answer is {answer.status} {self.said(answer)}".rstrip(),
                answer.seconds,
                waking=True,
                status=answer.status,
                hint=_hint(answer),
                request_id=self._redact(answer.request_id),
                unseen=True,
            )
        return answer

    def _send(self, connection: Connection) -> Answer:
        check = self.check
        if check.kind is Kind.WEBSOCKET:
            message: str | bytes = self._body.decode("utf-8", "surrogatepass") if check.as_text else self._body
            return websocket.ask(
                self.endpoint,
                self._headers,
                message,
                check.timeout,
                trust=self._trust,
                proxy=self._proxy,
                body_bytes=self._body_bytes,
            )
        return connection.call(self._request, self._body, check.timeout)

    def connect(self) -> Connection:
        """A connection that is made with its first call."""
        return Connection(self.endpoint, trust=self._trust, proxy=self._proxy, body_bytes=self._body_bytes)

    def pause(self, seconds: float) -> None:
        """Wait, unless it is all over."""
        self.stop.wait(seconds)

    def said(self, answer: Answer) -> str:
        """What an error answer says, redacted before it is cut."""
        text = self._redact(answer.body[: 64 * 1024].decode("utf-8", "replace"))
        body: Any = None
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        said = " ".join(error_text(body, text).split())
        return said if len(said) <= SHOWN_CHARACTERS else said[: SHOWN_CHARACTERS - 3] + "..."


class Slot:
    """One call at a time. For one thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connection = session.connect()

    def call(self) -> Answer | NoAnswer:
        """Ask, and again while the model wakes up, as long as the session has patience."""
        number = 0
        while True:
            result = self._session.once(self._connection)
            if isinstance(result, Answer):
                self._session.answered()
                return result
            number += 1
            pause = backoff(number, self._session.chance()) + (result.hint or 0.0)
            if not (result.waking and self._session.may_wait(pause)):
                return result
            self._session.pause(pause)

    def close(self) -> None:
        """End its connection."""
        self._connection.close()


def _hint(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), 1e9) if text.isascii() and text.isdigit() and len(text) < 10 else None
