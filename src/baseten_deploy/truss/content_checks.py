"""What the content of the packed files tells before anything is sent.

Files that stand in for others, the model's code, credentials, requirements that nobody can read: each has a module.
Here the files are read for them, once.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass

from . import credentials, model_code, requirements_encoding, stand_ins
from .config_file import CONFIG_FILE, ConfigFile
from .first_bytes import first_bytes
from .ignore_warnings import secretive_part
from .packing_list import PackingList, relative_name, shown
from .stand_ins import Kind

if TYPE_CHECKING:
    from .packed_file import PackedFile

# Files whose names and beginnings are looked through together, before one by one.
_AT_ONCE = 256


@dataclass(frozen=True)
class Findings:
    """Errors, warnings, and the `secrets` that are not to be shown."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    secrets: tuple[str, ...] = ()


def check(packing: PackingList, config: ConfigFile | None, workspace: Path) -> Findings:
    """Look into the files of a packing list; `config` is `None` when it could not be read."""
    files = packing.files
    pointers: dict[str, tuple[PackedFile, Kind]] = {}
    secretive: list[PackedFile] = []
    dvc: list[tuple[PackedFile, bytes]] = []
    looked_at = first_bytes(files)
    while batch := list(islice(looked_at, _AT_ONCE)):
        for file, content in batch:
            if content.startswith(stand_ins.BEGINNINGS) and file.size == len(content):
                kind = stand_ins.kind_of(content)
                if kind:
                    pointers[file.name] = (file, kind)
            if file.name.endswith(".dvc"):
                dvc.append((file, content))
        if credentials.maybe_in_files((file.name, content) for file, content in batch):
            held = [file for file, content in batch if credentials.in_file(file.name, content)]
            secretive += [file for file in held if file.name != CONFIG_FILE and file.name not in pointers]
    dvc = [(file, content) for file, content in dvc if file not in secretive and file.name not in pointers]
    whole = [file for file in files if file.size and file.name not in pointers]
    for start in range(0, len(whole), _AT_ONCE):
        near = whole[start : start + _AT_ONCE]
        if credentials.maybe_named_so(file.name for file in near):
            secretive += [file for file in near if credentials.is_named_so(file.name)]
    in_place = {shown(file, workspace): kind for file, kind in pointers.values()}
    errors = list(_stand_ins(packing, in_place, workspace))
    warnings = [
        *credentials.warn_of_files({shown(file, workspace) for file in secretive if not secretive_part(file.name)}),
        *stand_ins.missing_outputs(dvc, packing.rules, workspace),
    ]
    if config is None:
        return Findings(tuple(errors), tuple(warnings))
    wrong, doubtful = model_code.check(config, whole, workspace)
    in_config = credentials.in_config(config)
    unreadable = requirements_encoding.check(config, packing.by_name, workspace)
    warnings = [*in_config.warnings, *unreadable, *doubtful, *warnings]
    return Findings((*errors, *wrong), tuple(warnings), in_config.values)


def _stand_ins(packing: PackingList, pointers: Mapping[str, Kind], workspace: Path) -> Iterator[Problem]:
    found = dict(pointers)
    found |= {relative_name(path, workspace): Kind.ANNEX for path in packing.annexed}
    found |= {relative_name(path, workspace): Kind.SUBMODULE for path in stand_ins.unfetched(packing.empty, workspace)}
    for kind in Kind:
        if names := [name for name, what in found.items() if what is kind]:
            yield stand_ins.problem(kind, names)
