"""Inputs that name something of the service: what has not its shape is refused before anything is sent."""

import pytest

from baseten_deploy.inputs.combinations import check

NO_ID = [
    "..",
    ".",
    "a/b",
    "abc?x=1",
    "abc#x",
    "x@127.0.0.2:8080/",
    "abc def",
    "a\nb",
    "ab\x00",
    "é",
    "a" * 65,
    "%2e%2e",
]
NO_ENVIRONMENT = [*NO_ID, "Production", "prod_eu", "-prod", "prod-", "a" * 41, "prod.eu"]


def found(make_settings, **inputs):
    """What is wrong with these inputs."""
    return check(make_settings(**inputs))


@pytest.mark.parametrize("value", NO_ID)
@pytest.mark.parametrize("name", ["model-id", "deployment-id"])
def test_an_id(make_settings, name, value):
    """It goes into a path."""
    given = {"mode": "promote", "environment": "prod", "deployment_id": "d1", "model_id": "m1"}
    [problem] = found(make_settings, **{**given, name.replace("-", "_"): value})
    assert problem.message.startswith(f"`{name}`: ")
    assert f"is not the id of a {name.partition('-')[0]}" in problem.message
    assert (
        f"page, whose address has it: up to 64 letters, digits, `_` and `-`. {'A model' if name[0] == 'm' else 'Its'}"
        in (problem.remedy)
    )
    assert problem.message.isprintable()


@pytest.mark.parametrize("value", NO_ENVIRONMENT)
@pytest.mark.parametrize("name", ["environment", "promote-to"])
def test_an_environment(make_settings, name, value):
    """Its name is one, too."""
    [problem] = found(make_settings, **{name.replace("-", "_"): value})
    assert problem.message.startswith(f"`{name}`: ")
    assert "is not the name of an environment" in problem.message
    assert "small letters" in problem.remedy


@pytest.mark.parametrize(
    ("value", "meant"), [("Production", "production"), ("prod_eu", "prod-eu"), ("Prod / EU", "prod-eu")]
)
def test_what_was_meant(make_settings, value, meant):
    """The nearest name that can be one."""
    [problem] = found(make_settings, environment=value)
    assert f"Did you mean `{meant}`?" in problem.remedy


@pytest.mark.parametrize("value", ["a\nb", "a\x1b[2J", "t" * 201])
def test_a_team(make_settings, value):
    """A name or an id, and any text that can be one."""
    [problem] = found(make_settings, team=value)
    assert problem.message.startswith("`team`: ")
    assert problem.message.isprintable()
    assert len(problem.message) < 200
    assert problem.remedy


@pytest.mark.parametrize(
    "inputs",
    [
        {"model_id": "abcd1234"},
        {"model_id": "A_b-9"},
        {"environment": "production"},
        {"environment": "a"},
        {"promote_to": "pr-12"},
        {"environment": "a" * 40},
        {"team": "Ünïcode / Team (EU)"},
        {"mode": "promote", "environment": "prod", "deployment_id": "d" * 64, "model_id": "m" * 64},
    ],
)
def test_what_is_one(make_settings, inputs):
    """Is taken."""
    assert [] == found(make_settings, **inputs)
