"""Waiting: what a status means, and what a failed look means."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import BY_NAME, TRANSIENT, FakeClock, make_api

from baseten_deploy.deployment.states import FAILED, IN_PROGRESS, LIVE, Verdict, is_known, verdict
from baseten_deploy.deployment.wait import Progress, until_live
from baseten_deploy.errors import AuthFailed, DeployFailed, DeployTimeout, PromotionFailed
from baseten_deploy.report.amounts import duration
from baseten_deploy.service.answers import Deployment
from baseten_deploy.service.polling import CALM

BUILDING = Deployment("d1", "x", "BUILDING")


class Looks:
    """Answers each look at the deployment with the next of its script: a status, an HTTP status or a fault."""

    def __init__(self, *script):
        self.clock = FakeClock(chance=0.0)  # a second between two looks, while it is lively
        self.script = list(script)
        self.times = []
        self.statuses, self.said, self.warned = [], [], []

    def __call__(self, request):
        """The transport's handler."""
        assert "GET /v1/models/m1/deployments/d1" == f"{request.method} {request.url.path}"
        self.times.append(self.clock.now() - 1000)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        row = {"id": "d1", "name": "x", "status": entry}
        if isinstance(entry, str):
            return httpx.Response(200, json=row)
        if isinstance(entry, int):
            return httpx.Response(entry, json={"message": "so it is"})
        return entry.fail(request, httpx.Response(200, json={**row, "status": "BUILDING"}))

    def wait(self, first=BUILDING, seconds=3600.0):
        """Wait until it is live."""
        progress = Progress(self.statuses.append, self.said.append, self.warned.append)
        return until_live(make_api(self, self.clock), "m1", first, seconds, self.clock, progress)


BLIPS = [fault for fault in TRANSIENT if not fault.acts]


class TestVerdict:
    """The pure judgement."""

    @pytest.mark.parametrize(
        ("statuses", "judged"),
        [
            ("BUILDING DEPLOYING LOADING_MODEL UPDATING WAKING_UP", Verdict.GOES_ON),
            ("ACTIVE SCALED_TO_ZERO", Verdict.LIVE),
            ("BUILD_FAILED BUILD_STOPPED DEPLOY_FAILED FAILED INACTIVE DEACTIVATING", Verdict.FAILED),
            ("UNHEALTHY HATCHING active Active", Verdict.GOES_ON),
        ],
    )
    def test_of_every_status(self, statuses, judged):
        """The list of the design, and what it does not have."""
        for status in statuses.split():
            assert judged is verdict(status, 0.0)

    @pytest.mark.parametrize(
        ("seconds", "judged"), [(0, Verdict.GOES_ON), (59.9, Verdict.GOES_ON), (60, Verdict.FAILED)]
    )
    def test_unhealthy_for_a_minute(self, seconds, judged):
        """It may recover; not for ever."""
        assert judged is verdict("UNHEALTHY", seconds)

    @given(st.text(), st.floats(0, 1e6))
    def test_what_is_unknown_goes_on(self, status, seconds):
        """The API grows."""
        if not is_known(status):
            assert Verdict.GOES_ON is verdict(status, seconds)


