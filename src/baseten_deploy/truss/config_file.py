"""The config of a Truss as it was written: its text, what it says, and where in the text it says so.

Whether what it says makes sense is `config_checks`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import yaml

from baseten_deploy import strict_yaml
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.records import dataclass
from baseten_deploy.strict_yaml import YamlError

from .bounded_read import TooLarge, read_within
from .packing_list import Refused, regular_file, relative_name

CONFIG_FILE = "config.yaml"
# The service stores no larger ones; the deployment itself does not need it.
RAW_CONFIG_BYTES = 100 * 1024
# Nobody writes a larger one; reading one would take the memory of the machine before it is known to be none.
CONFIG_BYTES = 10 * 1024 * 1024
_TOO_LARGE = "A config is a few kilobytes: put data into files of its own, or check what an earlier step wrote here."


@dataclass(frozen=True)
class ConfigFile:
    """A config file: its name relative to the workspace, content, and meaning with positions.

    `raw` is the text for the service, `None` above 100 KiB or when it is not UTF-8. `written` has the text of what YAML
    took for something else than text, by path.
    """

    file: str
    content: bytes
    text: str
    raw: str | None
    value: dict[str, Any]
    positions: Mapping[strict_yaml.Path, strict_yaml.Position]
    warnings: tuple[Problem, ...] = ()
    written: Mapping[strict_yaml.Path, str] = field(default_factory=dict)

    def problem(self, message: str, remedy: str, *path: str | int) -> Problem:
        """A problem with the part of the config at `path`, or with what is nearest around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.positions:
                return Problem(message, remedy, self.file, *self.positions[path[:length]])
        return Problem(message, remedy, self.file)

    def without(self, key: str) -> bytes:
        """The config without a top-level key, and otherwise as it was written, comments included, if possible."""
        rest = {name: value for name, value in self.value.items() if name != key}
        text = self._cut_out(key)
        try:
            if (strict_yaml.load(text).value or {}) == rest:
                return text.encode()
        except YamlError:
            pass  # `{...}` on one line, or something further down is an alias to what was cut out
        return yaml.safe_dump(rest, sort_keys=False, allow_unicode=True).encode()

    def _cut_out(self, key: str) -> str:
        """The text without the lines from the key to the next one, in whose favour comments before it count."""
        lines = self.text.splitlines(keepends=True)
        starts = sorted(line - 1 for path, (line, _) in self.positions.items() if len(path) == 1)
        start = self.positions.get((key,), (1, 1))[0] - 1
        end = next((line for line in starts if line > start), len(lines))
        while end - 1 > start and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        return "".join(lines[:start] + lines[end:])


def read_config(path: Path, roots: Sequence[Path], workspace: Path) -> ConfigFile:
    """Read a config file, or a symlink to one below one of `roots`. Raises `InvalidInput`."""
    name = relative_name(path, workspace)
    try:
        directory = Path(os.path.realpath(path.parent))
        if not any(directory.is_relative_to(root) for root in roots):
            raise InvalidInput(Problem("In a directory outside of the Truss", "Put a copy of it into the Truss.", name))
        source, _ = regular_file(directory / path.name, roots)
        content = read_within(source, CONFIG_BYTES)
    except Refused as refused:
        raise InvalidInput(Problem(refused.message, refused.remedy, name)) from None
    except TooLarge as error:
        raise InvalidInput(Problem(str(error), _TOO_LARGE, name)) from None
    except OSError as error:
        raise InvalidInput(
            Problem(f"Cannot be read: {error.strerror}", "Make it readable for this step (`chmod a+r`).", name)
        ) from None
    try:
        text, broken = content.decode(), None
    except UnicodeDecodeError as error:
        text, broken = content.decode(errors="replace"), _not_utf8(name, content, error)
    try:
        document = strict_yaml.load_config(text)
    except YamlError as error:
        from .yaml_error import problem_of  # noqa: PLC0415  # seldom needed

        raise InvalidInput(broken or problem_of(error, text, name)) from None
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        raise InvalidInput(Problem("Not a mapping of keys to values", "Write `model_name: my-model`.", name, 1, 1))
    if broken and "\ufffd" in repr(value):
        raise InvalidInput(broken)
    raw = text if broken is None and len(content) <= RAW_CONFIG_BYTES else None
    warnings = () if broken is None else (broken,)
    return ConfigFile(name, content, text, raw, value, document.positions, warnings, document.written)


def _not_utf8(name: str, content: bytes, error: UnicodeDecodeError) -> Problem:
    before = content[: error.start]
    line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
    return Problem("Not UTF-8, so the service may not be able to read it", "Save it as UTF-8.", name, line, column)
