"""The table of inputs by itself. Its defaults are in `test_settings`, and what repeats it in `test_contract`."""

import re

import pytest

from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.table import BY_NAME, INPUTS

# Inputs of basetenlabs/action-truss-push: a user migrates by changing the `uses:` line.
TRUSS_PUSH = [
    *("truss-directory", "baseten-api-key", "model-name", "environment", "deployment-name", "labels", "cleanup"),
    *("include-git-info", "deploy-timeout-minutes", "predict-payload", "predict-timeout", "regional-environment"),
]


class TestTable:
    """Names, defaults and kinds."""

    def test_by_name(self):
        """The same inputs, by name."""
        assert INPUTS == tuple(BY_NAME.values())
        assert list(BY_NAME) == [spec.name for spec in INPUTS]

    def test_keeps_the_names_of_action_truss_push(self):
        """None of them is gone."""
        assert [] == [name for name in TRUSS_PUSH if name not in BY_NAME]

    def test_secrets_have_their_kind(self):
        """Whatever holds a key or a token is masked and hidden."""
        assert ["baseten-api-key", "nemo-token", "github-token"] == [
            spec.name for spec in INPUTS if spec.kind is Kind.SECRET
        ]

    @pytest.mark.parametrize("spec", INPUTS, ids=lambda spec: spec.name)
    def test_descriptions_are_fragments(self, spec):
        """Small first letter (or a name) and no full stop, so that they fit into tables and help texts."""
        assert spec.description
        assert not spec.description.endswith(".")
        assert "\n" not in spec.description
        assert not re.match(r"[A-Z][a-z]", spec.description) or spec.description.startswith(("Baseten", "NeMo"))
