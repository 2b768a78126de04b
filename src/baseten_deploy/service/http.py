"""JSON over HTTP with timeouts, bounded reads and retries.

Knows nothing about the calls: what a path means is `api`, whether to try again is `retry`. How a host is reached is
`network`. Whatever an answer holds, a call ends in a value or in an `HttpError`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from baseten_deploy import __version__
from baseten_deploy.clock import Clock
from baseten_deploy.errors import InvalidInput
from baseten_deploy.network.deadline import bounded
from baseten_deploy.network.transport import LOCATION, NotReached, Transport
from baseten_deploy.network.way_out import WayOut

from .error_answer import error_text
from .retry import Failure, Fault, Tries, parse_date, parse_hint

T = TypeVar("T", dict[str, Any], list[Any])
Params = Mapping[str, str | int | Sequence[str]]  # of a list each element goes out, under the same name

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
ANSWER_BYTES = 32 * 1024 * 1024
ERROR_BYTES = 64 * 1024
SEAM_CHARACTERS = 4096  # left out where a body was cut off: the half of a secret there would not be known as one
MESSAGE_CHARACTERS = 600
# Clocks that differ by less are the same: a `Date` has no fractions, and an answer takes its time.
SKEW_SECONDS = 3.0
STRAY_CHARACTERS = 200  # of an answer that is not what was asked for
_JSON_KINDS: dict[type, str] = {dict: "object", list: "array", str: "text"}
USER_AGENT = f"baseten-deploy/{__version__}"


class HttpError(Exception):
    """A call that failed for good. `message` is what the server said, redacted and cut; `body` its JSON, if any.

    `remedy` is given where something stands between this machine and the service: then it is not the call's.
    """

    def __init__(self, failure: Failure, message: str, call: str, body: Any = None, remedy: str = "") -> None:
        self.failure = failure
        self.message = message
        self.call = call
        self.body = body
        self.remedy = remedy
        super().__init__(f"{call}: {message}")

    @property
    def status(self) -> int:
        """The HTTP status, 0 when there was no answer."""
        return self.failure.status


def make_client(way: WayOut) -> httpx.Client:
    """A client for one run that takes the way out: proxies and certificates are its own, redirects are not followed.

    A redirect would carry the key to wherever it points, and the API has none.
    """
    return httpx.Client(
        transport=Transport(way),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},  # identity: a bound on bytes bounds memory
    )


class Encoded(httpx.DecodingError):
    """An answer in an encoding that was not asked for: it may inflate without end, so it is not decoded."""


def plain_chunks(response: httpx.Response) -> Iterator[bytes]:
    """The body as it comes. Raises `Encoded` before the first byte when that is not the text itself."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Encoded("the answer is compressed, which was not asked for")
    return response.iter_bytes()


