"""Checks of a config: what the service would find late or never, and nothing that it accepts."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from trees import write_tree

from baseten_deploy.errors import Problem
from baseten_deploy.truss.config_checks import ACCELERATORS, Contents, check
from baseten_deploy.truss.config_file import ConfigFile, read_config
from baseten_deploy.truss.ignore_rules import DEFAULT_RULES, IgnoreRules

FILES = ("config.yaml", "model/model.py", "requirements.txt")


def findings(
    directory: Path, text: str, files: tuple[str, ...] = FILES, rules: IgnoreRules = DEFAULT_RULES
) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about a config in a Truss that has `files`."""
    root = write_tree(directory, {**dict.fromkeys(files, ""), "config.yaml": text})
    config: ConfigFile = read_config(root / "config.yaml", [root], root)
    packed = [name for name in files if not any(rules.ignores(f"{part}/") for part in name.split("/")[:-1])]
    return check(config, Contents(root, frozenset(name for name in packed if not rules.ignores(name)), rules))


def errors(directory: Path, text: str, files: tuple[str, ...] = FILES, rules: IgnoreRules = DEFAULT_RULES) -> list[Any]:
    """Messages and lines of the errors; there is no warning, and each error has a remedy."""
    found, warnings = findings(directory, text, files, rules)
    assert [] == warnings
    assert all(problem.remedy for problem in found)
    return [(problem.message, problem.line) for problem in found]


def warning(directory: Path, text: str, files: tuple[str, ...] = FILES) -> Problem:
    """The only finding, a warning."""
    found, (problem,) = findings(directory, text, files)
    assert [] == found
    assert problem.remedy
    return problem


def test_a_full_config_is_fine(tmp_path: Path) -> None:
    """Nothing to say about what is right."""
    text = """
model_name: hello
python_version: py311
requirements_file: ./requirements.txt
requirements: []
environment_variables: {A: 1, B: true}
resources: {accelerator: "A100:2", cpu: "1"}
hf_cache: null
base_image: null
build: {no_cache: false}
"""
    assert ([], []) == findings(tmp_path, text)


def test_keys_that_no_config_has(tmp_path: Path) -> None:
    """A warning at each, with the nearest known name."""
    _, warnings = findings(tmp_path, "modle_name: x\nfoo: 1\nresource: {}\n")
    assert [
        (1, "`modle_name` is no key of a Truss config", "Did you mean `model_name`? `truss push` refuses it."),
        (2, "`foo` is no key of a Truss config", "Correct or remove it. `truss push` refuses it."),
        (3, "`resource` is no key of a Truss config", "Did you mean `resources`? `truss push` refuses it."),
    ] == [(problem.line, problem.message, problem.remedy) for problem in warnings]


def test_a_file_that_is_no_config_at_all(tmp_path: Path) -> None:
    """Fifty warnings say enough."""
    _, warnings = findings(tmp_path, "".join(f"key{number}: 1\n" for number in range(60)))
    assert (51, "10 more keys that no Truss config has", 51) == (
        len(warnings),
        warnings[-1].message,
        warnings[-1].line,
    )


@pytest.mark.parametrize("name", ["123", "1.5", "[a]", "true"])
def test_a_model_name_that_is_not_text(tmp_path: Path, name: str) -> None:
    """YAML makes a number of it."""
    value = yaml.safe_load(name)
    assert [(f"`model_name`: {value!r} is not text", 1)] == errors(tmp_path, f"model_name: {name}")


@pytest.mark.parametrize("text", ["", "model_name:", "model_name: ''"])
def test_a_missing_model_name_is_not_an_error_here(tmp_path: Path, text: str) -> None:
    """The input can give it."""
    assert [] == errors(tmp_path, text)


@pytest.mark.parametrize("accelerator", [*ACCELERATORS, "A100:2", "H100:8 ", "''", "null"])
def test_known_accelerators(tmp_path: Path, accelerator: str) -> None:
    """With or without a count."""
    value = accelerator if accelerator in {"''", "null"} else f'"{accelerator}"'
    assert [] == errors(tmp_path, f"resources: {{accelerator: {value}}}")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a10g", "A10G"),
        ("h100:2", "H100:2"),
        ("A100-40GB", "A100_40GB"),
        ("NVIDIA L4", "L4"),
        ("rtx pro 6000", "RTX_PRO_6000"),
    ],
)
def test_misspelled_accelerators(tmp_path: Path, written: str, meant: str) -> None:
    """The service would refuse them; the remedy has the right spelling."""
    (problem,), _ = findings(tmp_path, f'resources:\n  accelerator: "{written}"\n')
    assert (f"Write `{meant}`.", 2, 3) == (problem.remedy, problem.line, problem.column)


def test_an_accelerator_in_a_mapping(tmp_path: Path) -> None:
    """The long form is checked too."""
    assert [("`accelerator`: `t4` is written `T4`", 2)] == errors(
        tmp_path, "resources:\n  accelerator: {accelerator: t4, count: 2}\n"
    )


@pytest.mark.parametrize("written", ["A100: 2", "T4 :4", "L4 : 1"])
def test_an_accelerator_with_a_space_in_it(tmp_path: Path, written: str) -> None:
    """`truss` takes no number from it, or hardly."""
    problem = warning(tmp_path, f"resources: {{accelerator: '{written}'}}")
    assert (f"`accelerator`: `{written}` has a space in it", 1) == (problem.message, problem.line)
    assert f"Write `{written.replace(' ', '')}`." == problem.remedy


