"""Which key a refusal is about: what names one, and what only looks so."""

import pytest

from baseten_deploy.errors import Problem
from baseten_deploy.truss.refused_key import at_key, find_key

POSITIONS = {
    ("model_name",): (1, 1),
    ("python_version",): (2, 1),
    ("resources",): (3, 1),
    ("resources", "accelerator"): (4, 3),
    ("resources", "cpu"): (5, 3),
    ("requirements",): (6, 1),
    ("requirements", 0): (7, 3),
    ("secrets",): (8, 1),
    ("secrets", "hf_token"): (9, 3),
}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("resources.accelerator: there is no T5", ("resources", "accelerator")),
        ("`python_version` must be one of py39 to py313", ("python_version",)),
        ("'resources' is wrong: resources.cpu.", ("resources", "cpu")),
        ("config.resources.accelerator is unknown", ("resources", "accelerator")),
        ("deployment.config.python_version is unknown", ("python_version",)),
        ("resources.memory is missing", ("resources",)),
        ("requirements[0] is no requirement", None),
        ('"requirements[0]" is no requirement', ("requirements", 0)),
        ("requirements.0 is no requirement", ("requirements", 0)),
        ('[{"loc": ["body", "deployment", "config", "resources", "cpu"]}]', ("resources", "cpu")),
        ("('resources', 'accelerator'): bad", ("resources", "accelerator")),
        ("body -> config -> resources -> cpu", ("resources", "cpu")),
        ("1 validation error for TrussConfig python_version Value error, unknown", ("python_version",)),
        ("'hf_token' has no value", ("secrets", "hf_token")),
        ("The dry run was refused: 400: python_version py311 is not supported", ("python_version",)),
        ("400: secret hf_token does not exist (SECRET_MISSING)", ("secrets", "hf_token")),
        ("The dry run was refused: 422: resources: accelerator: Input should be T4", ("resources", "accelerator")),
        ("The dry run was refused: 400: requirements must be a list", ("requirements",)),
        ("Invalid value for model_name: too long", ("model_name",)),
        ("Validation failed: resources.cpu: too many", ("resources", "cpu")),
    ],
)
def test_named(message, path):
    """A dotted path, a key in quotes, a list or a chain of keys; the longest wins, else the nearest above."""
    assert path == find_key(message, POSITIONS)


@pytest.mark.parametrize(
    "message",
    [
        "400: the resources are not available, secrets cannot be read",
        "the file requirements.txt is missing",
        "see https://docs.baseten.co/resources.cpu",
        "config.yaml is too large",
        "it's resources' fault",
        "`nothing_known`",
        "nothing_known is wrong",
        "400: no resources are left, and the secrets are gone",
        "hf_token/other and my.hf_token and hf_token@host",
        "",
        "[" * 5000,
    ],
)
def test_ordinary_words(message):
    """Are no keys."""
    assert None is find_key(message, POSITIONS)


def test_a_problem_gets_its_place():
    """Unless it has one, or names no key."""
    problem = Problem("resources.cpu is wrong", "Correct it.")
    expected = Problem("resources.cpu is wrong", "Correct it.", "m/config.yaml", 5, 3)
    assert expected == at_key(problem, "m/config.yaml", POSITIONS)
    assert expected == at_key(expected, "other.yaml", {("resources", "cpu"): (1, 1)})
    assert Problem("no") == at_key(Problem("no"), "m/config.yaml", POSITIONS)
