"""From a Chain's file to exactly one deployment: looked up, pushed by `truss`, found again when its answer is lost.

`truss` sends one request that makes something, the last one. Until then nothing exists, and a push that the network
ended may be begun anew; from then on it is never sent twice: the deployments that were not there before are looked at,
and exactly one is adopted.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from baseten_deploy.deployment.assembly import find_environments
from baseten_deploy.deployment.chain_lookup import find_chain, team_of
from baseten_deploy.deployment.creation import LOOKS, Committed
from baseten_deploy.deployment.on_failure import remember
from baseten_deploy.deployment.payload import deployment_name
from baseten_deploy.deployment.sent import Sent
from baseten_deploy.environment.target import PRODUCTION, Target, ensure_target
from baseten_deploy.errors import AuthFailed, CommitFailed, DeployError, InvalidInput, Rejected, UploadFailed
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service import shapes
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.service.remedies import failing_as
from baseten_deploy.service.retry import Failure, Fault, Tries

from . import start
from .blueprint import Blueprint, read_chain
from .import_error import number_of, text_of
from .process import Answer, signal_name

SECONDS = 1800.0
_SHOWN = 600
_AGAIN = 3  # starts, while nothing was made


@dataclass(frozen=True)
class ChainDraft:
    """A Chain that is about to be pushed: where to, into which environments, which deployments there are already."""

    blueprint: Blueprint
    destination: Destination
    targets: list[Target]
    team_id: str
    known: frozenset[str]

    @property
    def sent(self) -> Sent:
        """What its push sends, and how to find what that makes."""
        return Sent(replace(self.destination, team_id=self.team_id), known=self.known)


def draft_of_run(run: Run) -> ChainDraft:
    """The Chain of this run, read and looked up, with nothing changed yet."""
    return draft_chain(run, read_chain(run))


def draft_chain(run: Run, blueprint: Blueprint) -> ChainDraft:
    """Look up where the Chain goes. Changes nothing.

    An environment of a Chain that does not exist yet can only be made after it: then it is pushed without one, and
    promoted into it.
    """
    with run.phase("Look up"):
        destination = find_chain(run, blueprint.name)
        run.outputs.set("model-name", destination.name)
        run.outputs.set("changes", True)  # nothing tells that what serves is the same
        if destination.model:
            run.outputs.set("chain-id", destination.model.id)
            run.say(f"New deployment of the Chain {destination.name!r} ({destination.model.id})")
        else:
            run.say(f"New Chain {destination.name!r}")
        targets = find_environments(run, destination)
        if destination.model is None:
            _promote_instead(run)
        elif _redeploys(run, targets):
            # A push would end as a copy, and nothing tells whose copy that is; a promotion answers with its id.
            run.say(f"{run.settings.environment} redeploys what it is given: it is promoted into it once it is live")
            _promote_first(run)
        team_id = team_of(run, destination)
        known = _deployments(run.api, destination.model) if destination.model else {}
    return ChainDraft(blueprint, destination, targets, team_id, frozenset(known))


def _redeploys(run: Run, targets: list[Target]) -> bool:
    """Whether the environment of the push copies what it is given, and a promotion can take the push's place."""
    settings = run.settings
    if not settings.environment or not settings.wait:
        return False
    before, wanted = targets[0].before, settings.environment_settings or {}  # which one that is missing gets
    own = (before.settings if before else wanted).get("promotion_settings") or {}
    return own.get("redeploy_on_promotion") is True


def _promote_instead(run: Run) -> None:
    settings = run.settings
    if settings.environment in ("", PRODUCTION):
        return
    if not settings.wait:
        raise InvalidInput(
            f"`environment`: the Chain is new, and {settings.environment!r} is made once it is live",
            "Remove `wait: false` for the first run.",
        )
    run.say(f"{settings.environment} is made once the Chain is live, and it is promoted into it")
    _promote_first(run)


def _promote_first(run: Run) -> None:
    """Promote into the environment, once it is live, instead of pushing into it; then into `promote-to` as well."""
    settings = run.settings
    if settings.promote_to:
        run.first_into = settings.environment
    run.settings = replace(settings, environment="", promote_to=settings.promote_to or settings.environment)


