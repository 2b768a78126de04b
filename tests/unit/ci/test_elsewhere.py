"""Remedies for who typed a command, or wrote another CI system's file."""

import ast
import re
from pathlib import Path

import pytest

from baseten_deploy import errors
from baseten_deploy.ci.elsewhere import in_words_of_a_shell
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.table import BY_NAME

SOURCES = Path(errors.__file__).parent


class TestRemedies:
    """Name options and variables."""

    @pytest.mark.parametrize(
        ("remedy", "expected"),
        [
            ("Set the input `model-name`.", "Set `--model-name`."),
            ("Set `predict: false` or `wait`.", "Set `--predict false` or `--wait`."),
            ("Pass `nemo-token: ${{ secrets.NEMO_TOKEN }}`.", "Pass the environment variable `INPUT_NEMO-TOKEN`."),
            ("Pass `baseten-api-key`.", "Pass the environment variable `BASETEN_API_KEY`."),
            ("Did you mean `truss-directory: a/b`?", "Did you mean `--truss-directory a/b`?"),
            ("Add `model_name: m` to `config.yaml`.", "Add `model_name: m` to `config.yaml`."),
            ("Write `true` or `false`.", "Write `true` or `false`."),
            ("", ""),
            (
                "Set `lfs: true` of `actions/checkout`; elsewhere run `git lfs pull`. Then b.",
                "Run `git lfs pull`. Then b.",
            ),
            ("Pass the key. Runs from forks and Dependabot get no secrets.", "Pass the key."),
            ("Run the workflow `on: push`.", "Run the workflow `on: push`."),
        ],
    )
    def test_inputs(self, remedy, expected):
        """Only what is an input is one."""
        problem = Problem("`wait`: no", remedy, "config.yaml", 1)
        assert Problem("`wait`: no", expected, "config.yaml", 1) == in_words_of_a_shell(problem)

    @pytest.mark.parametrize("name", [name for name, spec in BY_NAME.items() if spec.kind is Kind.CHOICE])
    def test_values(self, name):
        """A value of the input that the problem is about is no input, whatever it is called."""
        remedy = f"Write one of {', '.join(f'`{choice}`' for choice in BY_NAME[name].choices)}."
        assert remedy == in_words_of_a_shell(Problem(f"`{name}`: 'x' is not one of its values", remedy)).remedy


# Only GitHub's own API and runs can end in what these say; `ci.workspace` says it for elsewhere, before `truss` looks.
_OF_GITHUB = ("comment/refusals.py", "ci/workspace.py", "truss/directory.py")


def texts():
    """Every text in the sources that is no docstring, with `0` for what is filled in."""
    for path in sorted(SOURCES.rglob("*.py")):
        if path.relative_to(SOURCES).as_posix() in _OF_GITHUB:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        pieces = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {node} & (docstrings | pieces):
                yield node.value


def test_no_remedy_speaks_of_a_workflow_file():
    """Of all texts that name what only GitHub has, nothing of it is left elsewhere."""
    spoken = [text for text in texts() if re.search(r"actions/checkout|\$\{\{ |get no secrets|in the workflow", text)]
    assert len(spoken) > 4
    told = [in_words_of_a_shell(Problem("`x`: y", text)).remedy for text in spoken]
    assert [] == [text for text in told if re.search(r"actions/checkout|\$\{\{|Dependabot|`with:`|workflow", text)]
