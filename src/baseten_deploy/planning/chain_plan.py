"""`mode: plan` of a Chain: which chainlets a push makes, with what resources, and what serves now. Changes nothing.

Nothing asks the service for its opinion before a push: no call takes a Chain. What the file says is found out by
`chain.blueprint`, which generates every chainlet as a push does.
"""

from collections.abc import Callable, Iterator

from baseten_deploy.chain.blueprint import Blueprint, read_chain, resources_line
from baseten_deploy.chain.push import ChainDraft, draft_of_run
from baseten_deploy.checks.check import Suite
from baseten_deploy.deployment.payload import deployment_name
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.report.markdown import code, record, table, texts
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Chainlet, Deployment
from baseten_deploy.service.http import HttpError

from .diff import setting_changes


def plan_chain(run: Run, suite: Suite | None = None) -> None:
    """Read the Chain of this run, look it up and plan its push."""
    draft = draft_of_run(run)
    with run.phase("Plan"):
        _show(run, _Description(run, draft.blueprint, draft).text(), suite)


def plan_chain_offline(run: Run, suite: Suite | None = None) -> None:
    """What can be said of a Chain without the service. Sends nothing."""
    blueprint = read_chain(run)
    run.runner.notice(
        Problem(
            "There is no API key: GitHub gives no secrets to a run from a fork or of Dependabot",
            "The Chain is imported and its chainlets are generated, and nothing is sent. "
            "`fail-without-credentials: true` makes such a run fail.",
        )
    )
    with run.phase("Plan"):
        _show(run, _Description(run, blueprint, None).text(), suite)


def _show(run: Run, markdown: str, suite: Suite | None) -> None:
    if suite:
        from baseten_deploy.checks.table import described  # noqa: PLC0415 - most runs have none

        markdown = f"{markdown.rstrip()}\n\n{run.redactor.redact(described(suite))}\n"
    run.outputs.set("plan", markdown)
    if run.runner.on_github:  # elsewhere all outputs are printed at the end
        run.runner.foreign(markdown)


class _Description:
    """Writes one plan; `draft` is `None` where nobody was asked."""

    def __init__(self, run: Run, blueprint: Blueprint, draft: ChainDraft | None) -> None:
        self._run = run
        self._blueprint = blueprint
        self._draft = draft
        self._redact: Callable[[str], str] = run.redactor.redact

    def text(self) -> str:
        parts = [f"### {self._title()}", record(self._facts()), "#### Chainlets", self._chainlets()]
        parts += [*self._settings(), *self._warnings()]
        return "\n\n".join(parts) + "\n"

    def _title(self) -> str:
        if self._draft is None:
            return f"Offline plan for the Chain {self._name(self._blueprint.name)}"
        found = self._draft.destination
        return f"Plan: new {'deployment of the Chain' if found.model else 'Chain'} {self._name(found.name)}"

    def _facts(self) -> Iterator[tuple[str, str]]:
        draft, settings = self._draft, self._run.settings
        if draft is None:
            yield "Chain", f"{self._name(self._blueprint.name)}, not looked up: this run has no API key"
        elif draft.destination.model:
            model = draft.destination.model
            yield "Chain", f"{self._name(model.name)} {self._name(model.id)}"
            yield "Team", self._name(model.team or draft.destination.team_name or "unknown")
        else:
            yield "Chain", f"{self._name(draft.destination.name)}, created"
            yield "Team", self._name(draft.destination.team_name) or "the default team of the API key"
        yield "From", f"{self._name(self._blueprint.file)}, entry point {self._name(self._blueprint.entrypoint)}"
        if name := deployment_name(settings, self._run.origin):
            yield "Deployment", self._name(name)
        for target in draft.targets if draft else ():
            title = "Promoted into" if target.name == settings.promote_to else "Environment"
            yield title, self._environment(target)
        if draft and not draft.targets:
            yield "Environment", "none"
        yield "Dry run", "✅ the chainlets were generated; the service judges them with the push"

    def _environment(self, target: Target) -> str:
        before = target.before
        if before is None:
            return f"{self._name(target.name)}, {'new with the Chain' if target.name == 'production' else 'created'}"
        if before.current is None:
            return f"{self._name(target.name)}: serves nothing yet"
        facts = [f"{self._name(target.name)}: serves {self._deployment(before.current)}, which will be replaced"]
        if before.candidate and before.candidate != before.current:
            facts.append(f"{self._deployment(before.candidate)} is being promoted into it")
        return "; ".join(facts)

    def _chainlets(self) -> str:
        now = {chainlet.name: chainlet for chainlet in self._serving()}
        rows = []
        for part in self._blueprint.parts:
            entry = " (entry point)" if part.name == self._blueprint.entrypoint else ""
            serving = now.pop(part.name, None)
            words = (
                f"{serving.instance_type}, {serving.status}" if serving else "new" if self._draft else "not looked up"
            )
            rows.append((self._name(part.name) + entry, self._name(resources_line(part)), self._name(words)))
        rows += [
            (self._name(name), "gone", self._name(f"{each.instance_type}, {each.status}")) for name, each in now.items()
        ]
        return table(("Chainlet", "Asks for", "Now"), rows)

    def _serving(self) -> tuple[Chainlet, ...]:
        """The chainlets of what the last target serves now; without a target, of production."""
        draft = self._draft
        if draft is None or draft.destination.model is None:
            return ()
        try:
            name = draft.targets[-1].name if draft.targets else "production"
            serves = next(
                (each.current for each in self._run.api.environments(draft.destination.model.id) if each.name == name),
                None,
            )
        except HttpError:
            return ()
        return serves.chainlets if serves else ()

    def _settings(self) -> list[str]:
        wanted = self._run.settings.environment_settings or {}
        rows = [
            (self._name(target.name), self._name(change.name), self._name(change.before), self._name(change.after))
            for target in (self._draft.targets if self._draft else ())
            for change in setting_changes(target.before.settings if target.before else {}, wanted)
        ]
        return ["#### Environment settings", table(("Environment", "Setting", "Now", "After"), rows)] if rows else []

    def _warnings(self) -> list[str]:
        said = [
            "- ⚠️ " + ". ".join(texts(self._redact(text)) for text in (problem.message, problem.remedy) if text)
            for problem in self._run.warnings
        ]
        return ["#### Warnings", "\n".join(said)] if said else []

    def _deployment(self, deployment: Deployment) -> str:
        return f"{self._name(deployment.id)} ({self._name(deployment.status)})"

    def _name(self, text: str) -> str:
        return code(self._redact(text))
