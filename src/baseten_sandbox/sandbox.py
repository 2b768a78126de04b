"""The stand-in as one thing: starts its two servers, hands out its parts, stops without a trace."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from werkzeug.wrappers import Request

from baseten_sandbox.api.graphql import PATH as GRAPHQL
from baseten_sandbox.api.graphql import GraphQL
from baseten_sandbox.api.limits import Limiter
from baseten_sandbox.api.logs import Logs
from baseten_sandbox.api.management import Management
from baseten_sandbox.control.calls import PREFIX as CONTROL
from baseten_sandbox.control.calls import Control
from baseten_sandbox.control.faults import Faults
from baseten_sandbox.control.gate import Gate
from baseten_sandbox.control.recorder import RecordedRequest, Recorder, Service
from baseten_sandbox.inference import PREFIX as INFERENCE
from baseten_sandbox.inference import Answers, Inference
from baseten_sandbox.server import Listener
from baseten_sandbox.state.entities import Timing
from baseten_sandbox.state.state import State
from baseten_sandbox.storage.bucket import MultipartUpload, Storage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Sandbox:
    """Baseten's service on loopback, from `start` (or `with`) to `stop`.

    `speed` divides every time in `timing`. Port 0 is a free one. `api_key` None makes one up. `teams` are names, the
    first is the default team. `filters_by_name` false ignores `?name=`, as an older service does. `seed` repeats the
    random faults.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        s3_port: int = 0,
        api_key: str | None = None,
        speed: float = 1.0,
        timing: Timing | None = None,
        teams: Sequence[str] = ("Default",),
        rate_limits: bool = True,
        filters_by_name: bool = True,
        credential_seconds: float = 3600.0,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api_key = api_key or f"sandbox.{secrets.token_hex(16)}"
        self.faults = Faults(seed)
        self.answers = Answers()
        self.logs = Logs(clock)
        self.state = State(clock=clock, timing=(timing or Timing()).at_speed(speed), teams=teams)
        # Each of its models is a Chain: they are kept apart, within the same teams.
        self.chains = State(clock=clock, timing=self.state.timing, teams=self.state.teams())
        self._stopping = threading.Event()
        self._recorder = Recorder(clock)
        self._storage = Storage(
            clock=clock, endpoint=lambda: self.s3_endpoint_url, credential_seconds=credential_seconds
        )
        self._inference = Inference(
            state=self.state,
            answers=self.answers,
            logs=self.logs,
            api_key=self.api_key,
            sleep=self._stopping.wait,
        ).routes()
        self._chain_inference = Inference(
            state=self.chains,
            answers=self.answers,
            logs=self.logs,
            api_key=self.api_key,
            sleep=self._stopping.wait,
            chains=True,
        ).routes()
        self._graphql = GraphQL(
            models=self.state, chain_state=self.chains, storage=self._storage, api_key=self.api_key
        ).routes()
        self._control = Control(
            api_key=self.api_key,
            state=self.state,
            faults=self.faults,
            recorder=self._recorder,
            storage=self._storage,
        ).routes()
        self._management = Management(
            state=self.state,
            chains=self.chains,
            storage=self._storage,
            logs=self.logs,
            limiter=Limiter(clock) if rate_limits else None,
            api_key=self.api_key,
            filters_by_name=filters_by_name,
        ).routes()
        self._api = Listener(self._gate(self._route, _service_of), host, port)
        self._s3 = Listener(self._gate(self._storage, lambda _: "s3"), host, s3_port)

    def start(self) -> Self:
        """Listen on both ports."""
        with ExitStack() as undo:
            undo.callback(self._storage.close)
            self._api.start()
            undo.callback(self._api.stop)
            self._s3.start()
            undo.pop_all()
        return self

    def stop(self) -> None:
        """End every connection and forget everything."""
        self._stopping.set()
        self._api.stop()
        self._s3.stop()
        self._storage.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def api_url(self) -> str:
        """What the step's `api-url` is set to."""
        return self._api.url

    @property
    def inference_url(self) -> str:
        """What the step's `inference-url` is set to, with `{model_id}` in it."""
        return f"{self._api.url}{INFERENCE}/model-{{model_id}}"

    @property
    def chain_inference_url(self) -> str:
        """What the step's `inference-url` is set to for a Chain, with `{chain_id}` in it."""
        return f"{self._api.url}{INFERENCE}/chain-{{chain_id}}"

    @property
    def s3_endpoint_url(self) -> str:
        """What the step's `s3-endpoint-url` is set to."""
        return self._s3.url

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs that make the step use this stand-in."""
        return {
            "baseten-api-key": self.api_key,
            "api-url": self.api_url,
            "inference-url": self.inference_url,
            "s3-endpoint-url": self.s3_endpoint_url,
        }

    @property
    def chain_inputs(self) -> dict[str, str]:
        """The same for a Chain, which `truss` pushes to `app-url`."""
        return {**self.inputs, "inference-url": self.chain_inference_url, "app-url": self.api_url}

    @property
    def bucket(self) -> str:
        """The bucket that archives are uploaded to."""
        return self._storage.bucket

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """Every request so far to any of the services, in order."""
        return self._recorder.requests()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._recorder.clear()

    def object(self, bucket: str, s3_key: str) -> bytes:
        """The bytes of an uploaded object; KeyError when there is none."""
        return self._storage.object(bucket, s3_key)

    def objects(self) -> list[str]:
        """The keys of all uploaded objects."""
        return self._storage.objects()

    def multipart_uploads(self) -> list[MultipartUpload]:
        """The multipart uploads that were neither completed nor aborted."""
        return self._storage.multipart_uploads()

    def revoke_credentials(self) -> None:
        """From now on all S3 credentials issued so far are refused with `AccessDenied`."""
        self._storage.keyring.revoke()

    def expire_credentials(self) -> None:
        """From now on all S3 credentials issued so far are refused with `ExpiredToken`."""
        self._storage.keyring.expire()

    @contextmanager
    def offline(self, *, s3: bool = False) -> Iterator[None]:
        """While inside, connections to the API and inference port (or to S3's) are refused."""
        with (self._s3 if s3 else self._api).paused():
            yield

    def _gate(self, app: "WSGIApplication", service_of: Callable[[str], Service | None]) -> Gate:
        return Gate(app, service_of=service_of, recorder=self._recorder, faults=self.faults, stopping=self._stopping)

    def _route(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        path = Request(environ).path
        if path.startswith(GRAPHQL):
            return self._graphql(environ, start_response)
        if path.startswith(f"{INFERENCE}/chain-"):
            return self._chain_inference(environ, start_response)
        if path.startswith(f"{INFERENCE}/"):
            return self._inference(environ, start_response)
        if path.startswith(f"{CONTROL}/"):
            return self._control(environ, start_response)
        return self._management(environ, start_response)


def _service_of(path: str) -> Service | None:
    if path.startswith(f"{CONTROL}/"):
        return None
    return "inference" if path.startswith(f"{INFERENCE}/") else "management"
