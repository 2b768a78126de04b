"""What was sent and may have made a deployment: how to find it, for a run that is cancelled and for its post step.

A model's deployment has a label that is this run's alone. A Chain's has none: there it is the one that was not there
before, when it is exactly one. What is done with what is found is `on_failure`'s business.
"""

from baseten_deploy.clock import Clock
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.model_lookup import Destination

from .creation import LOOKS, Committed, find_committed

# Seconds before each look: what was sent may take a moment to show. A cancelled run has seconds, its post step more.
CANCELLED_LOOKS = (0.0, 0.5, 1.0)
POST_LOOKS = (0.0, *LOOKS)


@dataclass(frozen=True)
class Sent:
    """Where it was sent, and what tells it from others: its label `deploy_key`, or that it is none of those `known`.

    `known` are the ids of the deployments that the Chain had before, `None` for a model.
    """

    destination: Destination
    deploy_key: str = ""
    known: frozenset[str] | None = None

    @property
    def model(self) -> Model | None:
        """The model or Chain that it was sent to, `None` for a new one."""
        return self.destination.model

    def candidates(self, api: Api) -> list[Committed]:
        """What it may have made: nothing, one, or of a Chain several that were made meanwhile. Raises `HttpError`."""
        destination = self.destination
        if self.known is None:
            found = find_committed(api, destination, self.deploy_key)[1]
            return [found] if found else []
        chains = [destination.model] if destination.model else api.models_named(destination.name, destination.team_id)
        return [
            Committed(chain, deployment, created_model=destination.model is None)
            for chain in chains
            for deployment in api.deployments(chain.id)
            if deployment.id not in self.known
        ]

    def look(self, api: Api, clock: Clock, pauses: tuple[float, ...]) -> list[Committed]:
        """The candidates as soon as there are any, looked for after each of the `pauses`. Raises `HttpError`."""
        for pause in pauses:
            clock.sleep(pause)
            if found := self.candidates(api):
                return found
        return []
