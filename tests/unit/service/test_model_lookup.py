"""Which model the inputs mean."""

import httpx
import pytest
from transport import BY_NAME, TRANSIENT, Script, Service, make_api, refusal

from baseten_deploy.errors import AuthFailed, InvalidInput, Rejected
from baseten_deploy.service.answers import Model, Team
from baseten_deploy.service.model_lookup import Destination, find_team, resolve

TEAMS = {"teams": [{"id": "t1", "name": "Core"}, {"id": "t2", "name": "Lab"}, {"id": "t3", "name": "Lab"}]}


def problem(error):
    """Message and remedy in one text."""
    return str(error.value)


class TestByName:
    """`model-name`, or the config's."""

    def test_a_model_of_that_name(self, make_settings):
        """It gets a new deployment. The list is filtered here as well: the server's filter is new."""
        service = Service()
        service.add_model("bert-2")
        service.add_model("bert")
        expected = Destination("bert", Model("model2", "bert", "Core"))
        assert expected == resolve(make_api(service), make_settings(), "bert")

    @pytest.mark.parametrize("name", ["bert", "Bert", "bert-2", ""])
    def test_no_model_of_that_name(self, make_settings, name):
        """Near is not equal: a new model is made."""
        service = Service()
        service.add_model("bert-1")
        assert Destination(name, None) == resolve(make_api(service), make_settings(), name)

    def test_several_models_of_that_name(self, make_settings):
        """One name in two teams: which one is not guessed, and both are listed."""
        service = Service()
        service.add_model("bert")
        service.add_model("bert", team_name="Lab")
        with pytest.raises(InvalidInput) as error:
            resolve(make_api(service), make_settings(), "bert")
        assert "model1 (team Core), model2 (team Lab)" in problem(error)
        assert "`team` or `model-id`" in problem(error)

    def test_within_a_team(self, make_settings):
        """A team's own list is asked, and a new model goes there; its name is kept for people, also if given by id."""
        service = Service()
        assert Destination("bert", None, "t1", "Core") == resolve(make_api(service), make_settings(team="t1"), "bert")
        service.requests.clear()
        assert Destination("bert", None, "t1", "Core") == resolve(make_api(service), make_settings(team="Core"), "bert")
        assert ["GET /v1/teams", "GET /v1/teams/t1/models"] == service.calls("")


class TestById:
    """`model-id`."""

    def test_the_model(self, make_settings):
        """Its name comes from the service."""
        service = Service()
        service.add_model("bert")
        destination = resolve(make_api(service), make_settings(model_id="model1"), "")
        assert Destination("bert", Model("model1", "bert", "Core")) == destination

    def test_a_model_that_is_not_there(self, make_settings):
        """The id is wrong, not the service."""
        with pytest.raises(InvalidInput, match="there is no model 'nope'"):
            resolve(make_api(Service()), make_settings(model_id="nope"), "")

    def test_a_model_of_another_name(self, make_settings):
        """Two inputs that contradict each other: one is a mistake."""
        service = Service()
        service.add_model("bert")
        with pytest.raises(InvalidInput, match=r"is called 'bert', not 'gpt'"):
            resolve(make_api(service), make_settings(model_id="model1", model_name="gpt"), "gpt")

    def test_the_name_of_the_config_contradicts_nothing(self, make_settings):
        """Only the input `model-name` does."""
        service = Service()
        service.add_model("bert")
        assert resolve(make_api(service), make_settings(model_id="model1"), "gpt").model


class TestTeam:
    """`team`, by name or id."""

    @pytest.mark.parametrize(("team", "found"), [("Core", "t1"), ("t1", "t1"), ("t3", "t3")])
    def test_is_found(self, team, found):
        """By either."""
        assert found == find_team(make_api(Script(httpx.Response(200, json=TEAMS))), team).id

    def test_a_name_of_two_teams(self):
        """Ambiguous; the ids are listed."""
        with pytest.raises(InvalidInput) as error:
            find_team(make_api(Script(httpx.Response(200, json=TEAMS))), "Lab")
        assert "Lab (t2), Lab (t3)" in problem(error)

    def test_an_unknown_team(self):
        """The nearest name is offered, and all are listed."""
        with pytest.raises(InvalidInput) as error:
            find_team(make_api(Script(httpx.Response(200, json=TEAMS))), "core")
        assert "Did you mean `Core`? Teams: Core (t1)" in problem(error)

    def test_no_team_at_all(self):
        """An organization without teams."""
        with pytest.raises(InvalidInput, match="Teams: none"):
            find_team(make_api(Script(httpx.Response(200, json={"teams": []}))), "x")

    def test_an_id_goes_before_a_name(self):
        """A team may be called like another's id."""
        teams = {"teams": [{"id": "t1", "name": "t2"}, {"id": "t2", "name": "x"}]}
        assert Team("t2", "x") == find_team(make_api(Script(httpx.Response(200, json=teams))), "t2")

    def test_none_given(self):
        """Then nobody is asked."""
        script = Script(httpx.Response(200, json=TEAMS))
        assert find_team(make_api(script), "") is None
        assert [] == script.requests


class TestArchiveDownload:
    """`disable-archive-download` is settled when a model is made."""

    def test_is_refused_for_a_model_that_exists(self, make_settings):
        """By name or id."""
        service = Service()
        service.add_model("bert")
        for inputs in ({}, {"model_id": "model1"}):
            with pytest.raises(InvalidInput, match="disable-archive-download"):
                resolve(make_api(service), make_settings(disable_archive_download="true", **inputs), "bert")

    def test_is_fine_for_a_new_model(self, make_settings):
        """It is sent with the commit."""
        destination = resolve(make_api(Service()), make_settings(disable_archive_download="true"), "bert")
        assert destination.model is None


class TestFailures:
    """The service cannot be asked."""

    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    @pytest.mark.parametrize("inputs", [{}, {"model_id": "model1"}, {"team": "Core"}], ids=str)
    def test_no_model_is_made_up(self, make_settings, fault, inputs):
        """A failed look-up is never "there is none": that would make a second model. Nothing was uploaded yet."""
        service = Service()
        service.add_model("bert")
        service.fail("GET", fault, times=99)
        with pytest.raises(Rejected):
            resolve(make_api(service), make_settings(**inputs), "bert")

    @pytest.mark.parametrize("name", ["503", "read timeout", "429 with a field", "truncated JSON"])
    def test_a_blip_is_made_up_for(self, make_settings, name):
        """Twice is nothing."""
        service = Service()
        service.add_model("bert")
        service.fail("GET", BY_NAME[name], times=2)
        assert resolve(make_api(service), make_settings(), "bert").model

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize("inputs", [{}, {"model_id": "model1"}, {"team": "Core"}], ids=str)
    def test_a_refused_key(self, make_settings, status, inputs):
        """Has a status of its own."""
        service = Service()
        service.fail("GET", refusal(status), times=9)
        with pytest.raises(AuthFailed):
            resolve(make_api(service), make_settings(**inputs), "bert")
