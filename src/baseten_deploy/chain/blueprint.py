"""What a Chain's file says, found out by importing it where there is no key: name, entry point, chainlets."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from baseten_deploy.ci.workspace import find_truss
from baseten_deploy.deployment.truss_input import begin
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import count
from baseten_deploy.run import Run

from . import start
from .import_error import problems_of

# Importing may load a library of gigabytes; what takes longer is not about to end.
SECONDS = 120.0


@dataclass(frozen=True)
class Part:
    """A chainlet before it is pushed. `resources` are words of its Truss's config, `""` for none."""

    name: str
    resources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Blueprint:
    """A Chain that can be pushed. `source` is its file, absolute; `file` the same as people write it."""

    source: Path
    file: str
    name: str
    entrypoint: str
    parts: tuple[Part, ...]


def read_chain(run: Run) -> Blueprint:
    """Import the Chain's file and generate its chainlets, without a key. Sends nothing.

    Raises `InvalidInput` with what is wrong with the inputs, and with the file.
    """
    with run.phase("Read the Chain"):
        try:
            source = find_file(run)
        except InvalidInput as error:
            raise InvalidInput([*run.input_problems, *error.problems]) from None
        begin(run)
        file = relative(run, str(source))
        request = start.request_of(run, source, run.settings.model_name)
        answer = start.start(run, request, seconds=SECONDS, with_key=False)
        said, result = answer.last("chain"), answer.last("result")
        if result is None or said is None:
            raise InvalidInput(problems_of(answer, lambda path: relative(run, path), file, SECONDS))
        try:
            blueprint = Blueprint(source, file, *_names(said), parts=_parts(result))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise InvalidInput(
                f"{file}: what was found out about the Chain cannot be used",
                "Importing the file must not write to descriptors that it did not open.",
            ) from None
        _check_name(blueprint)
        run.outputs.set("model-name", blueprint.name)
        chainlets = count(len(blueprint.parts), "chainlet")
        run.say(f"The Chain {blueprint.name!r}, {chainlets}, entry point {blueprint.entrypoint}")
        for part in blueprint.parts:
            run.say(f"  {part.name}: {resources_line(part)}")
    return blueprint


def find_file(run: Run) -> Path:
    """The file that `truss-directory` names. Raises `InvalidInput` when there is none, or no `truss`."""
    given = run.settings.truss_directory
    path = find_truss_file(run)
    if not run.truss_python:
        raise InvalidInput(
            f"`truss-directory`: {given!r} is a Python file, thus a Chain, and there is no `truss` here to push it",
            "Use the sub-action for Chains, with the same inputs: `uses: OWNER/baseten-deploy/chain@v1`. "
            "Outside of GitHub set the environment variable `BASETEN_DEPLOY_TRUSS_PYTHON` to an interpreter that can "
            "import `truss_chains`. For a model give the directory that has its `config.yaml`.",
        )
    return path


def find_truss_file(run: Run) -> Path:
    """The same, whether or not there is a `truss` to read it with."""
    given = run.settings.truss_directory
    path = find_truss(run.workspace, given, on_github=run.runner.on_github)
    if path.is_dir():
        raise InvalidInput(
            f"`truss-directory`: {given!r} is a directory",
            "Name the `.py` file of a Chain, or a Truss directory whose name does not end so.",
        )
    if not path.is_file():
        raise InvalidInput(
            f"`truss-directory`: there is no file {given!r} in the workspace",
            "Give the path of the Chain's `.py` file, relative to the workspace.",
        )
    return path


def relative(run: Run, path: str) -> str:
    """A path as annotations want it; one outside of the workspace as it is."""
    try:
        return str(Path(path).resolve().relative_to(run.workspace.resolve()))
    except (ValueError, OSError):
        return path


def resources_line(part: Part) -> str:
    """What a chainlet asks for, in words."""
    words = part.resources
    if words.get("instance_type"):
        return words["instance_type"]
    given = [words.get("accelerator", ""), f"{words['cpu']} CPU" if words.get("cpu") else "", words.get("memory", "")]
    return ", ".join(filter(None, given)) or "as the service decides"


def _names(said: Mapping[str, Any]) -> tuple[str, str]:
    name, entrypoint = said["name"], said["entrypoint"]
    if not (isinstance(name, str) and isinstance(entrypoint, str) and name.strip()):
        raise TypeError
    return name, entrypoint


def _parts(result: Mapping[str, Any]) -> tuple[Part, ...]:
    rows = result["chainlets"]
    return tuple(
        Part(str(row["name"]), {str(key): str(value) for key, value in row["resources"].items()}) for row in rows
    )


def _check_name(blueprint: Blueprint) -> None:
    if any(each in blueprint.name for each in '"\\\n'):
        raise InvalidInput(
            Problem(
                f"The Chain's name {blueprint.name!r} has a character that no Chain's name can have",
                'Leave `"`, `\\` and line breaks out of it, or set `model-name`.',
                blueprint.file,
            )
        )
