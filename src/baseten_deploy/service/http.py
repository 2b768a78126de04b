"""JSON over HTTP with timeouts, bounded reads and retries.

Knows nothing about the calls: what a path means is `api`, whether to try again is `retry`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from baseten_deploy import __version__
from baseten_deploy.clock import Clock
from baseten_deploy.errors import InvalidInput

from .error_answer import error_text
from .retry import Failure, Fault, Tries, parse_hint

if TYPE_CHECKING:
    import ssl

T = TypeVar("T", dict[str, Any], list[Any])

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
ANSWER_BYTES = 32 * 1024 * 1024
ERROR_BYTES = 64 * 1024
SEAM_CHARACTERS = 4096  # left out where a body was cut off: the half of a secret there would not be known as one
MESSAGE_CHARACTERS = 600
STRAY_CHARACTERS = 200  # of an answer that is not what was asked for
_JSON_KINDS: dict[type, str] = {dict: "object", list: "array", str: "text"}
USER_AGENT = f"baseten-deploy/{__version__}"


class HttpError(Exception):
    """A call that failed for good. `message` is what the server said, redacted and cut; `body` its JSON, if any."""

    def __init__(self, failure: Failure, message: str, call: str, body: Any = None) -> None:
        self.failure = failure
        self.message = message
        self.call = call
        self.body = body
        super().__init__(f"{call}: {message}")

    @property
    def status(self) -> int:
        """The HTTP status, 0 when there was no answer."""
        return self.failure.status


def load_trust() -> "ssl.SSLContext":
    """The certificates to trust, for `make_client`. OpenSSL reads them without the GIL, so a thread may do it.

    Raises `InvalidInput` when those that the environment names cannot be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # an `ssl.SSLError` is one
        raise InvalidInput(
            f"`SSL_CERT_FILE` or `SSL_CERT_DIR`: the certificates cannot be read: {error.strerror}",
            "Name a file that this step sees, for example one in the workspace, or unset the variable.",
        ) from None


def make_client(trust: "ssl.SSLContext | None" = None) -> httpx.Client:
    """A client for one run: proxies of the environment are used, except for loopback; redirects are not followed.

    A redirect would carry the key to wherever it points, and the API has none. Without `trust`, it is loaded now.
    """
    loopback: dict[str, httpx.BaseTransport | None] = {
        f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")
    }
    return httpx.Client(
        verify=trust or load_trust(),
        follow_redirects=False,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        mounts=loopback,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},  # identity: a bound on bytes bounds memory
    )


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

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str | int] | None = None,
        retry: bool,
        seconds: float = READ_SECONDS,
    ) -> dict[str, Any]:
        """Send a request and return the JSON object that it answers; an empty answer is `{}`.

        With `retry`, transient failures are tried again (see `retry`); pass it only where sending twice is harmless.
        `seconds` bounds one try. Raises `HttpError`.
        """
        return self._request(dict, method, path, body, params, retry, seconds)

    def get_list(self, path: str, *, params: Mapping[str, str | int] | None = None) -> list[Any]:
        """As `request`, for a GET that answers a JSON array."""
        return self._request(list, "GET", path, None, params, True, READ_SECONDS)

    def _request(
        self,
        kind: type[T],
        method: str,
        path: str,
        body: Any,
        params: Mapping[str, str | int] | None,
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

    def _once(
        self, kind: type[T], method: str, path: str, body: Any, params: Mapping[str, str | int] | None, seconds: float
    ) -> T:
        call = f"{method} {path}"
        real = self._clock.real
        timeout = httpx.Timeout(real(seconds), connect=real(min(seconds, CONNECT_SECONDS)))
        content = None if body is None else json.dumps(body, allow_nan=False).encode()  # ASCII: any text can be sent
        headers = self._headers if content is None else {**self._headers, "Content-Type": "application/json"}
        try:
            with self._client.stream(
                method, self.base_url + path, content=content, params=params, headers=headers, timeout=timeout
            ) as response:
                limit = ERROR_BYTES if response.is_error else ANSWER_BYTES
                data, whole = read_bounded(response.iter_bytes(), limit, seconds, self._clock)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise HttpError(Failure(Fault.NOT_SENT), self._no_connection(error), call) from None
        except httpx.TimeoutException:
            raise HttpError(Failure(Fault.NO_ANSWER), f"no answer within {seconds:g} s", call) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"the connection broke: {self._cut(str(error) or type(error).__name__)}"
            raise HttpError(Failure(Fault.NO_ANSWER), message, call) from None
        if not response.is_success:
            raise self._refusal(response, data, call)
        return self._decode(kind, data, whole, call)

    def _decode(self, kind: type[T], data: bytes, whole: bool, call: str) -> T:
        if not data.strip():
            return kind()
        try:
            value = json.loads(data) if whole else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, kind):
            expected = "object" if kind is dict else "array"
            if value is None:
                found = self._cut(_words(data))[:STRAY_CHARACTERS]
            else:  # which may hold anything, credentials for one
                found = f"a JSON {_JSON_KINDS.get(type(value), 'value')}"
            raise HttpError(Failure(Fault.BAD_ANSWER), f"the answer is not the expected JSON {expected}: {found}", call)
        return value

    def _refusal(self, response: httpx.Response, data: bytes, call: str) -> HttpError:
        text = data.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        hint = parse_hint(response.headers.get("Retry-After"), body, self._clock.epoch_millis() / 1000)
        failure = Failure(Fault.STATUS, response.status_code, hint)
        if response.is_redirect:
            target = response.headers.get("Location", "")
            message = f"{response.status_code}: redirected to {self._cut(target)}; redirects are not followed"
        else:
            message = f"{response.status_code}: {self._cut(error_text(body, _words(data)) or response.reason_phrase)}"
        return HttpError(failure, message, call, body)

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
