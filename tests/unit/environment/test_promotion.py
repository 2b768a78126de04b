"""Promotions: what an environment's state means, following one to its end, and asking for it exactly once."""

from dataclasses import replace

import httpx
import pytest
from transport import AMBIGUOUS, BY_NAME, TRANSIENT, FakeClock, Service, make_api, refusal
from transport import UNSEEN as UNSEEN_FAULTS

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.promotion import (
    UNBEGUN_SECONDS,
    VANISHED_SECONDS,
    Verdict,
    has_failed,
    judge,
    start,
    until_served,
)
from baseten_deploy.errors import AuthFailed, DeployTimeout, PromotionFailed, PromotionUnseen
from baseten_deploy.service.answers import Deployment, Environment, Promotion

KEY = "deploy-key"
# In looks a second apart, the first at once.
VANISHED, UNSEEN = int(VANISHED_SECONDS) + 1, int(UNBEGUN_SECONDS) + 1
MINE = Deployment("d1", "v2", "ACTIVE", labels={KEY: "k1"}, created_at="2026-01-02")
OLD = Deployment("d0", "v1", "ACTIVE", labels={KEY: "k0"}, created_at="2026-01-01")
OTHER = Deployment("d9", "v3", "ACTIVE", labels={KEY: "k9"}, created_at="2026-01-03")
LABELLED_COPY = Deployment("c1", "v2-copy", "ACTIVE", labels={KEY: "k1"}, created_at="2026-01-03")
BARE_COPY = Deployment("c1", "v2", "ACTIVE", created_at="2026-01-03")
COPIES = pytest.mark.parametrize("copy", [MINE, LABELLED_COPY, BARE_COPY], ids=["itself", "labelled copy", "bare copy"])


def look(current=OLD, candidate=None, status="", percent=0, error=""):
    """Make one look at the environment; no status is no promotion."""
    return Environment("prod", current, candidate, Promotion(status, percent, error) if status else None)


class TestOurs:
    """By which ids a deployment goes."""

    @COPIES
    def test_has_itself_and_its_copies(self, copy):
        """A copy has the same unique label, or none and the same name and a later birth."""
        ours = Ours(MINE)
        assert ours.has(copy)
        assert {MINE.id, copy.id} == ours.ids

    @pytest.mark.parametrize(
        "other",
        [
            None,
            OLD,
            OTHER,
            Deployment("x", "v2", "ACTIVE", labels={KEY: "k5"}, created_at="2026-01-03"),
            Deployment("x", "v2", "ACTIVE", labels={"git-sha": "1"}, created_at="2026-01-03"),
            Deployment("x", "v2", "ACTIVE", created_at="2026-01-01"),
            Deployment("x", "v7", "ACTIVE", created_at="2026-01-03"),
        ],
    )
    def test_has_nothing_else(self, other):
        """Of another run, another name, or an earlier birth."""
        assert not Ours(MINE).has(other)

    def test_two_deployments_without_keys_are_two(self):
        """An absent label equals nothing, an absent name neither."""
        bare = Deployment("a", "", "ACTIVE", created_at="1")
        assert not Ours(bare).has(Deployment("b", "", "ACTIVE", created_at="2"))
        assert not Ours(Deployment("a", "x", "ACTIVE", labels={KEY: ""})).has(
            Deployment("b", "y", "ACTIVE", labels={KEY: ""})
        )

    def test_what_was_there_before_is_no_copy(self):
        """A bare copy of another deployment of the same name, which the environment served already."""
        ours = Ours(MINE, before=look(current=BARE_COPY))
        assert not ours.has(BARE_COPY)
        assert ours.has(MINE)
        assert ours.has(Deployment("c2", "v2", "ACTIVE", created_at="2026-01-04"))

    def test_unless_its_label_says_so(self):
        """The environment serves this very deployment's copy."""
        assert Ours(MINE, before=look(current=LABELLED_COPY)).has(LABELLED_COPY)


