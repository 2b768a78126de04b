"""Which deployments are retired, how fast, and which never."""

import html

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import BY_NAME, TRANSIENT, Script, Service, make_api, make_run, printed, refusal

from baseten_deploy.deployment.retirement import (
    RATE,
    clean_up,
    held,
    pause_before,
    reason_to_stay,
    retire,
    retire_old,
    select,
)
from baseten_deploy.errors import AuthFailed, CleanupFailed, Rejected
from baseten_deploy.inputs.settings import Aftermath
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError

MODEL = Model("model1", "m")
DEACTIVATE = "POST .*/deactivate"


def row(number, **fields):
    """Make a deployment; a higher number is younger."""
    fields = {"status": "ACTIVE", "labels": {"pr": "7"}, "created_at": f"2026-01-{number:02}", **fields}
    return Deployment(f"d{number}", f"name-{number}", **fields)


def decide(rows, labels=None, *, in_use=None, keep_latest=0, how=Aftermath.DEACTIVATE):
    """Select; the ids with why each is kept."""
    decisions = select(rows, labels or {"pr": "7"}, in_use=in_use or {}, keep_latest=keep_latest, how=how)
    return {decision.deployment.id: decision.kept_because for decision in decisions}


class TestSelect:
    """The pure decision."""

    @pytest.mark.parametrize(
        ("wanted", "labels", "matches"),
        [
            ({"pr": "7"}, {"pr": "7"}, True),
            ({"pr": 7}, {"pr": "7"}, True),  # YAML makes a number of it
            ({"pr": "7"}, {"pr": 7}, True),
            ({"pr": 7}, {"pr": "77"}, False),
            ({"pr": 7}, {"pr": "7.0"}, False),
            ({"on": True}, {"on": "true"}, True),
            ({"on": "true"}, {"on": True}, True),
            ({"on": True}, {"on": "1"}, False),
            ({"a": 1, "b": 2}, {"a": "1", "b": "2", "c": "3"}, True),
            ({"a": 1, "b": 2}, {"a": "1"}, False),
            ({"a": 1}, {}, False),
            ({"a": None}, {}, False),
            ({"a": ""}, {"a": ""}, True),
            ({"a": "x"}, {"A": "x"}, False),
            ({"a": "x"}, {"a": "X"}, False),
        ],
    )
    def test_by_all_labels(self, wanted, labels, matches):
        """Each must be there and equal, as text."""
        assert matches is ("d1" in decide([row(1, labels=labels)], wanted))

    def test_newest_first(self):
        """By their birth, not by the order of the list."""
        assert ["d3", "d2", "d1"] == list(decide([row(2), row(3), row(1)]))

    @pytest.mark.parametrize("how", [Aftermath.DEACTIVATE, Aftermath.DELETE])
    @pytest.mark.parametrize("reason", ["production serves it", "is being promoted into staging"])
    def test_never_what_an_environment_holds(self, how, reason):
        """Served or on its way there."""
        assert {"d2": "", "d1": reason} == decide([row(1), row(2)], in_use={"d1": reason}, how=how)

    @pytest.mark.parametrize("how", [Aftermath.DEACTIVATE, Aftermath.DELETE])
    def test_never_the_development_slot(self, how):
        """Somebody is working in it."""
        assert {"d1": "the development slot"} == decide([row(1, is_development=True)], how=how)

    @pytest.mark.parametrize(("keep", "kept"), [(0, []), (1, ["d4"]), (2, ["d4", "d3"]), (9, ["d4", "d3", "d2", "d1"])])
    def test_keeps_the_newest(self, keep, kept):
        """As many of those that match as `keep-latest` says."""
        decisions = decide([row(1), row(2), row(3), row(4), row(5, labels={})], keep_latest=keep)
        assert kept == [name for name, reason in decisions.items() if reason]

    @pytest.mark.parametrize("status", ["INACTIVE", "DEACTIVATING"])
    def test_what_rests_is_left_to_rest(self, status):
        """There is nothing to deactivate; deleting it is something else."""
        assert {"d1": f"{status} already"} == decide([row(1, status=status)])
        assert {"d1": ""} == decide([row(1, status=status)], how=Aftermath.DELETE)

    @given(
        st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=12),
        st.integers(0, 14),
        st.sampled_from([Aftermath.DEACTIVATE, Aftermath.DELETE]),
    )
    def test_the_promises(self, facts, keep, how):
        """Whatever there is: nothing held, nothing in development, nothing unlabelled goes, and enough stay."""
        rows = [
            row(i + 1, is_development=dev, labels={"pr": "7"} if labelled else {})
            for i, (dev, labelled, _) in enumerate(facts)
        ]
        in_use = {f"d{i + 1}": "held" for i, (_, _, used) in enumerate(facts) if used}
        decisions = select(rows, {"pr": 7}, in_use=in_use, keep_latest=keep, how=how)
        gone = {decision.deployment.id for decision in decisions if not decision.kept_because}
        labelled = [entry.id for entry in reversed(rows) if entry.labels]
        assert gone <= set(labelled)
        assert not gone & in_use.keys()
        assert not gone & {entry.id for entry in rows if entry.is_development}
        assert not gone & set(labelled[:keep])
        assert gone == set(labelled[keep:]) - in_use.keys() - {entry.id for entry in rows if entry.is_development}


