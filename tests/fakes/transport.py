"""What stands on the other side of the wire in unit tests: a clock that nobody waits for, transports, and a service.

`Service` is the management API with a memory: tests make it fail before or after it acted and look at what it holds
in the end. Only the transport is faked; httpx, `http` and `api` are the real ones.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from baseten_deploy.ci.origin import Origin
from baseten_deploy.ci.outputs import Outputs
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner
from baseten_deploy.clock import Clock
from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL, Settings
from baseten_deploy.run import RETRY_SECONDS, Run
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import Http

KEY = "secret-api-key-123"
URL = "https://api.test"
Handler = Callable[[httpx.Request], httpx.Response]


class FakeClock(Clock):
    """Sleeping takes no time and is remembered; `chance` is the same every time."""

    def __init__(self, chance: float = 0.5) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []
        self._chance = chance

    def now(self) -> float:
        """Seconds since the test thought fit."""
        return self.time

    def epoch_millis(self) -> int:
        """Also what `now` says."""
        return int(self.time * 1000)

    def sleep(self, seconds: float) -> None:
        """Move on."""
        assert seconds >= 0, "a negative sleep is a miscalculation"
        self.sleeps.append(seconds)
        self.time += seconds

    def chance(self) -> float:
        """No chance at all."""
        return self._chance


def make_client(handler: Handler) -> httpx.Client:
    """A client whose requests are answered by a function."""
    return httpx.Client(transport=httpx.MockTransport(handler), follow_redirects=False)


def make_http(handler: Handler, clock: Clock | None = None, *, deadline: float = float("inf"), url: str = URL) -> Http:
    """`Http` with the test's key, which its redactor knows."""
    redactor = Redactor()
    redactor.add(KEY)
    headers = {"Authorization": f"Bearer {KEY}"}
    clock = clock or FakeClock()
    return Http(
        url, headers, client=make_client(handler), clock=clock, redact=redactor.redact_foreign, deadline=deadline
    )


def make_api(handler: Handler, clock: Clock | None = None, *, deadline: float = float("inf")) -> Api:
    """The management API on such an `Http`."""
    return Api(make_http(handler, clock, deadline=deadline))


class Dripping(httpx.SyncByteStream):
    """A body that comes in chunks, each `seconds` after the one before, and may break at its end."""

    def __init__(
        self, chunks: Iterable[bytes], clock: FakeClock, seconds: float = 0.0, end: Exception | None = None
    ) -> None:
        self._chunks = chunks
        self._clock = clock
        self._seconds = seconds
        self._end = end
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._clock.time += self._seconds
            self.taken += 1
            yield chunk
        if self._end:
            raise self._end


class Script:
    """Answers one request after the other with what it was given; the last answer repeats."""

    def __init__(self, *answers: httpx.Response | Exception | Handler) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The transport's handler."""
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            # A response is used up by one request; a repeated one is made anew.
            return answer if answer.stream and not answer.is_stream_consumed else _again(answer)
        return answer(request)


