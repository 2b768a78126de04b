"""What the environments of a run that failed serve in the end: looked at once more, so that its pages say what is so.

A look that fails is no other failure: what is not seen is unknown, and is said to be.
"""

from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.report.account import Known, Switch
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.http import HttpError

SECONDS = 5.0


def look_again(run: Run) -> None:
    """Look at each environment that this run may have changed. Raises nothing."""
    account = run.ledger.account
    if not account.model_id:
        return
    for target in account.targets:
        if target.switch is Switch.UNTOUCHED:
            continue
        if account.made is Known.UNKNOWN:  # then nothing could be told of what it serves
            run.ledger.unseen(target.name)
        else:
            _look(run, account.model_id, target.name)


def _look(run: Run, model_id: str, name: str) -> None:
    run.api.http.deadline = max(run.api.http.deadline, run.clock.now() + SECONDS)
    try:
        current = run.api.environment(model_id, name, retry=False, seconds=SECONDS).current
        ours = current is not None and _is_ours(run, model_id, current)
    except HttpError:
        run.ledger.unseen(name)
        return
    run.ledger.serves(name, current.id if current else "", ours=ours)


def _is_ours(run: Run, model_id: str, current: Deployment) -> bool:
    """Whether it is the deployment of this run, or the copy that a promotion made of it. Raises `HttpError`."""
    account, key = run.ledger.account, run.sent.deploy_key if run.sent else ""
    if account.is_ours(current.id):
        return True
    if not key or current.id in {target.before.deployment_id for target in account.targets}:
        return False
    if not current.says_labels:  # they may be left out within other objects
        current = run.api.deployment(model_id, current.id, retry=False, seconds=SECONDS)
    return current.labels.get(DEPLOY_KEY_LABEL) == key
