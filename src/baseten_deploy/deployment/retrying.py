"""`deploy-retries`: has the service try a deployment again that did not come up.

A build that failed is not tried again: the same files fail the same way.
"""

from collections.abc import Callable

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.promotion import Verdict, has_failed, judge, start
from baseten_deploy.environment.settings import of_promotion
from baseten_deploy.errors import DeployFailed, DeployTimeout
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model, Retry
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm, UnseenError
from baseten_deploy.service.remedies import explain
from baseten_deploy.service.retry import Tries

RETRIED = frozenset({"DEPLOY_FAILED", "FAILED"})
# How long a retry that was begun may take to show, in seconds.
SHOWS_SECONDS = 30.0


def live_in_the_end(run: Run, model: Model, deployment: Deployment, until_live: Callable[[Deployment], object]) -> bool:
    """Wait with `until_live`; after a failure have the same deployment tried again, `deploy-retries` times at most.

    Whether it was tried again.
    `until_live` is called with the deployment as it is and keeps to the time that is left. Raises what it raises, and
    `DeployFailed` with the service's reason when it does not try again.
    """
    for number in range(1, run.settings.deploy_retries + 1):
        try:
            until_live(deployment)
        except DeployTimeout:
            raise
        except DeployFailed as failed:
            status = _status(run, model, deployment)
            if status not in RETRIED:
                raise
            run.say(f"{status}; having the service try again ({number} of {run.settings.deploy_retries})")
            deployment = _retry(run, model, deployment, failed)
        else:
            return number > 1
    until_live(deployment)
    return run.settings.deploy_retries > 0


def promote_again(run: Run, model: Model, ours: Ours, name: str) -> None:
    """Ask for the promotion of a push that failed with its deployment, unless the service went on with it by itself.

    Raises `PromotionFailed` and `AuthFailed`.
    """
    try:
        environment = run.api.environment(model.id, name)
    except HttpError:
        return  # unknown is not failed; the wait that follows judges
    if judge(environment, ours) in (Verdict.FAILED, Verdict.ABSENT) and has_failed(environment, ours):
        run.say(f"The promotion into {name} failed with the deployment that is live now; asking for it again")
        fields = of_promotion(run.settings, environment)
        start(run.api, model.id, name, ours, settings=fields, clock=run.clock, say=run.say)
        ours.before = environment  # what it tells of a failure is over


def _status(run: Run, model: Model, deployment: Deployment) -> str:
    """What it ended as, `""` when that cannot be read: then nothing is tried again."""
    try:
        return run.api.deployment(model.id, deployment.id).status
    except HttpError:
        return ""


def _retry(run: Run, model: Model, deployment: Deployment, failed: DeployFailed) -> Deployment:
    """Ask for it once, whatever gets lost on the way; the deployment once it moves again."""
    problem = failed.problems[0]
    tries, answer = Tries(run.clock, run.api.http.deadline), None
    while answer is None:
        try:
            answer = run.api.retry_deployment(model.id, deployment.id)
        except HttpError as error:
            if error.failure.ambiguous and _status(run, model, deployment) not in RETRIED | {""}:
                break
            if not tries.again(error.failure):
                what = f"{problem.message}. Having the service try it again failed"
                raise explain(error, DeployFailed, what, problem.remedy) from failed
    if answer is not None and not answer.retried:
        raise DeployFailed(f"{problem.message}. The service does not try it again: {_reason(answer)}", problem.remedy)
    return _moving(run, model, answer.deployment if answer else deployment)


def _reason(answer: Retry) -> str:
    return answer.reason or "it gives no reason"


def _moving(run: Run, model: Model, deployment: Deployment) -> Deployment:
    """The deployment once its status is not the old failure, or as it is when half a minute has shown nothing else.

    The time in which it cannot be seen is not counted: the old failure would be taken for a new one.
    """
    clock, end = run.clock, run.api.http.deadline
    rhythm = Rhythm(clock)
    reads = Reads(
        lambda seconds: run.api.deployment(model.id, deployment.id, retry=False, seconds=seconds),
        clock,
        end,
        run.warn_text,
    )
    left = SHOWS_SECONDS
    while deployment.status in RETRIED and left > 0 and clock.now() < end:
        pause = min(rhythm.pause(), max(0.0, end - clock.now()))
        clock.sleep(pause)
        try:
            seen = reads.look()
        except (UnseenError, HttpError):
            break  # the wait that follows judges
        if seen or reads.missing:
            left -= pause
        deployment = seen or deployment
    return deployment