class TestStatuses:
    """From look to look."""

    @pytest.mark.parametrize("end", sorted(LIVE))
    def test_until_it_is_live(self, end):
        """Each change is told once, and the deployment is returned as it then is."""
        looks = Looks("BUILDING", "BUILDING", "DEPLOYING", "LOADING_MODEL", "WAKING_UP", end)
        assert end == looks.wait().status
        assert ["BUILDING", "DEPLOYING", "LOADING_MODEL", "WAKING_UP", end] == looks.statuses
        assert [1, 2, 3, 4, 5, 6] == looks.times

    def test_what_is_live_is_not_waited_for(self):
        """No look and no second of sleep."""
        looks = Looks("never")
        assert "ACTIVE" == looks.wait(Deployment("d1", "x", "ACTIVE")).status
        assert [] == looks.times

    @pytest.mark.parametrize("end", sorted(FAILED))
    def test_until_it_failed(self, end):
        """At once, with the status and what to do."""
        looks = Looks("DEPLOYING", end)
        with pytest.raises(DeployFailed, match=f"The deployment d1 ended as {end}") as error:
            looks.wait()
        assert DeployFailed is type(error.value)
        assert error.value.problems[0].remedy
        assert 2 == looks.clock.now() - 1000

    def test_unhealthy_and_well_again(self):
        """Less than a minute of it is not the end."""
        looks = Looks(*["UNHEALTHY"] * 36, "ACTIVE")
        assert "ACTIVE" == looks.wait().status

    def test_unhealthy_twice(self):
        """Each time counts by itself."""
        looks = Looks(*["UNHEALTHY"] * 36, "LOADING_MODEL", *["UNHEALTHY"] * 36, "ACTIVE")
        assert "ACTIVE" == looks.wait().status

    def test_unhealthy_for_good(self):
        """After sixty seconds of it."""
        looks = Looks("LOADING_MODEL", "UNHEALTHY")
        with pytest.raises(DeployFailed, match="UNHEALTHY"):
            looks.wait()
        assert 62 <= looks.clock.now() - 1000 < 62 + CALM[1]

    def test_unhealthy_is_what_was_seen_not_what_was_not(self):
        """A service that asks for a minute's silence does not make the deployment fail meanwhile."""
        looks = Looks("UNHEALTHY", BY_NAME["429 with a field"], "ACTIVE")
        looks.script[1] = _hint(90)
        assert "ACTIVE" == looks.wait().status

    def test_an_unknown_status_is_warned_of_once(self):
        """It counts as in progress, also when it comes and goes."""
        looks = Looks("HATCHING", "HATCHING", "BUILDING", "HATCHING", "MOLTING", "HATCHING", "ACTIVE")
        looks.wait()
        assert ["HATCHING", "MOLTING"] == [text.split("'")[1] for text in looks.warned]

    @pytest.mark.parametrize("status", sorted(IN_PROGRESS))
    def test_a_known_status_is_not(self, status):
        """No warning."""
        looks = Looks(status, "ACTIVE")
        looks.wait()
        assert [] == looks.warned

    def test_silence_is_broken(self):
        """Every half minute there is a word."""
        looks = Looks(*["BUILDING"] * 40, "ACTIVE")
        looks.wait()
        assert ["Still BUILDING after 30 s", "Still BUILDING after 1 min 2 s"] == looks.said


def test_somebody_may_end_it():
    """What is called after each look ends the wait by what it raises: an environment that was overtaken."""
    looks, glances = Looks("BUILDING"), []

    def glance():
        glances.append(looks.clock.now())
        if len(glances) == 3:
            raise PromotionFailed("overtaken", "Nothing is left to do.")

    progress = Progress(looks.statuses.append, looks.said.append, looks.warned.append)
    with pytest.raises(PromotionFailed, match="overtaken"):
        until_live(make_api(looks, looks.clock), "m1", BUILDING, 3600.0, looks.clock, progress, glance=glance)
    assert 3 == len(looks.times)


class TestTimeout:
    """`wait-timeout-minutes`."""

    @pytest.mark.parametrize("seconds", [0.3, 1.0, 59.5, 600.0])
    def test_ends_the_wait(self, seconds):
        """To the second, and says that the deployment goes on."""
        looks = Looks("BUILDING")
        with pytest.raises(DeployTimeout, match=f"is BUILDING and not live after {duration(seconds)}") as error:
            looks.wait(seconds=seconds)
        assert seconds == pytest.approx(looks.clock.now() - 1000)
        assert "goes on" in error.value.problems[0].remedy

    def test_looks_a_last_time(self):
        """What became live in the last second is live."""
        looks = Looks("BUILDING", "BUILDING", "ACTIVE")
        assert "ACTIVE" == looks.wait(seconds=2.5).status

    def test_is_not_overrun_by_a_hint(self):
        """The service may ask for an hour; the run has two seconds."""
        looks = Looks(_hint(3600))
        with pytest.raises(DeployTimeout):
            looks.wait(seconds=10)
        assert looks.clock.now() - 1000 <= 11


