"""A Truss, read and checked from disk: config, ignore rules and packing list, and all their problems together.

Sends nothing. Each part has a module; here they meet.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from baseten_deploy import strict_yaml
from baseten_deploy.errors import InvalidInput, InvalidTruss, Problem
from baseten_deploy.records import dataclass

from . import config_checks, content_checks, ignore_warnings, stand_ins
from .config_checks import Contents
from .config_file import CONFIG_FILE, ConfigFile, read_config
from .external_packages import KEY as PACKAGES_KEY
from .external_packages import add_packages, find_packages
from .ignore_rules import DEFAULT_RULES, IGNORE_FILE, IgnoreRules, read_rules
from .packed_file import PackedFile
from .packing_list import PackingList, listed, relative_name
from .stand_ins import Kind

LARGEST_BYTES = 5 * 1024**4  # S3's limit for one object
# How far below a directory without a config one is looked for, to suggest it.
_SEARCH_DEPTH = 3
_SEARCH_DIRECTORIES = 2000


@dataclass(frozen=True)
class Truss:
    """Everything that a deployment needs from disk.

    `config` is as written, `external_package_dirs` included; `positions` has the (line, column) of its parts in
    `config_file`, which is relative to the workspace. `raw_config` is the config's text, `None` above 100 KiB or when
    it is not UTF-8. `files` are sorted by name. `dropped` names what the ignore rules left out and somebody may miss.
    `secrets` are credentials that the config holds, which is warned of, and which are not to be shown.
    """

    directory: Path
    config_file: str
    config: dict[str, Any]
    positions: Mapping[strict_yaml.Path, strict_yaml.Position]
    raw_config: str | None
    files: tuple[PackedFile, ...]
    ignore: IgnoreRules
    dropped: tuple[str, ...]
    warnings: tuple[Problem, ...]
    secrets: tuple[str, ...] = field(default=(), repr=False)


def place_of(truss: Truss, *path: str | int) -> tuple[str, int, int]:
    """File, line and column of a part of the config, or of what is nearest around it; 0 where it is nowhere."""
    for length in range(len(path), 0, -1):
        if path[:length] in truss.positions:
            return (truss.config_file, *truss.positions[path[:length]])
    return truss.config_file, 0, 0


def read_truss(directory: Path, workspace: Path, config: str = "") -> Truss:
    """Read the Truss in `directory`, with another file as its `config.yaml` if `config` names one.

    Both paths are absolute and resolved. Raises `InvalidInput` with every problem, `InvalidTruss` if there is a config.
    """
    _check_directory(directory, workspace)
    config_path = _find_config(directory, workspace, config)
    ignore_file = relative_name(directory / IGNORE_FILE, workspace)
    problems: list[Problem] = []
    try:
        written = read_config(config_path, [directory], workspace)
    except InvalidInput as error:
        problems += error.problems
        written = None
    try:
        rules = read_rules(directory)
    except InvalidInput as error:
        raise InvalidInput([*problems, *(replace(each, file=ignore_file) for each in error.problems)]) from None
    packing, found = _pack(directory, workspace, written, rules, is_other=bool(config))
    names = [file.name for file in packing.files]
    warnings: list[Problem] = list(written.warnings) if written else []
    if written is not None:
        wrong, doubtful = config_checks.check(written, Contents(directory, frozenset(names), rules))
        problems += [*wrong, *found]
        warnings += doubtful
    problems += sorted(packing.problems, key=lambda problem: problem.file)
    inside = content_checks.check(packing, written, workspace)
    problems += inside.errors
    warnings += inside.warnings
    if not config and rules.ignores_file(CONFIG_FILE):
        problems.append(_config_ignored(rules, ignore_file))
    problems += _too_much(packing, relative_name(directory, workspace))
    if written is None:
        raise InvalidInput(dict.fromkeys(problems))  # a config that is a bad symlink is found twice
    dropped = sorted(packing.dropped, key=lambda each: each.name)
    warnings += ignore_warnings.find_warnings(rules, names, dropped, ignore_file)
    if problems:
        raise InvalidTruss(dict.fromkeys(problems), config=written.value, config_file=written.file, warnings=warnings)
    return Truss(
        directory=directory,
        config_file=written.file,
        config=written.value,
        positions=written.positions,
        raw_config=written.raw,
        files=packing.files,
        ignore=rules,
        dropped=tuple(each.name for each in dropped),
        warnings=tuple(warnings),
        secrets=inside.secrets,
    )


def _pack(
    directory: Path, workspace: Path, config: ConfigFile | None, rules: IgnoreRules, *, is_other: bool
) -> tuple[PackingList, list[Problem]]:
    """The packing list, and what is wrong with `external_package_dirs`."""
    packing = PackingList(rules, workspace)
    packages: list[Path] = []
    problems: list[Problem] = []
    if config is not None:
        packages, problems = find_packages(config, directory, workspace)
        if config.value.get(PACKAGES_KEY):
            content = config.without(PACKAGES_KEY)
            packing.replace(PackedFile.of_bytes(CONFIG_FILE, content), workspace / config.file)
        elif is_other:
            packing.replace(PackedFile.of_bytes(CONFIG_FILE, config.content), workspace / config.file)
    packing.add_tree(directory, [directory], also=DEFAULT_RULES if packages else None)
    if config is not None and packages and not problems:
        add_packages(packing, config, packages, directory)
        packing.find_clashes()
    return packing, problems


def _too_much(packing: PackingList, directory: str) -> list[Problem]:
    """More than S3 takes is known before it is read for its digest, which takes hours (a sparse file has any size)."""
    total = sum(file.size for file in packing.files)
    if total <= LARGEST_BYTES:
        return []
    largest = max(packing.files, key=lambda file: file.size)
    message = f"The files of `{directory}` have {total / 1024**4:.1f} TiB; an archive may have 5 TiB"
    return [Problem(message, f"The largest is `{largest.name}`; leave it out with `{IGNORE_FILE}`.")]


def _check_directory(directory: Path, workspace: Path) -> None:
    name = relative_name(directory, workspace)
    if not directory.is_relative_to(workspace):
        raise InvalidInput(
            f"`truss-directory`: `{name}` is outside of the workspace",
            f"Give a path below `{workspace}`: nothing else is packed.",
        )
    if not any(workspace.iterdir()):
        raise InvalidInput(
            "The workspace is empty", "Run `actions/checkout` in a step before this one, in the same job."
        )
    if missing := stand_ins.unfetched_around(directory, workspace):
        raise InvalidInput(stand_ins.problem(Kind.SUBMODULE, [relative_name(path, workspace) for path in missing]))
    if directory.is_dir():
        return
    if directory.suffix == ".py" and directory.is_file():
        raise InvalidInput(
            f"`truss-directory`: `{name}` is a Python file, no Truss directory",
            "For a Chain write it without a slash at its end; for a model, give the directory that has `config.yaml`.",
        )
    if directory.is_file():
        raise InvalidInput(
            f"`truss-directory`: `{name}` is a file",
            "Give the directory that has `config.yaml`; another config file in it goes into the input `config`.",
        )
    raise InvalidInput(f"`truss-directory`: there is no directory `{name}`", _suggest(workspace, workspace))


def _find_config(directory: Path, workspace: Path, config: str) -> Path:
    if config:
        return _find_other_config(directory, workspace, config)
    path = directory / CONFIG_FILE
    if os.path.lexists(path):
        return path
    name = relative_name(directory, workspace)
    message = f"`truss-directory`: `{name}` has no `{CONFIG_FILE}`"
    alternative = directory / "config.yml"
    if alternative.exists():
        remedy = f"Rename `config.yml` to `{CONFIG_FILE}`, or set the input `config: config.yml`."
        raise InvalidInput(Problem(message, remedy, relative_name(alternative, workspace)))
    raise InvalidInput(message, _suggest(directory, workspace))


def _find_other_config(directory: Path, workspace: Path, config: str) -> Path:
    """The file that the input `config` names, relative to the Truss or, as for `truss push`, to the workspace."""
    candidates = [Path(os.path.normpath(base / config)) for base in (directory, workspace)]
    inside = [path for path in candidates if path.is_relative_to(directory)]
    found = next((path for path in inside if os.path.lexists(path)), None)
    if found is not None:
        return found
    if not inside:
        raise InvalidInput(
            f"`config`: `{config}` is outside of the Truss", "Name another config file in the Truss directory."
        )
    others = sorted({path.name for path in directory.iterdir() if path.suffix in {".yaml", ".yml"}})
    remedy = f"There are {listed(others)}." if others else "Add it to the Truss, or correct `config`."
    raise InvalidInput(f"`config`: there is no `{config}` in `{relative_name(directory, workspace)}`", remedy)


def _suggest(directory: Path, workspace: Path) -> str:
    """Directories with a config, below `directory` or above it."""
    found = [relative_name(path, workspace) for path in _with_config(directory)]
    found += [
        relative_name(parent, workspace)
        for parent in directory.parents
        if parent.is_relative_to(workspace) and (parent / CONFIG_FILE).is_file()
    ]
    if len(found) == 1:
        return f"Did you mean `truss-directory: {found[0]}`?"
    if found:
        return f"Did you mean one of {listed(found)}?"
    return f"A Truss is a directory with a `{CONFIG_FILE}`; the path is relative to the workspace."


def _with_config(directory: Path) -> Iterator[Path]:
    for looked_at, (folder, subfolders, files) in enumerate(os.walk(directory)):
        depth = len(Path(folder).relative_to(directory).parts)
        if CONFIG_FILE in files:
            yield Path(folder)
        if depth == _SEARCH_DEPTH or looked_at > _SEARCH_DIRECTORIES or CONFIG_FILE in files:
            subfolders.clear()
        subfolders[:] = sorted(name for name in subfolders if not DEFAULT_RULES.ignores_directory(name))


def _config_ignored(rules: IgnoreRules, ignore_file: str) -> Problem:
    pattern = rules.pattern_for(CONFIG_FILE)
    return Problem(
        f"`{IGNORE_FILE}`: `{pattern}` ignores `{CONFIG_FILE}`, without which nothing can be deployed",
        f"Remove that line, or add `!{CONFIG_FILE}` below it.",
        ignore_file,
    )