class TestJudge:
    """One look."""

    @COPIES
    @pytest.mark.parametrize(
        ("where", "status", "verdict"),
        [
            ("current", "", Verdict.SERVED),
            ("current", "SUCCEEDED", Verdict.SERVED),
            ("current", "FAILED", Verdict.SERVED),  # a record of an earlier promotion: it is served, whatever failed
            ("current", "CANCELED", Verdict.SERVED),
            ("current", "RAMPING_DOWN", Verdict.GOES_ON),
            ("current", "HATCHING", Verdict.GOES_ON),
            ("candidate", "", Verdict.GOES_ON),
            *(("candidate", status, Verdict.GOES_ON) for status in ("RELEASING", "RAMPING_UP", "RAMPING_DOWN")),
            ("candidate", "PAUSED", Verdict.GOES_ON),
            ("candidate", "SUCCEEDED", Verdict.GOES_ON),  # it will be the current one in a moment
            ("candidate", "HATCHING", Verdict.GOES_ON),
            ("candidate", "FAILED", Verdict.FAILED),
            ("candidate", "CANCELED", Verdict.FAILED),
        ],
    )
    def test_of_ours(self, copy, where, status, verdict):
        """By its place and the promotion's status; an unknown status goes on."""
        environment = look(**{where: copy}, status=status)
        assert verdict is judge(environment, Ours(MINE))

    @pytest.mark.parametrize("status", ["", "RELEASING", "RAMPING_UP", "PAUSED", "FAILED", "SUCCEEDED"])
    @pytest.mark.parametrize("current", [None, OLD])
    @pytest.mark.parametrize("candidate", [None, OTHER])
    def test_of_others(self, status, current, candidate):
        """Whatever goes on there, ours is not in it."""
        assert Verdict.ABSENT is judge(look(current, candidate, status), Ours(MINE))

    @pytest.mark.parametrize("status", ["RELEASING", "RAMPING_UP", "PAUSED"])
    def test_another_promotion_on_top_of_ours(self, status):
        """Ours is served, and the next one is on its way: ours was done."""
        assert Verdict.SERVED is judge(look(MINE, OTHER, status), Ours(MINE))

    def test_an_old_failure_of_ours(self):
        """The record of the promotion that this one repeats says nothing about this one."""
        failed = look(candidate=MINE, status="FAILED", error="boom")
        assert Verdict.ABSENT is judge(failed, Ours(MINE, before=failed))
        assert not has_failed(failed, Ours(MINE, before=failed))
        assert has_failed(look(status="FAILED", error="other"), Ours(MINE, before=failed))


class Looks:
    """Answers each look at the environment with the next of its script: an environment or a fault."""

    def __init__(self, *script):
        self.clock = FakeClock(chance=0.0)  # a second between two looks, while it is lively
        self.script = list(script)
        self.said = []
        self.warned = []
        self.times = []
        self.labels = {}  # of the other deployment, when it is asked for itself

    def __call__(self, request):
        """The transport's handler."""
        if request.url.path == "/v1/models/m1/deployments/d9":
            return httpx.Response(200, json=row_of(OTHER) | {"labels": self.labels})
        assert "GET /v1/models/m1/environments/prod" == f"{request.method} {request.url.path}"
        self.times.append(self.clock.now() - 1000)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if not isinstance(entry, Environment):
            return entry.fail(request, httpx.Response(200, json=wire(look())))
        return httpx.Response(200, json=wire(entry))

    def follow(self, ours=None, *, started=True, seconds=3600.0, seen=lambda _: None):
        """Follow until it is served."""
        return until_served(
            make_api(self, self.clock),
            "m1",
            "prod",
            ours or Ours(MINE),
            started=started,
            end=self.clock.now() + seconds,
            clock=self.clock,
            say=self.said.append,
            warn=self.warned.append,
            seen=seen,
        )

    def fail(self, kind=PromotionFailed, **arguments):
        """Follow, and return what it failed with."""
        with pytest.raises(kind) as error:
            self.follow(**arguments)
        assert kind is type(error.value)
        assert error.value.problems[0].remedy
        return error.value.problems[0].message

    @property
    def took(self):
        """Seconds."""
        return self.clock.now() - 1000


