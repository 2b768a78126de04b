"""`external_package_dirs`: directories outside of the Truss whose content is archived as bundled packages.

What is picked is what `truss push` picks: it first copies the Truss, and each sub-directory of a package directory, by
the default rules, and archives the copy by the rules of the Truss.
"""

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baseten_deploy.errors import Problem

from .config_file import ConfigFile
from .ignore_rules import DEFAULT_RULES, IGNORE_FILE
from .packing_list import PackingList

KEY = "external_package_dirs"
BUNDLED_KEY = "bundled_packages_dir"
BUNDLED_DIRECTORY = "packages"


def find_packages(config: ConfigFile, directory: Path, workspace: Path) -> tuple[list[Path], list[Problem]]:
    """The package directories of the config, resolved, and what is wrong with them."""
    entries = config.value.get(KEY) or []
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return [], [config.problem(f"`{KEY}` is not a list of paths", f"Write `{KEY}: [../shared]`.", KEY)]
    found = []
    problems = []
    for index, entry in enumerate(entries):
        path = Path(os.path.realpath(directory / entry))
        wrong = _what_is_wrong(path, workspace)
        if wrong:
            problems.append(config.problem(f"`{KEY}`: `{entry}` {wrong[0]}", wrong[1], KEY, index))
        elif path not in found:
            found.append(path)
    if entries and not isinstance(_bundled_name(config.value), str):
        remedy = f"Name a directory in the Truss, or leave `{BUNDLED_KEY}` out: it is `{BUNDLED_DIRECTORY}`."
        problems.append(config.problem(f"`{BUNDLED_KEY}` is not a path in the Truss", remedy, BUNDLED_KEY))
    return found, problems


def add_packages(packing: PackingList, config: ConfigFile, packages: Sequence[Path], directory: Path) -> None:
    """Add the content of the package directories; symlinks in them may lead to any of them, and into the Truss."""
    bundled = _bundled_name(config.value)
    assert bundled is not None, "find_packages reports it"
    parts = [] if bundled == "." else bundled.split("/")
    around = ["/".join(parts[:length]) + "/" for length in range(1, len(parts) + 1)]
    for package in packages:
        if any(packing.ignores(name) for name in around):
            packing.drop(around[-1], package)
            continue
        prefix = around[-1] if around else ""
        if (package / ".git").is_dir() and not packing.ignores(f"{prefix}.git/"):
            remedy = f"Add `.git` to the Truss's `{IGNORE_FILE}`."
            packing.problem(package / ".git", "A Git directory, where CI checkouts keep a token", remedy)
        packing.add_tree(package, (directory, *packages), prefix=prefix, also=DEFAULT_RULES, also_below=1)


def _what_is_wrong(path: Path, workspace: Path) -> tuple[str, str] | None:
    if not path.is_relative_to(workspace):
        return "is outside of the workspace", "Check it out into the workspace, and name that path."
    if ".git" in path.relative_to(workspace).parts:
        return "is in `.git`, where CI checkouts keep a token", "Name a directory of Python packages."
    if not path.exists():
        return "does not exist", "The path is relative to the Truss. Is it part of the checkout?"
    if not path.is_dir():
        return "is not a directory", "Name the directory that contains the package, not the package's files."
    return None


def _bundled_name(config: dict[str, Any]) -> str | None:
    """Where packages go, relative to the Truss; `None` when that is nowhere in it."""
    name = config.get(BUNDLED_KEY, BUNDLED_DIRECTORY)
    if not isinstance(name, str) or posixpath.isabs(name):
        return None
    name = posixpath.normpath(name)
    return None if name == ".." or name.startswith("../") else name
