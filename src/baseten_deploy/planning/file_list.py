"""The files of a plan: what differs, with the diffs of small texts, and the largest ones. Markdown; pure."""

from collections.abc import Collection, Iterator, Sequence

from baseten_deploy.report.amounts import count, size
from baseten_deploy.report.blocks import Block, Weight, folded
from baseten_deploy.report.markdown import block, table, texts

from .diff import FileChange
from .planned import LINE_CHARACTERS, Comparison, Words, shortened_in_the_middle

# What is longer is cut.
DIFF_LINES = 200
NAMES = 40
LARGEST = 10
_BY_WEIGHT = ("changed", "removed", "added")


class FileList(Words):
    """The files of one plan."""

    def blocks(self) -> Iterator[Block]:
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
        rows = [(change.kind, self._name(change.name), _sizes(change)) for change in shown]
        parts = [
            f"Against what is live: {_counts(found.files, ('added', 'removed', 'changed'))}.",
            table(("", "File", "Size"), rows),
        ]
        if more := _counts(set(found.files) - set(shown), _BY_WEIGHT, " more"):
            parts.append(f"… and {more}")
        return [*parts, *self._file_diffs(shown)]

    def _file_diffs(self, changes: Sequence[FileChange]) -> Iterator[str]:
        left = DIFF_LINES
        for change in changes:
            if change.lines and left > 0:
                lines = [shortened_in_the_middle(self._redact(line), LINE_CHARACTERS) for line in change.lines[:left]]
                left -= len(lines)
                yield f"{self._name(change.name)}\n\n{block(chr(10).join(lines), 'diff')}"


def _weight(change: FileChange) -> tuple[int, int, str]:
    """Sorts changed, removed and added files, each by size in bytes."""
    return _BY_WEIGHT.index(change.kind), -max(change.before or 0, change.after or 0), change.name


def _counts(changes: Collection[FileChange], kinds: Sequence[str], more: str = "") -> str:
    numbers = ((sum(change.kind == kind for change in changes), kind) for kind in kinds)
    return ", ".join(f"{number}{more} {kind}" for number, kind in numbers if number)


def files_counted(changes: Sequence[FileChange]) -> str:
    """As `_counts`, in words that stand by themselves: `1 file added, 2 changed`."""
    number, rest = _counts(changes, ("added", "removed", "changed")).split(" ", 1)
    return f"{count(int(number), 'file')} {rest}"


def _sizes(change: FileChange) -> str:
    """Live and new, in one column: a phone has no room for two."""
    if change.mode_only:
        return f"{size(change.after or 0)}, executable bit"
    return " → ".join(size(known) for known in (change.before, change.after) if known is not None)
