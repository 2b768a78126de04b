"""Remedies for who typed a command, or wrote another CI system's file."""

import pytest

from baseten_deploy.ci.elsewhere import in_words_of_a_shell
from baseten_deploy.errors import Problem


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
        ],
    )
    def test_inputs(self, remedy, expected):
        """Only what is an input is one."""
        problem = Problem("`wait`: no", remedy, "config.yaml", 1)
        assert Problem("`wait`: no", expected, "config.yaml", 1) == in_words_of_a_shell(problem)