def row_of(deployment):
    """Make the JSON of a deployment."""
    return deployment and {
        "id": deployment.id,
        "name": deployment.name,
        "status": deployment.status,
        "labels": deployment.labels or None,
        "created_at": deployment.created_at,
    }


def wire(environment):
    """Make the JSON of an environment."""
    promotion = environment.promotion
    return {
        "name": environment.name,
        "current_deployment": row_of(environment.current),
        "candidate_deployment": row_of(environment.candidate),
        "in_progress_promotion": promotion
        and {
            "status": promotion.status,
            "percent_traffic_to_new_version": promotion.percent,
            "error_message": promotion.error or None,
        },
        "autoscaling_settings": {},
        "promotion_settings": {},
    }


class TestFollow:
    """From look to look."""

    def test_who_watches_sees_each_look_on_the_way(self):
        """Not those that failed, and not the one at which it is served."""
        way = [look(candidate=MINE, status="RAMPING_UP"), AMBIGUOUS[0], look(candidate=MINE, status="PAUSED")]
        seen = []
        Looks(*way, look(MINE)).follow(seen=seen.append)
        assert ["RAMPING_UP", "PAUSED"] == [environment.promotion.status for environment in seen]

    def test_who_watches_may_end_it(self):
        """By what it raises, from the first look on."""

        def ended(_environment):
            raise ValueError("crossed")

        looks = Looks(look(candidate=MINE, status="RAMPING_UP"))
        with pytest.raises(ValueError, match="crossed"):
            looks.follow(seen=ended)
        assert 1 == len(looks.times)

    @COPIES
    @pytest.mark.parametrize("started", [True, False])
    def test_until_it_is_served(self, copy, started):
        """Through all of it, with a line for each change."""
        looks = Looks(
            look(),
            look(candidate=MINE, status="RELEASING"),
            look(candidate=copy, status="RELEASING"),
            look(candidate=copy, status="RAMPING_UP", percent=40),
            look(candidate=copy, status="PAUSED", percent=40),
            look(candidate=copy, status="RAMPING_UP", percent=90),
            look(current=copy, status="RAMPING_DOWN", percent=100),
            look(current=copy),
        )
        assert copy.id == looks.follow(started=started).current.id
        assert 7 == looks.took
        assert [
            "Promotion into prod: RELEASING, 0 % of the traffic",
            "Promotion into prod: RAMPING_UP, 40 % of the traffic",
            "Promotion into prod: PAUSED, 40 % of the traffic",
            "Promotion into prod: RAMPING_UP, 90 % of the traffic",
            "Promotion into prod: RAMPING_DOWN, 100 % of the traffic",
        ] == looks.said

    def test_what_is_served_is_not_waited_for(self):
        """One look."""
        looks = Looks(look(MINE))
        looks.follow()
        assert 0 == looks.took

    @pytest.mark.parametrize("started", [True, False])
    @pytest.mark.parametrize("candidate", [None, MINE])
    def test_a_failure_says_why(self, candidate, started):
        """The service's message is shown, and what is served now."""
        looks = Looks(
            look(candidate=MINE, status="RAMPING_UP"), look(candidate=candidate, status="FAILED", error="OOM")
        )
        assert "The promotion into 'prod' ended as FAILED: OOM (it serves d0)" == looks.fail(started=started)
        assert 1 == looks.took

    @pytest.mark.parametrize("candidate", [None, MINE])
    def test_a_cancellation_elsewhere(self, candidate):
        """Somebody pressed the button."""
        looks = Looks(look(candidate=MINE, status="RAMPING_UP"), look(candidate=candidate, status="CANCELED"))
        assert "The promotion into 'prod' ended as CANCELED (it serves d0)" == looks.fail()

    def test_an_environment_that_served_nothing(self):
        """The first promotion into it failed."""
        looks = Looks(look(None, MINE, "RELEASING"), look(None, None, "FAILED", error="OOM"))
        assert looks.fail().endswith("(it serves nothing)")

    def test_another_jobs_promotion_takes_over(self):
        """Ours was on its way, then theirs, which is newer: nothing is waited for any more, and it is said whose."""
        looks = Looks(
            look(candidate=MINE, status="RAMPING_UP"),
            look(candidate=OTHER, status="RELEASING"),
            look(current=OTHER),
        )
        looks.labels = {"github-pr": "7", "git-sha": "0123abc", "github-run": "https://ci/9"}
        said = looks.fail()
        assert "Overtaken: 'prod' is being given the newer deployment d9" in said
        assert "(pull request #7, commit 0123abc, run https://ci/9) instead of d1" in said
        assert 1 == looks.took

    def test_an_older_one_takes_its_place(self):
        """Somebody rolled back meanwhile: that overtakes nobody, and is judged after some looks."""
        older = replace(OTHER, created_at="2025-01-01T00:00:00Z")
        looks = Looks(look(candidate=MINE, status="RAMPING_UP"), look(current=older))
        assert "ended and it serves d9, not this run's deployment" in looks.fail()
        assert VANISHED == looks.took

    def test_ours_was_served_when_theirs_began(self):
        """Then this run did what it was asked for."""
        looks = Looks(look(candidate=MINE, status="RAMPING_UP"), look(MINE, OTHER, "RELEASING"))
        assert "d1" == looks.follow().current.id

    def test_between_two_states(self):
        """Neither candidate nor current for some looks: the service is switching."""
        looks = Looks(look(candidate=MINE, status="RAMPING_UP"), *[look()] * (VANISHED - 1), look(MINE))
        assert looks.follow()

    def test_a_promotion_that_shows_late(self):
        """Asked for and accepted; it may take half a minute to be seen."""
        looks = Looks(*[look()] * (UNSEEN - 1), look(candidate=MINE, status="RELEASING"), look(MINE))
        assert looks.follow(started=True)

    def test_a_promotion_that_never_shows(self):
        """What was served before still is, and nothing of ours is in sight."""
        looks = Looks(look(OTHER))
        assert "not this run's deployment" in looks.fail(ours=Ours(MINE, before=look(OTHER)), started=True)

    def test_a_push_that_has_not_begun_its_promotion(self):
        """It begins by itself, when the service thinks fit; until the time is up."""
        looks = Looks(*[look()] * 300, look(candidate=MINE, status="RELEASING"), look(MINE))
        assert looks.follow(started=False)

    def test_an_old_failure_is_not_ours(self):
        """The environment still tells of yesterday's failed promotion when ours is asked for."""
        yesterday = look(status="FAILED", error="yesterday")
        looks = Looks(*[yesterday] * (UNSEEN - 1), look(candidate=MINE, status="RELEASING"), look(MINE))
        assert looks.follow(Ours(MINE, before=yesterday))

    def test_a_new_failure_is(self):
        """It tells of another failure than before, though ours was never seen on its way."""
        looks = Looks(look(status="FAILED", error="today"))
        assert "today" in looks.fail(ours=Ours(MINE, before=look(status="FAILED", error="yesterday")))
        assert looks.took < VANISHED

    def test_the_same_failure_again(self):
        """Seen on its way, so it is ours, even when it reads like yesterday's."""
        yesterday = look(status="FAILED", error="OOM")
        looks = Looks(yesterday, look(candidate=MINE, status="RELEASING"), yesterday)
        assert "OOM" in looks.fail(ours=Ours(MINE, before=yesterday))

    @pytest.mark.parametrize("seconds", [5, 40])
    @pytest.mark.parametrize("started", [True, False])
    def test_a_paused_one_runs_into_the_timeout(self, seconds, started):
        """It goes on by itself only when somebody resumes it, which is said."""
        looks = Looks(look(candidate=MINE, status="PAUSED", percent=10))
        message = looks.fail(DeployTimeout, started=started, seconds=seconds)
        assert "(Promotion into prod: PAUSED, 10 % of the traffic)" in message
        assert seconds <= looks.took <= seconds + 1

    def test_says_that_it_still_goes_on(self):
        """Every half minute."""
        looks = Looks(*[look(candidate=MINE, status="PAUSED")] * 42, look(MINE))
        looks.follow()
        assert 3 == len(looks.said)


