"""Which deployments are this run's own, by all the ids that a promotion may give them. Pure."""

from dataclasses import field

from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import Deployment, Environment


@dataclass
class Ours:
    """The deployment that is to be served, by all the ids that it goes by.

    `before` is the environment before its promotion was asked for: what it served then is no copy of ours, and a
    failure that it tells of is not ours either.
    """

    deployment: Deployment
    ids: set[str] = field(default_factory=set)
    before: Environment | None = None

    def __post_init__(self) -> None:
        self.ids.add(self.deployment.id)

    def has(self, other: Deployment | None) -> bool:
        """Whether `other` is ours or its copy: by id, or by the label that only one run puts on a deployment."""
        if other is None:
            return False
        key = self.deployment.labels.get(DEPLOY_KEY_LABEL)
        copied = bool(key) and other.labels.get(DEPLOY_KEY_LABEL) == key
        earlier = self.before.current if self.before else None
        unlabelled_copy = (
            not other.labels
            and (earlier is None or other.id != earlier.id)
            and other.name == self.deployment.name != ""
            and other.created_at > self.deployment.created_at
        )
        if copied or unlabelled_copy:
            self.ids.add(other.id)
        return other.id in self.ids
