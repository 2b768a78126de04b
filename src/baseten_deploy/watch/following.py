"""The watch of one run: during a rolling promotion the candidate, afterwards what is live, until its time is over.

It ends at once when a limit is crossed for good or what is watched goes down, and well when somebody else's newer
deployment takes its place. Taking a promotion back is `gate`'s.
"""

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.promotion import FINAL, progress_line
from baseten_deploy.errors import Cancelled, DeployError, Problem, WatchFailed, WatchUnseen
from baseten_deploy.inputs.watch_limits import Limits
from baseten_deploy.report.amounts import duration
from baseten_deploy.report.blocks import Block, Weight
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment, Model

from . import page
from .baseline import read_before
from .gauge import LOOK_SECONDS, Gauge, Place
from .judgement import BLIND_LOOKS, Verdict, Yardstick, is_settled
from .state import Overtaken, State

# When the time is over and the last look leaves a doubt, the next one is so soon.
CONFIRM_SECONDS = 2.0


class Watch:
    """Watches what a run brings up, as `watch-minutes` and `watch-limits` say; without the first it does nothing."""

    def __init__(self, run: Run, model: Model, ours: Ours) -> None:
        self._run = run
        self._model = model
        self._ours = ours
        self._seconds = run.settings.watch_minutes * 60
        self._yardstick = Yardstick(Limits.of(run.settings.watch_limits))
        self._candidate: Gauge | None = None

    def before(self, environment: Environment | None) -> "Watch":
        """Read what the environment did so far, before this run changes what it serves; returns the watch."""
        if self._seconds:
            limits = self._yardstick.limits
            before = read_before(self._run, self._model.id, environment, needed=bool(limits.ratios))
            self._yardstick = Yardstick(limits, before)
        return self

    def during(self, environment: Environment) -> None:
        """A look at an environment that a promotion is changing: from its first share on the candidate is watched.

        Raises `WatchFailed` when it crosses a limit for good, and `WatchUnseen` when its metrics cannot be read.
        """
        promotion, candidate = environment.promotion, environment.candidate
        if not self._seconds or promotion is None or candidate is None or not self._ours.has(candidate):
            return
        if promotion.status in FINAL or not (promotion.percent or promotion.status == "RAMPING_UP"):
            return
        if self._candidate is None:
            title = f"the candidate {candidate.id} of {environment.name}"
            place = Place(title, self._model.id, deployment=candidate.id)
            self._candidate = Gauge(self._run, place, self._yardstick)
            self._run.say(f"Watching {title} while it is promoted")
        if self._run.clock.now() - self._candidate.looked_at < LOOK_SECONDS:
            return
        try:
            self._judge(self._candidate, self._candidate.look(), f" ({progress_line(environment)})")
        except WatchFailed as error:
            self._tell(self._candidate, error.problems[0].message, good=False)
            raise

    def hold(self, environment: str = "") -> bool:
        """Watch what the environment serves, else the deployment; whether it is still ours in the end.

        Raises `WatchFailed` when a limit is crossed for good or it goes down, `WatchUnseen` when that cannot be told,
        and `PromotionFailed` when somebody took it back.
        """
        if not self._seconds:
            return True
        run = self._run
        state = State(run, self._model, self._ours, environment, run.clock.now() + self._seconds)
        place = Place(state.title, self._model.id, environment, self._ours.deployment.id)
        gauge = Gauge(run, place, self._yardstick, self._seconds)
        with run.phase(f"Watch {place.title}", beats=False):
            self._announce(place)
            try:
                self._follow(gauge, state)
            except Overtaken as overtaken:
                self._end(gauge, f"Overtaken: {overtaken}, so the watch ended after {duration(gauge.elapsed)}")
                return False
            except DeployError as error:
                self._tell(gauge, error.problems[0].message, good=False)
                raise
            except Cancelled:
                self._leave(gauge, environment)
                raise
            self._end(gauge, page.outcome(gauge))
        return True

    def _follow(self, gauge: Gauge, state: State) -> None:
        """Look until the time is over and the last look leaves no doubt."""
        clock, end = self._run.clock, self._run.clock.now() + self._seconds
        due, doubts = min(clock.now() + LOOK_SECONDS, end), 0
        while True:
            clock.sleep(max(0.0, min(state.pause(), due - clock.now())))
            state.look()
            if clock.now() < due:
                continue
            self._judge(gauge, gauge.look())
            if clock.now() < end:
                due = min(max(clock.now(), due + LOOK_SECONDS), end)
            elif is_settled(gauge.looks, self._yardstick) and state.unseen is None:
                return
            elif (doubts := doubts + 1) > BLIND_LOOKS:
                raise state.unseen or self._failed(gauge, page.outcome(gauge))  # one limit is crossed, then another
            else:
                due = clock.now() + CONFIRM_SECONDS

    def _judge(self, gauge: Gauge, verdict: Verdict, where: str = "") -> None:
        """Raise what the looks of a gauge come to, if anything."""
        if verdict is Verdict.CROSSED:
            raise self._failed(gauge, f"{gauge.place.title}: {gauge.crossed()}, on two looks in a row{where}")
        if verdict is Verdict.BLIND:
            last = gauge.looks[-1].why
            goes_on = "; the promotion goes on" if gauge is self._candidate else ""
            raise WatchUnseen(
                f"{gauge.place.title} could not be watched: its metrics could not be read ({last}){where}{goes_on}",
                "Nothing was undone. A key that is refused needs the permission to read metrics; without a way to read "
                f"them, leave out `watch-minutes`. {self._way_back()}",
            )

    def _failed(self, gauge: Gauge, message: str) -> WatchFailed:
        if gauge is self._candidate and not self._run.settings.rollback_on_failure:
            return WatchFailed(f"{message}; the promotion goes on", f"Cancel it on its page. {self._way_back()}")
        return WatchFailed(message, self._way_back() or "See its log, correct the model and run again.")

    def _way_back(self) -> str:
        """The inputs of a run that would roll back, `""` where there is nothing to go back to."""
        outputs = self._run.outputs
        environment, previous = outputs.get("environment"), outputs.get("previous-deployment-id")
        if not environment or not previous:
            return ""
        return (
            f"To go back: `mode: rollback`, `model-id: {self._model.id}`, `environment: {environment}`, "
            f"`deployment-id: {previous}`."
        )

    def _announce(self, place: Place) -> None:
        self._run.say(f"Watching {place.title} for {duration(self._seconds)}; a look every {LOOK_SECONDS:g} s")
        if unjudged := self._yardstick.unjudged:
            names = " and ".join(f"`{name}`" for name in unjudged)
            self._notice(
                f"{names} cannot be judged: there is not enough in the hour before to compare {place.title} with",
                "A limit in seconds, such as `p95-seconds`, needs nothing to compare with.",
            )

    def _end(self, gauge: Gauge, outcome: str) -> None:
        """The watch ended well: say how, and give notice of what it did not see."""
        self._tell(gauge, outcome, good=True)
        self._run.say(outcome)
        judged = any(look.metrics and self._yardstick.judges(look.metrics) for look in gauge.looks)
        if not judged or outcome.startswith("Overtaken"):
            self._notice(outcome, "Nothing is left to do if that is as it should be.")

    def _leave(self, gauge: Gauge, environment: str) -> None:
        """Say what a cancelled watch leaves in place."""
        stays = f"{environment} goes on serving {self._ours.deployment.id}" if environment else "the deployment stays"
        said = f"Cancelled after {duration(gauge.elapsed)} of watching: {stays}"
        self._tell(gauge, said, good=False)
        self._run.say(said)
        previous = self._run.outputs.get("previous-deployment-id")
        if environment and previous and self._run.settings.rollback_on_failure:
            self._run.say(
                f"{previous}, which {environment} served before, was kept up: scale it down when you need it no more"
            )

    def _tell(self, gauge: Gauge, outcome: str, *, good: bool) -> None:
        self._run.blocks.append(Block(page.watched(gauge, outcome, good=good), Weight.RESULT, "the watch"))

    def _notice(self, message: str, remedy: str) -> None:
        self._run.runner.notice(Problem(message, remedy))
