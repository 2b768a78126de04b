"""Mistakes in a config that the service finds late or never: names, accelerators, files that are not there.

Pure apart from asking whether a file exists. Keys and types at every depth are `shape`; the dry run has the last word
about everything else, and about what is newer than these lists.
"""

import os
import posixpath
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass

from . import placeholders, readings, shape
from .config_file import ConfigFile
from .ignore_rules import IGNORE_FILE, IgnoreRules
from .shape import nearest

# Those of truss 0.18.35; a test compares them with the installed package.
ACCELERATORS = (
    "B10",
    "T4",
    "L4",
    "A10G",
    "V100",
    "A100",
    "A100_40GB",
    "H100",
    "H200",
    "H100_40GB",
    "B200",
    "L40S",
    "RTX_PRO_6000",
    "B300",
    "GB300",
)


@dataclass(frozen=True)
class Contents:
    """What the archive will have of the Truss in `directory`."""

    directory: Path
    names: Collection[str]
    rules: IgnoreRules

    def why_missing(self, name: str) -> str:
        """Why `name` is not in the archive; `""` when it is, or when its own problem was reported."""
        if name in self.names:
            return ""
        if not os.path.lexists(self.directory / name):
            return "does not exist"
        parts = name.split("/")
        for path in [*(f"{'/'.join(parts[:length])}/" for length in range(1, len(parts))), name]:
            if self.rules.ignores(path):
                source = f"`{IGNORE_FILE}`" if self.rules.custom else "the default ignore rules"
                return f"is ignored: {source} leave out `{self.rules.pattern_for(path) or path}`"
        return ""


def check(config: ConfigFile, contents: Contents) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about a config."""
    errors = [
        *_model_name(config),
        *_python_version(config),
        *_no_cache(config),
        *_variables(config),
        *_requirements(config, contents),
    ]
    warnings = [*shape.find_problems(config), *placeholders.find_problems(config), *readings.find_problems(config)]
    warnings += _null_variables(config)
    for more_errors, more_warnings in (_model_class(config, contents), _accelerator(config)):
        errors += more_errors
        warnings += more_warnings
    return errors, _without_repeats(errors, warnings)


def _without_repeats(errors: Collection[Problem], warnings: Collection[Problem]) -> list[Problem]:
    """The warnings, without a second one at the same place: one cause, one message."""
    seen = {(problem.line, problem.column) for problem in errors if problem.line}
    kept = []
    for problem in warnings:
        place = (problem.line, problem.column)
        if problem.line == 0 or place not in seen:
            kept.append(problem)
            seen.add(place)
    return kept


def _model_name(config: ConfigFile) -> list[Problem]:
    name = config.value.get("model_name")
    if name is None or isinstance(name, str):
        return []
    written = config.written.get(("model_name",), "")
    remedy = f'YAML reads `{written}` as {shape.spoken(name)}: write it in quotes, `model_name: "{written}"`.'
    remedy = remedy if written else "Write one text, `model_name: my-model`."
    return [config.problem(f"`model_name`: {name!r} is not text", remedy, "model_name")]


def _python_version(config: ConfigFile) -> list[Problem]:
    version = config.value.get("python_version", "py313")
    if isinstance(version, str) and re.fullmatch(r"py3\d{1,2}", version):
        return []
    match = re.search(r"3\.?(\d{1,2})", str(version))
    minor = match[1] if match else "13"
    remedy = f"Write `python_version: py3{'10' if minor == '1' else minor}`."  # YAML reads 3.10 as the number 3.1
    return [config.problem(f"`python_version`: {version!r} is not a Python version", remedy, "python_version")]


def _no_cache(config: ConfigFile) -> list[Problem]:
    build = config.value.get("build")
    if not isinstance(build, dict) or build.get("no_cache") is not True:
        return []
    message = "`build.no_cache`: the service refuses to build a config with it"
    return [config.problem(message, "Remove it.", "build", "no_cache")]


def _variables(config: ConfigFile) -> list[Problem]:
    variables = config.value.get("environment_variables", {})
    if isinstance(variables, dict):
        return []
    remedy = "Write `NAME: value` lines below it, or remove it."
    message = "`environment_variables` is not a mapping of names to values"
    return [config.problem(message, remedy, "environment_variables")]


def _null_variables(config: ConfigFile) -> list[Problem]:
    variables = config.value.get("environment_variables")
    names = [name for name, value in variables.items() if value is None] if isinstance(variables, dict) else []
    return [
        config.problem(
            f"`environment_variables`: `{name}` has no value: the model gets the text `None`",
            'Write the value, `""` for an empty one, or use `secrets`.',
            *("environment_variables", name),
        )
        for name in names
    ]


def _requirements(config: ConfigFile, contents: Contents) -> list[Problem]:
    file = config.value.get("requirements_file")
    if not file or not isinstance(file, str):
        return []
    problems = []
    if config.value.get("requirements"):
        remedy = "Move the `requirements` into that file, or remove one of them."
        message = "`requirements` and `requirements_file` exclude each other"
        problems.append(config.problem(message, remedy, "requirements_file"))
    name = posixpath.normpath(file)
    if posixpath.isabs(name) or name.startswith("../"):
        message = f"`requirements_file`: `{file}` is outside of the Truss"
        return [*problems, config.problem(message, "Put it into the Truss directory.", "requirements_file")]
    needed = [name]
    if posixpath.basename(name) == "uv.lock":
        needed.append(posixpath.join(posixpath.dirname(name), "pyproject.toml"))
    for each in needed:
        reason = contents.why_missing(each)
        if reason:
            message = f"`requirements_file`: `{each}` {reason}"
            remedy = "The path is relative to the Truss directory."
            problems.append(config.problem(message, remedy, "requirements_file"))
    return problems


def _model_class(config: ConfigFile, contents: Contents) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about the model class file, which a Truss without a server of its own has.

    The model server ends with "No module class file found" without it, unless the image got one from elsewhere.
    """
    value = config.value
    name = model_class_file(value)
    reason = contents.why_missing(name) if name else ""
    if not reason:
        return [], []
    remedy = (
        "Add it, or name another one with `model_module_dir` and `model_class_filename`. A Truss without a model class "
        "has `docker_server`, `trt_llm` or `bis_llm`."
    )
    keys = [key for key in ("model_class_filename", "model_module_dir") if key in value]
    problem = config.problem(f"The model class file `{name}` {reason}", remedy, *keys[:1])
    return ([], [problem]) if value.get("base_image") or value.get("build_commands") else ([problem], [])


