"""Asks what is live of each Truss, and tells which differ: at most eight requests at a time. Changes nothing.

What is live is what `environment` serves, else production; a model that serves nothing there is compared with its
newest deployment. One list of all models stands for a look-up each. What cannot be seen counts as changed.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from baseten_deploy.cost.estimate import Estimate, estimate
from baseten_deploy.cost.pricing import Prices, read_prices
from baseten_deploy.environment.target import PRODUCTION, Target
from baseten_deploy.errors import InvalidInput, Problem, Rejected
from baseten_deploy.planning.live_deployment import Live, in_environment
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model, Team
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import find_team
from baseten_deploy.service.remedies import explain

from .pace import at_once
from .reading import ReadTruss


class Reason(StrEnum):
    """Why a Truss counts as changed."""

    NEW_MODEL = "new model"
    CONTENT = "content"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Compared:
    """A Truss, and why it counts as changed, `None` when it is not.

    `live` is the id of what it was compared with, `""` for nothing; `said` explains what is `UNKNOWN`.
    """

    truss: ReadTruss
    reason: Reason | None
    live: str = ""
    said: str = ""
    cost: Estimate | None = None


def without_service(trusses: Sequence[ReadTruss]) -> list[Compared]:
    """Nobody can be asked without a key."""
    return [Compared(each, Reason.UNKNOWN, said="there is no API key") for each in trusses]


def target_of(run: Run) -> str:
    """The environment whose deployments count."""
    return run.settings.environment or run.settings.promote_to or PRODUCTION


def compare(run: Run, trusses: Sequence[ReadTruss]) -> list[Compared]:
    """Each Truss with what is live of it, in the same order.

    Raises `AuthFailed` when the key is refused, `InvalidInput` for names that several teams have.
    """
    team = find_team(run.api, run.settings.team)
    try:
        models = _by_name(run, team)
    except HttpError as error:
        if error.status in (401, 403):
            raise explain(error, Rejected, "Looking up the models") from error
        run.warn(Problem(f"The models could not be looked up: {error.message}", "All Trusses count as changed."))
        return [Compared(each, Reason.UNKNOWN, said=error.message) for each in trusses]
    if ambiguous := [problem for each in trusses if (problem := _ambiguous(each, models.get(each.name, ())))]:
        raise InvalidInput(ambiguous)
    prices: list[Prices] = []
    places: dict[str, tuple[Live, Environment | None] | HttpError] = {}
    known = [(truss, models[truss.name][0]) for truss in trusses if truss.name in models]
    looks = [_look_up(run, model, truss, places) for truss, model in known]
    at_once([lambda: prices.append(read_prices(run, retry=False)), *looks], run.clock)
    return [_judge(run, each, places.get(each.directory), prices[0]) for each in trusses]


def _by_name(run: Run, team: Team | None) -> Mapping[str, Sequence[Model]]:
    found: dict[str, list[Model]] = {}
    for model in run.api.models(team.id if team else ""):
        found.setdefault(model.name, []).append(model)
    return found


def _ambiguous(truss: ReadTruss, models: Sequence[Model]) -> Problem | None:
    if len(models) < 2:
        return None
    where = ", ".join(f"{model.id} (team {model.team or 'unknown'})" for model in models)
    return Problem(f"{len(models)} models are called {truss.name!r}: {where}", "Set `team`.", *truss.place)


def _look_up(
    run: Run, model: Model, truss: ReadTruss, places: dict[str, tuple[Live, Environment | None] | HttpError]
) -> Callable[[], None]:
    def job() -> None:
        try:
            places[truss.directory] = _live(run, model)
        except HttpError as error:
            places[truss.directory] = error

    return job


def _live(run: Run, model: Model) -> tuple[Live, Environment | None]:
    name = target_of(run)
    found = next((each for each in run.api.environments(model.id) if each.name == name), None)
    live = in_environment(run.api, model, Target(name, found))
    if live.deployment is None and not (run.settings.environment or run.settings.promote_to):
        live = Live("the newest deployment", _newest(run.api.deployments(model.id)))
    return live, found


def _newest(deployments: Sequence[Deployment]) -> Deployment | None:
    """Of those that the service tells the time of: it writes all alike, in ISO 8601."""
    lasting = [each for each in deployments if not each.is_development]
    return max(lasting, key=lambda each: each.created_at, default=None)


def _judge(
    run: Run, truss: ReadTruss, place: tuple[Live, Environment | None] | HttpError | None, prices: Prices
) -> Compared:
    settings, name = run.settings, target_of(run)
    if isinstance(place, HttpError):
        return Compared(truss, Reason.UNKNOWN, said=place.message)
    live, environment = place or (None, None)
    cost = estimate(prices, settings, truss.config, name, environment)
    if live is None:
        return Compared(truss, Reason.NEW_MODEL, cost=cost)
    same = live.has(truss.digest, settings.trigger)
    return Compared(truss, None if same else Reason.CONTENT, live.deployment.id if live.deployment else "", cost=cost)
