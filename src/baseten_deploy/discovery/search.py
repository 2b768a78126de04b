"""Finds the Trusses of a repository: directories whose `config.yaml` has a Truss's keys. Reads nothing else of them.

Left out are what git ignores and hidden directories; links to directories are not followed. Other tools have files of
that name too (Hydra, Helm, MkDocs): what makes one a Truss is `is_truss`.
"""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from baseten_deploy import strict_yaml
from baseten_deploy.ci.regular_files import read_regular
from baseten_deploy.expressions import expression
from baseten_deploy.truss.config_file import CONFIG_BYTES, CONFIG_FILE
from baseten_deploy.truss.shape import known_keys

from .git_ignore import Scope, parse

_IGNORE_FILE = ".gitignore"
_EXCLUDE_FILE = ".git/info/exclude"
_IGNORE_BYTES = 1024 * 1024
_MODEL_FILE = "model/model.py"
# A Truss without a model class has one of these.
_SERVERS = frozenset({"docker_server", "trt_llm", "bis_llm", "base_image"})
_KEY = expression(r"""^(?:"([^"\n]+)"|'([^'\n]+)'|([A-Za-z_][\w.-]*))[ \t]*:(?=\s|$)""", re.MULTILINE)


def find_trusses(top: Path, workspace: Path) -> list[Path]:
    """The Trusses at or below `top`, sorted. Both are absolute and resolved, `top` is within `workspace`."""
    return sorted(_walk(top, workspace))


def is_truss(keys: Collection[str], *, has_model: bool) -> bool:
    """Whether a `config.yaml` with these keys at its top is a Truss's; `has_model`: `model/model.py` is beside it.

    A Truss has a name, a model class or a server of its own, and mostly keys that a Truss has: a key may be misspelled,
    but `model_name` among the parameters of a training is none.
    """
    known = {*keys} & {*known_keys()}
    others = len({*keys} - known)
    if "model_name" in known and has_model:
        return True
    return len(known) > others and ("model_name" in known or has_model or bool(known & _SERVERS))


def top_keys(text: str) -> list[str]:
    """The keys at the top of a YAML file, also of one that is broken further down."""
    if text.lstrip().startswith("{"):
        try:
            value = strict_yaml.load(text).value
        except strict_yaml.YamlError:
            return []
        return list(value) if isinstance(value, dict) else []
    return ["".join(groups) for groups in _KEY.findall(text.removeprefix("\ufeff").replace("\r\n", "\n"))]


def _walk(top: Path, workspace: Path) -> Iterator[Path]:
    start = "" if top == workspace else f"{top.relative_to(workspace).as_posix()}/"
    pending = [(start, _scope_above(start, workspace))]
    while pending:
        directory, around = pending.pop()
        try:
            files, directories = _listed(f"{workspace}/{directory}")
        except OSError:
            continue  # what cannot be listed is no Truss of this step's
        scope = _with_rules(directory, _IGNORE_FILE, workspace, around) if _IGNORE_FILE in files else around
        ignores = scope.ignores if scope else lambda _: False
        if CONFIG_FILE in files and not ignores(directory + CONFIG_FILE):
            path = workspace / directory
            if _looks_like_one(path, workspace):
                yield path
        below = (f"{directory}{name}/" for name in directories)
        pending += [(path, scope) for path in below if not ignores(path)]


def _listed(directory: str) -> tuple[set[str], list[str]]:
    """The files that matter here, and the directories to look into. Raises `OSError`."""
    files, directories = set(), []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name in (CONFIG_FILE, _IGNORE_FILE):
                files.add(entry.name)
            elif not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
    return files, directories


def _scope_above(start: str, workspace: Path) -> Scope | None:
    """The rules that hold at `start`: of the workspace and of the directories in between."""
    scope = _with_rules("", _EXCLUDE_FILE, workspace, None)
    parts = start.split("/")[:-1]
    for length in range(len(parts)):
        directory = "".join(f"{part}/" for part in parts[:length])
        scope = _with_rules(directory, _IGNORE_FILE, workspace, scope)
    return scope


def _with_rules(directory: str, file: str, workspace: Path, around: Scope | None) -> Scope | None:
    try:
        text = read_regular(workspace / directory / file, workspace, _IGNORE_BYTES).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):
        return around
    rules = parse(text)
    return Scope(directory, rules, around) if rules.patterns else around


def _looks_like_one(directory: Path, workspace: Path) -> bool:
    try:
        text = read_regular(directory / CONFIG_FILE, workspace, CONFIG_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return (directory / _MODEL_FILE).is_file()  # then what is wrong with it is said
    return is_truss(top_keys(text), has_model=(directory / _MODEL_FILE).is_file())
