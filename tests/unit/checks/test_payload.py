"""What a deployment is asked, and why it may not be asked: the same for a deploy and for its plan."""

import pytest

from baseten_deploy.checks.payload import UNSET, no_smoke_test, payload_and_transport

EXAMPLE = {"model_metadata": {"example_model_input": {"prompt": "Hello"}}}


def test_the_example_of_the_config(make_settings):
    """Is asked where the inputs give nothing; `deployment-settings` may bring another config."""
    assert {"prompt": "Hello"} == payload_and_transport(make_settings(), EXAMPLE)[0]
    assert 1 == payload_and_transport(make_settings(predict_payload="1"), EXAMPLE)[0]
    changed = make_settings(deployment_settings='{"config": {"model_metadata": {"example_model_input": 2}}}')
    assert 2 == payload_and_transport(changed, EXAMPLE)[0]
    assert payload_and_transport(make_settings(), {})[0] is None


@pytest.mark.parametrize(
    ("inputs", "config", "why"),
    [
        ({}, EXAMPLE, ""),
        ({}, {}, UNSET),
        ({"predict": "false"}, EXAMPLE, "`predict: false`"),
        ({"wait": "false"}, EXAMPLE, "`wait: false`"),
        ({"predict_payload": "1"}, {}, ""),
    ],
)
def test_why_there_will_be_none(make_settings, inputs, config, why):
    """In words, for the plan."""
    assert why == no_smoke_test(make_settings(**inputs), config)


def test_a_transport_that_has_no_predict_route(make_settings):
    """Is not asked, whatever the payload."""
    config = {**EXAMPLE, "runtime": {"transport": {"kind": "websocket"}}}
    assert no_smoke_test(make_settings(), config)
