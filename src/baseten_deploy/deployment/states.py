"""What the status of a deployment means: on its way, live or failed, and what to do about a failure. Pure.

Spec: the enum of deployment statuses of the management API, which grows: an unknown one is on its way.
"""

from enum import Enum, auto

from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.statuses import FAILED, IN_PROGRESS, LIVE, UNHEALTHY

# An unhealthy deployment may recover; one that stays so for this long does not.
UNHEALTHY_SECONDS = 60.0


class Verdict(Enum):
    """What a status means for the wait."""

    GOES_ON = auto()
    LIVE = auto()
    FAILED = auto()


def verdict(status: str, unhealthy_for: float) -> Verdict:
    """Judge a status; `unhealthy_for` is for how many seconds it has been UNHEALTHY. An unknown one goes on."""
    if status in LIVE:
        return Verdict.LIVE
    if status in FAILED or (status == UNHEALTHY and unhealthy_for >= UNHEALTHY_SECONDS):
        return Verdict.FAILED
    return Verdict.GOES_ON


def is_known(status: str) -> bool:
    """Whether this version knows what a status means."""
    return status in IN_PROGRESS | LIVE | FAILED | {UNHEALTHY}


def failed_chainlets(deployment: Deployment) -> str:
    """Which chainlets of a failed Chain are to blame, in words; `""` for a model, or when it is none of them."""
    found = [
        f"{chainlet.name} is {chainlet.status}"
        for chainlet in deployment.chainlets
        if chainlet.status in FAILED | {UNHEALTHY}
    ]
    return f"the chainlet {', '.join(found)}" if found else ""


def waiting_chainlets(deployment: Deployment) -> str:
    """Which chainlets of a Chain are not live yet, in words; `""` for a model, or when all of them are."""
    found = [
        f"{chainlet.name} is {chainlet.status}" for chainlet in deployment.chainlets if chainlet.status not in LIVE
    ]
    return f"the chainlet {', '.join(found)}" if found else ""


def failure_remedy(status: str) -> str:
    """What to do about a deployment that ended in `status`."""
    if status in ("BUILD_FAILED", "BUILD_STOPPED"):
        return (
            "Read the build log, in this step's log or on the logs page: requirements, system packages and build "
            "commands run there."
        )
    if status in ("INACTIVE", "DEACTIVATING"):
        return "Somebody or something deactivated it; activate it, or run again."
    if status == UNHEALTHY:
        return "The model was loaded and then stopped answering its health checks; see its log."
    return (
        "Read the log, in this step's or on the logs page: most often `load()` raised, or the model needs more memory."
    )
