"""Reads and checks the Trusses that were found, one after the other, and keeps of each what a comparison needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from baseten_deploy.archive.digest import content_digest
from baseten_deploy.errors import DeployError, InvalidTruss, Problem
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.truss.directory import Truss, place_of, read_truss
from baseten_deploy.truss.packing_list import printable


@dataclass(frozen=True)
class ReadTruss:
    """A Truss: its `directory` relative to the workspace (`.` for that itself), model name, digest and config.

    `problems` are what keeps it from being deployed: then the rest may be missing. `place` is where its name stands.
    """

    directory: str
    name: str = ""
    digest: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    place: tuple[str, int, int] = ("", 0, 0)
    problems: tuple[Problem, ...] = ()


def read_all(run: Run, directories: Sequence[Path]) -> list[ReadTruss]:
    """All of them, sorted by directory, also those that are wrong; two of one name are. Warnings are told at once."""
    trusses = sorted((_read(run, each) for each in directories), key=lambda each: each.directory)
    return [*_without_doubles(trusses)]


def _read(run: Run, path: Path) -> ReadTruss:
    written_so = path.relative_to(run.workspace).as_posix()
    directory = printable(written_so)
    wrong = "is not UTF-8" if directory != written_so else ""
    wrong = wrong or ("begins or ends with white space" if directory != directory.strip() else "")
    if wrong:
        message = f"`{directory}`: the name of this directory {wrong}, so no job of a matrix can be given it"
        return ReadTruss(directory, problems=(Problem(message, "Rename the directory.", directory),))
    try:
        truss = read_truss(path, run.workspace)
        for secret in truss.secrets:
            run.redactor.add(secret)
        for warning in truss.warnings:
            run.warn(warning)
        name = str(truss.config.get("model_name") or "").strip()
        if not name:
            return ReadTruss(directory, problems=(_nameless(truss),))
        place = place_of(truss, "model_name")
        return ReadTruss(directory, name, content_digest(truss.files), truss.config, place)
    except DeployError as error:
        written = error.config.get("model_name") if isinstance(error, InvalidTruss) else None
        return ReadTruss(directory, written.strip() if isinstance(written, str) else "", problems=error.problems)


def _nameless(truss: Truss) -> Problem:
    message = "The model has no name: the config has no `model_name`"
    return Problem(message, "Add `model_name: my-model` to it.", *place_of(truss, "model_name"))


def _without_doubles(trusses: Sequence[ReadTruss]) -> Iterator[ReadTruss]:
    """Each, the second and later ones of a name with a problem: the deployments of one would be the other's."""
    first: dict[str, ReadTruss] = {}
    for truss in trusses:
        other = first.setdefault(truss.name, truss) if truss.name and not truss.problems else truss
        if other is truss:
            yield truss
            continue
        message = f"`{truss.directory}` and `{other.directory}` are both called {truss.name!r}"
        remedy = "Give each Truss a `model_name` of its own: one model is deployed from one directory."
        yield ReadTruss(truss.directory, truss.name, problems=(Problem(message, remedy, *truss.place),))
