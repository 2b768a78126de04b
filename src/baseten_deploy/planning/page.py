"""What a deploy run would do, and how that reads: the facts of a plan, and their Markdown. Pure.

How the facts are found out is `plan`. Names, configs and answers in it are foreign: they pass through `markdown`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baseten_deploy.cost.estimate import Estimate
from baseten_deploy.cost.page import section as cost_section
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.report.amounts import count, size
from baseten_deploy.report.markdown import block, code, escape, record, table, texts
from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.packed_file import PackedFile

from .changes import drifted, setting_drift
from .diff import FileChange, SettingChange
from .live_deployment import Live

if TYPE_CHECKING:
    from baseten_deploy.nemo.upsert import RegistrationPlan

# What is longer is cut: a comment has 65 536 characters, and nobody reads a list of a thousand names.
DIFF_LINES = 200
LINE_CHARACTERS = 240
NAMES = 40
LARGEST = 10
_BY_WEIGHT = ("changed", "removed", "added")


@dataclass(frozen=True)
class Comparison:
    """How this run differs from what is live in `live`. `None` stands for unknown, with the reason beside it.

    `everywhere`: the run goes there, and to no place where something else is live or about to be, or nothing serves.
    `triggers`: `redeploy-trigger` is another one than that of what serves in one of the places.
    `config_lines` is a diff without secrets, so that it can be empty although `same_config` is false.
    """

    live: Live
    everywhere: bool = False
    same_config: bool | None = None
    config_lines: tuple[str, ...] = ()
    why_no_config: str = ""
    files: tuple[FileChange, ...] | None = None
    why_no_files: str = ""
    triggers: bool = False
    touches_resources: bool = False  # the config's `resources` differ, as far as both configs are known

    @property
    def unchanged(self) -> bool:
        """Whether both config and files are known to be the same as what is live."""
        return self.everywhere and not self.triggers and self.same_config is True and self.files == ()


@dataclass(frozen=True)
class Plan:
    """What is known about a deploy run before it is made.

    `destination` is `None` when nobody was asked (offline), `comparison` when there is nothing to compare with.
    `default_team` is where a new model goes without a team, `""` for unknown. `verdict` is what the dry run said:
    `None` if there was none, else its problems. `skips` is what `skip-unchanged` would make of it.
    """

    settings: Settings
    name: str
    deployment_name: str = ""
    destination: Destination | None = None
    default_team: str = ""
    targets: Sequence[Target] = ()
    comparison: Comparison | None = None
    verdict: Sequence[Problem] | None = None
    skips: bool = False
    files: Sequence[PackedFile] = ()
    digest: str = ""
    dropped: Sequence[str] = ()
    warnings: Sequence[Problem] = ()
    registration: "RegistrationPlan | None" = None
    cost: Sequence[Estimate] = ()
    too_dear: Sequence[Problem] = ()  # what `max-hourly-cost` has against it
    doubts: Sequence[Problem] = ()  # warnings that somebody decides by: missing secrets, resources without effect
    checks: str = ""  # Markdown: what a deploy will check

    @property
    def changes(self) -> bool | None:
        """Whether a deploy changes what serves; what is not known counts as changed, and `None` is never asked."""
        if self.offline:
            return None
        same = self.comparison is not None and self.comparison.unchanged
        return not same or drifted(self.targets, self.settings.environment_settings)

    @property
    def offline(self) -> bool:
        """Whether the service was not asked at all."""
        return self.destination is None


def describe(plan: Plan, redact: Callable[[str], str]) -> str:
    """The plan as Markdown."""
    return _Description(plan, redact).text()


class _Description:
    """Writes one plan. `redact` is applied to everything foreign before it is escaped."""

    def __init__(self, plan: Plan, redact: Callable[[str], str]) -> None:
        self._plan = plan
        self._settings = plan.settings
        self._redact = redact

    def text(self) -> str:
        parts = [
            f"### {self._title()}",
            *self._doubts(),
            *cost_section(self._plan.cost, self._redact),
            record(self._facts()),
        ]
        for section in (
            self._environment_settings(),
            [self._plan.checks] if self._plan.checks else [],
            self._config(),
            self._files(),
            self._ignored(),
            self._warnings(),
        ):
            parts += section
        return "\n\n".join(parts) + "\n"

    def _title(self) -> str:
        plan, name = self._plan, self._name(self._plan.name)
        if plan.offline:
            return f"Offline plan for {name}"
        if plan.changes is False:
            return f"Plan: {name} is unchanged"
        return (
            f"Plan: new deployment of {name}"
            if plan.destination and plan.destination.model
            else f"Plan: new model {name}"
        )

    def _facts(self) -> Iterator[tuple[str, str]]:
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
            yield "Content digest", code(plan.digest)
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

    def _doubts(self) -> list[str]:
        """What would stop the deploy, and what may keep it from doing what is meant: it stands above all details."""
        kinds = (("CAUTION", self._plan.too_dear), ("WARNING", self._plan.doubts))
        return [f"> [!{kind}]\n> {self._said(problem)}" for kind, problems in kinds for problem in problems]

    def _said(self, problem: Problem) -> str:
        place = ":".join(str(part) for part in (problem.file, problem.line) if part)
        said = ". ".join(texts(self._redact(text)) for text in (problem.message.rstrip("."), problem.remedy) if text)
        return f"{self._name(place) + ': ' if place else ''}{said}"

    def _environment_settings(self) -> list[str]:
        if not self._settings.environment_settings or self._plan.offline:
            return []
        rows = [
            (self._name(name), self._name(change.name), self._name(change.before), self._name(change.after))
            for name, change in self._changed_settings()
        ]
        if not rows:
            return ["`environment-settings`: they are in force already."]
        return ["#### Environment settings", table(("Environment", "Setting", "Now", "After"), rows)]

    def _changed_settings(self) -> list[tuple[str, SettingChange]]:
        return setting_drift(self._plan.targets, self._settings.environment_settings)

    def _config(self) -> list[str]:
        found = self._plan.comparison
        if found is None or found.live.deployment is None:
            return []
        heading = "#### Config"
        if found.same_config is None:
            return [heading, f"Not compared: {texts(self._redact(found.why_no_config))}."]
        if found.same_config:
            return [heading, "The same as what is live."]
        if not found.config_lines:
            return [heading, "It differs from what is live only in values that are secret and not shown."]
        lines = [_shortened(self._redact(line), LINE_CHARACTERS) for line in found.config_lines[:DIFF_LINES]]
        more = len(found.config_lines) - len(lines)
        parts = [heading, block("\n".join(lines), "diff")]
        return [*parts, f"… and {more} more lines"] if more else parts

    def _files(self) -> list[str]:
        plan = self._plan
        if not plan.files:
            return []
        total = size(sum(file.size for file in plan.files))
        parts = ["#### Files", f"{count(len(plan.files), 'file')}, {total} before compression."]
        if plan.comparison:
            parts += self._file_changes(plan.comparison)
        largest = sorted(plan.files, key=lambda file: (-file.size, file.name))[:LARGEST]
        rows = [(self._name(file.name), size(file.size)) for file in largest]
        title = f"The {len(rows)} largest" if len(plan.files) > len(rows) else "By size"
        parts.append(f"<details><summary>{title}</summary>\n\n{table(('File', 'Size'), rows)}\n\n</details>")
        return parts

    def _file_changes(self, found: Comparison) -> list[str]:
        if found.files is None:
            return [f"Not compared with what is live: {texts(self._redact(found.why_no_files))}."]
        if not found.files:
            return ["The same as what is live."]
        shown = found.files
        if len(shown) > NAMES:  # then by weight: what somebody must not miss is rarely first by name
            shown = tuple(sorted(shown, key=_weight)[:NAMES])
        rows = [(change.kind, self._name(change.name), _was(change), _becomes(change)) for change in shown]
        parts = [
            f"Against what is live: {_counts(found.files, ('added', 'removed', 'changed'))}.",
            table(("", "File", "Live", "New"), rows),
        ]
        more = _counts(set(found.files) - set(shown), _BY_WEIGHT, " more")
        return [*parts, f"… and {more}"] if more else parts

    def _ignored(self) -> list[str]:
        dropped = self._plan.dropped
        if not dropped:
            return []
        names = ", ".join(self._name(name) for name in dropped[:NAMES])
        more = f" and {len(dropped) - NAMES} more" if len(dropped) > NAMES else ""
        return ["#### Left out by the ignore rules", f"{names}{more}"]

    def _warnings(self) -> list[str]:
        if not self._plan.warnings:
            return []
        lines = [f"- ⚠️ {self._said(problem)}" for problem in self._plan.warnings]
        return ["#### Warnings", "\n".join(lines)]

    def _serves(self, deployment: Deployment | None) -> str:
        return f"serves {self._deployment(deployment)}" if deployment else "serves nothing yet"

    def _deployment(self, deployment: Deployment) -> str:
        facts = f"{self._name(deployment.id)}, {self._name(deployment.status)}"
        return f"{self._name(deployment.name or 'unnamed')} ({facts})"

    def _name(self, text: str) -> str:
        return code(_shortened(self._redact(text), LINE_CHARACTERS))

    def _is_built_in(self, target: Target) -> bool:
        return target.name == "production"


def _weight(change: FileChange) -> tuple[int, int, str]:
    """Sorts changed, removed and added files, each by size in bytes."""
    return _BY_WEIGHT.index(change.kind), -max(change.before or 0, change.after or 0), change.name


def _counts(changes: Collection[FileChange], kinds: Sequence[str], more: str = "") -> str:
    numbers = ((sum(change.kind == kind for change in changes), kind) for kind in kinds)
    return ", ".join(f"{number}{more} {kind}" for number, kind in numbers if number)


def _was(change: FileChange) -> str:
    return "" if change.before is None else size(change.before)


def _becomes(change: FileChange) -> str:
    if change.after is None:
        return ""
    return f"{size(change.after)}{', executable bit' if change.mode_only else ''}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
