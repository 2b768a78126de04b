"""What a run about a Chain may be asked for."""

import pytest

from baseten_deploy.inputs.chain import _LACKS, route_of
from baseten_deploy.inputs.combinations import check
from baseten_deploy.inputs.settings import read_settings, variable_of
from baseten_deploy.inputs.table import BY_NAME, Kind
from baseten_deploy.service.model_urls import environment_url, predict_url

CHAIN = {"baseten-api-key": "k-1234567890", "truss-directory": "chain.py"}
VALUES = {Kind.OBJECT: "{a: b}", Kind.INTEGER: "3", Kind.NUMBER: "3", Kind.TEXT: "text"}


def problems(inputs):
    """The messages about these inputs."""
    settings, found = read_settings({variable_of(name): value for name, value in inputs.items()})
    return [problem.message for problem in (*found, *check(settings))]


def test_a_plain_chain_is_fine():
    """With all that goes with it."""
    assert [] == problems(CHAIN)
    assert [] == problems({**CHAIN, "chain-entrypoint": "Hello", "model-name": "My Chain", "team": "Core"})
    assert [] == problems(
        {
            **CHAIN,
            "environment": "staging",
            "create-environment": "true",
            "environment-settings": "{promotion_settings: {rolling_deploy: true}, chainlet_settings: "
            "[{chainlet_name: A, autoscaling_settings: {min_replica: 1}, instance_type_id: 1x4}]}",
        }
    )


@pytest.mark.parametrize("name", [name for name in _LACKS if name in BY_NAME])
def test_what_a_chain_lacks_is_refused_by_name(name):
    """With what to do instead."""
    spec = BY_NAME[name]
    value = {"true": "false", "false": "true"}.get(spec.default) or VALUES[spec.kind]
    value = {"nemo-url": "https://nemo.test", "library-listing": "lab/listing"}.get(name, value)
    settings, _ = read_settings({variable_of(key): each for key, each in {**CHAIN, name: value}.items()})
    found = [problem for problem in check(settings) if f"`{name}`: a Chain does not have that" == problem.message]
    assert 1 == len(found)
    assert f"Remove `{name}`." in found[0].remedy


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (
            {"mode": "promote", "chain-id": "c1"},
            ["`mode: promote` needs `deployment-id`", "`mode: promote` needs `environment`"],
        ),
        (
            {"mode": "rollback"},
            ["`mode: rollback` needs `chain-id` or `model-name`", "`mode: rollback` needs `environment`"],
        ),
        ({"mode": "cleanup", "chain-id": "c1"}, ["`mode: cleanup` needs `keep-latest`"]),
        ({"mode": "cleanup", "chain-id": "c1", "keep-latest": "2"}, []),
        ({"mode": "promote", "chain-id": "c1", "deployment-id": "d1", "environment": "e"}, []),
        (
            {"mode": "promote", "chain-id": "c1", "deployment-name": "v1", "environment": "e"},
            ["`deployment-name`: the service does not tell the names of a Chain's deployments"],
        ),
        ({"mode": "discover"}, ["`mode: discover` finds Trusses, no Chains"]),
        ({"chain-id": "c1", "team": "t"}, ["`chain-id` and `team` cannot go together"]),
        ({"chain-id": "c1", "truss-directory": "."}, ["`mode: deploy` of a Chain needs the file with its entry point"]),
        ({"model-name": 'a "b"'}, ["`model-name`: 'a \"b\"' has a character that a Chain's name cannot have"]),
        (
            {"app-url": "http://app.test"},
            ["`app-url`: 'http://app.test' is not https: credentials would travel in clear"],
        ),
        (
            {"environment": "e", "environment-settings": "{autoscaling_settings: {}}"},
            ["`environment-settings`: there is no `autoscaling_settings`"],
        ),
        (
            {"environment": "e", "environment-settings": "{chainlet_settings: [{autoscaling_settings: {}}]}"},
            ["`environment-settings`: `chainlet_settings[0]` lacks `chainlet_name`"],
        ),
    ],
)
def test_what_modes_need(inputs, said):
    """Named, as for models."""
    assert said == problems({**CHAIN, **inputs})


def test_an_entry_point_without_a_file():
    """A model has none."""
    said = problems({"baseten-api-key": "k-1234567890", "chain-entrypoint": "Hello"})
    assert ["`chain-entrypoint` names a class in a Chain's file, and this run deploys a Truss directory"] == said


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, "https://model-x1.api.baseten.co/deployment/d1/predict"),
        ({"truss-directory": "a/chain.py"}, "https://chain-x1.api.baseten.co/deployment/d1/run_remote"),
        ({"chain-id": "c1"}, "https://chain-x1.api.baseten.co/deployment/d1/run_remote"),
        (
            {"chain-id": "c1", "inference-url": "https://t.test/{chain_id}/"},
            "https://t.test/x1/deployment/d1/run_remote",
        ),
        (
            {"chain-id": "c1", "inference-url": "https://t.test/{model_id}"},
            "https://t.test/x1/deployment/d1/run_remote",
        ),
    ],
)
def test_where_it_is_asked(inputs, expected):
    """A Chain has a host of its own kind, and another route."""
    settings, _ = read_settings({variable_of(name): value for name, value in inputs.items()})
    assert expected == predict_url(settings.inference_url, "x1", "d1", route=route_of(settings))


def test_where_its_environment_is_asked():
    """By name, or at the host that a regional one has."""
    url = BY_NAME["inference-url"].default
    assert "https://chain-x1.api.baseten.co/environments/prod/run_remote" == environment_url(
        url, "x1", "prod", route="run_remote"
    )
    assert "https://chain-x1-prod.api.baseten.co/run_remote" == environment_url(
        url, "x1", "prod", regional=True, route="run_remote"
    )
