"""What the environments of a run that failed serve in the end: looked at once more, so that its pages say what is so.

A look that fails is no other failure: what is not seen is unknown, and is said to be.
"""

from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.report.account import Known, Switch, Target
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.http import HttpError

SECONDS = 5.0


def look_again(run: Run) -> None:
    """Look at each environment that this run may have changed. Raises nothing."""
    account = run.ledger.account
    if not account.model_id or account.made is Known.UNKNOWN:
        return
    for target in account.targets:
        if _may_have_moved(target):
            _look(run, account.model_id, target.name)


def _may_have_moved(target: Target) -> bool:
    return target.switch is not Switch.UNTOUCHED


def _look(run: Run, model_id: str, name: str) -> None:
    run.api.http.deadline = max(run.api.http.deadline, run.clock.now() + SECONDS)
    try:
        current = run.api.environment(model_id, name, retry=False, seconds=SECONDS).current
    except HttpError:
        run.ledger.unseen(name)
        return
    run.ledger.serves(name, current.id if current else "", ours=_is_ours(run, current))


def _is_ours(run: Run, current: Deployment | None) -> bool:
    """Whether it is the deployment of this run, or the copy that a promotion made of it."""
    if current is None:
        return False
    key = run.sent[1] if run.sent else ""
    return run.ledger.account.is_ours(current.id) or (bool(key) and current.labels.get(DEPLOY_KEY_LABEL) == key)
