"""What happened in a run, as far as the run saw it: one record, of which every page, annotation and output is written.

Pure. A run keeps it with a `Ledger`; how it reads is `verdict` and `summary`. What was not seen is unknown here, and is
said to be: a status tells how a run ended, and never what became of a deployment.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from baseten_deploy.records import dataclass


class Known(StrEnum):
    """Whether something was done: `UNKNOWN` where it was asked for and the answer was not seen."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class State(StrEnum):
    """What was seen last of a deployment. `UNSEEN`: it could not be read, or nobody looked."""

    UNSEEN = "unseen"
    GOES_ON = "goes on"
    LIVE = "live"
    FAILED = "failed"


class Switch(StrEnum):
    """What this run did to an environment: nothing, asked it to serve something, saw it serve that, or took it back."""

    UNTOUCHED = "untouched"
    ASKED = "asked"
    DONE = "done"
    BACK = "back"


@dataclass(frozen=True)
class Serving:
    """What a place serves: a deployment, nothing (`""`), or it is not `known`."""

    known: bool = False
    deployment_id: str = ""


UNKNOWN = Serving()


@dataclass(frozen=True)
class Target:
    """An environment that a run goes into. `before` is what it served when the run began, `now` what was seen last."""

    name: str
    before: Serving = UNKNOWN
    now: Serving = UNKNOWN
    switch: Switch = Switch.UNTOUCHED
    created: bool = False  # by this run


@dataclass(frozen=True)
class Deployment:
    """The deployment that a run is about. `ids` are all that it goes by: a promotion may make a copy of it.

    `environment` is where the service says it is, `became` what the run did with it in the end: `deactivated`,
    `deleted`, or `""` for nothing.
    """

    id: str
    name: str = ""
    state: State = State.UNSEEN
    status: str = ""
    environment: str = ""
    became: str = ""
    ids: frozenset[str] = frozenset()

    @property
    def answers(self) -> bool:
        """Whether it was seen live, and nothing was done to it since."""
        return self.state is State.LIVE and not self.became


@dataclass(frozen=True)
class Answer:
    """What was answered to a smoke test. `asked` is an environment's name, or `""` for the deployment itself."""

    asked: str
    text: str
    good: bool


@dataclass(frozen=True)
class Account:
    """One run. `target` is where it goes in the end: an environment's name, or `""`; `development` says the slot.

    `directory` is the Truss's, as the inputs name it. `made` and `model_made` say whether this run made its deployment
    and its model. `payload` is the JSON that a live deployment is asked with, `route` where people send it to, `""`
    where nothing can be asked. `retired` are ids and what became of each, `kept` is how many stay. `why` is why a run
    did nothing, as the end of a sentence; `wrong` is what was proved to be wrong with what is live, `""` for nothing;
    `said` is a line of a mode that has no target.
    """

    mode: str = "deploy"
    target: str = ""
    model_id: str = ""
    model_name: str = ""
    development: bool = False
    directory: str = ""
    waits: bool = True
    made: Known = Known.NO
    model_made: Known = Known.NO
    deployment: Deployment | None = None
    targets: tuple[Target, ...] = ()
    answers: tuple[Answer, ...] = ()
    retired: tuple[tuple[str, str], ...] = ()
    kept: int = 0
    payload: str = ""
    route: str = ""
    why: str = ""
    wrong: str = ""
    said: str = ""

    @property
    def final(self) -> Target | None:
        """The environment that the run goes into in the end, `None` for none or before it was looked up."""
        return next((each for each in self.targets if each.name == self.target), None)

    @property
    def changed_nothing(self) -> bool:
        """Whether this run is known to have changed nothing in the service."""
        made = (self.made, self.model_made)
        touched = any(each.created or each.switch is not Switch.UNTOUCHED for each in self.targets)
        return made == (Known.NO, Known.NO) and not touched and not self.retired

    def is_ours(self, deployment_id: str) -> bool:
        """Whether an id is one of the deployment that this run is about."""
        return bool(self.deployment and deployment_id in self.deployment.ids)

    @property
    def is_failing(self) -> bool:
        """Whether what is live was seen to do something wrong: its smoke test, a check, a metric."""
        return bool(self.wrong) or any(not each.good for each in self.answers[-1:])

    @property
    def serves_ours(self) -> Target | None:
        """The environment that was last seen to serve this run's deployment, the final one first."""
        found = [each for each in reversed(self.targets) if each.now.known and self.is_ours(each.now.deployment_id)]
        return found[0] if found else None

    def redacted(self, redact: Callable[[str], str]) -> "Account":
        """The same without secrets."""
        deployment = self.deployment
        if deployment:
            deployment = replace(deployment, name=redact(deployment.name), status=redact(deployment.status))
        return replace(
            self,
            model_name=redact(self.model_name),
            deployment=deployment,
            answers=tuple(replace(each, text=redact(each.text)) for each in self.answers),
            payload=redact(self.payload),
            route=redact(self.route),
            why=redact(self.why),
        )
