"""What becomes of a deployment when the run that made it failed or was cancelled.

A cancelled process has seconds: what `on-cancel` asks for is tried at once, and what is not done by then is left, with
the facts saved as the step's state, to the post step (`post`).
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from baseten_deploy.background import in_background
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import Cancelled, DeployError, Problem
from baseten_deploy.inputs.settings import Aftermath, Mode
from baseten_deploy.records import dataclass
from baseten_deploy.report.blocks import Block, Weight
from baseten_deploy.report.markdown import code
from baseten_deploy.run import Run, make_api
from baseten_deploy.service import shapes
from baseten_deploy.service.answers import Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError, make_client
from baseten_deploy.service.model_lookup import Destination

from .cancellation import cancel_promotions
from .creation import Committed
from .retirement import reason_to_stay, retire
from .sent import CANCELLED_LOOKS, Sent

# GitHub kills a cancelled step 7.5 s after SIGINT; the report needs some of that too.
CANCEL_SECONDS = 3.5
# The state reaches the post step as an environment variable, of which Linux takes 128 KiB.
_STATE_LETTERS = 100_000

T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """What the post step needs to know, as saved by the run. `deployment_ids` is empty while a commit is on its way.

    It is found by its `deploy_key` then, or as the one that is none of those `known`: see `sent`.
    """

    model_id: str = ""
    model_name: str = ""
    team_id: str = ""
    deploy_key: str = ""
    deployment_ids: tuple[str, ...] = ()
    cleared: bool = False
    retires: bool = True  # false where the run only promoted what another one made
    known: tuple[str, ...] | None = None  # deployments that a Chain had before; `None` for a model

    @classmethod
    def of(cls, sent: Sent) -> "Saved":
        """What finds what was sent."""
        destination, known = sent.destination, sent.known
        return cls(
            sent.model.id if sent.model else "",
            destination.name,
            destination.team_id,
            sent.deploy_key,
            known=None if known is None else tuple(sorted(known)),
        )

    @property
    def sent(self) -> Sent:
        """The same, read back."""
        model = Model(self.model_id, self.model_name) if self.model_id else None
        known = None if self.known is None else frozenset(self.known)
        return Sent(Destination(self.model_name, model, self.team_id), self.deploy_key, known)

    def write(self, run: Run) -> None:
        """Save it; a later state replaces an earlier one. What is too long to get through is not saved."""
        text = json.dumps(vars(self))
        if len(text) <= _STATE_LETTERS:
            run.runner.state("deployment", text)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Saved | None":
        """What the run saved, `None` when it made nothing, or when that is not what a run saves.

        Whoever writes the state names what is deleted: only what has the shape of an id is one.
        """
        try:
            facts = json.loads(environment.get("STATE_deployment", ""))
        except (ValueError, RecursionError):
            return None
        if not isinstance(facts, dict):
            return None
        ids, known = facts.get("deployment_ids"), facts.get("known")
        before = [] if known is None else known
        texts = {name: facts.get(name, "") for name in ("model_id", "model_name", "team_id", "deploy_key")}
        if not isinstance(ids, list) or not isinstance(before, list):
            return None
        if not all(isinstance(text, str) for text in (*texts.values(), *ids, *before)):
            return None
        named = [*ids, *before, *filter(None, (texts["model_id"], texts["team_id"]))]
        of_chain = known is not None and (texts["model_id"] or texts["model_name"])
        found_by = texts["model_id"] if ids else texts["deploy_key"] or of_chain
        if not found_by or not all(map(shapes.is_identifier, named)):
            return None
        return cls(
            **texts,
            deployment_ids=tuple(ids),
            cleared=facts.get("cleared", False) is not False,
            retires=facts.get("retires", True) is not False,
            known=None if known is None else tuple(before),
        )


def remember(run: Run, sent: Sent) -> None:
    """Note, before a commit is sent, how to find what it may make."""
    run.sent = sent
    Saved.of(sent).write(run)


@contextmanager
def of_commit(run: Run, announce: Callable[[Run, Committed], None]) -> Iterator[None]:
    """When the run is cancelled while a commit is on its way, find out what it made, name it, and clear it away."""
    try:
        yield
    except Cancelled:
        if sent := run.sent:
            with suppress(HttpError, TimeoutError):
                found = _quickly(run, lambda api: sent.look(api, run.clock, CANCELLED_LOOKS))
                if len(found) == 1:
                    announce(run, found[0])
                    cancelled(run, found[0].model, {found[0].deployment.id})
        raise


@contextmanager
def of_deployment(run: Run, model: Model, ours: Ours) -> Iterator[None]:
    """When the run fails or is cancelled inside, do with its deployment what `on-failure` or `on-cancel` says."""
    Saved(model.id, model.name, deployment_ids=tuple(ours.ids)).write(run)
    try:
        yield
    except DeployError as error:
        if error.unseen:
            if run.settings.on_failure is not Aftermath.KEEP:
                run.say(f"`on-failure: {run.settings.on_failure}` is not done: whether it failed is not known")
            raise
        run.allow_retries()
        clear_away(run, run.api, model, ours.ids, run.settings.on_failure)
        raise
    except Cancelled:
        cancelled(run, model, ours.ids)
        raise


def remember_promotion(run: Run, model: Model, ours: Ours) -> None:
    """Note under which ids a promotion that was begun is known; one may have been made for it."""
    retires = run.settings.mode is Mode.DEPLOY
    Saved(model.id, model.name, deployment_ids=tuple(sorted(ours.ids)), retires=retires).write(run)


@contextmanager
def of_promotion(run: Run, model: Model, ours: Ours, *, activated: bool) -> Iterator[None]:
    """When the run is cancelled inside, cancel the promotion that it began; what it promotes is not its own.

    When it fails, say what stays up because the run `activated` it.
    """
    try:
        yield
    except DeployError:
        if activated:
            message = f"The deployment {ours.deployment.id} is up: this run activated it"
            run.warn(Problem(message, "Deactivate it if nothing else needs it."))
        raise
    except Cancelled:
        cancelled(run, model, ours.ids, retires=False)
        raise


def cancelled(run: Run, model: Model, ids: Collection[str], *, retires: bool = True) -> None:
    """Do what `on-cancel` says, as far as there is time; with `retires` false only as far as promotions go."""
    saved = Saved(model.id, model.name, deployment_ids=tuple(sorted(ids)), retires=retires)
    saved.write(run)
    if run.settings.on_cancel is Aftermath.KEEP:
        run.say(f"Cancelled; the deployment {', '.join(sorted(ids))} goes on (`on-cancel: keep`)")
        return
    try:
        done = _quickly(run, lambda api: clear_away_cancelled(run, api, saved))
    except TimeoutError:
        done = False
    if done:
        replace(saved, cleared=True).write(run)
    else:
        run.say("There was no time to clear away the deployment; the post step tries again")


def clear_away_cancelled(run: Run, api: Api, saved: Saved) -> bool:
    """Cancel the promotion that the run began, then do what `on-cancel` says. Whether all of it is done."""
    model = Model(saved.model_id, saved.model_name)
    try:
        cancel_promotions(run, api, model, saved.deployment_ids, retires=saved.retires)
    except HttpError as error:
        ids = ", ".join(saved.deployment_ids)
        run.warn(Problem(f"The promotion of {ids} could not be cancelled: {error.message}", "Cancel it on its page."))
        return False
    if not saved.retires:
        return True
    return clear_away(run, api, model, saved.deployment_ids, run.settings.on_cancel)


def clear_away(run: Run, api: Api, model: Model, ids: Collection[str], how: Aftermath) -> bool:
    """Deactivate or delete the deployments; that one fails is a warning, not another status. Whether none failed."""
    done = True
    for deployment_id in sorted(ids) if how is not Aftermath.KEEP else ():
        try:
            if reason := reason_to_stay(run, api, model, deployment_id):
                run.warn(
                    Problem(
                        f"The deployment {deployment_id} stays: {reason}",
                        f"When nothing needs it any more, {how} it yourself.",
                    )
                )
            else:
                became = retire(api, model, deployment_id, how)
                run.ledger.became(deployment_id, became)
                run.say(f"The deployment {deployment_id}: {became}")
                block = Block(
                    f"The deployment {code(deployment_id)} is {became} now.", Weight.DETAIL, "what was retired"
                )
                run.blocks.append(block)
        except HttpError as error:
            done = False
            message = f"The deployment {deployment_id} could not be cleared away: {error.message}"
            run.warn(Problem(message, f"It is still there; {how} it yourself."))
    return done


def _quickly(run: Run, work: Callable[[Api], T]) -> T:
    """Do something with connections of its own (a signal may have left the others in any state) in little time."""
    clock = run.clock
    client = make_client(run.way)
    api = make_api(run.settings, client, clock, run.redactor)
    api.http.deadline = clock.now() + CANCEL_SECONDS
    return in_background(lambda: work(api)).result(timeout=CANCEL_SECONDS)
