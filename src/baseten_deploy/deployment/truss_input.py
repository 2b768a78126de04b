"""What a run deploys: the Truss that its inputs name, read and checked, or a library listing. Sends nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.ci.workspace import find_truss
from baseten_deploy.errors import InvalidInput, InvalidTruss, Problem
from baseten_deploy.inputs.combinations import find_warnings
from baseten_deploy.report.amounts import count, size
from baseten_deploy.run import Run
from baseten_deploy.truss.directory import Truss, read_truss


def begin(run: Run) -> None:
    """Raise what is wrong with the inputs, and say what has no effect. Sends nothing."""
    if run.input_problems:
        raise InvalidInput(run.input_problems)
    for warning in find_warnings(run.settings):
        run.warn(warning)


def read_source(run: Run) -> Truss | None:
    """The Truss of this run, `None` when it deploys a library listing. Raises what is wrong with it or the inputs."""
    if not run.settings.library_listing:
        return read(run)
    begin(run)
    return None


def read(run: Run) -> Truss:
    """Read and check the Truss; raise the problems of the inputs and of the Truss together. Sends nothing."""
    with run.phase("Read the Truss"):
        try:
            truss = read_truss(truss_directory(run), run.workspace, run.settings.config)
        except InvalidTruss as error:
            for warning in error.warnings:
                run.warn(warning)
            nameless = name_model(run, error.config, error.config_file)
            raise InvalidInput([*run.input_problems, *nameless, *error.problems]) from None
        except InvalidInput as error:
            raise InvalidInput([*run.input_problems, *error.problems]) from None
        for secret in truss.secrets:  # in a diff, for example; the log would have it in its mask
            run.redactor.add(secret)
        run.input_problems += name_model(run, truss.config, truss.config_file)
        begin(run)
        for warning in truss.warnings:
            run.warn(warning)
        run.packed_files, run.packed_bytes = len(truss.files), sum(file.size for file in truss.files)
        run.say(f"{count(run.packed_files, 'file')}, {size(run.packed_bytes)}, config {truss.config_file}")
    return truss


def name_model(run: Run, config: Mapping[str, Any], config_file: str) -> list[Problem]:
    """Write the model's name, also for a Truss that is wrong: its comment is found by it. A problem if it has none."""
    written = "" if config.get("model_name") is None else config["model_name"]
    if run.settings.model_id or not isinstance(written, str):  # which is a problem already
        return []
    if name := run.settings.model_name or written.strip():
        run.outputs.set("model-name", name)
        run.ledger.model(name)
        return []
    message = "The model has no name: the config has no `model_name`"
    return [Problem(message, "Add `model_name: my-model` to it, or set the input `model-name`.", config_file)]


def truss_directory(run: Run) -> Path:
    """The Truss directory, absolute. Raises `InvalidInput` when it is not within a workspace that can be read."""
    return find_truss(run.workspace, run.settings.truss_directory, on_github=run.runner.on_github)
