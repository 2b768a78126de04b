"""What is known about a deploy run before it is made: the facts of a plan, and words for them. Pure.

How the facts are found out is `plan`, how they read is `page`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from baseten_deploy.cost.estimate import Estimate
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import count, size
from baseten_deploy.report.blocks import Block
from baseten_deploy.report.markdown import code
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.packed_file import PackedFile

from .changes import drifted
from .diff import FileChange
from .live_deployment import Live

if TYPE_CHECKING:
    from baseten_deploy.nemo.upsert import RegistrationPlan

# What is longer is cut: a comment has 65 536 characters, and nobody reads a list of a thousand names.
LINE_CHARACTERS = 240


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


class Words:
    """What all parts of a page are written with. `redact` is applied to everything foreign before it is escaped."""

    def __init__(self, plan: Plan, redact: Callable[[str], str]) -> None:
        self._plan = plan
        self._settings = plan.settings
        self._redact = redact

    def _redacted(self, problems: Sequence[Problem]) -> Iterator[Problem]:
        redact = self._redact
        for each in problems:
            file = shortened_in_the_middle(redact(each.file), LINE_CHARACTERS)
            message, remedy, excerpt = redact(each.message), redact(each.remedy), redact(each.excerpt)
            yield replace(each, file=file, message=message, remedy=remedy, excerpt=excerpt)

    def _name(self, text: str) -> str:
        return code(shortened_in_the_middle(self._redact(text), LINE_CHARACTERS))

    def _is_built_in(self, target: Target) -> bool:
        return target.name == "production"

    def _where(self) -> str:
        """The target, `""` for none."""
        name = self._settings.promote_to or self._settings.environment
        return self._name(name) if name else "the development slot" if self._settings.development else ""

    def _amount(self) -> str:
        files = self._plan.files
        return (
            f"{count(len(files), 'file')}, {size(sum(file.size for file in files))}" if files else "there are no files"
        )


def shortened_in_the_middle(text: str, limit: int) -> str:
    """`text` in about so many characters."""
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 :]}"
