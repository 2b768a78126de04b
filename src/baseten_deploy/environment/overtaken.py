"""Whether somebody else's newer deployment took our place in an environment, and whose it is.

A run that is overtaken ends at once: the service promotes one deployment after the other, and the newer one is to stay.
"""

from contextlib import suppress

from baseten_deploy.errors import PromotionFailed
from baseten_deploy.service.answers import Deployment, Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError

from .ours import Ours

# A promotion that ended so gives nobody anything, although its candidate may still be shown.
FAILED = frozenset({"FAILED", "CANCELED"})
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
        "workflow makes runs wait for each other.",
    )
