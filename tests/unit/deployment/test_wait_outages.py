"""Unseen is not failed: every kind of outage in every wait, in virtual time, and what is undone because of it: nothing.

The service goes on while it cannot be asked; only the answers are missing.
"""

import re

import httpx
import pytest
from outages import KINDS
from transport import FakeClock, make_api, make_run

from baseten_deploy.deployment import on_failure
from baseten_deploy.deployment.log_stream import LogReader
from baseten_deploy.deployment.wait import wait
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import AuthFailed, DeployFailed, DeployUnseen, PromotionUnseen
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError

BORN = 1000.0


class Service:
    """One deployment that goes live and into production, whoever looks; its answers are missing during the outage."""

    def __init__(self, kind, outage, *, of, live_after=700.0):
        self.clock = FakeClock()
        self.requests = []
        self._fail, self._outage, self._of = KINDS[kind], outage, of
        self._live_after = live_after
        self._lines = [f"line {number}" for number in range(900)]

    def __call__(self, request):
        """The transport's handler."""
        path = re.sub(r"^/v1/models/m1", "", request.url.path)
        self.requests.append(f"{request.method} {path}")
        now = self.clock.now() - BORN
        if 20 <= now < 20 + self._outage and re.search(self._of, path):
            return self._fail()
        if path.endswith("/logs"):
            return httpx.Response(200, json={"logs": self._log(request, now)})
        status = "ACTIVE" if now >= self._live_after else "BUILDING"
        deployment = {"id": "dep1", "name": "v2", "status": status, "labels": {"deploy-key": "k"}}
        if "/environments/" in path:
            served = deployment if now >= self._live_after + 5 else None
            return httpx.Response(200, json={"name": "prod", "current_deployment": served})
        return httpx.Response(200, json=deployment)

    def _log(self, request, now):
        start = int(request.url.params["start_epoch_millis"])
        limit = int(request.url.params["limit"])
        times = [(int((BORN + number) * 1000), text) for number, text in enumerate(self._lines) if number <= now]
        rows = [{"timestamp": str(millis * 10**6), "message": text} for millis, text in times if millis >= start]
        return rows[:limit]

    def undone(self):
        """Whatever was asked for that is no read."""
        return [request for request in self.requests if not request.startswith("GET")]


@pytest.fixture
def outage(make_settings):
    """Wait for the deployment, or for its environment, through an outage; gives the service and the run."""

    def go(kind, seconds, *, environment="", of=".", live_after=700.0, **inputs):
        service = Service(kind, seconds, of=of, live_after=live_after)
        settings = make_settings(on_failure="delete", stream_logs="false", environment=environment, **inputs)
        run = make_run(settings, service, service.clock)
        ours = Ours(Deployment("dep1", "v2", "BUILDING", labels={"deploy-key": "k"}))
        error = None
        try:
            with on_failure.of_deployment(run, Model("m1", "model"), ours):
                wait(run, Model("m1", "model"), ours, environment)
        except DeployFailed as failed:
            error = failed
        except (PromotionUnseen, AuthFailed) as failed:
            error = failed
        return service, run, error

    return go


@pytest.mark.parametrize("environment", ["", "prod"])
@pytest.mark.parametrize("seconds", [15, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_a_short_one_is_waited_out(outage, kind, seconds, environment):
    """Green, with one warning about the gap, and nothing but reads."""
    service, run, error = outage(kind, seconds, environment=environment, live_after=200.0)
    assert error is None
    assert [] == service.undone()
    assert 1 == len([warning for warning in run.warnings if "could not be asked" in warning.message])
    assert "ACTIVE" == run.outputs.get("deployment-status")


@pytest.mark.parametrize("environment", ["", "prod"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_one_ends_unknown(outage, kind, environment):
    """Red after five minutes, says that it is unknown, names the deployment, and leaves it alone (`on-failure`)."""
    service, _, error = outage(kind, 600, environment=environment)
    assert DeployUnseen is type(error)
    assert "dep1 is unknown: no good answer for" in error.problems[0].message
    assert error.problems[0].remedy
    assert [] == service.undone()
    assert 320 <= service.clock.now() - BORN < 345


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_environment_alone(outage, kind):
    """The deployment is seen live, its environment is not seen any more: that is unknown, and nothing is undone."""
    service, _, error = outage(kind, 3600, environment="prod", of="/environments/", live_after=100.0)
    assert PromotionUnseen is type(error)
    assert "The state of the environment 'prod' is unknown" in error.problems[0].message
    assert [] == service.undone()


@pytest.mark.parametrize("kind", ["503", "refused"])
def test_the_wait_ends_in_the_outage(outage, kind):
    """Then its state is unknown as well, and it is left alone."""
    service, _, error = outage(kind, 600, wait_timeout_minutes="2")
    assert DeployUnseen is type(error)
    assert [] == service.undone()
    assert service.clock.now() - BORN <= 121


@pytest.mark.parametrize("kind", ["503", "refused", "HTML with 200", "429"])
def test_no_line_of_the_log_is_missing(kind):
    """What was written during the outage comes after it, each line once and in its order."""
    service = Service(kind, 120, of="/logs")
    api = make_api(service, service.clock)
    reader = LogReader(lambda since, limit: api.logs("m1", "dep1", since, limit), int(BORN * 1000))
    lines = []
    while service.clock.now() < BORN + 300:
        service.clock.sleep(4)
        try:
            lines += [line.message for line in reader.new_lines()]
        except HttpError:
            continue
    assert [f"line {number}" for number in range(len(lines))] == lines
    assert 301 == len(lines)