def _hint(seconds):
    """Make a fault that asks to wait."""

    class Hint:
        @staticmethod
        def fail(_request, _answer):
            return httpx.Response(429, json={"error": "slow", "retry_after": seconds})

    return Hint()


class TestFailedLooks:
    """Looks that fail. How long that may go on is `test_outages`."""

    @pytest.mark.parametrize("fault", BLIPS, ids=str)
    def test_say_nothing(self, fault):
        """Of any kind, and of whatever number: what was seen before them and after them counts."""
        looks = Looks("BUILDING", *[fault] * 9, "DEPLOYING", *[fault] * 9, "ACTIVE")
        assert "ACTIVE" == looks.wait().status
        assert ["BUILDING", "DEPLOYING", "ACTIVE"] == looks.statuses

    @pytest.mark.parametrize("seconds", [2, 45])
    def test_obey_the_hint(self, seconds):
        """The next look comes after what the service asked for, not before."""
        looks = Looks("BUILDING", _hint(seconds), "ACTIVE")
        looks.wait()
        assert looks.times[2] - looks.times[1] >= seconds

    @pytest.mark.parametrize("status", [302, 400, 405, 409, 410, 422, 425, 451, 520, 530])
    def test_an_odd_answer_once_is_no_end(self, status):
        """It is no answer about the deployment."""
        looks = Looks("BUILDING", status, "ACTIVE")
        assert "ACTIVE" == looks.wait().status

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_key_that_was_revoked(self, status):
        """`auth_failed`, when it is refused three times in a row; it may be one replica that does not know it."""
        looks = Looks("BUILDING", status, status, "BUILDING", status)
        with pytest.raises(AuthFailed):
            looks.wait()
        assert 7 == len(looks.times)


class TestNotFound:
    """404s."""

    def test_a_fresh_deployment_may_be_invisible_for_half_a_minute(self):
        """It was accepted; a list may lag behind."""
        looks = Looks(*[404] * 29, "BUILDING", "ACTIVE")
        assert "ACTIVE" == looks.wait().status

    def test_not_for_longer(self):
        """After thirty seconds it is not there."""
        looks = Looks(404)
        with pytest.raises(DeployFailed, match="it is gone"):
            looks.wait()
        assert 30 == looks.clock.now() - 1000

    def test_one_that_was_seen_and_is_gone_was_deleted(self):
        """Noticed within seconds, also in its first half minute."""
        looks = Looks("BUILDING", 404)
        with pytest.raises(DeployFailed, match="it is gone") as error:
            looks.wait()
        assert 4 == looks.clock.now() - 1000
        assert "deleted" in error.value.problems[0].remedy

    def test_a_single_one_is_a_replica_that_lags(self):
        """Once or twice in a row is no deletion."""
        looks = Looks("BUILDING", 404, 404, "BUILDING", 404, 404, "ACTIVE")
        assert "ACTIVE" == looks.wait().status

    def test_deletion_is_noticed_between_blips(self):
        """Failed looks say nothing about whether it is there."""
        looks = Looks("BUILDING", 404, BY_NAME["503"], 404, BY_NAME["503"], 404)
        with pytest.raises(DeployFailed, match="it is gone"):
            looks.wait()

    def test_an_answer_ends_a_row_of_blips(self):
        """A 404 is one: the service is there."""
        looks = Looks(*[BY_NAME["503"]] * 9, 404, *[BY_NAME["503"]] * 9, "ACTIVE")
        assert "ACTIVE" == looks.wait().status
