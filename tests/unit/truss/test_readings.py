"""What YAML makes of a text without quotes."""

from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy.errors import Problem
from baseten_deploy.truss.config_file import read_config
from baseten_deploy.truss.readings import find_problems


def found(directory: Path, text: str) -> list[Problem]:
    """What is found in a config."""
    root = write_tree(directory, {"config.yaml": text})
    return find_problems(read_config(root / "config.yaml", [root], root))


@pytest.mark.parametrize(
    ("written", "reading", "sent"),
    [
        ("02142", "the number 1122", "1122"),
        ("1.10", "the number 1.1", "1.1"),
        ("12:30", "the number 750", "750"),
        ("1_000", "the number 1000", "1000"),
        ("0x1F", "the number 31", "31"),
        ("+49", "the number 49", "49"),
        ("yes", "true", "true"),
        ("OFF", "false", "false"),
        ("1.0e+3", "the number 1000.0", "1000.0"),
    ],
)
def test_environment_variables(tmp_path: Path, written: str, reading: str, sent: str) -> None:
    """All that the model gets differs from what was written, at its line."""
    (problem,) = found(tmp_path, f"environment_variables:\n  A: {written}\n")
    message = f"`environment_variables`: YAML reads `{written}` of `A` as {reading}: the model gets `{sent}`"
    assert (2, message, f'Write it in quotes: `A: "{written}"`.') == (problem.line, problem.message, problem.remedy)


@pytest.mark.parametrize("written", ["1", "0", "1.5", "true", "False", "TRUE", "'02142'", "null", "text", "1e5", "09"])
def test_variables_that_stay(tmp_path: Path, written: str) -> None:
    """What is sent as it was written; null is told elsewhere."""
    assert [] == found(tmp_path, f"environment_variables: {{A: {written}}}")


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("revision", "0123457", "42799"),
        ("version", "1.10", "1.1"),
        ("time", "12:30", "750"),
        ("at", "12:30:45", "45045"),
        ("build", "20261128_1", "202611281"),
        ("model_version", "2.0", ""),
        ("git_sha", "1234e+5", ""),
        ("zip", "02142", "1122"),
    ],
)
def test_elsewhere(tmp_path: Path, key: str, written: str, value: str) -> None:
    """Where anything may stand: numbers that nobody writes as such, and keys whose numbers are names."""
    problems = found(tmp_path, f"model_metadata:\n  {key}: {written}\n")
    expected = [(2, f"`model_metadata.{key}`: YAML reads `{written}` as the number {value}")] if value else []
    assert expected == [(problem.line, problem.message) for problem in problems]


@pytest.mark.parametrize(
    "value", ["0.90", "1.0", "1_000_000", "yes", "0", "100", "1e-5", "-1", "0.5", "[0.10, 2]", "~", "'012'", "0x10"]
)
def test_what_is_meant(tmp_path: Path, value: str) -> None:
    """An example input has numbers."""
    assert [] == found(tmp_path, f"model_metadata: {{example_model_input: {{temperature: {value}}}}}")
