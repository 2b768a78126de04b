"""The management API's calls about a Chain, in the place of those about a model: paths, bodies and answers.

Whoever waits, promotes, rolls back or retires calls them as it calls a model's. What a Chain has no call for (it is
made by `truss`, cannot be activated, and a promotion of it cannot be cancelled) is refused here without a request.

Spec: `/v1/chains` in the management API reference, and its models in the official SDK.
"""

from typing import Any, NoReturn
from urllib.parse import quote

from . import shapes
from .answers import Chainlet, Deployment, JsonObject, LogLine, Model, read_log_line, rows
from .api import Api
from .chain_answers import (
    read_chain,
    read_chain_deployment,
    read_chain_environment,
    read_promoted_chains,
    read_whole_deployment,
)
from .http import READ_SECONDS, Http, HttpError
from .retry import Failure, Fault
from .statuses import LIVE

# What a promotion may say; what an environment keeps is said elsewhere.
_PROMOTION = ("deployment_id", "scale_down_previous_deployment")


class ChainApi(Api):
    """The calls about a Chain and its deployments. All raise `HttpError`."""

    root = "/v1/chains"
    owner = "chain_id"
    cancels_promotions = False
    read_deployment = staticmethod(read_chain_deployment)
    read_environment = staticmethod(read_chain_environment)
    read_promoted = staticmethod(read_promoted_chains)

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._chainlets: dict[str, tuple[Chainlet, ...]] = {}  # of the deployments that were read
        self._first_read: dict[str, float] = {}  # when each of these deployments was read first
        self._live_after: dict[str, float | None] = {}  # of chainlets by their id

    def models_named(self, name: str, team_id: str = "") -> list[Model]:
        """The Chains of that name, in one team or in all. The service filters by neither."""
        chains = self._list(self.root, "chains", read_chain)
        found = [chain for chain in chains if chain.name == name]
        if not team_id:
            return found
        teams = {team.name for team in self.teams() if team.id == team_id}
        return [chain for chain in found if chain.team in teams]

    def model(self, model_id: str) -> Model:
        """One Chain; 404 is an `HttpError`."""
        path = self._path(model_id)

        def read(row: JsonObject) -> Model:
            chain = read_chain(row)
            shapes.same(chain.id, model_id, "chain")
            return chain

        return self._parse(read, self._get(path), path)

    def deployment(
        self, model_id: str, deployment_id: str, *, retry: bool = True, seconds: float = READ_SECONDS
    ) -> Deployment:
        """One deployment with its chainlets, which are remembered for `logs`."""
        path = self._deployment_path(model_id, deployment_id)

        def read(row: JsonObject) -> Deployment:
            deployment = read_whole_deployment(self._own(row, model_id))
            shapes.same(deployment.id, deployment_id, "deployment")
            return deployment

        deployment = self._parse(read, self._get(path, retry=retry, seconds=seconds), path)
        self._note(deployment)
        return deployment

    def _note(self, deployment: Deployment) -> None:
        """Remember the chainlets, and when one was seen live that was not at first."""
        now = self.http.now()
        since = now - self._first_read.setdefault(deployment.id, now)
        self._chainlets[deployment.id] = deployment.chainlets
        for chainlet in deployment.chainlets:
            if chainlet.status in LIVE:
                self._live_after.setdefault(chainlet.id, since or None)

    def live_after(self, chainlet_id: str) -> float | None:
        """Seconds from the first look at its deployment until a chainlet was seen live; `None` if it was before."""
        return self._live_after.get(chainlet_id)

    def seen(self, deployment_id: str) -> tuple[Chainlet, ...]:
        """The chainlets of a deployment as they were read last, none when it was not."""
        return self._chainlets.get(deployment_id, ())

    def logs(
        self, model_id: str, deployment_id: str, start_millis: int, limit: int, *, request_id: str = ""
    ) -> list[LogLine]:
        """The log lines of all chainlets, each with its chainlet's name, oldest first. Not tried again.

        At least `limit` when there are more: then up to the moment from which on one chainlet's are not all there.
        """
        chainlets = self._chainlets.get(deployment_id)
        if chainlets is None:
            chainlets = self.deployment(model_id, deployment_id, retry=False, seconds=10).chainlets
        pages = [
            self.chainlet_logs(model_id, deployment_id, chainlet, start_millis, limit, request_id=request_id)
            for chainlet in chainlets
        ]
        full = [page[-1].nanoseconds for page in pages if len(page) >= limit]
        until = min(full) if full else None
        lines = [line for page in pages for line in page if until is None or line.nanoseconds <= until]
        return sorted(lines, key=lambda line: line.nanoseconds)

    def chainlet_logs(
        self,
        model_id: str,
        deployment_id: str,
        chainlet: Chainlet,
        start_millis: int,
        limit: int,
        *,
        request_id: str = "",
    ) -> list[LogLine]:
        """As `logs`, of one chainlet."""
        path = f"{self._deployment_path(model_id, deployment_id)}/chainlets/{quote(chainlet.id, safe='')}/logs"
        params: dict[str, str | int] = {"start_epoch_millis": start_millis, "direction": "asc", "limit": limit}
        if request_id:
            params["request_id"] = request_id
        answer = self.http.request("GET", path, params=params, retry=False, seconds=10)

        def read(row: JsonObject) -> LogLine:
            line = read_log_line(row)
            return LogLine(line.nanoseconds, f"{chainlet.name}: {line.message}", line.replica, line.level)

        return self._parse(lambda body: [read(row) for row in rows(body, "logs")], answer, path)

    def promote(self, model_id: str, name: str, body: JsonObject) -> Deployment:
        """Promote a deployment. The answer's id may be new. Sent once: the caller looks before it sends again."""
        return super().promote(model_id, name, {key: body[key] for key in _PROMOTION if key in body})

    def update_environment(self, model_id: str, name: str, settings: JsonObject) -> None:
        """Change an environment's settings, each group by its own call. Sending them twice is harmless."""
        path = self._environment_path(model_id, name)
        if promotion := settings.get("promotion_settings"):
            self.http.request("PATCH", path, body={"promotion_settings": promotion}, retry=True)
        wanted = settings.get("chainlet_settings") or ()
        autoscaling = _updates(wanted, "autoscaling_settings")
        if autoscaling:
            call = f"{path}/chainlet_settings/autoscaling_settings"
            self.http.request("PATCH", call, body={"updates": autoscaling}, retry=True)
        if types := _updates(wanted, "instance_type_id"):
            # Without a retry: changing it may make a new deployment.
            call = f"{path}/chainlet_settings/instance_types/update"
            self.http.request("POST", call, body={"updates": types}, retry=False)

    def startups(self, model_id: str, deployment_id: str, start: int, end: int) -> NoReturn:  # noqa: ARG002
        """There is no such call."""
        _refuse("tells how a Chain started", f"{self._deployment_path(model_id, deployment_id)}/startups")

    def activate(self, model_id: str, deployment_id: str) -> NoReturn:
        """There is no such call."""
        _refuse("brings a Chain's deployment back", f"{self._deployment_path(model_id, deployment_id)}/activate")

    def cancel_promotion(self, model_id: str, name: str) -> NoReturn:
        """There is no such call."""
        _refuse("cancels the promotion of a Chain", f"{self._environment_path(model_id, name)}/cancel_promotion")

    def update_autoscaling(self, model_id: str, deployment_id: str, settings: JsonObject) -> NoReturn:  # noqa: ARG002
        """There is no such call: only an environment's chainlets are scaled."""
        _refuse("scales one deployment of a Chain", self._deployment_path(model_id, deployment_id))


def _updates(rows: Any, key: str) -> list[JsonObject]:
    return [{"chainlet_name": row["chainlet_name"], key: row[key]} for row in rows if row.get(key)]


def _refuse(what: str, path: str) -> NoReturn:
    raise HttpError(Failure(Fault.BARRED), f"the management API has no call that {what}", path, "Do it on its page.")
