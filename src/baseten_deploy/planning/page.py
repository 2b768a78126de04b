"""How a plan reads: its heading and verdict, the config's diff, the rest folded. Pure.

The facts are `planned`; how they are found out is `plan`. Names, configs and answers in it are foreign: they pass
through `markdown`.
"""

from collections.abc import Callable, Iterator

from baseten_deploy.cost.page import section as cost_section
from baseten_deploy.cost.page import told as cost_told
from baseten_deploy.report.alerts import alert, errors, warnings
from baseten_deploy.report.amounts import count, duration
from baseten_deploy.report.blocks import Block, Page, Weight, folded
from baseten_deploy.report.markdown import begun, block, code, escape, record, table, texts
from baseten_deploy.report.summary import SHORT
from baseten_deploy.report.verdict import ERROR_CHARACTERS, REMEDY_CHARACTERS, shortened

from .changes import setting_drift
from .details import Details
from .diff import SettingChange
from .file_list import DIFF_LINES, NAMES, FileList, files_counted
from .planned import LINE_CHARACTERS, Plan, Words, shortened_in_the_middle

# Changes of settings that stand open: more are one click away.
OPEN_SETTINGS = 5


def page(plan: Plan, redact: Callable[[str], str]) -> Page:
    """The plan as a page."""
    return _Description(plan, redact).page()


