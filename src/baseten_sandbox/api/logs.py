"""The log of a deployment: lines that follow from its timeline, and lines that a test adds.

The generated lines come in bursts, many in one millisecond and some with the very same nanosecond, because that is
what makes paging by milliseconds hard.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from baseten.client.managementapi import (
    GetChainsDeploymentsChainletsLogsParams,
    GetDeploymentLogsRequest,
    GetModelsDeploymentsLogsParams,
    Log,
)

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.entities import Deployment

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_NS = 1_000_000_000
_WINDOW_MS = 30 * 60 * 1000
_LONGEST_MS = 7 * 24 * 60 * 60 * 1000

_SAID: dict[str, tuple[tuple[str, str | None], ...]] = {
    "BUILDING": (
        ("Build was successfully submitted", None),
        ("Reading the archive", None),
        ("#1 [internal] load build definition from Dockerfile", None),
        ("#2 [1/4] FROM baseten/truss-server-base", None),
        ("#3 [2/4] COPY ./config.yaml /app/config.yaml", None),
        ("#4 [3/4] RUN pip install -r requirements.txt", None),
        ("#5 [4/4] COPY ./model /app/model", None),
        ("#6 exporting to image", None),
    ),
    "BUILD_FAILED": (("Build failed", "ERROR"),),
    "BUILD_STOPPED": (("Build was stopped", "WARNING"),),
    "DEPLOYING": (("Deploying the image", "INFO"), ("Scheduling 1 replica", "INFO")),
    "DEPLOY_FAILED": (("The replica did not start", "ERROR"),),
    "LOADING_MODEL": (("Executing model.load()...", "INFO"),),
    "ACTIVE": (("Completed model.load() execution", "INFO"), ("Model is ready to serve", "INFO")),
    "UNHEALTHY": (("Health check failed", "ERROR"),),
    "FAILED": (("Exception while loading model\nTraceback (most recent call last):\n  ...", "ERROR"),),
    "DEACTIVATING": (("Deactivating", "INFO"),),
}

LogQuery = GetModelsDeploymentsLogsParams | GetDeploymentLogsRequest | GetChainsDeploymentsChainletsLogsParams


@dataclass(frozen=True)
class Line:
    """One line; `time_ns` is since the epoch."""

    time_ns: int
    message: str
    level: str | None = None
    replica: str | None = None
    request_id: str | None = None


class Logs:
    """The lines of every deployment."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._added: dict[str, list[Line]] = defaultdict(list)

    def add(
        self,
        deployment_id: str,
        message: str,
        *,
        level: str | None = "INFO",
        replica: str | None = None,
        time_ns: int | None = None,
        request_id: str | None = None,
    ) -> None:
        """Add a line to a deployment's log, now or at `time_ns`."""
        moment = int(self._clock() * _NS) if time_ns is None else time_ns
        with self._lock:
            self._added[deployment_id].append(Line(moment, message, level, replica, request_id))

    def page(self, deployment: Deployment, query: LogQuery, now: float, *, source: str = "") -> list[Log]:
        """The lines that a request asks for, in its order and at most its limit.

        Lines that were added are found by the deployment's id, or by that of `source`, one of its chainlets.
        """
        end = int(now * 1000) if query.end_epoch_millis is None else query.end_epoch_millis
        start = end - _WINDOW_MS if query.start_epoch_millis is None else query.start_epoch_millis
        if start > end:
            raise invalid("start_epoch_millis is after end_epoch_millis")
        if end - start > _LONGEST_MS:
            raise invalid("the window from start to end must not exceed 7 days")
        if query.direction not in {None, "asc", "desc"}:
            raise invalid("direction: asc or desc")
        if query.min_level not in {None, *_LEVELS}:
            raise invalid(f"min_level: one of {', '.join(_LEVELS)}")
        pattern = _pattern(query.search_pattern.root if query.search_pattern is not None else None)
        with self._lock:
            added = list(self._added[source or deployment.id])
        lines = [line for line in (*_generated(deployment), *added) if line.time_ns <= now * _NS]
        lines.sort(key=lambda line: line.time_ns, reverse=query.direction != "asc")
        wanted = (
            line for line in lines if start <= line.time_ns // 1_000_000 <= end and _matches(line, query, pattern)
        )
        limit = query.limit.root if query.limit is not None else 500
        return [
            Log(timestamp=str(line.time_ns), message=line.message, replica=line.replica, level=line.level)
            for line in islice(wanted, limit)
        ]


def _generated(deployment: Deployment) -> Iterator[Line]:
    for step in deployment.timeline:
        moment = int(step.at * _NS)
        replica = None if step.status.startswith("BUILD") else deployment.replica
        for number, (message, level) in enumerate(_SAID.get(step.status, ())):
            yield Line(moment + number // 2 * 1000, message, level, replica)
        if step.status == "BUILD_FAILED" and deployment.build_error:
            yield Line(moment, deployment.build_error, "ERROR")
        if step.status == "LOADING_MODEL":
            for number in range(int(deployment.variable("SANDBOX_LOG_LINES", "0"))):
                yield Line(moment + number * 10_000, f"loading shard {number + 1}", "INFO", replica)


def _pattern(text: str | None) -> re.Pattern[str]:
    try:
        return re.compile(text or "")
    except re.error as error:
        raise invalid(f"search_pattern: {error}") from error


def _matches(line: Line, query: LogQuery, pattern: re.Pattern[str]) -> bool:
    if query.min_level is not None and (
        line.level is None or _LEVELS.index(line.level) < _LEVELS.index(query.min_level)
    ):
        return False
    if query.replica is not None and line.replica != query.replica.root:
        return False
    if query.request_id is not None and line.request_id != query.request_id.root:
        return False
    if query.component is not None:
        return False  # no line here belongs to a component
    return (
        pattern.search(line.message) is not None
        and all(text in line.message for text in query.includes or ())
        and not any(text in line.message for text in query.excludes or ())
    )