def push_chain(run: Run, draft: ChainDraft) -> Committed:
    """Push it, once. Raises the `DeployError` of the step that failed."""
    destination = draft.destination
    if destination.model:
        with run.phase("Environment"):
            for target in draft.targets:
                ensure_target(run, destination.model.id, target)
    name = deployment_name(run.settings, run.origin)
    settings: dict[str, Any] = {
        "environment": run.settings.environment,
        "deployment_name": name,
        "team_id": draft.team_id,
    }
    settings["git_info"] = run.origin.user_env.get("git_info", {}) if run.settings.include_git_info else {}
    if destination.model is None:
        settings["environment"] = ""  # the first deployment is production's
    request = start.request_of(run, draft.blueprint.source, destination.name, **settings)
    with run.phase("Push"):
        answer = _pushed(run, request, draft.sent)
        found = _told(run, draft, answer, name)
        if found is None:
            found = _look(run, draft, answer, name)
            run.say(f"It did: deployment {found.deployment.id} exists")
    return found


def _pushed(run: Run, request: Mapping[str, Any], sent: Sent) -> Answer:
    """The answer of a push; begun anew while the network ended it before anything was made."""
    tries = Tries(run.clock, run.clock.now() + SECONDS, most=_AGAIN)
    while True:
        answer = start.start(run, request, seconds=SECONDS, with_key=True, remembered=lambda: remember(run, sent))
        error = answer.last("error")
        failure = _passing(error) if error and not answer.committed else None
        if failure is None or not tries.again(
            failure, lambda seconds: run.say(f"Nothing was made; again in {seconds:.1f} s")
        ):
            return answer


def _passing(error: Mapping[str, Any]) -> Failure | None:
    """The failure of a request that may go better the next time, `None` for any other."""
    status = number_of(error, "status")
    if status:
        failure = Failure(Fault.STATUS, status)
        return failure if failure.transient else None
    kinds = _kinds(error)
    if any(each.startswith("requests.exceptions.") and each.endswith(("ConnectionError", "Timeout")) for each in kinds):
        return Failure(Fault.NOT_SENT)
    return None


def _told(run: Run, draft: ChainDraft, answer: Answer, name: str) -> Committed | None:
    """What the push says that it made, if that is so; `None` when that is to be looked up. Raises what it failed by."""
    result = answer.last("result") if answer.committed else None  # the user's code can write there, too
    if result is not None:
        chain_id, deployment_id = str(result.get("chain_id", "")), str(result.get("deployment_id", ""))
        expected = draft.destination.model.id if draft.destination.model else chain_id
        shaped = shapes.is_identifier(chain_id) and shapes.is_identifier(deployment_id)
        if shaped and chain_id == expected and deployment_id not in draft.known:
            model = draft.destination.model or Model(chain_id, draft.destination.name)
            return Committed(
                model, _read(run, model, deployment_id, name), created_model=draft.destination.model is None
            )
        run.say("What the push says that it made is not what there can be; looking it up")
        return None
    error = answer.last("error")
    if not answer.committed:  # the one request that makes something was not sent
        raise _failed(error) if error else _unfinished(draft, answer)
    how = "was not done in time" if answer.timed_out else "ended " + _how(answer)
    run.say(f"The push {how}; checking whether it took effect")
    return None


def _unfinished(draft: ChainDraft, answer: Answer) -> DeployError:
    """The error of a push that ended without a word, before anything was made."""
    what = f"Pushing the Chain {draft.destination.name!r}"
    if answer.timed_out:
        return UploadFailed(
            f"{what} was not done in {SECONDS / 60:g} min, and nothing was made",
            "Have the Chain's file do less when it is imported, and keep large files out of its directory.",
        )
    return CommitFailed(
        f"{what} ended {_how(answer)} before anything was made",
        "See what it printed, above. A Chain's file only defines classes: it must not end the process.",
    )