class _Description(Words):
    """Writes one plan."""

    def page(self) -> Page:
        plan = self._plan
        refused = [*self._redacted(plan.refusals)]
        verdict = tuple(filter(None, self._verdict_lines()))
        whole = f"\n\nContent digest: {code(plan.digest)}" if len(plan.digest) > SHORT else ""
        facts = f"{record(Details(plan, self._redact).rows())}{whole}"
        details = Block(folded("Details", facts), Weight.DETAIL, "the details")
        checks = Block(plan.checks, Weight.RESULT, "the checks")
        changes = (
            *self._config(),
            *self._cost(),
            checks,
            Block(self._once_live(), Weight.RESULT, "what follows"),
            *self._settings_table(),
            *FileList(plan, self._redact).blocks(),
        )
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

    def _verdict_lines(self) -> Iterator[str]:
        """What will be served where, what is in the way, and what will not be checked. At most three."""
        plan = self._plan
        if plan.offline:
            yield "Nothing was sent, and what is live is not known: GitHub gives this run no API key."
            yield f"What can be checked without one is fine: {self._amount()}."
            yield self._unasked()
        elif plan.refusals:
            yield f"A deploy would be refused. {self._stays()}".strip()
            problem = next(iter(self._redacted(plan.refusals)))
            more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
            yield f"**Error:** {texts(shortened(problem.message, ERROR_CHARACTERS))}{more}"
            yield begun(texts(shortened(problem.remedy, REMEDY_CHARACTERS)))
        elif plan.changes is False:
            have = f"{self._stays()} It has this config and these files already{self._again()}."
            yield " ".join(filter(None, (have, cost_told(plan.cost, self._redact), self._warned())))
        else:
            yield self._will()
            yield cost_told(plan.cost, self._redact)
            yield " ".join(filter(None, (self._dry_run(), self._unasked(), self._warned())))

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
        assert plan.destination  # else it is offline
        live = plan.comparison.live if plan.comparison else None
        if self._settings.development:
            there = plan.destination.model.development_deployment_id if plan.destination.model else ""
            does = (
                f"{self._name(there)} in the development slot will be overwritten"
                if there
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
            parts.append(files_counted(found.files))
        beside = []
        if settings := len(self._changed_settings()):
            beside.append(count(settings, "setting"))
        if found.triggers:
            beside.append("another `redeploy-trigger`")
        if parts or not beside:
            return ", ".join([*parts, *beside]) or "the same config and files"
        return f"the same config and files, but {', '.join(beside)}"

    def _dry_run(self) -> str:
        if self._plan.verdict is None:
            return "There is no dry run of a library listing."
        return "The service accepts it (dry run)."

    def _unasked(self) -> str:
        """That no smoke test will run, `""` when one will."""
        why = self._plan.no_smoke_test
        return f"**No smoke test will run:** {texts(self._redact(why))}." if why else ""

    def _warned(self) -> str:
        """The first warning, those first that somebody decides by; `""` for none."""
        problems = (*self._plan.doubts, *self._plan.warnings)
        for first in self._redacted(problems[:1]):
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return f"**Warning:** {texts(shortened(first.message, ERROR_CHARACTERS))}{more}."
        return ""

    def _cost(self) -> Iterator[Block]:
        if parts := cost_section(self._plan.cost, self._redact, is_told=not self._plan.refusals):
            yield Block("\n\n".join(parts), Weight.RESULT, "the cost")

    def _once_live(self) -> str:
        """What a deploy does after it is live, in its order; `""` where that is the smoke test alone, or nothing."""
        asked = self._settings
        if self._plan.refusals:
            return ""
        if not asked.wait:
            return "**Once it is made:** it is not waited for (`wait: false`)."
        steps = [] if self._plan.no_smoke_test else ["smoke test"]
        if asked.checks:
            steps.append("checks")
        if asked.promote_to:
            steps.append(f"promotion into {self._name(asked.promote_to)}")
        if asked.watch_minutes:
            steps.append(f"a watch of {duration(asked.watch_minutes * 60)}")
        if asked.cleanup:
            steps.append("deactivated again")
        back = "; rolled back when it fails there" if asked.rollback_on_failure else ""
        return f"**Once it is live:** {', '.join(steps)}{back}." if steps and steps != ["smoke test"] else ""

    def _settings_table(self) -> Iterator[Block]:
        """What `environment-settings` change."""
        if not self._settings.environment_settings or self._plan.offline:
            return
        changed = self._changed_settings()
        rows: list[tuple[str, ...]] = [
            (self._name(name), self._setting(change.name), self._name(change.before), self._name(change.after))
            for name, change in changed
        ]
        if not rows:
            yield Block("`environment-settings`: they are in force already.", Weight.DETAIL, "settings")
            return
        title = "Settings"
        header: tuple[str, ...] = ("Environment", "Setting", "Now", "After")
        where = {name for name, _ in changed}
        if len(where) == 1:  # then it is in the title: a column less, for phones
            title = f"Settings of <code>{escape(self._redact(*where))}</code>"
            header, rows = header[1:], [row[1:] for row in rows]
        title = f"{title}: {count(len(rows), 'change')}"
        listed = folded(title, table(header, rows), is_open=len(rows) <= OPEN_SETTINGS)
        yield Block(listed, Weight.RESULT, "settings")

    def _setting(self, name: str) -> str:
        """The group and what is in it, so that a phone breaks the line between them."""
        group, _, rest = self._redact(name).partition(".")
        return f"{self._name(group)}: {self._name(rest)}" if rest else self._name(group)

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
            lines = [
                shortened_in_the_middle(self._redact(line), LINE_CHARACTERS) for line in found.config_lines[:DIFF_LINES]
            ]
            more = len(found.config_lines) - len(lines)
            rest = f"\n\n… and {more} more lines" if more else ""
            yield Block(f"{block(chr(10).join(lines), 'diff')}{rest}", Weight.RESULT, "the config's diff")
            return
        yield Block(said, Weight.DETAIL if found.same_config else Weight.RESULT, "the config")

    def _ignored(self) -> Iterator[Block]:
        dropped = self._plan.dropped
        if not dropped:
            return
        names = ", ".join(self._name(name) for name in dropped[:NAMES])
        more = f" and {len(dropped) - NAMES} more" if len(dropped) > NAMES else ""
        title = f"Left out by the ignore rules: {len(dropped)}"
        yield Block(folded(title, f"{names}{more}"), Weight.DETAIL, "what is left out")
