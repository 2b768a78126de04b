"""Whether a deploy changes what serves: content, trigger, settings."""

import pytest
from transport import FakeClock, Service

from baseten_deploy.environment.target import Target
from baseten_deploy.planning.changes import drifted, setting_drift
from baseten_deploy.planning.live_deployment import Live
from baseten_deploy.service.answers import read_deployment, read_environment

RULES = {"rules": [{"id": "r1", "type": "SPLIT", "targets": [{"environment": "canary"}], "percent_traffic": 5}]}
BEFORE = {
    "autoscaling_settings": {"min_replica": 1, "max_replica": 3},
    "promotion_settings": {"rolling_deploy": True},
    "traffic_routing": RULES,
}


def target(**fields):
    """Production as it is."""
    return Target("production", read_environment({"name": "production", **BEFORE, **fields}))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, False),
        ({}, False),
        ({"autoscaling_settings": {"max_replica": 3}}, False),
        ({"autoscaling_settings": {"max_replica": None}}, False),
        ({"autoscaling_settings": {"max_replica": 4}}, True),
        ({"autoscaling_settings": {"concurrency_target": 2}}, True),
        ({"traffic_routing_settings": {"rules": [{"type": "SPLIT", "percent_traffic": 5}]}}, False),
        ({"traffic_routing_settings": {"rules": [{"type": "SPLIT", "percent_traffic": 6}]}}, True),
    ],
)
def test_drift(wanted, expected):
    """What is in force already is none, also where the service added an id; and where it is none no row is shown."""
    assert expected == drifted([target()], wanted)
    assert expected == bool(setting_drift([target()], wanted))


def test_an_environment_that_is_not_there():
    """Will be made with the settings."""
    wanted = {"autoscaling_settings": {"max_replica": 3}}
    assert drifted([target(), Target("staging", None)], wanted)
    ((name, change),) = setting_drift([target(), Target("staging", None)], wanted)
    assert ("staging", "autoscaling_settings.max_replica", "3") == (name, change.name, change.after)


class TestTrigger:
    """`redeploy-trigger` counts as content."""

    @pytest.mark.parametrize(
        ("label", "trigger", "expected"),
        [("t1", "t1", True), ("t1", "t2", False), (None, "t1", False), ("t1", "", True), (None, "", True)],
    )
    def test_of_what_serves(self, label, trigger, expected):
        """A run without one does not ask for it."""
        labels = {"content-digest": "d"} | ({"redeploy-trigger": label} if label else {})
        row = Service(FakeClock()).add_deployment("m1", labels=labels)
        assert expected == Live("production", read_deployment(row)).has("d", trigger)

    def test_of_what_is_about_to(self):
        """A promotion that is under way may bring it."""
        service = Service(FakeClock())
        old, new = (
            read_deployment(service.add_deployment("m1", labels={"content-digest": "d", "redeploy-trigger": value}))
            for value in ("t1", "t2")
        )
        assert not Live("production", old, new).has("d", "t1")

    def test_the_label(self, make_settings):
        """Is a shortened SHA-256: what the text says stays here."""
        assert "2c26b46b68ff" == make_settings(redeploy_trigger="foo").trigger
        assert "" == make_settings().trigger