class TestPause:
    """Twenty a minute."""

    @pytest.mark.parametrize(
        ("sent", "now", "pause"),
        [
            ([], 100, 0),
            ([100.0] * 19, 100, 0),
            ([100.0] * 20, 100, 60),
            ([100.0] * 20, 130, 30),
            ([100.0] * 20, 160, 0),
            ([float(i) for i in range(100, 120)], 120, 40),
            ([100.0, *[110.0] * 19], 111, 49),
            ([100.0] * 20 + [160.0] * 20, 161, 59),
        ],
    )
    def test_until_the_twentieth_last_is_a_minute_old(self, sent, now, pause):
        """Not longer, and never negative."""
        assert pause == pause_before(sent, now)

    @given(st.lists(st.floats(0, 20), max_size=100))
    def test_never_more_than_twenty_in_a_minute(self, gaps):
        """However long each takes."""
        now, sent = 0.0, []
        for gap in gaps:
            now += pause_before(sent, now) + 1e-6
            sent.append(now)
            now += gap
        for i in range(len(sent) - RATE):
            assert sent[i + RATE] - sent[i] >= 60


class Scene:
    """A model with deployments of a pull request, and a run in `mode: cleanup`."""

    def __init__(self, settings, count=3):
        self.service = Service()
        self.service.add_model()
        for _ in range(count):
            self.service.add_deployment(labels={"pr": "7"})
        self.run = make_run(settings, self.service, self.service.clock)

    def retire(self, model=MODEL):
        """Do it."""
        retire_old(self.run, model)

    def statuses(self):
        """Of all that are left, by id."""
        return {entry["id"]: entry["status"] for entry in self.service.deployments}

    @property
    def note(self):
        """What the report says."""
        return html.unescape("\n".join(self.run.notes))


@pytest.fixture
def scene(make_settings):
    """Make a scene with inputs."""

    def make(count=3, **inputs):
        given = {"mode": "cleanup", "model_name": "m", "cleanup_labels": "pr: 7", **inputs}
        return Scene(make_settings(**given), count)

    return make


