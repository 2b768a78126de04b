"""What was measured before: of what served then, asked for again only where a ratio needs it."""

import pytest
from traffic import Traffic
from transport import Service, make_run, printed, refusal

from baseten_deploy.service.answers import Environment
from baseten_deploy.watch.baseline import read_before

METRICS = "GET .*/metrics"


@pytest.fixture
def run(make_settings):
    """A run whose service had steady traffic on `prod`, which serves dep1."""
    windows = []

    def measure(_name, start, end):
        windows.append((start, end))
        return Traffic().summary(start, end)

    service = Service(measures=measure)
    service.clock.time = 10_000.0
    service.add_model()
    service.add_environment("prod", service.add_deployment())
    made = make_run(make_settings(), service, service.clock)
    made.service, made.windows = service, windows
    return made


def test_the_hour_before(run):
    """Up to now."""
    before = read_before(run, "model1", run.api.environment("model1", "prod"), needed=True)
    assert ([(6400.0, 10_000.0)], 36_000, 3600.0) == (run.windows, before.requests, before.seconds)


@pytest.mark.parametrize("environment", [None, Environment("prod")])
def test_nothing_served_then(run, environment):
    """A new environment has no hour before, and is not asked for it."""
    assert read_before(run, "model1", environment, needed=True) is None
    assert [] == run.service.calls(METRICS)


@pytest.mark.parametrize("needed", [True, False])
def test_an_answer_that_fails_once(run, needed):
    """Is asked for again where a ratio needs it, and else is only a column of the table."""
    environment = run.api.environment("model1", "prod")
    run.service.fail(METRICS, refusal(503))
    before = read_before(run, "model1", environment, needed=needed)
    assert (needed, 2 if needed else 1) == (before is not None, len(run.service.calls(METRICS)))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_it_ends_no_run(run, status):
    """What cannot be read before is said, and is not known."""
    environment = run.api.environment("model1", "prod")
    run.service.fail(METRICS, refusal(status), times=99)
    assert read_before(run, "model1", environment, needed=True) is None
    assert f"in the hour before could not be read: {status}: no" in printed(run)
