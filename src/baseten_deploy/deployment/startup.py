"""How the replica started that a run waited for: read once after the wait, told in the log, the summary, the timeline.

A service without these calls, or one that refuses them, changes nothing. How an attempt is read is `service.startups`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import DeployError, DeployFailed
from baseten_deploy.report.amounts import duration
from baseten_deploy.report.blocks import Block, Weight
from baseten_deploy.report.markdown import escape, table
from baseten_deploy.report.timeline import Phase
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.startups import FAILED, SUCCESS, Medians, StartPhase, Startup

from .wait import epoch_millis

# So far back the starts of what served before count, and so much the service's clocks may differ among themselves.
MEDIAN_MILLIS = 30 * 86_400_000
SKEW_MILLIS = 60_000
# What a phase waits for, and so what to look at when it hangs.
HINTS = {
    "SCHEDULING": "No machine of that kind was free: try again, or another instance type.",
    "IMAGE_PULL": "The image is large, or its registry slow: see its size, and that of `base_image`.",
    "WEIGHT_DOWNLOAD": "The weights are large, or their source refuses them: see the secret and the revision.",
    "CONTAINER_CREATE": "The container could not be made: see its volumes and the resources of `config.yaml`.",
    "CONTAINER_START": "The server did not start: see its log, `start_command` and the requirements.",
    "READINESS": "The server runs and is not ready: most often `load()` takes long or waits for something.",
}


@contextmanager
def told(run: Run, model: Model, ours: Ours, before: str, *, made: bool = True) -> Iterator[None]:
    """Around a wait, tell afterwards how the start went; a wait that failed gets to say in which phase.

    `before` is the id of the deployment that served before, `""` for none. `made`: the run made this deployment; one
    that is activated again has started before, and only what starts from now on counts.
    """
    began = run.clock.now()
    try:
        yield
    except DeployError as error:
        if startup := _read(run, model, ours, began, live=False, made=made):
            _tell(run, startup, _medians(run, model, before))
            stuck = stuck_in(startup)
            if stuck and isinstance(error, DeployFailed):
                first, *rest = error.problems
                remedy = " ".join(filter(None, (HINTS.get(stuck.name, ""), first.remedy)))
                error.problems = (
                    replace(first, message=f"{first.message}. {in_words(startup, stuck)}", remedy=remedy),
                    *rest,
                )
        raise
    if startup := _read(run, model, ours, began, live=True, made=made):
        run.outputs.set("startup-seconds", f"{startup.seconds:.1f}")
        _tell(run, startup, _medians(run, model, before))


def chosen(attempts: Sequence[Startup], *, live: bool) -> Startup | None:
    """The attempt that tells how the wait ended: the first replica that came up, else the last that did not. Pure."""
    ready = [each for each in attempts if each.outcome == SUCCESS]
    if live:
        return min(ready, key=_ready_at, default=None)
    return max(
        (each for each in attempts if each.outcome != SUCCESS), key=lambda each: each.started_millis, default=None
    )


def stuck_in(startup: Startup) -> StartPhase | None:
    """The phase in which an attempt hung or failed, `None` where none was recorded. Pure."""
    phases = sorted(startup.phases, key=lambda phase: phase.offset)
    unfinished = [phase for phase in phases if phase.failed or phase.seconds is None]
    return unfinished[-1] if unfinished else phases[-1] if phases else None


def in_words(startup: Startup, phase: StartPhase) -> str:
    """Where an attempt hung or failed: `Its start-up hung in WEIGHT_DOWNLOAD, for 12 min`. Pure."""
    seconds = phase.seconds if phase.seconds is not None else max(0.0, startup.seconds - phase.offset)
    did = "failed" if startup.outcome == FAILED or phase.failed else "hung"
    return f"Its start-up {did} in {phase.name}, {'after' if did == 'failed' else 'for'} {duration(seconds)}"


def _ready_at(startup: Startup) -> int:
    return startup.ready_millis or startup.started_millis + round(startup.seconds * 1000)


def _read(run: Run, model: Model, ours: Ours, began: float, *, live: bool, made: bool) -> Startup | None:
    deployment = ours.deployment
    now = run.api.http.epoch_millis()
    start = now - round((run.clock.now() - began) * 1000) - SKEW_MILLIS
    created = None if deployment.is_development or not made else epoch_millis(deployment.created_at)
    if created is not None:
        start = created - SKEW_MILLIS
    start = max(0, start)
    try:
        return chosen(run.api.startups(model.id, deployment.id, start, max(now, start + 1)), live=live)
    except HttpError:
        return None


def _medians(run: Run, model: Model, before: str) -> Medians:
    if not before:
        return Medians()
    now = run.api.http.epoch_millis()
    try:
        return run.api.startup_medians(model.id, before, max(0, now - MEDIAN_MILLIS), now)
    except HttpError:
        return Medians()


def _tell(run: Run, startup: Startup, before: Medians) -> None:
    run.say(line(startup, before))
    run.blocks.append(Block(page(startup, before), Weight.DETAIL, "the start-up"))
    run.phases += timeline(startup, before, now=run.clock.now() - run.started, now_millis=run.api.http.epoch_millis())


def line(startup: Startup, before: Medians) -> str:
    """The start as a line of the log: `Start-up 42 s (before 38 s): scheduling 2.5 s, image pull 40 s`. Pure."""
    phases = ", ".join(f"{words(phase.name)} {_took(phase, before)}" for phase in startup.phases)
    outcome = "" if startup.outcome == SUCCESS else f" {startup.outcome} after"
    return f"Start-up{outcome} {duration(startup.seconds)}{_beside(before.total)}" + (f": {phases}" if phases else "")


def page(startup: Startup, before: Medians) -> str:
    """The start as a part of the summary, open when it did not come up. Pure."""
    rows = [
        (
            escape(words(phase.name)),
            _seconds(phase.seconds, startup.outcome),
            _seconds(before.phases.get(phase.name), ""),
        )
        for phase in startup.phases
    ]
    rows.append(("**in all**", duration(startup.seconds), _seconds(before.total, "")))
    came_up = startup.outcome == SUCCESS
    outcome = "" if came_up else f" {escape(startup.outcome)} after"
    title = f"Start-up{outcome} {duration(startup.seconds)}{_beside(before.total)}"
    cells = table(("phase", "took", "median before"), rows)
    return f"<details{'' if came_up else ' open'}><summary>{title}</summary>\n\n{cells}\n\n</details>"


def timeline(startup: Startup, before: Medians, *, now: float, now_millis: int) -> list[Phase]:
    """The phases as rows of the timeline, in seconds since the run began, which is `now` seconds ago. Pure."""
    if not startup.started_millis:
        return []
    began = now - (now_millis - startup.started_millis) / 1000
    rows = []
    for phase in startup.phases:
        seconds = phase.seconds if phase.seconds is not None else startup.seconds - phase.offset
        start = min(max(0.0, began + phase.offset), now)
        beside = _beside(before.phases.get(phase.name))
        failed = phase.failed or phase.seconds is None
        rows.append(Phase(f"Start-up, {words(phase.name)}{beside}", start, min(start + max(0.0, seconds), now), failed))
    return rows


def words(phase: str) -> str:
    """A phase as people say it: `image pull`. Pure."""
    return phase.replace("_", " ").lower()


def _took(phase: StartPhase, before: Medians) -> str:
    took = "not finished" if phase.seconds is None else duration(phase.seconds)
    return f"{took}{_beside(before.phases.get(phase.name))}"


def _beside(median: float | None) -> str:
    return "" if median is None else f" (before {duration(median)})"


def _seconds(seconds: float | None, otherwise: str) -> str:
    if seconds is not None:
        return duration(seconds)
    return "not finished" if otherwise else "-"