def model_class_file(value: Mapping[str, Any]) -> str:
    """The file of the model class, relative to the Truss; `""` for a Truss with a server of its own."""
    build = value.get("build")
    server = build.get("model_server") if isinstance(build, dict) else None
    if any(value.get(key) for key in ("docker_server", "trt_llm", "bis_llm")) or server not in (None, "TrussServer"):
        return ""
    folder, file = value.get("model_module_dir", "model"), value.get("model_class_filename", "model.py")
    if not isinstance(folder, str) or not isinstance(file, str):
        return ""
    return posixpath.normpath(posixpath.join(folder, file))


def _accelerator(config: ConfigFile) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about `resources.accelerator`: `A100`, `A100:2`, or a mapping."""
    resources = config.value.get("resources")
    written = resources.get("accelerator") if isinstance(resources, dict) else None
    if isinstance(written, dict):
        written = written.get("accelerator")
    if not isinstance(written, str) or not written.strip():
        return [], []

    def problem(message: str, remedy: str) -> Problem:
        return config.problem(f"`accelerator`: {message}", remedy, "resources", "accelerator")

    name, colon, number = (part.strip() for part in written.partition(":"))
    if colon and not re.fullmatch(r"0*[1-9][0-9]*(:.*)?", number):
        return [problem(f"`{number}` is not a number of accelerators", f"Write `{name}:2`, for example.")], []
    if name in ACCELERATORS and re.search(r"\s", written.strip()):
        return [], [problem(f"`{written}` has a space in it", f"Write `{name}:{number}`.")]
    if name in ACCELERATORS:
        return [], []
    known = f"Known ones are {', '.join(ACCELERATORS)}."
    same = next((each for each in ACCELERATORS if _bare(each) == _bare(name)), "")
    if same:
        return [problem(f"`{name}` is written `{same}`", f"Write `{same}{colon}{number}`.")], []
    hint = nearest(name.upper(), ACCELERATORS)
    remedy = f"Did you mean `{hint}`? {known}" if hint else known
    return [], [problem(f"`{name}` is not one that this action knows; the service decides", remedy)]


def _bare(accelerator: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", accelerator.upper()).removeprefix("NVIDIA")