BLIPS = [fault for fault in TRANSIENT if not fault.acts]


class TestBlips:
    """Looks that fail."""

    @pytest.mark.parametrize("fault", BLIPS, ids=str)
    def test_nine_in_a_row_are_fine(self, fault):
        """And do not count as not having seen it."""
        looks = Looks(look(candidate=MINE, status="RELEASING"), *[fault] * 9, look(MINE))
        assert looks.follow()

    def test_the_hint_is_obeyed(self):
        """Up to the end of the time."""
        looks = Looks(BY_NAME["429 with a field"], look(MINE))
        looks.follow()
        assert looks.times[1] >= 3
        looks = Looks(BY_NAME["429 with a field"])
        looks.fail(PromotionUnseen, seconds=2)
        assert looks.took <= 3

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_revoked_key(self, status):
        """`auth_failed`."""
        with pytest.raises(AuthFailed):
            Looks(refusal(status)).follow()

    def test_an_environment_that_was_deleted(self):
        """There is nothing to follow."""
        assert "is gone" in Looks(look(candidate=MINE, status="RELEASING"), refusal(404, "gone")).fail()


def promote(service, *, ours=None, deadline=float("inf"), said=None):
    """Ask for the promotion of `dep2` into `prod`, which serves `dep1`."""
    if not service.models:
        prepare(service)
    api = make_api(service, service.clock, deadline=deadline)
    ours = ours or Ours(api.deployment("model1", "dep2"))
    service.requests.clear()
    service.clock.sleeps.clear()
    start(
        api,
        "model1",
        "prod",
        ours,
        settings={"preserve_env_instance_type": False},
        clock=service.clock,
        say=(said if said is not None else []).append,
    )
    return ours


