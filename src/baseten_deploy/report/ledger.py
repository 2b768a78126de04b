"""Keeps the account of a run while it goes on, and writes the outputs that follow from it, in one place.

Each method is one thing that the run did or saw. What it says is true from then on, so nothing has to be told twice;
what a failed look leaves open becomes unknown.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from .account import UNKNOWN, Account, Answer, Deployment, Known, Serving, State, Switch, Target

Write = Callable[[str, str], None]


class Ledger:
    """The account so far. `write` gets the outputs (name, text) that follow from it."""

    def __init__(self, account: Account | None = None, write: Write = lambda _name, _value: None) -> None:
        self.account = account or Account()
        self._write = write
        self._written = ""  # the environment whose deployment is the output

    def model(self, name: str, model_id: str = "") -> None:
        """The run is about this model; `model_id` is `""` for one that does not exist yet."""
        self._note(model_name=name, model_id=model_id or self.account.model_id)

    def goes_into(self, name: str, before: Serving) -> None:
        """An environment that the run goes into was looked up: it serves `before`."""
        self._target(name, before=before, now=before)

    def environment_made(self, name: str) -> None:
        """The run made an environment, which serves nothing yet."""
        nothing = Serving(known=True)
        self._target(name, created=True, before=nothing, now=nothing)

    def sends(self, into: str, *, new_model: bool) -> None:
        """A commit is on its way: from now on it may have made something, whether its answer is seen or not.

        `into` is the environment that it is a push into, `""` for none.
        """
        self._note(made=Known.UNKNOWN, model_made=Known.UNKNOWN if new_model else self.account.model_made)
        if into:
            self.asks(into)

    def made_nothing(self) -> None:
        """The commit is known to have made nothing."""
        calm = tuple(
            replace(each, switch=Switch.UNTOUCHED) if each.switch is Switch.ASKED else each
            for each in self.account.targets
        )
        self._note(made=Known.NO, model_made=Known.NO, targets=calm)

    def made(self, deployment_id: str, name: str, status: str, *, new_model: bool) -> None:
        """The commit made this deployment. A push into an environment asks for its promotion with that."""
        self._note(made=Known.YES, model_made=Known.YES if new_model else Known.NO)
        self.works_on(deployment_id, name, status)

    def works_on(self, deployment_id: str, name: str, status: str) -> None:
        """The run is about this deployment."""
        found = Deployment(deployment_id, name, State.UNSEEN, status, ids=frozenset({deployment_id}))
        self._note(deployment=found)

    def saw(self, status: str, state: State, environment: str = "") -> None:
        """The deployment was seen in this status."""
        if deployment := self.account.deployment:
            environment = environment or deployment.environment
            self._note(deployment=replace(deployment, status=status, state=state, environment=environment))
        self._write("deployment-status", status)

    def failed(self) -> None:
        """The deployment failed, or is gone."""
        if deployment := self.account.deployment:
            self._note(deployment=replace(deployment, state=State.FAILED))

    def lost_sight(self) -> None:
        """Nothing is known any more of the deployment's state."""
        if deployment := self.account.deployment:
            self._note(deployment=replace(deployment, state=State.UNSEEN))

    def asks(self, name: str) -> None:
        """The environment was asked to serve the deployment: it may do so at any moment."""
        self._target(name, switch=Switch.ASKED)

    def serves(self, name: str, deployment_id: str, *, ours: bool) -> None:
        """The environment was seen to serve this, which is the run's own deployment or a copy of it, or is not."""
        deployment = self.account.deployment
        if ours and deployment:
            self._note(deployment=replace(deployment, ids=deployment.ids | {deployment_id}))
        target = next((each for each in self.account.targets if each.name == name), None)
        was = target.switch if target else Switch.UNTOUCHED
        switch = Switch.DONE if ours and was is not Switch.UNTOUCHED else was
        self._target(name, now=Serving(known=True, deployment_id=deployment_id), switch=switch)
        self._promoted(name, deployment_id if ours else "")

    def took_back(self, name: str, deployment_id: str) -> None:
        """The environment serves again what it served before."""
        self._target(name, now=Serving(known=True, deployment_id=deployment_id), switch=Switch.BACK)
        self._promoted(name, "")

    def unseen(self, name: str) -> None:
        """What the environment serves could not be read."""
        self._target(name, now=UNKNOWN)

    def can_be_asked(self, route: str, payload: str) -> None:
        """Where people send requests to, once it is live, and the JSON of one, `""` where none is known."""
        self._note(route=route, payload=payload)

    def answers_at(self, route: str) -> None:
        """What can be asked answers there now."""
        if self.account.route:
            self._note(route=route)

    def answered(self, asked: str, text: str, *, good: bool) -> None:
        """A smoke test was answered, or not (`""`). The last answer is the output."""
        if text or self.account.answers:  # an earlier answer would say nothing about this one
            self._write("predict-response", text)
        self._note(answers=(*self.account.answers, Answer(asked, text, good)))

    def is_wrong(self, what: str) -> None:
        """A check or a metric of what is live was not as it should be."""
        self._note(wrong=what)

    def became(self, deployment_id: str, what: str) -> None:
        """The run retired a deployment: `deactivated` or `deleted`."""
        deployment = self.account.deployment
        self._note(retired=(*self.account.retired, (deployment_id, what)))
        if deployment and deployment_id in deployment.ids:
            self._note(deployment=replace(deployment, became=what))

    def keeps(self) -> None:
        """The run looked at a deployment that it might have retired, and it stays."""
        self._note(kept=self.account.kept + 1)

    def says(self, line: str) -> None:
        """The first line of the verdict, of a mode that has no target. It is Markdown."""
        self._note(said=line)

    def did_nothing(self, why: str) -> None:
        """The run leaves everything as it is, because `why`."""
        self._note(why=why)

    def names(self) -> Iterable[str]:
        """The environments that the run goes into, in order."""
        return [each.name for each in self.account.targets]

    def _promoted(self, name: str, deployment_id: str) -> None:
        """Write what the environment serves because of this run, and take back what was written of it."""
        if deployment_id or name == self._written:
            self._written = name
            self._write("promoted-deployment-id", deployment_id)

    def _target(self, name: str, **facts: object) -> None:
        targets = self.account.targets
        if not any(each.name == name for each in targets):
            targets = (*targets, Target(name))
        self._note(targets=tuple(replace(each, **facts) if each.name == name else each for each in targets))  # type: ignore[arg-type] # fields by name

    def _note(self, **facts: object) -> None:
        self.account = replace(self.account, **facts)  # type: ignore[arg-type] # fields by name