class TestRetireOld:
    """`mode: cleanup`."""

    def test_deactivates(self, scene):
        """Those that match, and says so."""
        it = scene()
        it.service.add_deployment(labels={"pr": "8"})
        it.retire()
        expected = {"dep1": "INACTIVE", "dep2": "INACTIVE", "dep3": "INACTIVE", "dep4": "ACTIVE"}
        assert expected == it.statuses()
        assert 3 == it.note.count("deactivated")
        assert "dep4" not in it.note

    def test_deletes(self, scene):
        """When `retire` says so; what rests is deleted, too."""
        it = scene(retire="delete")
        it.service.deployments[0]["status"] = "INACTIVE"
        it.retire()
        assert {} == it.statuses()
        assert [] == it.service.calls(DEACTIVATE)

    def test_keeps_and_says_why(self, scene):
        """Each that matches is in the report, kept or not."""
        it = scene(count=5, keep_latest="1")
        rows = it.service.deployments
        it.service.add_environment("production", rows[0])
        it.service.add_environment("staging", None, candidate_deployment=rows[1])
        rows[2]["is_development"] = True
        it.retire()
        assert ["dep4"] == [name for name, status in it.statuses().items() if status == "INACTIVE"]
        for reason in (
            "production serves it",
            "is being promoted into staging",
            "the development slot",
            "among the newest 1",
        ):
            assert f"kept: {reason}" in it.note
            assert f"kept: {reason}" in printed(it.run)

    def test_what_production_serves_by_the_models_word(self, scene):
        """The model names its production deployment as well."""
        it = scene()
        it.retire(Model("model1", "m", production_deployment_id="dep2"))
        assert "ACTIVE" == it.statuses()["dep2"]

    def test_nothing_matches(self, scene):
        """Is said with what was looked for, as it was written, and is no failure."""
        it = scene(cleanup_labels="pr: 0123457\nteam: yes")
        it.retire()
        assert "no deployment of 'm' carries the labels pr: 0123457, team: yes" == it.run.ledger.account.why
        assert "carries the labels pr: 0123457, team: yes" in printed(it.run)
        assert [] == it.service.calls("POST|DELETE")

    @pytest.mark.parametrize("how", ["deactivate", "delete"])
    def test_looks_again_right_before_each(self, scene, how):
        """An environment that takes one while others are retired keeps it."""
        it = scene(retire=how)
        row = it.service.deployments[0]  # the oldest goes last
        it.service.environments["late"] = lambda: {
            "name": "late",
            "current_deployment": row if len(it.service.calls("deactivate|DELETE")) >= 1 else None,
        }
        it.retire()
        assert "ACTIVE" == it.statuses()["dep1"]
        assert "late serves it" in it.note

    def test_respects_the_rate(self, scene):
        """Twenty a minute, whatever the number."""
        it = scene(count=45)
        it.retire()
        times = [time for (call, _), time in zip(it.service.requests, it.service.times, strict=True) if "deact" in call]
        assert 45 == len(times)
        assert all(times[i + RATE] - times[i] >= 60 for i in range(45 - RATE))
        assert 120 <= it.service.clock.now() - 1000 < 130

    def test_deletes_without_a_pause(self, scene):
        """That limit is another one."""
        it = scene(count=45, retire="delete")
        it.retire()
        assert 0 == it.service.clock.now() - 1000

    def test_goes_on_after_a_failure(self, scene):
        """All are tried; those that failed are named, with the reason."""
        it = scene()
        it.service.fail("POST .*/dep2/deactivate", refusal(409, "it is updating"), times=9)
        with pytest.raises(CleanupFailed, match="1 of 3 deployments could not be retired") as error:
            it.retire()
        assert "dep2 (failed: 409: it is updating" in str(error.value)
        assert {"dep1": "INACTIVE", "dep2": "ACTIVE", "dep3": "INACTIVE"} == it.statuses()
        assert "failed: 409" in it.note

    @pytest.mark.parametrize("how", ["deactivate", "delete"])
    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_has_blips(self, scene, fault, how):
        """Once each: also when the service acted before it failed, the end is what was asked for."""
        it = scene(retire=how)
        it.service.fail("deactivate|DELETE", fault)
        if not fault.acts and fault.name in {"wrong shape", "empty answer"}:
            return  # an answer that looks like one
        it.retire()
        left = {} if how == "delete" else dict.fromkeys(("dep1", "dep2", "dep3"), "INACTIVE")
        assert left == it.statuses()

    @pytest.mark.parametrize("where", ["GET .*/deployments$", "GET .*/environments$"])
    def test_retires_nothing_it_cannot_judge(self, scene, where):
        """Without the list, or without what environments hold, nothing goes."""
        it = scene()
        it.service.fail(where, BY_NAME["503"], times=99)
        with pytest.raises(Rejected, match="Listing the deployments"):
            it.retire()
        assert [] == it.service.calls("POST|DELETE")

    def test_retires_nothing_when_the_second_look_fails(self, scene):
        """What could not be looked at again stays."""
        it = scene()
        it.service.fail("GET .*/environments$", BY_NAME["503"], times=99, after=2)
        with pytest.raises(CleanupFailed, match="2 of 3 deployments could not be retired"):
            it.retire()
        assert 1 == len(it.service.calls(DEACTIVATE))

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize("where", ["GET", DEACTIVATE])
    def test_a_refused_key(self, scene, status, where):
        """`auth_failed`, and no try with the others."""
        it = scene()
        it.service.fail(where, refusal(status), times=99)
        with pytest.raises(AuthFailed):
            it.retire()
        assert len(it.service.calls(DEACTIVATE)) <= 1

    def test_long_lists_have_their_retries_too(self, scene):
        """After minutes of pauses a blip is still a blip."""
        it = scene(count=150)
        it.service.fail("POST .*/dep1/deactivate", BY_NAME["503"], times=4)
        it.retire()
        assert {"INACTIVE"} == set(it.statuses().values())

    def test_names_cannot_break_the_report(self, scene):
        """They come from the service."""
        it = scene(count=1)
        it.service.deployments[0]["name"] = "a|b`c\n<script>"
        it.retire()
        _, _, *rows = it.run.notes[0].splitlines()
        assert 1 == len(rows)
        assert 4 == rows[0].count("|") - rows[0].count("\\|")


