"""Whether what is watched is still there, still ours and still up: looks at the environment, or at the deployment.

How often it is read, and what a read means that fails, is `service.polling`.
"""

from baseten_deploy.deployment.states import UNHEALTHY, Verdict, failure_remedy, verdict
from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.overtaken import overtaker, whose
from baseten_deploy.errors import PromotionFailed, WatchFailed, WatchUnseen
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm, UnseenError

# What is not there, or something else is, on so many looks in a row: that is so.
GONE = 3


class Overtaken(Exception):
    """Somebody else's newer deployment takes our place: what is left to watch is not ours. `str` says whose."""


class State:
    """The state of what a run watches, from now until `end` (of `clock.now()`)."""

    def __init__(self, run: Run, model: Model, ours: Ours, environment: str, end: float) -> None:
        self._run = run
        self._model = model
        self._ours = ours
        self._name = environment
        self._strange = 0
        self._unhealthy_since: float | None = None
        self._rhythm = Rhythm(run.clock)
        self._reads: Reads[Environment | Deployment] = Reads(self._read, run.clock, end, run.warn_text)

    @property
    def title(self) -> str:
        """What is watched, as people call it."""
        return self._name or f"the deployment {self._ours.deployment.id}"

    def pause(self) -> float:
        """Seconds until the next look."""
        return self._rhythm.pause()

    @property
    def unseen(self) -> WatchUnseen | None:
        """The error of a watch whose last look at the state saw nothing, `None` where it did."""
        nothing = self._reads.unseen()
        return self._unknown(str(nothing)) if nothing else None

    def look(self) -> None:
        """Look once.

        Raises `WatchFailed` when it is down or gone, `Overtaken` and `PromotionFailed` when something else is served,
        and `WatchUnseen`.
        """
        try:
            seen = self._reads.look()
        except UnseenError as nothing:
            raise self._unknown(str(nothing)) from nothing
        except HttpError as error:
            raise self._unknown(error.message) from error
        if self._reads.missing:
            self._rhythm.moved()  # the next look is soon
        if self._reads.missing >= GONE:
            kind = WatchUnseen if self._name else WatchFailed  # without an environment there is no way back
            raise kind(
                f"{self.title} is gone: the service does not know it any more",
                "Somebody deleted it while it was watched; run again to make a new one.",
            )
        if isinstance(seen, Environment):
            self._judge_environment(seen)
        elif seen:
            self._judge(seen)

    def _judge_environment(self, environment: Environment) -> None:
        if other := overtaker(environment, self._ours):
            by = f" ({words})" if (words := whose(other)) else ""
            served = environment.current is not None and environment.current.id == other.id
            if served:
                self._run.outputs.set("promoted-deployment-id", "")
            raise Overtaken(
                f"{self._name} {'serves' if served else 'is being given'} the newer deployment {other.id}{by}"
            )
        if environment.current and self._ours.has(environment.current):
            self._strange = 0
            self._judge(environment.current)
            return
        self._strange += 1
        self._rhythm.moved()
        if self._strange >= GONE:
            serves = environment.current.id if environment.current else "nothing"
            self._run.outputs.set("promoted-deployment-id", "")
            raise PromotionFailed(
                f"{self._name} serves {serves} instead of {self._ours.deployment.id}: somebody took it back while it "
                "was watched",
                "Run again if this version is the one that should be live.",
            )

    def _judge(self, deployment: Deployment) -> None:
        status, now = deployment.status, self._run.clock.now()
        if status != self._run.outputs.get("deployment-status"):
            self._run.outputs.set("deployment-status", status)
            self._run.say(f"The deployment {deployment.id} is {status}")
        if status != UNHEALTHY:
            self._unhealthy_since = None
        elif self._unhealthy_since is None:
            self._unhealthy_since = now
        unhealthy = 0.0 if self._unhealthy_since is None else now - self._unhealthy_since
        if verdict(status, unhealthy) is Verdict.FAILED:
            raise WatchFailed(
                f"The deployment {deployment.id} became {status} while it was watched", failure_remedy(status)
            )

    def _unknown(self, why: str) -> WatchUnseen:
        return WatchUnseen(
            f"How {self.title} does is unknown: its state could not be read ({why})",
            "Nothing was undone: look at its page, and at https://status.baseten.co.",
        )

    def _read(self, seconds: float) -> Environment | Deployment:
        api, model_id = self._run.api, self._model.id
        if self._name:
            return api.environment(model_id, self._name, retry=False, seconds=seconds)
        return api.deployment(model_id, self._ours.deployment.id, retry=False, seconds=seconds)
