"""Files that stand in for others: what a checkout leaves where the content is kept elsewhere. Packed, they fail late.

Git LFS pointers, git-annex links and pointers, directories of submodules that were not fetched, DVC files without their
output. A file counts only if it is nothing but a pointer, so that a text that quotes one is none.
"""

import os
import posixpath
import re
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from baseten_deploy import strict_yaml
from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.report.amounts import count

from .first_bytes import read_first
from .ignore_rules import IGNORE_FILE, IgnoreRules
from .packed_file import PackedFile
from .packing_list import listed, relative_name

SHOWN = 10
_MODULES_FILE = ".gitmodules"
_MODULES_BYTES = 2**20

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, and the names that the version had before.
_LFS = expression(
    rb"version (?:https://git-lfs\.github\.com/spec/v1|https://hawser\.github\.com/spec/v1|http://git-media\.io/v/2)\r?\n"
    rb"(?:ext-[0-9]-\S+ [a-z0-9]+:[0-9a-f]+\r?\n)*"
    rb"oid sha256:[0-9a-f]{64}\r?\n"
    rb"size [0-9]{1,20}(?:\r?\n)*"
)
# https://git-annex.branchable.com/internals/pointer_file and /internals/key_format; where symlinks cannot be checked
# out, Git writes their target into a file.
_ANNEX_KEY = rb"[A-Z][A-Z0-9_]*(?:-[smSC][0-9]+)*--[^/\r\n]+"
_ANNEX = expression(
    rb"(?:/annex/objects/" + _ANNEX_KEY + rb"(?:\r?\n/annex/[^\r\n]*)*"
    rb"|(?:\.\./)*\.git/(?:modules/[^\r\n]+/)?annex/objects/[^\r\n]+)(?:\r?\n)*"
)
# How such files begin, one or the other.
BEGINNINGS = (b"version ", b"/annex/", b"../", b".git/")
_MODULE_PATH = expression(
    r"""^[ \t]*path[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^#;\r\n]*))""", re.MULTILINE | re.IGNORECASE
)


class Kind(Enum):
    """What a file or directory stands in for: its name, what that means, and what to do."""

    LFS = (
        "Git LFS pointer",
        "in place of the content",
        "Set `lfs: true` in the `with:` of `actions/checkout`; elsewhere run `git lfs pull` before this step.",
    )
    ANNEX = (
        "git-annex pointer",
        "in place of the content",
        "Run `git annex get` and `git annex unlock` on it before this step.",
    )
    SUBMODULE = (
        "submodule",
        "not fetched, with nothing in its directory",
        "Set `submodules: true` in the `with:` of `actions/checkout` (`recursive` for one within another); elsewhere "
        "run `git submodule update --init --recursive` before this step.",
    )


def kind_of(content: bytes) -> Kind | None:
    """What a file with exactly this content stands in for."""
    if content.startswith(b"version ") and _LFS.fullmatch(content):
        return Kind.LFS
    if content.startswith(BEGINNINGS[1:]) and _ANNEX.fullmatch(content):
        return Kind.ANNEX
    return None


def problem(kind: Kind, names: Iterable[str]) -> Problem:
    """All that stand in for something of this kind, in one problem at the first of them. Names are the workspace's."""
    names = sorted(names)
    noun, meaning, remedy = kind.value
    return Problem(
        f"{count(len(names), noun)} {meaning}: {listed(names, SHOWN)}",
        f"{remedy} What the model does not need goes into `{IGNORE_FILE}`.",
        names[0],
    )


def unfetched(empty: Iterable[Path], workspace: Path) -> list[Path]:
    """Those of the empty directories that a `.gitmodules` names, in a directory around it up to the workspace."""
    declared: dict[Path, frozenset[Path]] = {}
    found = []
    for directory in empty:
        for parent in directory.parents:
            if not parent.is_relative_to(workspace):
                break
            if parent not in declared:
                declared[parent] = _submodules(parent)
            if directory in declared[parent]:
                found.append(directory)
                break
    return found


def unfetched_around(directory: Path, workspace: Path) -> list[Path]:
    """The submodule that was not fetched in which `directory` should be, if there is one."""
    around = [path for path in (directory, *directory.parents) if path.is_relative_to(workspace) and path.is_dir()]
    return unfetched((path for path in around[:1] if not any(path.iterdir())), workspace)


def _submodules(repository: Path) -> frozenset[Path]:
    """Where `.gitmodules` of a repository puts submodules. Spec: gitmodules(5), git-config(1)."""
    text = read_first(repository / _MODULES_FILE, _MODULES_BYTES).decode(errors="replace")
    paths = (re.sub(r"\\(.)", r"\1", quoted) or plain.strip() for quoted, plain in _MODULE_PATH.findall(text))
    return frozenset(Path(os.path.normpath(repository / path)) for path in paths if path)


def missing_outputs(files: Iterable[tuple[PackedFile, bytes]], rules: IgnoreRules, workspace: Path) -> list[Problem]:
    """Files of DVC whose output is not there although it would be packed, in one warning."""
    missing: dict[str, str] = {}
    for file, content in files:
        if isinstance(file.source, Path) and file.name.endswith(".dvc"):
            for path in _outputs(content):
                output = file.source.parent / path
                packed_as = posixpath.normpath(posixpath.join(posixpath.dirname(file.name), path))
                if not os.path.lexists(output) and not _ignored(packed_as, rules):
                    missing[relative_name(output, workspace)] = relative_name(file.source, workspace)
    if not missing:
        return []
    names = sorted(missing)
    return [
        Problem(
            f"Not there, only a `.dvc` file that stands for it: {listed(names, SHOWN)}",
            "Run `dvc pull` before this step, if the model needs it.",
            missing[names[0]],
        )
    ]


def _outputs(content: bytes) -> list[str]:
    """The paths that a `.dvc` file says it stands for, relative to its directory."""
    try:
        value = strict_yaml.load(content.decode()).value
    except (UnicodeDecodeError, strict_yaml.YamlError):
        return []
    outs = value.get("outs") if isinstance(value, dict) else None
    paths = [out.get("path") for out in outs if isinstance(out, dict)] if isinstance(outs, list) else []
    folder = value.get("wdir") or "."
    inside = (posixpath.normpath(posixpath.join(folder, path)) for path in paths if isinstance(path, str))
    return [path for path in inside if not path.startswith(("/", "../"))]


def _ignored(name: str, rules: IgnoreRules) -> bool:
    """Whether rules leave out the file or a directory around it."""
    parts = name.split("/")
    around = ["/".join(parts[:length]) for length in range(1, len(parts))]
    return rules.ignores_file(name) or any(map(rules.ignores_directory, [*around, name]))
