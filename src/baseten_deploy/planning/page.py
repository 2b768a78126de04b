"""What a deploy run would do, and how that reads: the facts of a plan, and their Markdown. Pure.

How the facts are found out is `plan`. Names, configs and answers in it are foreign: they pass through `markdown`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from baseten_deploy.cost.estimate import Estimate
from baseten_deploy.cost.page import section as cost_section
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.report.alerts import alert, errors, warnings
from baseten_deploy.report.amounts import count, size
from baseten_deploy.report.blocks import Block, Page, Weight, folded
from baseten_deploy.report.markdown import begun, block, code, escape, record, table, texts
from baseten_deploy.report.summary import SHORT
from baseten_deploy.report.verdict import ERROR_CHARACTERS, REMEDY_CHARACTERS, shortened
from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.packing_list import PackedFile

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
    `config_lines` is a diff without secrets, so that it can be empty although `same_config` is false; `config_keys` is
    how many values differ that can be shown.
    """

    live: Live
    everywhere: bool = False
    same_config: bool | None = None
    config_lines: tuple[str, ...] = ()
    config_keys: int = 0
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
    no_smoke_test: str = ""  # why a deploy will run none, as the end of a sentence
    blocks: Sequence[Block] = ()  # what other parts of a run have to say, without secrets

    @property
    def changes(self) -> bool | None:
        """Whether a deploy changes what serves; what is not known counts as changed, and `None` is never asked."""
        if self.offline:
            return None
        same = self.comparison is not None and self.comparison.unchanged
        return not same or drifted(self.targets, self.settings.environment_settings)

    @property
    def refusals(self) -> Sequence[Problem]:
        """What a deploy would end with: what the dry run said, and what it costs."""
        return (*(self.verdict or ()), *self.too_dear)

    @property
    def offline(self) -> bool:
        """Whether the service was not asked at all."""
        return self.destination is None


def page(plan: Plan, redact: Callable[[str], str]) -> Page:
    """The plan as a page."""
    return _Description(plan, redact).page()