class TestRetire:
    """One of them."""

    def service(self, status="ACTIVE"):
        """A model with one deployment."""
        service = Service()
        service.add_model()
        service.add_deployment(status=status)
        return service

    @pytest.mark.parametrize(("how", "word"), [(Aftermath.DEACTIVATE, "deactivated"), (Aftermath.DELETE, "deleted")])
    def test_says_what_it_did(self, how, word):
        """In a word."""
        assert word == retire(make_api(self.service()), MODEL, "dep1", how)

    def test_what_rests_already_rests(self):
        """The service refuses to do it twice; that is no failure."""
        assert "deactivated" == retire(make_api(self.service("INACTIVE")), MODEL, "dep1", Aftermath.DEACTIVATE)

    def test_an_answer_that_is_lost_every_time(self):
        """What counts is what became of the deployment."""
        service = self.service()
        service.fail(DEACTIVATE, BY_NAME["read timeout after acting"], times=9)
        assert "deactivated" == retire(make_api(service, service.clock), MODEL, "dep1", Aftermath.DEACTIVATE)

    @pytest.mark.parametrize("failure", [BY_NAME["503"], refusal(409)], ids=str)
    def test_a_failure_is_the_one_of_the_deactivation(self, failure):
        """Not of the look after it, which went well."""
        service = self.service()
        service.fail(DEACTIVATE, failure, times=9)
        with pytest.raises(HttpError, match="deactivate: "):
            retire(make_api(service, service.clock), MODEL, "dep1", Aftermath.DEACTIVATE)

    def test_what_is_deleted_already_is(self):
        """Somebody was faster."""
        assert "deleted" == retire(make_api(self.service()), MODEL, "gone", Aftermath.DELETE)


EMPTY = {
    "nothing": "",
    "an object": "{}",
    "something else": '{"id": "dep9", "deleted": true}',
    "no": '{"deleted": false}',
}


class TestOnlyWhatWasSeen:
    """An answer of success that does not say what was done is looked up."""

    def scene(self, answer, *, acts):
        """A service whose DELETE and deactivate answer so, whether they act or not."""
        service = Service()
        service.add_model()
        service.add_deployment()

        def handler(request):
            if request.method == "GET":
                return service(request)
            if acts:
                service(request)
            return httpx.Response(200, text=answer)

        return make_api(handler, service.clock)

    @pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY)
    @pytest.mark.parametrize("how", [Aftermath.DELETE, Aftermath.DEACTIVATE])
    def test_not_done(self, answer, how):
        """It is not said to be done, and what was seen is said."""
        with pytest.raises(HttpError) as caught:
            retire(self.scene(answer, acts=False), MODEL, "dep1", how)
        assert "answered with success, but it is" in caught.value.message
        assert "ACTIVE" in caught.value.message

    @pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY)
    @pytest.mark.parametrize(("how", "said"), [(Aftermath.DELETE, "deleted"), (Aftermath.DEACTIVATE, "deactivated")])
    def test_done(self, answer, how, said):
        """It was done and the answer lacks it: seen, so it is said."""
        assert said == retire(self.scene(answer, acts=True), MODEL, "dep1", how)

    @pytest.mark.parametrize("how", [Aftermath.DELETE, Aftermath.DEACTIVATE])
    def test_not_to_be_seen(self, how):
        """A look-up that fails shows nothing: it is not said to be done."""
        script = Script(httpx.Response(200), httpx.Response(500))
        with pytest.raises(HttpError):
            retire(make_api(script), MODEL, "dep1", how)


