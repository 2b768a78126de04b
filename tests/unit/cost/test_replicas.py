"""The smallest and the largest number of replicas, as an environment is and as the run leaves it."""

import pytest

from baseten_deploy.cost.machine import Unknown
from baseten_deploy.cost.replicas import Replicas, applied, of_a_new_one, replicas_of


def scaled(low, high, **more):
    """Settings with these numbers."""
    return {"autoscaling_settings": {"min_replica": low, "max_replica": high, **more}}


def schedule(low, high, **more):
    """A schedule with these numbers."""
    return {"id": "s1", "name": "day", "enabled": True, **scaled(low, high), **more}


def schedules(*rows, **more):
    """Settings with these schedules."""
    return {"autoscaling_schedule_settings": {"schedules": list(rows), **more}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (scaled(1, 3), (1, 3)),
        ({**scaled(1, 3), **schedules(schedule(0, 8))}, (0, 8)),
        ({**scaled(1, 3), **schedules(schedule(0, 8, enabled=False))}, (1, 3)),
        ({**scaled(1, 3), **schedules({"enabled": True, "autoscaling_settings": {"max_replica": 5}})}, (1, 5)),
        ({**scaled(1, 3), "autoscaling_schedule_settings": {}}, (1, 3)),
    ],
)
def test_of_an_environment(settings, expected):
    """An enabled schedule counts, a disabled one does not."""
    found = replicas_of(settings)
    assert expected == (found.smallest, found.largest)


@pytest.mark.parametrize(
    "settings", [{}, {"autoscaling_settings": {}}, scaled(None, 3), scaled(1, "3"), scaled(1, True)]
)
def test_unknown(settings):
    """An environment that does not tell is not guessed."""
    with pytest.raises(Unknown):
        replicas_of(settings)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (scaled(2, 5), (2, 5)),
        ({"autoscaling_settings": {"max_replica": 5}}, (1, 5)),
        ({"autoscaling_settings": {"max_replica": None}}, (1, 3)),
        ({"autoscaling_settings": {"min_replica": 4}}, (4, 4)),
        (schedules(schedule(0, 9, id=None, name="night")), (0, 9)),
        (schedules(schedule(1, 2)), (1, 3)),  # takes the place of the one of that id
        (schedules(delete_schedules=["s1"]), (1, 3)),
        ({"promotion_settings": {"rolling_deploy": True}}, (0, 7)),
        ({"autoscaling_settings": None}, (0, 7)),
    ],
)
def test_with_environment_settings(wanted, expected):
    """They are applied as the service does: key by key, schedules by id and name."""
    by_schedule = {} if wanted.get("autoscaling_settings") else schedules(schedule(0, 7))
    before = {**scaled(1, 3), **by_schedule}
    found = replicas_of(applied(before, wanted))
    assert expected == (found.smallest, found.largest)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, Replicas(0, 1, by_default=True)),
        (scaled(2, 4), Replicas(2, 4)),
        ({"promotion_settings": {}}, Replicas(0, 1, True)),
    ],
)
def test_of_a_new_one(wanted, expected):
    """The service's documented defaults, which is said."""
    assert expected == of_a_new_one(wanted)


def test_in_words():
    """One number where both are the same."""
    assert ("2", "0 to 3") == (str(Replicas(2, 2)), str(Replicas(0, 3)))