class _Description:
    """Writes one plan. `redact` is applied to everything foreign before it is escaped."""

    def __init__(self, plan: Plan, redact: Callable[[str], str]) -> None:
        self._plan = plan
        self._settings = plan.settings
        self._redact = redact

    def page(self) -> Page:
        plan = self._plan
        refused = [*self._redacted(plan.refusals)]
        verdict = tuple(filter(None, self._verdict_lines()))
        whole = f"\n\nContent digest: {code(plan.digest)}" if len(plan.digest) > SHORT else ""
        facts = f"{record(self._facts())}{whole}"
        details = Block(folded("Details", facts), Weight.DETAIL, "the details")
        checks = Block(plan.checks, Weight.RESULT, "the checks")
        changes = (*self._config(), *self._cost(), checks, *self._settings_table(), *self._files())
        known = tuple(self._redacted(plan.warnings))
        if plan.changes is False and not refused:
            hidden = (*warnings((*self._redacted(plan.doubts), *known), 0), *changes, *self._ignored(), *plan.blocks)
            rest = [each.markdown for each in hidden if each.markdown]
            rest = [facts, *rest]
            return Page(
                self._title(), verdict, (Block(folded("Details", "\n\n".join(rest)), Weight.DETAIL, "the details"),)
            )
        blocks = (
            *errors(refused, 0),
            *(Block(alert(each, "WARNING"), Weight.PROBLEM, "warnings") for each in self._redacted(plan.doubts)),
            *warnings(known, 0),
            *changes,
            *plan.blocks,
            details,
            *self._ignored(),
        )
        return Page(self._title(), verdict, blocks, refused=bool(refused))

    def _redacted(self, problems: Sequence[Problem]) -> Iterator[Problem]:
        redact = self._redact
        for each in problems:
            file = _shortened(redact(each.file), LINE_CHARACTERS)
            message, remedy, excerpt = redact(each.message), redact(each.remedy), redact(each.excerpt)
            yield replace(each, file=file, message=message, remedy=remedy, excerpt=excerpt)

    def _title(self) -> str:
        plan, name = self._plan, self._name(self._plan.name)
        where = self._where()
        to_what = f"{name} → {where}" if where else name
        if plan.offline:
            return f"⏭️ Offline plan for {to_what}"
        if plan.refusals:
            return f"❌ Plan refused: {to_what}"
        if plan.changes is False:
            return f"📝 Plan: {name} is unchanged{f' in {where}' if where else ''}"
        is_new = not (plan.destination and plan.destination.model)
        return f"📝 Plan: {'new model' if is_new else 'new deployment of'} {to_what}"

    def _where(self) -> str:
        """The target, `""` for none."""
        name = self._settings.promote_to or self._settings.environment
        return self._name(name) if name else "the development slot" if self._settings.development else ""

    def _verdict_lines(self) -> Iterator[str]:
        """What will be served where, what is in the way, and what will not be checked. At most three."""
        plan = self._plan
        if plan.offline:
            yield "Nothing was sent, and what is live is not known: GitHub gives this run no API key."
            yield f"What can be checked without one is fine: {self._amount()}."
            yield self._unasked()
        elif plan.refusals:
            yield self._stays()
            problem = next(iter(self._redacted(plan.refusals)))
            more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
            yield f"**Error:** {texts(shortened(problem.message, ERROR_CHARACTERS))}{more}"
            yield begun(texts(shortened(problem.remedy, REMEDY_CHARACTERS)))
        elif plan.changes is False:
            yield f"{self._stays()} It has this config and these files already{self._again()}."
        else:
            yield self._will()
            yield f"{self._dry_run()} {self._unasked()}".strip()

    def _stays(self) -> str:
        """What serves now, and goes on doing so."""
        plan, where = self._plan, self._where()
        live = plan.comparison.live.deployment if plan.comparison else None
        if plan.targets:
            current = plan.targets[-1].now.current
            return f"{where} serves {self._name(current.id) if current else 'nothing'}."
        return (
            f"{escape(self._redact(plan.comparison.live.where)).capitalize()} serves {self._name(live.id)}."
            if live and plan.comparison
            else ""
        )

    def _again(self) -> str:
        if self._settings.skip_unchanged:
            return ": `skip-unchanged` skips" if self._plan.skips else ", and `skip-unchanged` deploys it again"
        return "; a deploy makes the same once more, unless `skip-unchanged` is set"

    def _will(self) -> str:
        """What the deploy will do to what serves, and how much of it differs."""
        plan, where = self._plan, self._where()
        name = self._name(plan.name)
        is_new = not (plan.destination and plan.destination.model)
        counts = self._counts()
        if plan.targets:
            current = plan.targets[-1].now.current
            if current:
                return f"{where}: {self._name(current.id)} will be replaced{f': {counts}' if counts else ''}."
            made = (
                " will be created, and"
                if plan.targets[-1].before is None and not self._is_built_in(plan.targets[-1])
                else ""
            )
            serves = f"{where}{made} will serve it" if made else f"{where} serves nothing yet, and will serve it"
            does = f"The model {name} will be created" if is_new else f"A deployment of {name} will be made"
            return f"{does}; {serves}{f'. Against what is live: {counts}' if counts else ''}."
        if is_new:
            return f"The model {name} will be created with one deployment, in no environment."
        live = plan.comparison.live if plan.comparison else None
        if self._settings.development:
            does = (
                f"{self._name(live.deployment.id)} in the development slot will be overwritten"
                if live and live.deployment
                else "The development slot will be filled"
            )
        else:
            does = "A deployment will be made in no environment; what serves stays"
        beside = (
            f". Against {self._name(live.deployment.id)} in {escape(self._redact(live.where))}: {counts}"
            if live and live.deployment and counts
            else ""
        )
        return f"{does}{beside}."

    def _counts(self) -> str:
        """How much differs: config keys, files, settings; `""` where there is nothing to compare with."""
        found = self._plan.comparison
        if found is None or found.live.deployment is None:
            settings = len(self._changed_settings())
            return count(settings, "setting") if settings else ""
        parts = []
        if found.same_config is None:
            parts.append("config not compared")
        elif not found.same_config:
            parts.append(count(found.config_keys, "config key") if found.config_keys else "secret values of the config")
        if found.files is None:
            parts.append("files not compared")
        elif found.files:
            parts.append(_files_counted(found.files))
        if settings := len(self._changed_settings()):
            parts.append(count(settings, "setting"))
        return ", ".join(parts) or "the same config and files"

    def _dry_run(self) -> str:
        if self._plan.verdict is None:
            return "There is no dry run of a library listing."
        return "The service accepts it (dry run)."

    def _unasked(self) -> str:
        """That no smoke test will run, `""` when one will."""
        why = self._plan.no_smoke_test
        return f"**No smoke test will run:** {texts(self._redact(why))}." if why else ""

    def _amount(self) -> str:
        files = self._plan.files
        return (
            f"{count(len(files), 'file')}, {size(sum(file.size for file in files))}" if files else "there are no files"
        )

    def _cost(self) -> Iterator[Block]:
        if parts := cost_section(self._plan.cost, self._redact):
            yield Block("\n\n".join(parts), Weight.RESULT, "the cost")

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

    def _settings_table(self) -> Iterator[Block]:
        """What `environment-settings` change."""
        if not self._settings.environment_settings or self._plan.offline:
            return
        rows = [
            (self._name(name), self._name(change.name), self._name(change.before), self._name(change.after))
            for name, change in self._changed_settings()
        ]
        if not rows:
            yield Block("`environment-settings`: they are in force already.", Weight.DETAIL, "settings")
            return
        listed = table(("Environment", "Setting", "Now", "After"), rows)
        yield Block(folded(f"Settings: {count(len(rows), 'change')}", listed), Weight.DETAIL, "settings")

    def _changed_settings(self) -> list[tuple[str, SettingChange]]:
        return setting_drift(self._plan.targets, self._settings.environment_settings)

    def _config(self) -> Iterator[Block]:
        """The diff of the config, open: it is what a reviewer looks for."""
        found = self._plan.comparison
        if found is None or found.live.deployment is None:
            return
        if found.same_config is None:
            said = f"Config not compared: {texts(self._redact(found.why_no_config))}."
        elif found.same_config:
            said = "Config: the same as what is live."
        elif not found.config_lines:
            said = "Config: it differs from what is live only in values that are secret and not shown."
        else:
            lines = [_shortened(self._redact(line), LINE_CHARACTERS) for line in found.config_lines[:DIFF_LINES]]
            more = len(found.config_lines) - len(lines)
            rest = f"\n\n… and {more} more lines" if more else ""
            yield Block(f"{block(chr(10).join(lines), 'diff')}{rest}", Weight.RESULT, "the config's diff")
            return
        yield Block(said, Weight.DETAIL if found.same_config else Weight.RESULT, "the config")

    def _files(self) -> Iterator[Block]:
        """The files that differ, with the diffs of small texts, and the largest ones. Folded."""
        plan = self._plan
        if not plan.files:
            return
        parts = [f"{self._amount()} before compression."]
        title = f"Files: {self._amount()}"
        if plan.comparison:
            parts += self._file_changes(plan.comparison)
            if plan.comparison.files:
                title = f"Files: {_counts(plan.comparison.files, ('added', 'removed', 'changed'))}"
        largest = sorted(plan.files, key=lambda file: (-file.size, file.name))[:LARGEST]
        rows = [(self._name(file.name), size(file.size)) for file in largest]
        by_size = f"The {len(rows)} largest" if len(plan.files) > len(rows) else "By size"
        parts.append(folded(by_size, table(("File", "Size"), rows)))
        yield Block(folded(title, "\n\n".join(parts)), Weight.DETAIL, "files")

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
        if more := _counts(set(found.files) - set(shown), _BY_WEIGHT, " more"):
            parts.append(f"… and {more}")
        return [*parts, *self._file_diffs(shown)]

    def _file_diffs(self, changes: Sequence[FileChange]) -> Iterator[str]:
        left = DIFF_LINES
        for change in changes:
            if change.lines and left > 0:
                lines = [_shortened(self._redact(line), LINE_CHARACTERS) for line in change.lines[:left]]
                left -= len(lines)
                yield f"{self._name(change.name)}\n\n{block(chr(10).join(lines), 'diff')}"

    def _ignored(self) -> Iterator[Block]:
        dropped = self._plan.dropped
        if not dropped:
            return
        names = ", ".join(self._name(name) for name in dropped[:NAMES])
        more = f" and {len(dropped) - NAMES} more" if len(dropped) > NAMES else ""
        title = f"Left out by the ignore rules: {len(dropped)}"
        yield Block(folded(title, f"{names}{more}"), Weight.DETAIL, "what is left out")

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


def _files_counted(changes: Sequence[FileChange]) -> str:
    """As `_counts`, in words that stand by themselves: `1 file added, 2 changed`."""
    number, rest = _counts(changes, ("added", "removed", "changed")).split(" ", 1)
    return f"{count(int(number), 'file')} {rest}"


def _was(change: FileChange) -> str:
    return "" if change.before is None else size(change.before)


def _becomes(change: FileChange) -> str:
    if change.after is None:
        return ""
    return f"{size(change.after)}{', executable bit' if change.mode_only else ''}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