class TestCleanUp:
    """`cleanup: true`: the deployment of a successful run."""

    def run(self, make_settings, service, **inputs):
        """A run that deployed dep2."""
        return make_run(make_settings(model_name="m", cleanup="true", **inputs), service, service.clock)

    def service(self):
        """Production serves dep1."""
        service = Service()
        service.add_model()
        service.add_environment("production", service.add_deployment())
        service.add_deployment()
        return service

    def test_deactivates_it(self, make_settings):
        """That is what was asked for."""
        service = self.service()
        run = self.run(make_settings, service)
        clean_up(run, MODEL, "dep2")
        assert "INACTIVE" == service.deployments[1]["status"]
        assert [] == run.warnings

    @pytest.mark.parametrize("inputs", [{"environment": "staging"}, {"promote_to": "staging"}], ids=str)
    @pytest.mark.parametrize("place", ["current_deployment", "candidate_deployment"])
    def test_not_while_an_environment_holds_it(self, make_settings, inputs, place):
        """Serving goes before saving; a warning says so."""
        service = self.service()
        service.add_environment("staging")
        service.environments["staging"][place] = service.deployments[1]
        run = self.run(make_settings, service, **inputs)
        clean_up(run, MODEL, "dep2")
        assert "ACTIVE" == service.deployments[1]["status"]
        assert "stays" in run.warnings[0].message

    def test_not_what_somebody_promoted_meanwhile(self, make_settings):
        """The run goes into no environment, and its deployment is in one all the same."""
        service = self.service()
        service.environments["production"]["current_deployment"] = service.deployments[1]
        clean_up(self.run(make_settings, service), MODEL, "dep2")
        assert "ACTIVE" == service.deployments[1]["status"]

    def test_the_first_deployment_of_a_new_model(self, make_settings):
        """The service makes it production by itself; a pull request's check is cleaned up all the same."""
        service = Service()
        service.add_model()
        service.add_environment("production", service.add_deployment())
        clean_up(self.run(make_settings, service), MODEL, "dep1")
        assert "INACTIVE" == service.deployments[0]["status"]

    def test_not_the_first_one_when_it_was_to_go_there(self, make_settings):
        """A push into production stays in production."""
        service = Service()
        service.add_model()
        service.add_environment("production", service.add_deployment())
        run = self.run(make_settings, service, environment="production")
        assert "production serves it" == reason_to_stay(run, run.api, MODEL, "dep1")

    @pytest.mark.parametrize("status", [400, 404, 409])
    def test_a_refusal_fails_the_clean_up(self, make_settings, status):
        """The deployment costs money until somebody stops it, which is said."""
        service = self.service()
        service.fail(DEACTIVATE, refusal(status, "no"), times=9)
        with pytest.raises(CleanupFailed, match="Deactivating the deployment") as error:
            clean_up(self.run(make_settings, service), MODEL, "dep2")
        assert "dep2 still runs" in error.value.problems[0].remedy

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, make_settings, status):
        """`auth_failed`."""
        service = self.service()
        service.fail(DEACTIVATE, refusal(status), times=9)
        with pytest.raises(AuthFailed):
            clean_up(self.run(make_settings, service), MODEL, "dep2")

    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_has_blips(self, make_settings, fault):
        """As everything has."""
        service = self.service()
        service.fail(DEACTIVATE, fault)
        if not fault.acts and fault.name in {"wrong shape", "empty answer"}:
            return  # an answer that looks like one
        clean_up(self.run(make_settings, service), MODEL, "dep2")
        assert "INACTIVE" == service.deployments[1]["status"]

    def test_has_its_own_time_for_retries(self, make_settings):
        """A wait that took all of its time leaves none of it; a blip is made up for all the same."""
        service = self.service()
        service.fail(DEACTIVATE, BY_NAME["503"], times=4)
        run = self.run(make_settings, service)
        run.api.http.deadline = service.clock.now() - 1
        clean_up(run, MODEL, "dep2")
        assert "INACTIVE" == service.deployments[1]["status"]


def test_held_is_by_model_and_environments():
    """Either's word is enough."""
    service = Service()
    service.add_model()
    service.add_environment("staging", service.add_deployment())
    service.add_deployment()
    model = Model("model1", "m", production_deployment_id="dep2")
    assert {"dep1": "staging serves it", "dep2": "production serves it"} == held(make_api(service), model)
