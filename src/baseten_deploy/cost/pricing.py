"""The cost of one run: the prices, asked for beside everything else, and what becomes of a run that costs too much.

A service that has no prices, or does not tell them, changes nothing but that the cost is not known.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from baseten_deploy.background import in_background
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.run import Run
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.instance_types import PricedInstanceType

from . import page
from .estimate import Estimate, estimate

# A run whose cost limits nothing does not wait longer for the prices than this, in seconds: a deploy has better to do.
PATIENCE = 1.0
PATIENCE_OF_A_PLAN = 10.0
_LATE = "the service did not answer with its prices in time"
LISTING = "a library listing brings an instance type of its own"

Prices = Sequence[PricedInstanceType] | str


class Pricing:
    """The prices of a run: asked for when this is made, and there when they are needed."""

    def __init__(self, run: Run, patience: float = PATIENCE) -> None:
        self._run = run
        self._patience = patience
        self._limited = run.settings.max_hourly_cost is not None
        # Not worth a second try, unless the run cannot go on without.
        self._asked = in_background(lambda: read_prices(run, retry=self._limited))

    def estimates(
        self, config: Mapping[str, Any], targets: Sequence[Target], payload: Mapping[str, Any]
    ) -> list[Estimate]:
        """The cost in each environment that the run goes into, or of a deployment in none; writes `hourly-cost`.

        `payload` is what is sent: its fields count where it is pushed to, and its config, for what `config` lacks.
        """
        prices, settings = self._prices(), self._run.settings
        places: list[tuple[str, Target | None]] = [(target.name, target) for target in targets] or [("", None)]
        found = []
        for name, target in places:
            pushed = payload if name == settings.environment else {}
            extra = {
                **({"instance_type_id": payload["instance_type_id"]} if "instance_type_id" in payload else {}),
                **pushed,
            }
            found.append(estimate(prices, settings, config, name, target.before if target else None, extra=extra))
        if then := found[-1].then:
            self._run.outputs.set("hourly-cost", page.plain(then.most))
        return found

    def _prices(self) -> Prices:
        try:
            return self._asked.result(timeout=None if self._limited else self._patience)
        except TimeoutError:
            return _LATE


def read_prices(run: Run, *, retry: bool) -> Prices:
    """The prices, or why there are none, as the end of a sentence."""
    try:
        return run.api.instance_type_prices(retry=retry) or "the service names no prices"
    except HttpError as error:
        return f"the service does not answer with its prices ({error.message})"


def refusals(run: Run, estimates: Sequence[Estimate]) -> list[Problem]:
    """What `max-hourly-cost` has against the run, whose cost it is; nothing without a limit."""
    limit = run.settings.max_hourly_cost
    return [] if limit is None else [each for found in estimates if (each := _refusal(found, limit))]


def unknown_refusal(limit: float | None, why: str) -> list[Problem]:
    """As `refusals`, of a run whose cost nobody can know."""
    return [] if limit is None else [_unknown("this run", why, limit)]


def idle_resources(
    estimates: Sequence[Estimate], place: tuple[str, int, int], *, touched: bool = False
) -> list[Problem]:
    """A warning for each environment in which the config's `resources` have no effect, because it keeps its own.

    `touched`: they differ from what is live. `place` is where the config has them: file, line and column.
    """
    return [
        Problem(
            f"`resources` have no effect: `{found.where}` keeps its instance type, `{found.kept.name}`, and they "
            f"{'ask for another' if found.ignores_resources else 'changed'}",
            "Set `preserve-env-instance-type: false` to have the environment take that of the config.",
            *place,
        )
        for found in estimates
        if found.kept and (found.ignores_resources or (touched and found.ignores_resources is None))
    ]


def tell(run: Run, estimates: Sequence[Estimate]) -> None:
    """Say it in the log and the summary of a deploy."""
    for found in estimates:
        run.say(f"Cost of {page.line(found)}")
        if found.then:
            run.notes.append(page.folded(found, run.redactor.redact))


def _refusal(found: Estimate, limit: float) -> Problem | None:
    where = f"the environment `{found.where}`" if found.where else "this deployment"
    if found.then is None:
        return _unknown(where, found.why_not_then, limit)
    if found.then.most <= limit:
        return None
    most, number = page.usd(found.then.most), found.then.replicas.largest
    return Problem(
        f"`max-hourly-cost`: {where} can cost {most} an hour, more than {page.usd(limit)}: "
        f"{number} x `{found.then.machine.name}` at {page.usd(found.then.per_hour(1))}",
        "Take a smaller instance type or fewer replicas (`max_replica` in `environment-settings`), or raise "
        "`max-hourly-cost`.",
    )


def _unknown(where: str, why: str, limit: float) -> Problem:
    return Problem(
        f"`max-hourly-cost`: what {where} will cost is not known, because {why}; at most {page.usd(limit)} an hour "
        "are allowed",
        "Remove `max-hourly-cost`, if the run is to go on all the same.",
    )
