"""What the `nemo-*` inputs may say: what the platform refuses stops the run at its start, and nothing else does."""

import json
from typing import Any

import pytest
from fakes.nemo import ROWS
from hypothesis import example, given
from hypothesis import strategies as st

from baseten_deploy.errors import Problem
from baseten_deploy.inputs import combinations as rules
from baseten_deploy.inputs.nemo import check_registration, default_entity_name
from baseten_deploy.inputs.nemo_fields import NAME

URL = "https://nemo.example.com"


@pytest.fixture
def check(make_settings):
    """Make the problems of `nemo-*` inputs; objects are given as such."""

    def problems(**inputs: Any) -> list[Problem]:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in inputs.items()}
        return check_registration(make_settings(**{"nemo_url": URL, **texts}))

    return problems


@pytest.fixture
def check_row(check):
    """Make the problems of a recorded row, given through the input that it belongs to."""

    def problems(row: dict[str, Any]) -> list[Problem]:
        field, value = row["field"], row["value"]
        if row["call"] == "provider":
            return check(nemo_provider={"name": "baseten", field: value})
        return check(nemo_model_name=value) if field == "name" else check(nemo_entity={field: value})

    return problems


def rows(kind: str) -> list[Any]:
    """Recorded rows of that kind, with a readable id each."""
    return [
        pytest.param(row, id=f"{row['call']}-{row['field']}-{json.dumps(row['value'])[:40]}")
        for row in ROWS
        if row["kind"] == kind
    ]


@pytest.mark.parametrize("row", rows("refused"))
def test_what_the_platform_refuses_is_refused_here(check_row, row):
    """Every recorded refusal is one problem that names the field and says what to do."""
    problems = check_row(row)
    place = "nemo-model-name" if (row["call"], row["field"]) == ("create", "name") else row["field"]
    assert problems
    assert all(place in problem.message and problem.remedy for problem in problems)


@pytest.mark.parametrize("row", [*rows("accepted"), *rows("unknowable")])
def test_what_the_platform_takes_is_taken_here(check_row, row):
    """Nothing is refused that the real service took, or that only it can know."""
    assert [] == check_row(row)


def test_without_url_nothing_is_checked(make_settings):
    """Without `nemo-url` nothing is registered."""
    assert [] == rules.check(make_settings(nemo_model_name="Not A Name", nemo_entity="{nonsense: 1}"))


def test_defaults_are_fine(check):
    """`nemo-url` alone is enough."""
    assert [] == check()


def test_unknown_keys_come_with_the_nearest_name(check):
    """The platform ignores what it does not know; nobody means that, at any depth."""
    entity = {"descripton": "x", "api_endpoint": {"uri": "https://h/v1"}, "prompt": {"inference_params": {"min_p": 1}}}
    provider = {"name": "baseten", "host": "https://h/v1"}
    problems = check(nemo_entity=entity, nemo_provider=provider)
    assert [
        "`nemo-entity`: there is no `descripton`",
        "`nemo-entity`: there is no `api_endpoint.uri`",
        "`nemo-provider`: there is no `host`",
    ] == [problem.message for problem in problems]
    assert "Did you mean `description`?" in problems[0].remedy
    assert "Did you mean `url`?" in problems[1].remedy


@pytest.mark.parametrize(
    ("entity", "path"),
    [
        ({"api_endpoint": {"url": "https://h/v1", "api_key": "k"}}, "api_endpoint.api_key"),
        ({"api_endpoint": {"api_key": None}}, "api_endpoint.api_key"),
        ({"apiKey": "k"}, "apiKey"),
        ({"custom_fields": {"a": [{"API-Key": {"b": "k"}}]}}, "custom_fields.a[0].API-Key"),
        ({"ownership": {"api_key": ["k"]}}, "ownership.api_key"),
    ],
)
def test_an_api_key_is_refused_at_any_depth(check, entity, path):
    """The platform gives it to every reader. It is one problem, not also an unknown field."""
    problems = check(nemo_entity=entity)
    assert [f"`nemo-entity`: `{path}` must not be sent"] == [problem.message for problem in problems]
    assert "api_key_secret_name" in problems[0].remedy


def test_an_api_key_of_the_provider_is_refused(check):
    """The provider names a secret; the key itself has no place in it."""
    problems = check(nemo_provider={"name": "baseten", "api_key": "k"})
    assert ["`nemo-provider`: `api_key` must not be sent"] == [problem.message for problem in problems]