class Http:
    """Calls to one base URL with one set of headers, until `deadline` (of `clock.now()`).

    `redact` takes secrets out of what a server says before it is cut and passed on.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        client: httpx.Client,
        clock: Clock,
        redact: Callable[[str], str] = str,
        deadline: float = float("inf"),
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.deadline = deadline
        self._headers = dict(headers)
        self._client = client
        self._clock = clock
        self._redact = redact
        self._dated = "", 0  # the `Date` of the last answer, and when it came by this machine's clock

    def now(self) -> float:
        """The time by which `deadline` goes."""
        return self._clock.now()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Params | None = None,
        retry: bool,
        seconds: float = READ_SECONDS,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object that it answers; an empty answer is `{}`.

        With `retry`, transient failures are tried again (see `retry`); pass it only where sending twice is harmless.
        `seconds` bounds one try. Raises `HttpError`.
        """
        return self._request(dict, method, path, body, params, retry, seconds)

    def epoch_millis(self) -> int:
        """Milliseconds since 1970 as the other side has it: by the `Date` of its last answer, else by this machine."""
        now = self._clock.epoch_millis()
        date, received = self._dated
        there = parse_date(date) if date else None
        skew = 0 if there is None else round(there * 1000) - received
        return now + skew if abs(skew) > SKEW_SECONDS * 1000 else now

    def get_list(self, path: str, *, params: Params | None = None) -> list[Any]:
        """As `request`, for a GET that answers a JSON array."""
        return self._request(list, "GET", path, None, params, True, READ_SECONDS)

    def _request(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: Any,
        params: Params | None,
        retry: bool,
        seconds: float,
    ) -> T:
        tries = Tries(self._clock, self.deadline)
        while True:
            try:
                return self._once(kind, method, path, body, params, seconds)
            except HttpError as error:
                if not (retry and tries.again(error.failure)):
                    raise

    def _once(self, kind: type[T], method: str, path: str, body: Any, params: Params | None, seconds: float) -> T:
        call = f"{method} {path}"
        real = self._clock.real
        timeout = bounded(real(seconds), connect=real(min(seconds, CONNECT_SECONDS)))
        content = None if body is None else json.dumps(body, allow_nan=False).encode()  # ASCII: any text can be sent
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        try:
            with self._client.stream(
                method, self.base_url + path, content=content, params=params, headers=headers, timeout=timeout
            ) as response:
                limit = ERROR_BYTES if response.is_error else ANSWER_BYTES
                data, whole = self._body(response, limit, seconds)
            if response.is_success:
                self._dated = response.headers.get("Date", ""), self._clock.epoch_millis()
                return self._decode(kind, response, data, whole, call)
            refusal = self._refusal(response, data, call)
        except (HttpError, InvalidInput):
            raise
        except Exception as error:  # noqa: BLE001 - whatever an answer made a library raise, it is this call's failure
            raise self._unanswered(error, call, seconds) from None
        raise refusal

    def _body(self, response: httpx.Response, limit: int, seconds: float) -> tuple[bytes, bool]:
        try:
            return read_bounded(plain_chunks(response), limit, seconds, self._clock)
        except Encoded:
            if response.is_success:
                raise
            return b"", True  # the status says it, too

    def _unanswered(self, error: Exception, call: str, seconds: float) -> HttpError:
        """The failure of a call that no answer came to, or none that can be read."""
        if isinstance(error, NotReached):
            obstacle = error.obstacle
            fault = Fault.BARRED if obstacle.final else Fault.NOT_SENT
            return HttpError(Failure(fault), self._cut(obstacle.message), call, remedy=obstacle.remedy)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
            return HttpError(Failure(Fault.NOT_SENT), self._no_connection(error), call)
        if isinstance(error, httpx.TimeoutException):
            return HttpError(Failure(Fault.NO_ANSWER), f"no answer within {seconds:g} s", call)
        if isinstance(error, Encoded):
            return HttpError(Failure(Fault.BAD_ANSWER), str(error), call)
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            message = f"the connection broke: {self._cut(str(error) or type(error).__name__)}"
            return HttpError(Failure(Fault.NO_ANSWER), message, call)
        return HttpError(Failure(Fault.BAD_ANSWER), f"the answer cannot be read ({type(error).__name__})", call)

    def _decode(self, kind: type[T], response: httpx.Response, data: bytes, whole: bool, call: str) -> T:
        if not data.strip():
            return kind()
        try:
            value = json.loads(data) if whole else None
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, kind):
            return value
        expected = "object" if kind is dict else "array"
        remedy = ""
        if value is None:
            from baseten_deploy.network.interception import recognise  # noqa: PLC0415 - an answer is the service's as a rule

            text = _words(data)
            found = self._cut(text)[:STRAY_CHARACTERS]
            if (instead := recognise(response.status_code, response.headers, text, self.base_url)) is not None:
                found, remedy = self._cut(instead.said), instead.remedy
        else:  # which may hold anything, credentials for one
            found = f"a JSON {_JSON_KINDS.get(type(value), 'value')}"
        message = f"the answer is not the expected JSON {expected}: {found}"
        raise HttpError(Failure(Fault.BAD_ANSWER), message, call, remedy=remedy)

    def _refusal(self, response: httpx.Response, data: bytes, call: str) -> HttpError:
        from baseten_deploy.network.interception import Kind, recognise  # noqa: PLC0415 - an answer is the service's as a rule

        text = data.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        status = response.status_code
        location = str(response.extensions.get(LOCATION, ""))
        instead = recognise(status, response.headers, text, self.base_url, location)
        if instead is not None:
            fault = Fault.BARRED if instead.kind is Kind.PROXY_CREDENTIALS else Fault.STATUS
            hint = parse_hint(response.headers, None, self._clock.epoch_millis() / 1000)
            message = f"{status}: {self._cut(instead.said)}"
            return HttpError(Failure(fault, status, hint), message, call, body, instead.remedy)
        hint = parse_hint(response.headers, body, self._clock.epoch_millis() / 1000)
        message = f"{status}: {self._cut(error_text(body, _words(data)) or response.reason_phrase)}"
        return HttpError(Failure(Fault.STATUS, status, hint), message, call, body)

    def _no_connection(self, error: Exception) -> str:
        host = urlsplit(self.base_url).netloc
        return f"no connection to {host}: {self._cut(str(error) or type(error).__name__)}"

    def _cut(self, text: str) -> str:
        text = " ".join(self._redact(text).split())
        return text if len(text) <= MESSAGE_CHARACTERS else text[:MESSAGE_CHARACTERS] + "..."


def _words(data: bytes) -> str:
    """The text of a body, as much as a message may be made of."""
    text = data[:ERROR_BYTES].decode("utf-8", "replace")
    return text if len(data) < ERROR_BYTES else text[:-SEAM_CHARACTERS]


def read_bounded(chunks: Iterator[bytes], limit: int, seconds: float, clock: Clock) -> tuple[bytes, bool]:
    """Read at most `limit` bytes for at most `seconds`; the bytes, and whether that was all.

    A server that drips a byte at a time resets the client's own timeout with each. Raises `httpx.ReadTimeout`.
    """
    end = clock.now() + seconds
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            return bytes(data[:limit]), False
        if clock.now() > end:
            raise httpx.ReadTimeout("the answer did not end in time")
    return bytes(data), True
