"""One call over a websocket: connect, send the payload, take the first message. No retries.

The client is `websockets`, loaded where a check needs it. What is measured is the time from the payload to the message.
Spec: RFC 6455; Baseten's "WebSockets".
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .answer import Answer
from .connection import BODY_BYTES, Broken, NotConnected, reach
from .route import Endpoint, Proxy

if TYPE_CHECKING:
    import ssl

_CLOSE_SECONDS = 0.5


class Refused(Exception):
    """The server answered HTTP instead of opening a websocket."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{answer.status}")


def ask(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    message: str | bytes,
    seconds: float,
    *,
    trust: "ssl.SSLContext | None" = None,
    proxy: Proxy | None = None,
    body_bytes: int = BODY_BYTES,
    now: Callable[[], float] = time.perf_counter,
) -> Answer:
    """Send a message (an empty one is not sent) and take the first that comes.

    Raises `NotConnected`, `Broken`, `Refused` and `TimeoutError`.
    """
    from websockets.exceptions import InvalidStatus, WebSocketException  # noqa: PLC0415 - only where a check needs it
    from websockets.sync.client import connect  # noqa: PLC0415

    end = now() + seconds
    link = reach(endpoint, proxy, end, now)
    start = now()
    try:
        with connect(
            f"{'wss' if endpoint.secure else 'ws'}://{endpoint.authority}{endpoint.target}",
            sock=link,
            ssl=trust if endpoint.secure else None,
            additional_headers=dict(headers),
            user_agent_header=None,
            compression=None,
            open_timeout=max(end - now(), 0.001),
            close_timeout=_CLOSE_SECONDS,
            ping_interval=None,
            max_size=body_bytes,
            proxy=None,
        ) as connection:
            told = {name.lower(): value for name, value in connection.response.headers.raw_items()}  # type: ignore[union-attr] # it is open
            start = now()
            if message:
                connection.send(message)
            came = connection.recv(timeout=max(end - now(), 0.001))
            took = now() - start
            body = came.encode() if isinstance(came, str) else came
            return Answer(200, {**told, "content-type": ""}, body, took, ((len(body), took),))
    except TimeoutError:
        raise
    except InvalidStatus as error:
        response = error.response
        told = {name.lower(): value for name, value in response.headers.raw_items()}
        body = bytes(response.body or b"")[:body_bytes]
        raise Refused(Answer(response.status_code, told, body, now() - start)) from None
    except WebSocketException as error:
        raise Broken(f"the websocket ended: {error}") from None
    except OSError as error:
        import ssl  # noqa: PLC0415 - only where it failed

        if isinstance(error, ssl.SSLCertVerificationError):
            raise NotConnected(f"no connection to {endpoint.authority}: {error.strerror}", again=False) from None
        raise Broken(f"the connection broke: {error.strerror or type(error).__name__}") from None
    except (ValueError, EOFError) as error:  # an answer that is no HTTP
        raise Broken(f"the answer is no HTTP: {type(error).__name__}") from None
    finally:
        link.close()
