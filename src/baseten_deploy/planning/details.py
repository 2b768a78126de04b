"""A plan's table of details: model, team, environments, what it is compared with, the dry run. Markdown; pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from baseten_deploy.report.markdown import code, escape, texts
from baseten_deploy.report.summary import SHORT
from baseten_deploy.service.answers import Deployment

if TYPE_CHECKING:
    from baseten_deploy.nemo.upsert import RegistrationPlan

from .planned import Words


class Details(Words):
    """The rows of one plan."""

    def rows(self) -> Iterator[tuple[str, str]]:
        """Each as its name and its value, which are Markdown."""
        plan, settings = self._plan, self._settings
        model = plan.destination.model if plan.destination else None
        team = (plan.destination.team_name if plan.destination else "") or settings.team
        if model:
            yield "Model", f"{self._name(model.name)} {self._name(model.id)}"
            yield "Team", self._name(model.team or team or "unknown")
        elif plan.offline:
            yield "Model", f"{self._name(plan.name)}, not looked up: this run has no API key"
        else:
            yield "Model", f"{self._name(plan.name)}, created"
            default = f"{self._name(plan.default_team)}, the default team" if plan.default_team else ""
            yield "Team", self._name(team) or default or "the default team of the API key"
        if settings.library_listing:
            yield "From", f"the library listing {self._name(settings.library_listing)}"
        elif settings.development:
            is_there = model and model.development_deployment_id
            does = "" if plan.offline else "overwrites " if is_there else "creates "
            yield "Deployment", f"{does}the development deployment"
        elif plan.deployment_name:
            yield "Deployment", self._name(plan.deployment_name)
        yield from self._environments()
        if plan.comparison and (found := plan.comparison.live).deployment:
            yield "Compared with", f"{escape(self._redact(found.where))}: {self._deployment(found.deployment)}"
        yield from self._content()
        yield "Dry run", self._verdict()
        if plan.digest:
            yield "Content digest", code(plan.digest[:SHORT])
        if plan.registration:
            yield "Model entity", self._registration(plan.registration)

    def _content(self) -> Iterator[tuple[str, str]]:
        plan = self._plan
        if plan.comparison and plan.comparison.triggers:
            yield "`redeploy-trigger`", "is another one than that of what serves: it counts as content"
        if self._settings.skip_unchanged and not plan.offline:
            yield "`skip-unchanged`", "skips: this content is live already" if plan.skips else "deploys"

    def _environments(self) -> Iterator[tuple[str, str]]:
        for target in self._plan.targets:
            title = "Environment" if target.name == self._settings.environment else "Promoted into"
            before = target.before
            if before is None:
                yield (
                    title,
                    f"{self._name(target.name)}, {'new with the model' if self._is_built_in(target) else 'created'}",
                )
                continue
            facts = [f"{self._name(target.name)}: {self._serves(before.current)}"]
            if before.candidate and before.candidate != before.current:
                facts.append(f"{self._deployment(before.candidate)} is being promoted into it")
            yield title, "; ".join(facts)
        given = {"Environment": self._settings.environment, "Promoted into": self._settings.promote_to}
        if self._plan.offline:
            yield from ((title, f"{self._name(name)}, not looked up") for title, name in given.items() if name)
        if not any(given.values()):
            yield "Environment", "none"

    def _verdict(self) -> str:
        verdict = self._plan.verdict
        if verdict is None:
            return "none: a library listing has no payload to check" if not self._plan.offline else "none: no API key"
        if not verdict:
            return "✅ the service accepts the payload"
        return "❌ " + "<br>".join(texts(self._redact(problem.message)) for problem in verdict)

    def _registration(self, registration: "RegistrationPlan") -> str:
        does = {True: "updated", False: "created", None: "created or updated"}
        facts = [f"{self._name(registration.entity)} {does[registration.entity_exists]}"]
        if registration.provider:
            facts.append(f"provider {self._name(registration.provider)} {does[registration.provider_exists]}")
        if registration.workspace_exists is False:
            facts.append("❌ the workspace does not exist")
        return ", ".join(facts)

    def _serves(self, deployment: Deployment | None) -> str:
        return f"serves {self._deployment(deployment)}" if deployment else "serves nothing yet"

    def _deployment(self, deployment: Deployment) -> str:
        facts = f"{self._name(deployment.id)}, {self._name(deployment.status)}"
        return f"{self._name(deployment.name or 'unnamed')} ({facts})"
