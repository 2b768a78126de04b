"""What must be there before a deployment can run: the secrets that its config names, in the workspace it goes to.

Asked beside everything else, and only where a config names one. A missing one is a warning at its line: the service has
the last word. Where the key may not see the secrets, or the service has no such call, nothing is said.
"""

from collections.abc import Sequence

from baseten_deploy.background import in_background
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Secret
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.strict_yaml import Path
from baseten_deploy.truss.directory import Truss, place_of
from baseten_deploy.truss.named_secrets import named_secrets

SETTINGS_PAGE = "https://app.baseten.co/settings/secrets"
# How long a deploy waits for the names, in seconds, once everything else is known.
_PATIENCE = 1.0


class Prerequisites:
    """The secrets that a Truss needs: asked for when this is made; `missing` says which are not there."""

    def __init__(self, run: Run, truss: Truss, destination: Destination) -> None:
        self._truss = truss
        self._team = destination.team_name or (destination.model.team if destination.model else "")
        self._named = named_secrets(truss.config)
        ask = destination.team_id
        self._asked = in_background(lambda: run.api.secrets(ask, retry=False)) if self._named else None

    def missing(self, patience: float = _PATIENCE) -> list[Problem]:
        """A warning for each secret that is not there; none where that is not known within `patience` seconds."""
        if self._asked is None:
            return []
        try:
            there = self._asked.result(timeout=patience)
        except (HttpError, TimeoutError):
            return []
        return missing_secrets(self._truss, self._named, there, self._team)


def missing_secrets(
    truss: Truss, named: Sequence[tuple[str, Path]], there: Sequence[Secret], team: str = ""
) -> list[Problem]:
    """A warning for each of the `named` that is not `there`, at its line. Another team's secret is none of `team`'s.

    Where no secret is said to be that team's, all of them count: the key may see them by another name.
    """
    is_told = bool(team) and any(each.team == team for each in there)
    of_team = [each for each in there if each.team in ("", team)] if is_told else there
    names = {each.name for each in of_team}
    return [_problem(truss, name, path, names, there, team) for name, path in named if name not in names]


def _problem(truss: Truss, name: str, path: Path, names: set[str], there: Sequence[Secret], team: str) -> Problem:
    elsewhere = sorted({each.team for each in there if each.name == name and each.team})
    where = f"the team `{team}` has" if elsewhere and team else "the workspace has"
    near = suggestion(name, sorted(names), "Did you mean `{}`? ")
    hint = f"The team `{elsewhere[0]}` has one of that name. " if elsewhere else near
    message = f"The config names the secret `{name}`, and {where} none of that name"
    remedy = f"{hint}Add it at {SETTINGS_PAGE}, or with `POST /v1/secrets`; its value never belongs into the config."
    return Problem(message, remedy, *place_of(truss, *path))
