"""What a deploy knows of itself before it is made, as a plan does: its cost, what it changes, secrets that are missing.

All of it is asked beside the dry run and the upload, and none of it holds them up; only `max-hourly-cost` waits for the
prices, which are then on their way since the run began. What is not known is not said.
"""

from typing import NoReturn

from baseten_deploy.background import in_background
from baseten_deploy.cost import pricing
from baseten_deploy.cost.estimate import Estimate
from baseten_deploy.cost.pricing import Pricing
from baseten_deploy.deployment.assembly import Draft
from baseten_deploy.deployment.prerequisites import Prerequisites
from baseten_deploy.errors import Rejected
from baseten_deploy.run import Run
from baseten_deploy.service.http import HttpError
from baseten_deploy.truss.directory import place_of

from .changes import drifted
from .live_deployment import find_live, unchanged

# How long a run waits to know what it changes, in seconds, once its deployment is made.
_PATIENCE = 1.0


class Limit:
    """`max-hourly-cost`, from the beginning of a run on, with the prices on their way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.pricing = Pricing(run)

    def refuse_listing(self) -> NoReturn:
        """Raise `Rejected`: nobody can know what a library listing costs."""
        raise Rejected(pricing.unknown_refusal(self._run.settings.max_hourly_cost, pricing.LISTING))


class Forecast:
    """Of one deploy. Raises `Rejected` when it is made and the deploy can cost more than `max-hourly-cost`."""

    def __init__(self, run: Run, draft: Draft, limit: Limit | None) -> None:
        self._run = run
        self._draft = draft
        self._pricing = limit.pricing if limit else Pricing(run)
        if limit and (problems := pricing.refusals(run, self._estimates())):
            raise Rejected(problems)
        self._needs = Prerequisites(run, draft.truss, draft.destination)
        self._changing = in_background(self._changes)

    def tell(self) -> None:
        """Write `changes` and `hourly-cost`, say what it costs, and warn of what it lacks."""
        run, cost = self._run, self._estimates()
        try:
            run.outputs.set("changes", self._changing.result(timeout=_PATIENCE))
        except TimeoutError:
            run.outputs.set("changes", True)
        for problem in (
            *self._needs.missing(),
            *pricing.idle_resources(cost, place_of(self._draft.truss, "resources")),
        ):
            run.warn(problem)
        pricing.tell(run, cost)

    def _estimates(self) -> list[Estimate]:
        draft = self._draft
        return self._pricing.estimates(draft.payload["config"], draft.targets, draft.payload)

    def _changes(self) -> bool:
        """Whether this deploy changes what serves; what is not known counts as changed."""
        run, draft = self._run, self._draft
        if draft.destination.model is None or run.settings.skip_unchanged:  # which was asked and did not skip
            return True
        if drifted(draft.targets, run.settings.environment_settings):
            return True
        try:
            places = find_live(run, draft.destination, draft.targets)
        except HttpError:
            return True
        return unchanged(places, draft.digest, run.settings.trigger) is None
