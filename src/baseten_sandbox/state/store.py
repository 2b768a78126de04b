"""The records by their ids, and the one lock. It finds and keeps; what may change, and when, is for `state`."""

import secrets
import string
import threading
from collections.abc import Sequence

from baseten_sandbox.errors import missing

from .entities import Deployment, Environment, Model, Secret, Team, Timing, Upload


def new_id(length: int) -> str:
    """A new id, as the service makes them: lowercase letters and digits."""
    return secrets.choice(string.ascii_lowercase) + "".join(
        secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length - 1)
    )


class Store:
    """Everything that exists. Whoever reads more than one record, or changes one, holds `lock`."""

    def __init__(self, *, now: float, timing: Timing, teams: Sequence[str]) -> None:
        self.lock = threading.RLock()
        self.timing = timing
        self.teams = {
            team.id: team for team in (Team(new_id(8), name, number == 0, now) for number, name in enumerate(teams))
        }
        self.models: dict[str, Model] = {}
        self.deployments: dict[str, Deployment] = {}
        self.environments: dict[tuple[str, str], Environment] = {}
        self.uploads: dict[str, Upload] = {}
        self.counts: dict[str, int] = {}
        self.secrets: dict[str, Secret] = {}

    def team(self, team_id: str | None) -> Team:
        """The team of that id, or the default team."""
        if team_id is None:
            return next(team for team in self.teams.values() if team.default)
        if team_id not in self.teams:
            raise missing(f"Team {team_id}")
        return self.teams[team_id]

    def model(self, model_id: str) -> Model:
        """The model of that id."""
        if model_id not in self.models:
            raise missing(f"Model {model_id}")
        return self.models[model_id]

    def deployments_of(self, model_id: str) -> list[Deployment]:
        """The deployments of a model, oldest first."""
        return [item for item in self.deployments.values() if item.model_id == model_id]

    def deployment(self, model_id: str, deployment_id: str) -> Deployment:
        """The deployment of that id, if it is the model's."""
        found = self.deployments.get(deployment_id)
        if found is None or found.model_id != self.model(model_id).id:
            raise missing(f"Deployment {deployment_id}")
        return found

    def environments_of(self, model_id: str) -> list[Environment]:
        """The environments of a model, `production` first."""
        return [item for key, item in self.environments.items() if key[0] == self.model(model_id).id]

    def environment(self, model_id: str, name: str) -> Environment:
        """The environment of that name."""
        if (self.model(model_id).id, name) not in self.environments:
            raise missing(f"Environment {name!r}")
        return self.environments[model_id, name]

    def keep(self, record: Deployment | Environment) -> None:
        """Keep a new or changed record."""
        if isinstance(record, Deployment):
            self.deployments[record.id] = record
        else:
            self.environments[record.model_id, record.name] = record
