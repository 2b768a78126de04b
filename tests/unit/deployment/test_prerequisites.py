"""Secrets that are missing: named at their line, and only where that is known."""

import pytest
from transport import FakeClock, Service, make_run, refusal
from trees import MODEL, write_tree

from baseten_deploy.deployment.prerequisites import Prerequisites
from baseten_deploy.service.answers import Model
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.directory import read_truss

CONFIG = "model_name: m\nsecrets:\n  hf_access_tokn: null\n  other: null\n"


class Keeping(Service):
    """The management API, with secrets."""

    there: tuple[tuple[str, str], ...] = (("hf_access_token", "Core"), ("other", "Core"))

    def _routes(self):
        rows = [{"id": "s", "created_at": "", "name": name, "team_name": team} for name, team in self.there]
        return {r"GET (/v1/secrets|/v1/teams/t1/secrets)": lambda _: {"secrets": rows}, **super()._routes()}


@pytest.fixture
def service():
    """A service with secrets."""
    return Keeping(FakeClock())


@pytest.fixture
def missing(make_settings, service, tmp_path):
    """What is missing for a config that goes somewhere."""

    def ask(config=CONFIG, destination=None):
        workspace = write_tree(tmp_path, {"m/config.yaml": config, "m/model/model.py": MODEL})
        truss = read_truss(workspace / "m", workspace)
        run = make_run(make_settings(), service, service.clock)
        return Prerequisites(run, truss, destination or Destination("m", None)).missing()

    return ask


def test_the_nearest(missing, service):
    """The line, the name that is near, and how to add it."""
    (problem,) = missing()
    assert ("m/config.yaml", 3, 3) == (problem.file, problem.line, problem.column)
    assert "The config names the secret `hf_access_tokn`, and the workspace has none of that name" == problem.message
    assert "Did you mean `hf_access_token`? Add it at https://app.baseten.co/settings/secrets" in problem.remedy
    assert ["GET /v1/secrets"] == service.calls("secrets")


def test_all_are_there(missing, service):
    """Nothing is said."""
    service.there = (("hf_access_tokn", "Core"), ("other", ""))
    assert [] == missing()


def test_a_config_without(missing, service):
    """Asks nothing."""
    assert [] == missing("model_name: m\n")
    assert [] == service.calls("secrets")


def test_a_team_that_is_given(missing, service):
    """Its secrets are asked for by its id."""
    assert 1 == len(missing(destination=Destination("m", None, "t1", "Core")))
    assert ["GET /v1/teams/t1/secrets"] == service.calls("secrets")


def test_of_another_team(missing, service):
    """A secret of another team's is none of this model's, and that it is there is a hint."""
    service.there = (("hf_access_tokn", "Research"), ("other", "Core"))
    (problem,) = missing(destination=Destination("m", Model("m1", "m", "Core")))
    assert "and the team `Core` has none of that name" in problem.message
    assert "The team `Research` has one of that name." in problem.remedy


def test_teams_that_are_not_told(missing, service):
    """Where no secret is said to be the model's team's, all count: better nothing than a false alarm."""
    service.there = (("hf_access_tokn", "Default"), ("other", "Default"))
    assert [] == missing(destination=Destination("m", Model("m1", "m", "Core")))


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_what_cannot_be_seen(missing, service, status):
    """Is not said, and asked for once."""
    service.fail("secrets", refusal(status), 100)
    assert [] == missing()
    assert 1 == len(service.calls("secrets"))


@pytest.mark.parametrize("rows", [[{}], None, [{"name": 7}], ["x"]])
def test_an_answer_that_is_none(missing, service, rows):
    """Neither."""
    service._routes = lambda: {r"GET /v1/secrets": lambda: {"secrets": rows}}
    assert [] == missing()
