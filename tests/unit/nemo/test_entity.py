"""What is sent to the platform about a deployed model."""

from typing import Any

import pytest

from baseten_deploy.inputs.nemo import AUTH_HEADER_FORMAT
from baseten_deploy.nemo.entity import (
    DeployedModel,
    Registration,
    create_body,
    provider_body,
    update_body,
    update_warnings,
    wanted_registration,
)
from baseten_deploy.service.model_urls import openai_url

INFERENCE = "https://model-{model_id}.api.baseten.co"
ENDPOINT = "https://model-m1.api.baseten.co/environments/production/sync/v1"
MODEL = DeployedModel(
    model_id="m1",
    model_name="Qwen3 8B",
    deployment_id="d1",
    endpoint_url=ENDPOINT,
    environment="production",
    git_sha="f00",
    content_digest="abc",
)
OURS = {
    "baseten_model_id": "m1",
    "baseten_model_name": "Qwen3 8B",
    "baseten_deployment_id": "d1",
    "baseten_environment": "production",
    "baseten_git_sha": "f00",
    "baseten_content_digest": "abc",
}


def asked(entity: dict[str, Any] | None = None, provider: dict[str, Any] | None = None) -> Registration:
    """Make a registration of `default/qwen3-8b`."""
    return Registration("default", "qwen3-8b", entity or {}, provider)