def _again(response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


@dataclass(frozen=True)
class Fault:
    """One way for a call to go wrong. `acts` says whether the server did what it was asked before it failed."""

    name: str
    fail: Callable[[httpx.Request, httpx.Response], httpx.Response]
    acts: bool = False

    def __str__(self) -> str:
        return f"{self.name}{' after acting' if self.acts else ''}"


def _raises(error: Callable[[str], Exception]) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    def fail(_request: httpx.Request, _answer: httpx.Response) -> httpx.Response:
        raise error("the test says so")

    return fail


def _answers(status: int, text: str = "", **headers: str) -> Callable[[httpx.Request, httpx.Response], httpx.Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request, _answer: httpx.Response(status, text=text, headers=named)


def _truncated(_request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    return httpx.Response(200, content=answer.content[: len(answer.content) // 2] or b"{", headers=JSON)


JSON = {"Content-Type": "application/json"}
HTML = "<!DOCTYPE html><html><head><style>p{}</style></head><body><h1>502 Bad Gateway</h1></body></html>"
_BROKEN: dict[str, Callable[[httpx.Request, httpx.Response], httpx.Response]] = {
    "reset": _raises(httpx.ReadError),
    "no answer": _raises(httpx.RemoteProtocolError),
    "read timeout": _raises(httpx.ReadTimeout),
    "408": _answers(408, '{"error": "timeout"}'),
    "500": _answers(500, '{"code": "INTERNAL", "message": "oops"}'),
    "502 with HTML": _answers(502, HTML, content_type="text/html"),
    "503": _answers(503, "try later"),
    "504": _answers(504, ""),
    "truncated JSON": _truncated,
    "wrong content type": _answers(200, "<html>maintenance</html>", content_type="text/html"),
    "wrong shape": _answers(200, '{"models": null, "deployment": [], "id": 7}'),
    "an array": _answers(200, "[]"),
    "empty answer": _answers(200, ""),
}
# After these the server may have acted or not: both are tried.
AMBIGUOUS = [Fault(name, fail, acts) for name, fail in _BROKEN.items() for acts in (False, True)]
# After these it has not.
UNSEEN = [
    Fault("connection refused", _raises(httpx.ConnectError)),
    Fault("connect timeout", _raises(httpx.ConnectTimeout)),
    Fault("429", _answers(429, '{"error": "slow down"}')),
    Fault("429 with a header", _answers(429, "slow down", Retry_After="3")),
    Fault("429 with a field", _answers(429, '{"error": "slow down", "retry_after": 3}')),
]
TRANSIENT = [*UNSEEN, *AMBIGUOUS]
BY_NAME = {str(fault): fault for fault in TRANSIENT}


def refusal(status: int, message: str = "no") -> Fault:
    """A definite answer: the server did nothing and says so."""
    return Fault(str(status), _answers(status, json.dumps({"code": "ERROR", "message": message})))


@dataclass
class _Planned:
    pattern: re.Pattern[str]
    fault: Fault
    times: int
    after: int


@dataclass
class Service:
    """Models, deployments and environments; `requests` are the calls in the order in which they came, with bodies."""

    clock: FakeClock = field(default_factory=FakeClock)
    models: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    environments: dict[str, Any] = field(default_factory=dict)  # by name; a function is asked at each look
    visible_after: float = 0.0  # seconds until a list shows a new deployment
    redeploys: str = ""  # "" or how a promotion's copy is labelled: "labelled", "bare"
    promotes_after: float | None = 2.0  # seconds until a promotion succeeds, None for never
    ramp: tuple[tuple[float, int], ...] = ()  # a rolling promotion: after how many seconds how many percent
    ramps_down: float = 0.0  # seconds until a cancelled promotion is over
    promotion_shows_after: float = 0.0  # seconds until its environment tells of a promotion
    unique_names: bool = True
    audit: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # newest first: the kind and its event data
    retry_answers: list[Any] = field(default_factory=list)  # what a retry does: a status, or why there is none
    measures: Callable[[str, float, float], Any] | None = None  # a summary of (name, start, end); None has no metrics
    starts: Callable[[str, bool], Any] | None = None  # startups of (id, as a summary); None has none
    page: int = 100  # entries of the audit log on one page
    requests: list[tuple[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    _faults: list[_Planned] = field(default_factory=list)

    def fail(self, call: str, fault: Fault, times: int = 1, *, after: int = 0) -> None:
        """Answer `times` requests that match `METHOD /path` (a pattern) with a fault, `after` so many that go well."""
        self._faults.append(_Planned(re.compile(call), fault, times, after))

    def calls(self, pattern: str) -> list[str]:
        """The requests that match, as `METHOD /path`."""
        return [call for call, _ in self.requests if re.search(pattern, call)]

    def bodies(self, pattern: str) -> list[Any]:
        """Their bodies."""
        return [body for call, body in self.requests if re.search(pattern, call)]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The transport's handler."""
        call = f"{request.method} {request.url.path}"
        body = json.loads(request.content) if request.content else None
        self.requests.append((call, body))
        self.times.append(self.clock.time)
        for planned in self._faults:
            if not planned.times or not planned.pattern.search(call):
                continue
            if planned.after:
                planned.after -= 1
            else:
                planned.times -= 1
                acted = self._act(call, body, request) if planned.fault.acts else httpx.Response(200, content=b"{}")
                return planned.fault.fail(request, acted)
        return self._act(call, body, request)

    def add_model(self, name: str = "m", **fields: Any) -> dict[str, Any]:
        """A model that is there already."""
        model = {"id": f"model{len(self.models) + 1}", "name": name, "team_name": "Core", **fields}
        self.models.append(model)
        return model

    def add_deployment(self, model_id: str = "model1", **fields: Any) -> dict[str, Any]:
        """A deployment that is there already; each is a second younger than the one before."""
        number = len(self.deployments) + 1
        deployment = {
            "id": f"dep{number}",
            "model_id": model_id,
            "name": f"deployment-{number}",
            "status": "ACTIVE",
            "labels": {},
            "is_development": False,
            "created_at": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
            "_visible": 0.0,
            **fields,
        }
        self.deployments.append(deployment)
        return deployment

    def add_environment(self, name: str, current: Any = None, **fields: Any) -> dict[str, Any]:
        """An environment that is there already."""
        environment = {"name": name, "current_deployment": current, **fields}
        self.environments[name] = environment
        return environment

    def _act(self, call: str, body: Any, request: httpx.Request) -> httpx.Response:
        for pattern, act in self._routes().items():
            if match := re.fullmatch(pattern, call):
                answer = act(*match.groups(), **({"body": body} if body is not None else {}), **self._query(request))
                return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
        return _error(404, f"no such path: {call}")

    @staticmethod
    def _query(request: httpx.Request) -> dict[str, str]:
        return dict(request.url.params) if request.method == "GET" else {}

    def _routes(self) -> Mapping[str, Callable[..., Any]]:
        model = r"/v1/models/([^/]+)"
        return {
            r"GET /v1/teams": lambda: {"teams": [{"id": "t1", "name": "Core", "default": True}]},
            r"GET (/v1/models|/v1/teams/[^/]+/models)": lambda _, **_query: {"models": self.models},
            rf"GET {model}": self._model,
            r"POST /v1/prepare_model_upload": self._prepare,
            r"POST (/v1/models|/v1/teams/[^/]+/models)": self._create_model,
            rf"GET {model}/deployments": lambda model_id: {"deployments": self._listed(model_id)},
            rf"POST {model}/deployments": self._create_deployment,
            rf"GET {model}/deployments/([^/]+)": self._deployment,
            rf"DELETE {model}/deployments/([^/]+)": self._delete,
            rf"POST {model}/deployments/([^/]+)/deactivate": self._deactivate,
            rf"POST {model}/deployments/([^/]+)/activate": self._activate,
            rf"POST {model}/deployments/([^/]+)/retry": self._retry,
            rf"PATCH {model}/deployments/([^/]+)/autoscaling_settings": self._update_autoscaling,
            rf"GET {model}/audit_logs": self._audit_logs,
            rf"GET {model}/(?:environments|deployments)/([^/]+)/metrics": self._metrics,
            rf"GET {model}/deployments/([^/]+)/startups(/summary)?": self._startups,
            rf"POST {model}/environments/([^/]+)/cancel_promotion": self._cancel_promotion,
            rf"GET {model}/environments": lambda _: {"environments": [self._look(n) for n in self.environments]},
            rf"GET {model}/environments/([^/]+)": self._environment,
            rf"POST {model}/environments": self._create_environment,
            rf"PATCH {model}/environments/([^/]+)": self._update_environment,
            rf"POST {model}/environments/([^/]+)/promote": self._promote,
        }

    def _model(self, model_id: str) -> Any:
        return next((row for row in self.models if row["id"] == model_id), _error(404, "no such model"))

    def _create_model(self, _: str, *, body: Any) -> Any:
        name = body["source"].get("name") or body["source"].get("deployed_model_name", "listing")
        if self.unique_names and any(row["name"] == name for row in self.models):
            return _error(400, f"a model named {name} exists")
        model = self.add_model(name)
        return {"model": model, "deployment": self._new(model["id"], body)}

    def _create_deployment(self, model_id: str, *, body: Any) -> Any:
        if not any(row["id"] == model_id for row in self.models):
            return _error(404, "no such model")
        return {"model": self._model(model_id), "deployment": self._new(model_id, body)}

    def _new(self, model_id: str, body: Any) -> dict[str, Any]:
        payload = body["source"].get("deployment", {})
        visible = self.clock.time + self.visible_after
        return self.add_deployment(model_id, labels=payload.get("labels"), status="BUILDING", _visible=visible)

    def _listed(self, model_id: str) -> list[dict[str, Any]]:
        rows = [row for row in self.deployments if row["model_id"] == model_id]
        return [row for row in rows if row["_visible"] <= self.clock.time]

    def _deployment(self, model_id: str, deployment_id: str) -> Any:
        rows = [row for row in self._listed(model_id) if row["id"] == deployment_id]
        return rows[0] if rows else _error(404, "no such deployment")

    def _delete(self, model_id: str, deployment_id: str) -> Any:
        row = self._deployment(model_id, deployment_id)
        if isinstance(row, dict):
            self.deployments.remove(row)
            return {"id": deployment_id, "deleted": True}
        return row

    def _deactivate(self, model_id: str, deployment_id: str) -> Any:
        row = self._deployment(model_id, deployment_id)
        if isinstance(row, dict):
            if row["status"] == "INACTIVE":
                return _error(400, "the deployment is inactive already")
            row["status"] = "INACTIVE"
            return {"success": True}
        return row

    @staticmethod
    def _prepare(*, body: Any) -> Any:
        """Of formats that need no archive: there is no S3 here."""
        assert "dry_run" in body
        return {"creds": None, "s3_bucket": None, "s3_key": None, "s3_region": None}

    def _activate(self, model_id: str, deployment_id: str) -> Any:
        row = self._deployment(model_id, deployment_id)
        if isinstance(row, dict):
            if row["status"] not in {"INACTIVE", "SCALED_TO_ZERO", "ACTIVE"}:
                return _error(400, f"the deployment is {row['status']}")
            row["status"] = "ACTIVE"
            return {"success": True, "no_op": False}
        return row

    def _retry(self, model_id: str, deployment_id: str) -> Any:
        row = self._deployment(model_id, deployment_id)
        if not isinstance(row, dict):
            return row
        answer = self.retry_answers.pop(0) if self.retry_answers else "it is not known why"
        if answer.isupper():
            row["status"] = answer
            return {"retried": True, "deployment": row}
        return {"retried": False, "reason": answer, "deployment": row}

    def _update_autoscaling(self, model_id: str, deployment_id: str, *, body: Any) -> Any:
        row = self._deployment(model_id, deployment_id)
        if isinstance(row, dict):
            if body.get("min_replica") == 0:
                row["status"] = "SCALED_TO_ZERO"
            return {"status": "ACCEPTED", "message": "ok"}
        return row

    def _metrics(
        self, _: str, name: str, *, mode: str, start_epoch_millis: str, end_epoch_millis: str, **_more: Any
    ) -> Any:
        if self.measures is None:
            return _error(404, "no metrics here")
        assert mode == "SUMMARY"
        return self.measures(name, int(start_epoch_millis) / 1000, int(end_epoch_millis) / 1000)

    def _startups(self, _: str, deployment_id: str, summary: str | None, **query: Any) -> Any:
        if self.starts is None:
            return _error(404, "no startups here")
        start, end = int(query["start_epoch_millis"]), int(query["end_epoch_millis"])
        assert start < end
        answer = self.starts(deployment_id, bool(summary))
        if isinstance(answer, dict) and "items" in answer:
            items = [each for each in answer["items"] if start <= each["started_at_epoch_millis"] <= end]
            return {**answer, "items": items}
        return answer

    def _audit_logs(
        self, _: str, *, event_type_groups: str, environment_names: str, limit: str, cursor: str = ""
    ) -> Any:
        assert ("PROMOTED", True) == (event_type_groups, 1 <= int(limit) <= 200)
        kinds = {"MODEL_DEPLOYMENT_PROMOTED", "MODEL_PROMOTION_CONTROL_ACTION"}
        found = [
            {"id": f"e{number}", "event_type": kind, "event_data": {"event_type": kind, **event}}
            for number, (kind, event) in enumerate(self.audit)
            if kind in kinds and event["environment_name"] == environment_names
        ]
        start = int(cursor or 0)
        more = start + self.page < len(found)
        pagination = {"has_more": more, "cursor": str(start + self.page) if more else None}
        return {"items": found[start : start + self.page], "pagination": pagination}

    def _cancel_promotion(self, _: str, name: str) -> Any:
        environment = self._look(name)
        if not environment.get("candidate_deployment"):
            return _error(400, "no promotion is in progress")
        promotion = {"status": "CANCELED", "percent_traffic_to_new_version": 0}
        over = {"candidate_deployment": None, "in_progress_promotion": promotion}
        if not self.ramps_down:
            environment.update(_due=[], **over)
            return {"status": "CANCELED", "message": "ok"}
        back = {**environment["in_progress_promotion"], "status": "RAMPING_DOWN"}
        environment.update(in_progress_promotion=back, _due=[(self.clock.time + self.ramps_down, over)])
        return {"status": "RAMPING_DOWN", "message": "ok"}

    def promoted(self, deployment_id: str, name: str, *, cancelled: bool = False) -> None:
        """A promotion in the audit log, newer than what is there, or that it was cancelled."""
        event = {"deployment_id": deployment_id, "environment_name": name}
        if cancelled:
            self.audit.insert(0, ("MODEL_PROMOTION_CONTROL_ACTION", {**event, "action": "GRACEFUL_CANCEL"}))
        else:
            self.audit.insert(0, ("MODEL_DEPLOYMENT_PROMOTED", event))

    def _look(self, name: str) -> Any:
        environment = self.environments[name]
        if callable(environment):
            return environment()
        while (due := environment.get("_due")) and self.clock.time >= due[0][0]:
            previous, cleanup = environment.get("current_deployment"), due[0][1].get("_cleanup")
            environment.update(due[0][1], _due=due[1:])
            if previous and cleanup and previous["status"] == "ACTIVE":
                previous["status"] = {"DEACTIVATE": "INACTIVE", "SCALE_TO_ZERO": "SCALED_TO_ZERO"}.get(
                    cleanup, "ACTIVE"
                )
        return environment

    def _environment(self, _: str, name: str) -> Any:
        return self._look(name) if name in self.environments else _error(404, "no such environment")

    def _create_environment(self, _: str, *, body: Any) -> Any:
        if body["name"] in self.environments:
            return _error(400, "it exists")
        return self.add_environment(**body)

    def _update_environment(self, _: str, name: str, *, body: Any) -> Any:
        self.environments[name]["_due"] = [(self.clock.time + 3, body)]  # the service applies it later
        return {"success": True}

    def _promote(self, model_id: str, name: str, *, body: Any) -> Any:
        environment = self._look(name)
        original = self._deployment(model_id, body["deployment_id"])
        if not isinstance(original, dict):
            return original
        if original["status"] in {"INACTIVE", "DEACTIVATING", "FAILED", "DEPLOY_FAILED"}:
            return _error(400, f"the deployment is {original['status']}")
        ended = (environment.get("in_progress_promotion") or {}).get("status") in {"FAILED", "CANCELED"}
        if environment.get("_due") or (environment.get("candidate_deployment") and not ended):
            return _error(400, "a promotion is in progress")
        candidate = original
        if self.redeploys:
            labels = original["labels"] if self.redeploys == "labelled" else None
            candidate = self.add_deployment(model_id, name=original["name"], labels=labels)
        promotion = {"status": "RELEASING", "percent_traffic_to_new_version": 0}
        begun = {"candidate_deployment": candidate, "in_progress_promotion": promotion}
        done = {"current_deployment": candidate, "candidate_deployment": None, "in_progress_promotion": None}
        update = body.get("environment_settings_update") or {}
        done |= {key: {**(environment.get(key) or {}), **value} for key, value in update.items()}
        own = {**(environment.get("promotion_settings") or {}), **(update.get("promotion_settings") or {})}
        own |= body.get("promotion_settings_override") or {}
        keeps = not body.get("scale_down_previous_deployment", True)
        done["_cleanup"] = "KEEP" if keeps else own.get("promotion_cleanup_strategy", "KEEP")
        self.promoted(original["id"], name)
        at = self.clock.time + self.promotion_shows_after
        environment["_due"] = [(at, begun)]
        for seconds, percent in self.ramp:
            step = {"status": "RAMPING_UP", "percent_traffic_to_new_version": percent}
            environment["_due"].append((at + seconds, {"in_progress_promotion": step}))
        if self.promotes_after is not None:
            environment["_due"].append((at + self.promotes_after, done))
        return candidate


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"code": "ERROR", "message": message})


def payload_with(key: str = "key-1", **labels: Any) -> dict[str, Any]:
    """A deployment payload with a deploy key."""
    return {"config": {"model_name": "m"}, "labels": {**labels, DEPLOY_KEY_LABEL: key}}


def make_run(
    settings: Settings, handler: Handler, clock: FakeClock | None = None, *, inference: Handler | None = None
) -> Run:
    """A run whose management API is answered by `handler` and whose smoke tests are by `inference`; see `printed`."""
    clock = clock or FakeClock()
    redactor = Redactor()
    redactor.add(settings.baseten_api_key)
    runner = Runner({}, redactor, io.StringIO())
    api = make_api(handler, clock, deadline=clock.now() + RETRY_SECONDS)
    return Run(
        settings=settings,
        input_problems=[],
        workspace=Path(),
        runner=runner,
        outputs=Outputs(runner.output),
        redactor=redactor,
        clock=clock,
        client=make_client(inference or (lambda _: httpx.Response(200, text='"pong"'))),
        api=api,
        origin=Origin(),
        started=clock.now(),
    )


def printed(run: Run) -> str:
    """What the run told so far."""
    return run.runner._stream.getvalue()  # type: ignore[attr-defined]
