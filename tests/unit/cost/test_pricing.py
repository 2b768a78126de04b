"""The prices of a run, and what becomes of it: asked for once, never in the way, refused beyond the limit."""

import pytest
from price_list import ANSWER, environment
from transport import FakeClock, Service, make_run, printed, refusal

from baseten_deploy.cost import pricing
from baseten_deploy.cost.pricing import Pricing
from baseten_deploy.environment.target import Target

H100 = {"resources": {"accelerator": "H100"}}


class Priced(Service):
    """The management API, with prices."""

    answer: object = ANSWER

    def _routes(self):
        return {"GET /v1/instance_type_prices": lambda: self.answer, **super()._routes()}


@pytest.fixture
def service():
    """A service with prices."""
    return Priced(FakeClock())


def estimates(run, config=H100, before=None, payload=None):
    """The cost in production."""
    return Pricing(run).estimates(config, [Target("production", before)], payload or {})


def test_the_output(make_settings, service):
    """USD at the largest number of replicas."""
    run = make_run(make_settings(environment="production"), service)
    estimates(run, before=environment(high=3))
    assert "3.6" == run.outputs.get("hourly-cost")


def test_both_environments(make_settings, service):
    """The last one is the run's target; each is judged by the limit."""
    inputs = {"environment": "staging", "promote_to": "production", "max_hourly_cost": "2"}
    run = make_run(make_settings(**inputs), service)
    targets = [Target("staging", environment("staging", high=4)), Target("production", environment(high=1))]
    found = Pricing(run).estimates({}, targets, {"autoscaling_settings": {"max_replica": 5}})
    assert [6.0, 1.2] == [pytest.approx(each.then.most) for each in found]  # the payload is the push's
    assert "1.2" == run.outputs.get("hourly-cost")
    (problem,) = pricing.refusals(run, found)
    assert (
        "the environment `staging` can cost $6.00 an hour, more than $2.00: 5 x `A10G:4x16` at $1.20" in problem.message
    )


@pytest.mark.parametrize(("limit", "refused"), [("6", False), ("6.01", False), ("5.99", True), ("0.5", True)])
def test_the_limit(make_settings, service, limit, refused):
    """What costs just so much may go on."""
    run = make_run(make_settings(environment="production", max_hourly_cost=limit), service)
    assert refused == bool(pricing.refusals(run, estimates(run)))


ROW = ANSWER["instance_types"][0]


@pytest.mark.parametrize(
    "answer",
    [
        {"instance_types": []},
        {},
        {"instance_types": [{"price": 1}]},
        *({"instance_types": [{**ROW, "price": price}]} for price in ("1", -1, True, None, 1e300)),
    ],
)
def test_prices_that_are_none(make_settings, service, answer):
    """The cost is not known then, which is refused with a limit and changes nothing without one."""
    service.answer = answer
    run = make_run(make_settings(environment="production", max_hourly_cost="1000"), service)
    (problem,) = pricing.refusals(run, estimates(run))
    assert "is not known" in problem.message
    assert "Remove `max-hourly-cost`" in problem.remedy
    run = make_run(make_settings(environment="production"), service)
    assert ([], "") == (pricing.refusals(run, estimates(run)), run.outputs.get("hourly-cost"))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_service_without_the_call(make_settings, service, status):
    """Is asked once, and changes nothing."""
    service.fail("instance_type_prices", refusal(status), 100)
    run = make_run(make_settings(environment="production"), service, service.clock)
    (found,) = estimates(run)
    assert None is found.then
    assert "the service does not answer with its prices" in found.why_not_then
    assert ["GET /v1/instance_type_prices"] == service.calls("prices")
    pricing.tell(run, [found])
    assert ([], True) == (run.notes, "the cost is not known" in printed(run))


def test_a_limit_is_worth_another_try(make_settings, service):
    """A run that cannot go on without the prices asks again."""
    service.fail("instance_type_prices", refusal(503), 2)
    run = make_run(make_settings(environment="production", max_hourly_cost="10"), service, service.clock)
    (found,) = estimates(run)
    assert 6.0 == found.then.most
    assert 3 == len(service.calls("prices"))


@pytest.mark.parametrize(
    ("config", "touched", "expected"), [(H100, False, 1), ({}, True, 0), ({"resources": {"memory": "16GB"}}, True, 1)]
)
def test_resources_without_effect(make_settings, service, config, touched, expected):
    """Are named at their line, with the input that would let them count; also where only the change is known."""
    run = make_run(make_settings(environment="production"), service)
    found = pricing.idle_resources(estimates(run, config, environment()), ("m/config.yaml", 7, 1), touched=touched)
    assert expected == len(found)
    for problem in found:
        assert ("m/config.yaml", 7) == (problem.file, problem.line)
        assert "`production` keeps its instance type, `A10G:4x16`" in problem.message
        assert "preserve-env-instance-type: false" in problem.remedy
