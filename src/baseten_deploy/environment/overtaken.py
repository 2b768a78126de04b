"""Whether somebody else's newer deployment took our place in an environment, and whose it is.

A run that is overtaken ends at once: the service promotes one deployment after the other, and the newer one is to stay.
"""

from contextlib import suppress

from baseten_deploy.clock import Clock
from baseten_deploy.errors import PromotionFailed
from baseten_deploy.service.answers import Deployment, Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError

from .ours import Ours

# A promotion that ended so gives nobody anything, although its candidate may still be shown.
FAILED = frozenset({"FAILED", "CANCELED"})
# How often the environment is looked at while the deployment is still built.
GLANCE_SECONDS = 30.0
# The labels that tell whose a deployment is, and how each is said.
WHOSE = {"github-pr": "pull request #{}", "git-sha": "commit {}", "git-ref": "of {}", "github-run": "run {}"}


def overtaker(environment: Environment, ours: Ours) -> Deployment | None:
    """The newer deployment of somebody else that the environment serves or is being given, `None` for none.

    What it served before our promotion was asked for overtakes nobody, however new it is. Pure.
    """
    ended = environment.promotion is not None and environment.promotion.status in FAILED
    earlier = ours.before.current if ours.before else None
    for other in (None if ended else environment.candidate, environment.current):
        if other is None or ours.has(other) or (earlier and other.id == earlier.id):
            continue
        if other.created_at > ours.deployment.created_at != "":
            return other
    return None


def whose(deployment: Deployment) -> str:
    """In words: by its labels, `""` where they tell nothing. Pure."""
    words = [text.format(deployment.labels[name]) for name, text in WHOSE.items() if deployment.labels.get(name)]
    return ", ".join(words)


def overtaken(api: Api, model_id: str, environment: Environment, ours: Ours, other: Deployment) -> PromotionFailed:
    """The error of a run that was overtaken by `other`."""
    if not whose(other):  # labels may be left out within other objects
        with suppress(HttpError):  # then it stays without a name
            other = api.deployment(model_id, other.id, retry=False)
    serves = environment.current is not None and environment.current.id == other.id
    by = f" ({words})" if (words := whose(other)) else f" ({other.name})" if other.name else ""
    does = "serves" if serves else "is being given"
    return PromotionFailed(
        f"Overtaken: {environment.name!r} {does} the newer deployment {other.id}{by} instead of {ours.deployment.id}",
        "Nothing is left to do when that is the version to keep; else run this one again. `concurrency` in the "
        "workflow makes runs wait for each other; elsewhere let no two run at once.",
    )


class Lookout:
    """Looks now and then, while a deployment is built for an environment, whether somebody else's overtook it."""

    def __init__(self, api: Api, model_id: str, name: str, ours: Ours, clock: Clock) -> None:
        self._api = api
        self._model_id = model_id
        self._name = name
        self._ours = ours
        self._clock = clock
        self._looked_at = clock.now()

    def glance(self) -> None:
        """Look, if it is time. A look that fails says nothing. Raises `PromotionFailed` when it was overtaken."""
        if self._clock.now() - self._looked_at < GLANCE_SECONDS:
            return
        self._looked_at = self._clock.now()
        try:
            environment = self._api.environment(self._model_id, self._name, retry=False, seconds=GLANCE_SECONDS / 3)
        except HttpError:
            return
        if other := overtaker(environment, self._ours):
            raise overtaken(self._api, self._model_id, environment, self._ours, other)
