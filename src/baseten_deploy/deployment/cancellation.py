"""Cancels the promotion that a cancelled run began, so that its deployment can be retired. Nobody else's."""

from collections.abc import Collection

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.promotion import FINAL
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, UnseenError

LOOK_SECONDS = 0.5
# A model that is not there so many times in a row has no promotion any more.
GONE = 3
# A cancellation that is refused so often is not to be had.
REFUSALS = 3


def cancel_promotions(run: Run, api: Api, model: Model, ids: Collection[str]) -> None:
    """Cancel the promotions of these deployments, and wait until no environment is being given one of them.

    Until the deadline of `api`; traffic has to move back first. Raises `HttpError` when it cannot be done, or was not
    seen to be.
    """
    cancelling = _Cancelling(run, api, model)
    end = api.http.deadline
    reads = Reads(lambda seconds: _held(api, model, ids, seconds), run.clock, end, run.warn_text)
    while True:
        try:
            held = reads.look()
        except UnseenError as nothing:
            raise nothing.last from nothing
        if held:
            cancelling.ask(held)
        elif held is not None or reads.missing >= GONE:
            return
        if run.clock.now() + LOOK_SECONDS >= end:
            if unseen := reads.unseen():
                raise unseen.last
            if held:
                run.say(f"{held[0].name} is still being given back what it served")
            return
        run.clock.sleep(LOOK_SECONDS)


class _Cancelling:
    """What was asked for so far: each environment's promotion is cancelled once."""

    def __init__(self, run: Run, api: Api, model: Model) -> None:
        self._run = run
        self._api = api
        self._model = model
        self._done: set[str] = set()
        self._doubtful: set[str] = set()
        self._refusals = 0

    def ask(self, held: Collection[Environment]) -> None:
        """Cancel what is not cancelled yet. Raises `HttpError` when that is refused for good."""
        for name in [row.name for row in held if row.name not in self._done]:
            try:
                self._api.cancel_promotion(self._model.id, name)
            except HttpError as error:
                self._judge(name, error)
            else:
                self._done.add(name)
                self._run.say(f"Cancelled the promotion into {name}")

    def _judge(self, name: str, error: HttpError) -> None:
        """It may have ended meanwhile, or be moving back already: then the next look tells."""
        if error.status in (401, 403):
            raise error
        if error.failure.ambiguous:
            self._doubtful.add(name)
        elif not error.failure.transient:
            self._refusals += 1
            if name in self._doubtful:  # nothing is left to cancel: the try whose answer was lost took effect
                self._done.add(name)
            elif self._refusals >= REFUSALS:
                raise error


def _held(api: Api, model: Model, ids: Collection[str], seconds: float) -> list[Environment]:
    """The environments that are being given one of these deployments, or a copy of one."""
    given = [
        row
        for row in api.environments(model.id, retry=False, seconds=seconds)
        if row.candidate and not (row.promotion and row.promotion.status in FINAL)
    ]
    if not any(row.candidate and row.candidate.id not in ids for row in given):
        return given
    ours = []
    for deployment_id in sorted(ids):
        try:
            ours.append(Ours(api.deployment(model.id, deployment_id, retry=False, seconds=seconds)))
        except HttpError as error:
            if error.status != 404:
                raise
    return [
        row for row in given if row.candidate and (row.candidate.id in ids or any(it.has(row.candidate) for it in ours))
    ]
