"""The sandbox's price list and secrets, read by the official SDK's models."""

import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Driver

from baseten_sandbox import Sandbox


@pytest.fixture
def sandbox():
    """A sandbox of two teams."""
    with Sandbox(teams=("Default", "Research")) as running:
        yield running


@pytest.fixture
def get(sandbox):
    """Ask, and give the JSON."""
    driver = Driver(sandbox)

    def ask(path):
        answer = driver.http.get(path)
        assert 200 == answer.status_code, answer.text
        return answer.content

    return ask


def test_prices(get):
    """Each instance type with a price per minute; accelerators are counted."""
    prices = sdk.InstanceTypePrices.model_validate_json(get("/v1/instance_type_prices"))
    types = sdk.InstanceTypes.model_validate_json(get("/v1/instance_types"))
    assert types.instance_types == [each.instance_type for each in prices.instance_types]
    assert all(0 < each.price < 1 for each in prices.instance_types)
    counts = {each.instance_type.name: each.instance_type.gpu_count for each in prices.instance_types}
    assert (0, 1, 2) == (counts["1x2"], counts["A10G:4x16"], counts["A10G:2x24x96"])


def test_secrets(sandbox, get):
    """Of one team, or of all; names and no values."""
    default, research = sandbox.state.teams()
    sandbox.state.secrets.add("hf_access_token")
    sandbox.state.secrets.add("other", research.id)

    def names(path):
        return [(each.name, each.team_name) for each in sdk.Secrets.model_validate_json(get(path)).secrets]

    assert [("hf_access_token", "Default"), ("other", "Research")] == names("/v1/secrets")
    assert [("hf_access_token", "Default")] == names(f"/v1/teams/{default.id}/secrets")
    assert [("other", "Research")] == names(f"/v1/teams/{research.id}/secrets")


def test_of_a_team_that_is_not_there(sandbox):
    """404."""
    assert 404 == Driver(sandbox).http.get("/v1/teams/none/secrets").status_code
