"""Which model and team the inputs mean, asked of the service. Refuses what is ambiguous instead of guessing."""

from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.inputs.settings import Settings, suggestion
from baseten_deploy.records import dataclass

from .answers import Model, Team
from .api import Api
from .http import HttpError
from .remedies import failing_as


class ModelMissing(InvalidInput):
    """There is no model of the id that was given."""


@dataclass(frozen=True)
class Destination:
    """Where the deployment goes: an existing `model`, or (`None`) a new one called `name`.

    `team_id` and `team_name` are of the team that was given, `""` for none.
    """

    name: str
    model: Model | None
    team_id: str = ""
    team_name: str = ""


def resolve(api: Api, settings: Settings, name: str) -> Destination:
    """Find the model. `name` is the model's name, `""` when `model-id` says which one it is.

    Raises `InvalidInput` for a team or id that is not there, a name that several teams have, and for inputs that only
    go with a new model; `AuthFailed`; `Rejected` when the service cannot be asked.
    """
    if settings.model_id:
        destination = _by_id(api, settings.model_id, settings.model_name)
    else:
        destination = find_by_name(api, name, find_team(api, settings.team))
    if destination.model and settings.disable_archive_download:
        raise InvalidInput(
            f"`disable-archive-download`: the model {destination.name!r} exists, and this is settled at its creation",
            "Remove `disable-archive-download`, or deploy as a new model with another `model-name`.",
        )
    return destination


def find_by_name(api: Api, name: str, team: Team | None = None) -> Destination:
    """The model of that name in the team, or in all teams when none is given."""
    with failing_as(Rejected, f"Looking up the model {name!r}"):
        models = api.models_named(name, team.id if team else "")
    if len(models) > 1:
        where = ", ".join(f"{model.id} (team {model.team or 'unknown'})" for model in models)
        raise InvalidInput(
            f"{len(models)} models are called {name!r}: {where}",
            "Say which one with `team` or `model-id`.",
        )
    return in_team(name, models[0] if models else None, team)


def in_team(name: str, model: Model | None, team: Team | None) -> Destination:
    """The destination within that team, or wherever there is no team."""
    return Destination(name, model, team.id, team.name) if team else Destination(name, model)


def _by_id(api: Api, model_id: str, expected_name: str) -> Destination:
    with failing_as(Rejected, f"Looking up the model {model_id!r}"):
        try:
            model = api.model(model_id)
        except HttpError as error:
            if error.status != 404:
                raise
            raise ModelMissing(
                f"`model-id`: there is no model {model_id!r} that this API key can see",
                "Copy the id from the model's page, and check that the key belongs to the same workspace.",
            ) from None
    if expected_name and expected_name != model.name:
        raise InvalidInput(
            f"`model-id`: the model {model_id} is called {model.name!r}, not {expected_name!r} as `model-name` says",
            "Remove `model-name`, or correct the one that is wrong.",
        )
    return Destination(model.name, model)


def find_team(api: Api, team: str) -> Team | None:
    """A team given by name or id; `None` when none is given."""
    if not team:
        return None
    with failing_as(Rejected, f"Looking up the team {team!r}"):
        teams = api.teams()
    found = [row for row in teams if team == row.id] or [row for row in teams if team == row.name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{row.name} ({row.id})" for row in teams) or "none"
    if found:
        raise InvalidInput(f"`team`: {len(found)} teams are called {team!r}", f"Use the team's id. Teams: {names}.")
    near = suggestion(team, [row.name for row in teams], "Did you mean `{}`? ")
    raise InvalidInput(f"`team`: this API key sees no team {team!r}", f"{near}Teams: {names}.")
