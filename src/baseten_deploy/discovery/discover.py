"""The run of `mode: discover`: find, read, compare, and write the matrix of what changed."""

import json
from collections.abc import Sequence

from baseten_deploy.ci.workspace import find_truss
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.run import Run

from . import page
from .comparison import Compared, compare, target_of, without_service
from .reading import read_all
from .search import find_trusses

# GitHub makes no more jobs of one matrix.
MOST_JOBS = 256


def discover_trusses(run: Run) -> None:
    """Write the output `matrix`, and the table for summary and comment.

    Raises `InvalidInput` with all that is wrong with any of the Trusses, `AuthFailed`, `Rejected`.
    """
    top = find_truss(run.workspace, run.settings.truss_directory, on_github=run.runner.on_github)
    if not top.is_dir():
        raise InvalidInput(
            f"`truss-directory`: there is no directory `{run.settings.truss_directory}`",
            "Give the directory at or below which the Trusses are, relative to the workspace.",
        )
    with run.phase("Find the Trusses"):
        trusses = read_all(run, find_trusses(top, run.workspace))
        run.say(f"{len(trusses)} found at or below {run.settings.truss_directory!r}")
        if problems := [problem for each in trusses for problem in each.problems]:
            _show(run, page.page_of_wrong(trusses))
            raise InvalidInput(problems)
        if not trusses:
            run.warn(
                Problem(
                    f"`truss-directory`: no Truss at or below `{run.settings.truss_directory}`",
                    "A Truss is a directory whose `config.yaml` has a Truss's keys. Hidden directories and what git "
                    "ignores are left out; check out the repository before this step.",
                )
            )
    with run.phase("Compare with what is live"):
        has_key = bool(run.settings.baseten_api_key)
        compared = compare(run, trusses) if has_key and trusses else without_service(trusses)
        for each in compared:
            run.say(page.line(each))
    write(run, compared)


def write(run: Run, compared: Sequence[Compared]) -> None:
    """The output and the table."""
    rows = [
        {
            "truss-directory": each.truss.directory,
            "model-name": each.truss.name,
            "changed": True,
            "reason": each.reason.value,
        }
        for each in compared
        if each.reason
    ]
    if len(rows) > MOST_JOBS:
        run.warn(
            Problem(
                f"`matrix`: {len(rows)} Trusses changed, and GitHub makes at most {MOST_JOBS} jobs of one matrix",
                "Run this once for each of several directories, with `truss-directory`.",
            )
        )
    run.outputs.set("matrix", json.dumps({"include": rows}, ensure_ascii=False))
    if not compared:
        run.ledger.did_nothing(f"there is no Truss at or below `{run.settings.truss_directory}`")
        return
    _show(run, page.page(compared, target_of(run)))


def _show(run: Run, markdown: str) -> None:
    """The first line belongs to the verdict, the rest below it."""
    said, _, table = run.redactor.redact(markdown).partition("\n\n")
    run.ledger.says(said)
    run.notes.append(table)