def updated(existing: dict[str, Any], entity: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make the body that updates `existing`."""
    return update_body(create_body(MODEL, asked(entity)), existing, asked(entity))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ({"deployment_id": "d1"}, "/deployment/d1/sync/v1"),
        ({"deployment_id": "d1", "environment": "staging"}, "/environments/staging/sync/v1"),
        ({"deployment_id": "d1", "development": True}, "/development/sync/v1"),
    ],
)
def test_openai_url(target, path):
    """The environment's outlives its deployments; the development slot has one of its own."""
    assert f"https://model-m1.api.baseten.co{path}" == openai_url(INFERENCE, "m1", **target)


def test_regional_openai_url():
    """A regional environment has a host of its own."""
    url = openai_url(INFERENCE, "m1", environment="eu", regional=True)
    assert url == "https://model-m1-eu.api.baseten.co/sync/v1"


def test_create_without_any_input():
    """The endpoint, its format and where it came from."""
    assert create_body(MODEL, asked()) == {
        "name": "qwen3-8b",
        "api_endpoint": {"url": ENDPOINT, "model_id": "m1", "format": "openai"},
        "backend_format": "OPENAI_CHAT",
        "custom_fields": OURS,
    }


def test_what_is_not_known_is_not_sent():
    """No empty texts in the registry."""
    bare = DeployedModel(model_id="m1", model_name="q", deployment_id="", endpoint_url="")
    body = create_body(bare, asked())
    assert body["api_endpoint"] == {"model_id": "m1", "format": "openai"}
    assert body["custom_fields"] == {"baseten_model_id": "m1", "baseten_model_name": "q"}


def test_the_input_wins():
    """Every field of `nemo-entity` is sent, the endpoint and the custom fields merge, null is left out."""
    entity = {
        "description": "Search",
        "backend_format": "ANTHROPIC_MESSAGES",
        "api_endpoint": {"model_id": "qwen", "url": "https://other/v1"},
        "custom_fields": {"baseten_git_sha": "mine", "tier": 1},
        "project": None,
        "trust_remote_code": False,
    }
    assert create_body(MODEL, asked(entity)) == {
        "name": "qwen3-8b",
        "description": "Search",
        "api_endpoint": {"url": "https://other/v1", "model_id": "qwen", "format": "openai"},
        "backend_format": "ANTHROPIC_MESSAGES",
        "custom_fields": {**OURS, "baseten_git_sha": "mine", "tier": 1},
        "trust_remote_code": False,
    }


def test_an_endpoint_can_be_left_out():
    """A null says that the entity is to have none."""
    body = create_body(MODEL, asked({"api_endpoint": None, "custom_fields": None, "backend_format": None}))
    assert body == {"name": "qwen3-8b", "custom_fields": OURS}


def test_an_update_keeps_what_others_wrote():
    """Others' custom fields stay; of ours, none is left over from the deployment before."""
    there = {"custom_fields": {"team": "search", "baseten_git_sha": "old", "baseten_environment": "old"}}
    bare = DeployedModel(model_id="m1", model_name="q", deployment_id="d2", endpoint_url=ENDPOINT)
    body = update_body(create_body(bare, asked()), there, asked())
    assert body["custom_fields"] == {
        "team": "search",
        "baseten_model_id": "m1",
        "baseten_model_name": "q",
        "baseten_deployment_id": "d2",
    }


@pytest.mark.parametrize("there", [{}, {"custom_fields": None}, {"custom_fields": []}])
def test_an_update_of_an_entity_without_custom_fields(there):
    """Whatever the platform answers there."""
    assert OURS == updated(there)["custom_fields"]


def test_an_update_leaves_out_what_it_cannot_change():
    """Name and project; an explicit null is sent where it means something."""
    body = updated({}, {"project": "p", "description": None, "backend_format": None})
    assert sorted(body) == ["api_endpoint", "backend_format", "custom_fields"]
    assert body["backend_format"] is None


@pytest.mark.parametrize(
    ("existing", "entity", "said"),
    [
        ({"project": "a"}, {"project": "b"}, "exists and stays in 'a'"),
        ({"project": None}, {"project": "b"}, "exists and stays outside of every project"),
        ({"custom_fields": {"baseten_model_id": "m0"}}, {}, "was registered for another Baseten model, 'm0'"),
        ({"api_endpoint": {"api_key": "hush"}}, {}, "held an API key in `api_endpoint`"),
    ],
)
def test_an_update_warns_of_what_it_cannot_do_or_undoes(existing, entity, said):
    """And never repeats a key that it found."""
    (warning,) = update_warnings(existing, MODEL, asked(entity))
    assert said in warning.message
    assert warning.remedy
    assert "hush" not in str(warning)


def test_an_ordinary_update_warns_of_nothing():
    """The next deployment of the same model into the same entity."""
    existing = {
        "project": "p",
        "custom_fields": {**OURS, "baseten_deployment_id": "d0"},
        "api_endpoint": {"url": ENDPOINT, "api_key": None},
    }
    assert update_warnings(existing, MODEL, asked({"project": "p"})) == []


def test_provider():
    """The endpoint, Baseten's way to send a key, and the name of the secret; the name is in the path."""
    provider = {"name": "baseten", "api_key_secret_name": "baseten-key", "description": None}
    assert provider_body(MODEL, asked(provider=provider)) == {
        "host_url": ENDPOINT,
        "auth_header_format": AUTH_HEADER_FORMAT,
        "api_key_secret_name": "baseten-key",
    }


def test_every_field_of_the_provider_can_be_set():
    """Also those that this action has a value for."""
    provider = {
        "name": "p",
        "host_url": "https://h/v1",
        "auth_header_format": "X-Key: {{ auth_secret }}",
        "status": "READY",
    }
    body = provider_body(MODEL, asked(provider=provider))
    assert body == {key: value for key, value in provider.items() if key != "name"}


def test_what_settings_ask_for(make_settings):
    """The slug is the default of the name."""
    url = "https://nemo.example.com"
    settings = make_settings(nemo_url=url, nemo_entity="{description: x}", nemo_provider="{name: p}")
    registration = wanted_registration(settings, "Qwen3 8B")
    assert registration == Registration("default", "qwen3-8b", {"description": "x"}, {"name": "p"})
    assert (registration.reference, registration.provider_reference) == ("default/qwen3-8b", "default/p")
    named = wanted_registration(make_settings(nemo_url=url, nemo_workspace="ml", nemo_model_name="qwen"), "Qwen3 8B")
    assert (named.reference, named.provider_reference) == ("ml/qwen", "")