def prepare(service):
    """A model whose environment serves a deployment, and another deployment."""
    service.add_model()
    first = service.add_deployment(labels={KEY: "k0"})
    service.add_deployment(labels={KEY: "k1"})
    service.add_environment("prod", first)


PROMOTE = "POST .*/promote"


class TestStart:
    """Asking for it: once."""

    def test_asks_once(self):
        """With the deployment and the settings; the previous one is scaled down."""
        service = Service()
        promote(service)
        expected = {
            "deployment_id": "dep2",
            "scale_down_previous_deployment": True,
            "preserve_env_instance_type": False,
        }
        assert [expected] == service.bodies("")
        assert ["POST /v1/models/model1/environments/prod/promote"] == service.calls("")

    @pytest.mark.parametrize("redeploys", ["labelled", "bare"])
    def test_the_answers_id_is_ours(self, redeploys):
        """Also when it is a new one."""
        service = Service(redeploys=redeploys)
        assert {"dep2", "dep3"} == promote(service).ids

    @pytest.mark.parametrize("redeploys", ["", "labelled", "bare"])
    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_exactly_once_under_every_failure(self, fault, redeploys):
        """One promotion, and with `redeploy_on_promotion` one copy; its id is known in the end."""
        service = Service(redeploys=redeploys, promotes_after=None)
        prepare(service)
        service.fail(PROMOTE, fault)
        ours = promote(service)
        candidate = service._look("prod")["candidate_deployment"]["id"]
        assert (3 if redeploys else 2) == len(service.deployments)
        assert candidate in ours.ids
        assert (1 if fault.acts else 2) == len(service.calls(PROMOTE))

    @pytest.mark.parametrize("fault", UNSEEN_FAULTS, ids=str)
    def test_what_was_not_seen_is_just_sent_again(self, fault):
        """No look is needed."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, fault)
        promote(service)
        assert [] == service.calls("GET")

    @pytest.mark.parametrize("fault", [fault for fault in AMBIGUOUS if not fault.acts], ids=str)
    def test_looks_three_times_before_it_sends_again(self, fault):
        """A promotion may take some seconds to show."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, fault)
        promote(service)
        assert [1.0, 2.0, 4.0] == service.clock.sleeps[:3]

    def test_sees_a_promotion_that_is_over_already(self):
        """It was done while this run was looking."""
        service = Service(promotes_after=0.5)
        prepare(service)
        service.fail(PROMOTE, BY_NAME["read timeout after acting"])
        promote(service)
        assert 1 == len(service.calls(PROMOTE))

    @pytest.mark.parametrize("fault", BLIPS, ids=str)
    def test_gives_up(self, fault):
        """After five tries; the environment serves what it served."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, fault, times=99)
        with pytest.raises(PromotionFailed, match="Promoting dep2 into 'prod'"):
            promote(service)
        assert 5 == len(service.calls(PROMOTE))
        assert "dep1" == service.environments["prod"]["current_deployment"]["id"]

    @pytest.mark.parametrize("fault", BLIPS, ids=str)
    @pytest.mark.parametrize("lost", ["reset", "reset after acting"])
    def test_what_cannot_be_checked_is_not_sent_again(self, fault, lost):
        """And that is said."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, BY_NAME[lost])
        service.fail("GET .*/environments/prod", fault, times=99)
        with pytest.raises(PromotionFailed, match="Whether it took effect cannot be checked"):
            promote(service)
        assert 1 == len(service.calls(PROMOTE))

    @pytest.mark.parametrize("status", [400, 404, 409, 422])
    def test_a_refusal_is_final(self, status):
        """Its message is shown."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, refusal(status, "the deployment is inactive"), times=9)
        with pytest.raises(PromotionFailed, match="the deployment is inactive"):
            promote(service)
        assert (1, 0.0) == (len(service.calls(PROMOTE)), sum(service.clock.sleeps))

    def test_a_refusal_stays_one_when_the_look_fails(self):
        """The look was only to be sure."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, refusal(400, "the deployment is inactive"))
        service.fail("GET .*/environments/prod", BY_NAME["503"], times=99)
        with pytest.raises(PromotionFailed, match="the deployment is inactive"):
            promote(service)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, status):
        """`auth_failed`."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, refusal(status))
        with pytest.raises(AuthFailed):
            promote(service)

    def test_ours_is_on_its_way_already(self):
        """A run that was repeated is refused, because its first promotion goes on: that one is followed."""
        service = Service(promotes_after=60)
        prepare(service)
        promote(service)
        promote(service, ours=Ours(make_api(service).deployment("model1", "dep2")))

    @pytest.mark.parametrize("second", [BY_NAME["429"], refusal(400, "a promotion is in progress")], ids=str)
    def test_what_was_doubtful_stays_so(self, second):
        """The first try shows only after the second was refused: it is looked for again."""
        service = Service(promotion_shows_after=7.5, promotes_after=None)
        prepare(service)
        service.fail(PROMOTE, BY_NAME["read timeout after acting"])
        service.fail(PROMOTE, second)
        promote(service)
        assert "dep2" == service.environments["prod"]["candidate_deployment"]["id"]

    def test_another_promotion_is_on_its_way(self):
        """One at a time; this run's is refused, with the reason."""
        service = Service(promotes_after=60)
        prepare(service)
        other = service.add_deployment(labels={KEY: "k9"})
        promote(service, ours=Ours(make_api(service).deployment("model1", other["id"])))
        with pytest.raises(PromotionFailed, match="a promotion is in progress"):
            promote(service)

    def test_an_old_failure_is_no_effect(self):
        """The candidate of yesterday's failed promotion is the same deployment; today's did not arrive."""
        service = Service(promotes_after=None)
        prepare(service)
        failed = {"status": "FAILED", "percent_traffic_to_new_version": 0, "error_message": "OOM"}
        environment = service.environments["prod"]
        environment.update(candidate_deployment=service.deployments[1], in_progress_promotion=failed)
        api = make_api(service)
        ours = Ours(api.deployment("model1", "dep2"), before=api.environment("model1", "prod"))
        service.fail(PROMOTE, BY_NAME["503"])
        promote(service, ours=ours)
        assert 2 == len(service.calls(PROMOTE))

    def test_stops_at_the_deadline(self):
        """A hint past it is not waited for."""
        service = Service()
        prepare(service)
        service.fail(PROMOTE, BY_NAME["429 with a field"], times=9)
        with pytest.raises(PromotionFailed):
            promote(service, deadline=1002)
        assert 1000 == service.clock.now()
