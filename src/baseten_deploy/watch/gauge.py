"""The looks at one place that is watched, an environment or a deployment: reads its metrics, and tells them.

What they mean is `judgement`, and what becomes of the run `following`.
"""

from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service.http import HttpError

from . import wording
from .judgement import Look, Verdict, Yardstick, judge, lasting

LOOK_SECONDS = 15.0
SAY_SECONDS = 60.0
REFUSALS = frozenset({401, 403, 404})


@dataclass(frozen=True)
class Place:
    """What is watched: the environment, or the deployment where that is `""`; `title` is how people call it."""

    title: str
    model_id: str
    environment: str = ""
    deployment: str = ""


class Gauge:
    """Looks at one place, from now on. `seconds` is how long it is to be watched, 0 where that is open."""

    def __init__(self, run: Run, place: Place, yardstick: Yardstick, seconds: float = 0.0) -> None:
        self.place = place
        self.yardstick = yardstick
        self.seconds = seconds
        self.looks: list[Look] = []
        self._run = run
        self._began = self._said_at = self.looked_at = run.clock.now()
        self._since = run.api.http.epoch_millis()

    @property
    def elapsed(self) -> float:
        """Seconds since the watch began."""
        return self._run.clock.now() - self._began

    def look(self) -> Verdict:
        """Look once, tell it where it is time to or something is new, and judge all looks so far."""
        self.looked_at = self._run.clock.now()
        self.looks.append(look := self._read())
        verdict = judge(self.looks, self.yardstick)
        crossed = look.metrics is not None and any(self.yardstick.crossings(look.metrics))
        unseen = not self.yardstick.sees(look)
        is_time = self._run.clock.now() - self._said_at >= SAY_SECONDS
        if len(self.looks) == 1 or is_time or crossed or unseen:
            self._said_at = self._run.clock.now()
            self._run.say(wording.line(self.elapsed, self.seconds, look, self.yardstick))
        return verdict

    def crossed(self) -> str:
        """Which limits are crossed for good, in words."""
        look = next(look for look in reversed(self.looks) if look.metrics)
        return wording.crossed(lasting(self.looks, self.yardstick), look, self.yardstick)

    def _read(self) -> Look:
        place, seconds = self.place, self.elapsed
        now = self._since + max(1, round(seconds * 1000))
        try:
            metrics = self._run.api.metrics(
                place.model_id, environment=place.environment, deployment=place.deployment, start=self._since, end=now
            )
        except HttpError as error:
            return Look(seconds, why=error.message, refused=error.status in REFUSALS)
        missing = self.yardstick.unmeasured(metrics)
        return Look(seconds, metrics, why=f"no data for {', '.join(missing)}" if missing else "")