def _how(answer: Answer) -> str:
    error = answer.last("error")
    return f"without an answer, {signal_name(answer.code)}" if error is None else f"by {_words(error)}"


def _read(run: Run, model: Model, deployment_id: str, name: str) -> Deployment:
    """The deployment as it is now; a fresh one may not be visible yet."""
    for pause in (0.0, *LOOKS[:2]):
        run.clock.sleep(pause)
        try:
            return replace(run.api.deployment(model.id, deployment_id, retry=False), name=name)
        except HttpError:
            continue
    return Deployment(deployment_id, name, "BUILDING")


def _failed(error: Mapping[str, Any]) -> DeployError:
    """The error of a push that ended before anything was made."""
    status, words, kinds = number_of(error, "status"), _words(error), _kinds(error)
    if status in (401, 403) or "AuthorizationError" in text_of(error, "type"):
        return AuthFailed(
            f"Pushing the Chain: Baseten does not accept the API key for that ({words})",
            "Use a key of a member or team that may deploy Chains, or set `team` to one that the key belongs to.",
        )
    if any(each.startswith(("botocore.", "boto3.", "s3transfer.")) for each in kinds):
        return UploadFailed(
            f"Uploading the Chain failed: {words}",
            "Check that this runner reaches S3 (DNS, proxy, firewall, `s3-endpoint-url`), and run again.",
        )
    if _passing(error):
        return Rejected(
            f"Pushing the Chain: no good answer, and nothing was made: {words}",
            "Check `app-url`, and that this runner can reach it (DNS, proxy, firewall); or run again later. The "
            "service's state: https://status.baseten.co",
        )
    return Rejected(
        f"Pushing the Chain was refused, and nothing was made: {words}", "Correct what is refused, and run again."
    )


def _look(run: Run, draft: ChainDraft, answer: Answer, name: str) -> Committed:
    """The deployment that a push without a usable answer made. Raises `CommitFailed` unless it is exactly one."""
    blind: HttpError | None = None
    seen: list[str] = []
    for pause in LOOKS:
        run.clock.sleep(pause)
        run.allow_retries()
        try:
            found = draft.sent.candidates(run.api)
        except HttpError as error:
            blind = error
            continue
        blind = None
        if len(found) == 1:
            return replace(found[0], deployment=replace(found[0].deployment, name=name))
        seen = [each.deployment.id for each in found]
        if seen:
            break
    end = "was not done in time" if answer.timed_out else f"ended {_how(answer)}"
    what = f"Pushing the Chain {draft.destination.name!r} {end}"
    remedy = "Look at the Chain's page before you run again."
    if blind:
        raise CommitFailed(f"{what}. Whether a deployment was made could not be checked: {blind.message}", remedy)
    if seen:
        raise CommitFailed(
            f"{what}. {len(seen)} deployments were made meanwhile ({', '.join(seen)}), and which one is this run's is "
            "not known",
            remedy,
        )
    told = answer.last("error") or {}
    if any(each.endswith(".ApiError") for each in _kinds(told)) or number_of(told, "status") in (
        400,
        401,
        403,
        404,
        422,
    ):
        raise CommitFailed(f"{what}. It was refused, and no deployment was made (checked)", "Correct what is refused.")
    raise CommitFailed(f"{what}. No deployment is to be seen, but one may still come up: that is not known", remedy)


def _deployments(api: Api, chain: Model) -> dict[str, Deployment]:
    with failing_as(Rejected, f"Listing the deployments of {chain.name!r}"):
        return {deployment.id: deployment for deployment in api.deployments(chain.id)}


def _kinds(error: Mapping[str, Any]) -> list[str]:
    """The classes of an error and of what led to it."""
    return [each for key in ("kinds", "causes") for each in error.get(key) or () if isinstance(each, str)]


def _words(error: Mapping[str, Any]) -> str:
    said = " ".join((text_of(error, "message") or text_of(error, "body")).split())
    words = f"{text_of(error, 'type') or 'an error'}{f': {said}' if said else ''}"
    return words if len(words) <= _SHOWN else words[: _SHOWN - 3] + "..."