def test_a_secret_of_the_run_is_refused_in_any_text(check, make_settings):
    """Whoever puts the key where its name belongs, or into a description, is told so, without the key."""
    key = make_settings().baseten_api_key
    problems = check(
        nemo_token="token-0123456789",
        nemo_entity={"description": f"use {key}", "ownership": {"tokens": ["Bearer token-0123456789"]}},
        nemo_provider={"name": "baseten", "api_key_secret_name": key},
    )
    assert [
        "`nemo-entity`: `description` holds a secret of this run",
        "`nemo-entity`: `ownership.tokens[0]` holds a secret of this run",
        "`nemo-provider`: `api_key_secret_name` holds a secret of this run",
    ] == [problem.message for problem in problems]
    assert not any(secret in str(problem) for problem in problems for secret in (key, "token-0123456789"))


def test_a_key_in_place_of_the_secrets_name_is_not_repeated(check):
    """It may be a key that this run does not know."""
    (problem,) = check(nemo_provider={"name": "baseten", "api_key_secret_name": "aBcD1234.EfGh5678"})
    assert "is not the name of a secret" in problem.message
    assert "aBcD" not in str(problem)


@pytest.mark.parametrize("field", ["name", "workspace"])
def test_fields_with_an_input_of_their_own(check, field):
    """Name and workspace decide what is updated; there is one place for each."""
    (problem,) = check(nemo_entity={field: "x"})
    assert f"`nemo-entity`: `{field}` has an input of its own" == problem.message


def test_a_provider_needs_a_name(check):
    """It is part of its address."""
    assert ["`nemo-provider`: lacks the provider's `name`"] == [
        problem.message for problem in check(nemo_provider={"host_url": "https://h/v1"})
    ]


@pytest.mark.parametrize("name", ["a@b", "a+b"])
def test_a_provider_name_that_breaks_the_platform(check, name):
    """Its store takes these, its answers do not: it says 400, keeps the provider, and can list none any more."""
    (problem,) = check(nemo_provider={"name": name})
    assert problem.message.startswith("`nemo-provider`: `name`: ")


@pytest.mark.parametrize("workspace", ["Default", "-", "a/b", "..", "my workspace", "w" * 64])
def test_a_workspace_that_cannot_exist(check, workspace):
    """It would be part of the path of every call."""
    (problem,) = check(nemo_workspace=workspace)
    assert problem.message.startswith("`nemo-workspace`")


@pytest.mark.parametrize("token", ["Bearer abc", "abc\ndef", "abc\x00", "naïve"])
def test_a_token_that_no_header_can_carry(check, token):
    """The token itself is not repeated."""
    (problem,) = check(nemo_token=token)
    assert problem.message.startswith("`nemo-token`")
    assert "abc" not in str(problem)


def test_a_url_with_a_password_is_refused(check):
    """The endpoint is shown to every reader of the entity."""
    (problem,) = check(nemo_entity={"api_endpoint": {"url": "https://me:secret@h/v1"}})
    assert "`nemo-entity`: `api_endpoint.url` must not carry a user name or password" == problem.message


def test_a_bad_name_comes_with_a_good_one(check):
    """The slug of what was written."""
    (problem,) = check(nemo_model_name="Qwen3 8B -- Search")
    assert "Write `qwen3-8b-search`" in problem.remedy


@given(st.text())
@example("")
@example("-")
@example("a")
@example("9")
@example("模型")
@example("a" * 62 + "-b")
@example("A--_..--")
def test_the_slug_is_always_a_name(name):
    """Whatever the Baseten model is called."""
    assert NAME.fullmatch(default_entity_name(name))


@given(st.from_regex(NAME.pattern, fullmatch=True))
def test_a_name_is_its_own_slug(name):
    """A Baseten model whose name the platform takes keeps it."""
    assert name == default_entity_name(name)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Qwen3-8B", "qwen3-8b"),
        ("meta/Llama 3.1 (8B)", "meta-llama-3.1-8b"),
        ("Größe", "grosse"),
        ("3d-gen", "model-3d-gen"),
        ("模型", "model"),
        ("x", "model-x"),
        ("my__model--v2-", "my__model-v2"),
    ],
)
def test_slugs(name, slug):
    """They stay recognizable, and the number at the start is kept."""
    assert slug == default_entity_name(name)