@pytest.mark.parametrize("count", ["0", "x", "", "-1", "1.5"])
def test_a_wrong_number_of_accelerators(tmp_path: Path, count: str) -> None:
    """A count is a positive number."""
    message = f"`accelerator`: `{count}` is not a number of accelerators"
    assert [(message, 1)] == errors(tmp_path, f'resources: {{accelerator: "A100:{count}"}}')


@pytest.mark.parametrize(("accelerator", "hint"), [("B400", "Did you mean"), ("TPU_V9", "Known ones are")])
def test_unknown_accelerators_are_a_warning(tmp_path: Path, accelerator: str, hint: str) -> None:
    """The service has new ones before this action knows them."""
    assert warning(tmp_path, f"resources: {{accelerator: {accelerator}}}").remedy.startswith(hint)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3.11", "py311"),
        ("'3.11'", "py311"),
        ("3.10", "py310"),
        ("python3.12", "py312"),
        ("py3.9", "py39"),
        ("null", "py313"),
    ],
)
def test_python_versions(tmp_path: Path, written: str, meant: str) -> None:
    """The remedy has the right spelling, also where YAML made a number of it."""
    (problem,), _ = findings(tmp_path, f"python_version: {written}")
    assert problem.remedy == f"Write `python_version: {meant}`."


def test_no_cache_belongs_elsewhere(tmp_path: Path) -> None:
    """The service refuses to build an archive whose config has it."""
    message = "`build.no_cache`: the service refuses to build a config with it"
    assert [(message, 2)] == errors(tmp_path, "build:\n  no_cache: true\n")


@pytest.mark.parametrize("value", ["", "[A]", "text"])
def test_environment_variables_are_a_mapping(tmp_path: Path, value: str) -> None:
    """An empty key is null in YAML, which breaks `truss push` and the build."""
    message = "`environment_variables` is not a mapping of names to values"
    assert [(message, 1)] == errors(tmp_path, f"environment_variables: {value}")


def test_a_variable_without_a_value(tmp_path: Path) -> None:
    """It becomes the text `None`, as with `truss push`."""
    _, warnings = findings(tmp_path, "environment_variables:\n  A: 1\n  TOKEN:\n  B: null\n")
    assert [
        (3, "`environment_variables`: `TOKEN` has no value: the model gets the text `None`"),
        (4, "`environment_variables`: `B` has no value: the model gets the text `None`"),
    ] == [(problem.line, problem.message) for problem in warnings]


def test_requirements_in_two_places(tmp_path: Path) -> None:
    """The service takes one of them."""
    assert [("`requirements` and `requirements_file` exclude each other", 2)] == errors(
        tmp_path, "requirements: [torch]\nrequirements_file: requirements.txt\n"
    )


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("req.txt", "`requirements_file`: `req.txt` does not exist"),
        ("lib/req.txt", "`requirements_file`: `lib/req.txt` is ignored: the default ignore rules leave out `lib/`"),
        ("../req.txt", "`requirements_file`: `../req.txt` is outside of the Truss"),
        ("/etc/passwd", "`requirements_file`: `/etc/passwd` is outside of the Truss"),
        ("uv.lock", "`requirements_file`: `pyproject.toml` does not exist"),
    ],
)
def test_a_requirements_file_that_the_archive_lacks(tmp_path: Path, file: str, message: str) -> None:
    """With the reason; `uv.lock` needs its `pyproject.toml`."""
    files = (*FILES, "lib/req.txt", "uv.lock")
    assert [(message, 1)] == errors(tmp_path, f"requirements_file: {file}", files)


def test_a_missing_model_class(tmp_path: Path) -> None:
    """The model server would end with "No module class file found", an hour later."""
    assert [("The model class file `model/model.py` does not exist", 0)] == errors(tmp_path, "", ("config.yaml",))


def test_an_ignored_model_class(tmp_path: Path) -> None:
    """Says which line ignores it."""
    rules = IgnoreRules(custom=True, patterns=("*.txt", "src/"))
    text = "model_module_dir: src\nmodel_class_filename: main.py\n"
    assert [("The model class file `src/main.py` is ignored: `.truss_ignore` leave out `src/`", 2)] == errors(
        tmp_path, text, ("config.yaml", "src/main.py"), rules
    )


@pytest.mark.parametrize(
    "text",
    [
        "docker_server: {start_command: x, server_port: 1, predict_endpoint: /, readiness_endpoint: /, "
        "liveness_endpoint: /}",
        "trt_llm: {build: {}}",
        "bis_llm: {config: {}}",
        "build: {model_server: TRT_LLM}",
        "model_module_dir: src\nmodel_class_filename: main.py",
    ],
)
def test_trusses_without_a_model_class(tmp_path: Path, text: str) -> None:
    """Those that bring a server have none, or have it elsewhere."""
    assert [] == errors(tmp_path, text, ("config.yaml", "src/main.py"))


@pytest.mark.parametrize("text", ["base_image: {image: mine}", "build_commands: [git clone x]"])
def test_a_model_class_that_the_image_may_have(tmp_path: Path, text: str) -> None:
    """A base image or a build command can put it there: only a warning."""
    assert warning(tmp_path, text, ("config.yaml",)).message == "The model class file `model/model.py` does not exist"


@pytest.mark.parametrize(
    "key",
    [
        "model_name",
        "resources",
        "environment_variables",
        "build",
        "requirements_file",
        "requirements",
        "model_module_dir",
        "python_version",
    ],
)
@pytest.mark.parametrize("value", [None, 1, 1.5, True, "text", [], [1], {}, {"accelerator": 1}, {"no_cache": 1}])
def test_no_type_breaks_the_checks(tmp_path: Path, key: str, value: object) -> None:
    """A wrong type is reported, or left to the service."""
    findings(tmp_path, yaml.safe_dump({key: value}))
