"""What a Chain's promotion says about the deployment before it, so that a roll-back has something to go back to."""

import pytest

from baseten_deploy.environment import chain_settings, settings
from baseten_deploy.service.answers import Environment


def environment(strategy):
    """An environment with a clean-up strategy."""
    return Environment("production", settings={"promotion_settings": {"promotion_cleanup_strategy": strategy}})


@pytest.mark.parametrize("strategy", ["KEEP", "SCALE_TO_ZERO", "DEACTIVATE", None])
@pytest.mark.parametrize("scales", ["true", "false"])
@pytest.mark.parametrize("rolls_back", ["true", "false"])
def test_what_becomes_of_what_was_served(make_settings, strategy, scales, rolls_back):
    """The service does it, but for a deactivation that a roll-back could not undo: that is done here, afterwards."""
    given = make_settings(
        chain_id="c1", promote_to="production", scale_down_previous=scales, rollback_on_failure=rolls_back
    )
    before = environment(strategy)
    ours = strategy == "DEACTIVATE" and scales == rolls_back == "true"
    assert {"scale_down_previous_deployment": scales == "true" and not ours} == settings.of_promotion(given, before)
    assert ("DEACTIVATE" if ours else "KEEP") == settings.strategy(given, before)
    assert {"scale_down_previous_deployment": scales == "true"} == settings.of_roll_back(given, before, before)


def test_the_groups_are_those_of_a_creation():
    """All of them can be given when it is made, and none rides with anything."""
    assert ("promotion_settings", "chainlet_settings") == chain_settings.GROUPS
