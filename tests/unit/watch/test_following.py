"""The watch in virtual time: a look every 15 s, what ends it, and what it tells."""

from contextlib import suppress
from email.utils import formatdate
from itertools import pairwise

import pytest
from traffic import Traffic
from transport import Service, make_run, printed, refusal

from baseten_deploy.ci.elsewhere import in_words_of_a_shell
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import Cancelled, PromotionFailed, WatchFailed, WatchUnseen
from baseten_deploy.service.answers import Model
from baseten_deploy.watch.following import Watch

MODEL = Model("model1", "m")
METRICS = "GET .*/metrics"
STEADY = Traffic(errors=lambda _: 0.004)
SILENCE = Traffic(rate=lambda _: 0.0)


class Scene:
    """`prod` serves dep2, which is ours; before it served dep1. `traffic` is by the name of what is measured."""

    def __init__(self, settings, **traffic):
        self.service = Service(measures=self.measure)
        self.clock = self.service.clock
        self.service.add_model()
        self.first = self.service.add_deployment(labels={"deploy-key": "k1"})
        self.second = self.service.add_deployment(labels={"deploy-key": "k2"})
        self.environment = self.service.add_environment("prod", self.second)
        self.traffic = traffic
        self.run = make_run(settings, self.service, self.clock)
        self.run.outputs.set("environment", "prod")
        self.run.outputs.set("previous-deployment-id", "dep1")
        self.watch = Watch(self.run, MODEL, Ours(self.run.api.deployment("model1", "dep2")))
        self.service.requests.clear()
        self.service.times.clear()
        self.began = self.clock.time

    def measure(self, name, start, end):
        """What was measured; a function gets the window, anything else is an answer."""
        found = self.traffic.get(name, STEADY)
        return found.summary(start, end) if isinstance(found, Traffic) else found(start, end)

    def at(self, seconds, change):
        """Have something happen so long after the watch began."""
        sleep = self.clock.sleep

        def until(pause):
            sleep(pause)
            if self.clock.time - self.began >= seconds and not happened:
                happened.append(change())

        happened = []
        self.clock.sleep = until

    def hold(self, environment="prod"):
        """Watch."""
        self.began = self.clock.time
        return self.watch.hold(environment)

    @property
    def elapsed(self):
        """Seconds since the watch began."""
        return round(self.clock.time - self.began, 1)

    def looks(self):
        """When metrics were asked for, in seconds since the watch began."""
        calls = zip(self.service.requests, self.service.times, strict=True)
        return [round(time - self.began, 1) for (call, _), time in calls if "/metrics" in call]


@pytest.fixture
def scene(make_settings):
    """Make a scene that is watched for five minutes."""

    def make(inputs=None, **traffic):
        return Scene(make_settings(**{"watch_minutes": "5", **(inputs or {})}), **traffic)

    return make


class TestGoesWell:
    """Green."""

    def test_without_minutes_nothing_is_asked(self, scene):
        """The default: there is no watch."""
        it = scene({"watch_minutes": "0"})
        assert it.hold()
        assert [] == it.service.requests

    def test_a_look_every_15_seconds_until_the_end(self, scene):
        """Of everything since the watch began; between them the environment is read, in the rhythm of a wait."""
        it = scene()
        assert it.hold()
        assert [15.0 * number for number in range(1, 21)] == it.looks()
        assert 300.0 == it.elapsed
        reads = len(it.service.calls("GET .*/environments/prod$"))
        assert 60 <= reads <= 140
        assert {"GET"} == {call.split()[0] for call, _ in it.service.requests}

    def test_a_line_a_minute(self, scene):
        """With what has been measured so far; what is well by itself says no more."""
        it = scene({"watch_limits": "p95-seconds: 2"})
        it.hold()
        lines = [line for line in printed(it.run).splitlines() if " of 5 min: " in line]
        assert 5 == len(lines)
        assert "15 s of 5 min: 150 requests, error rate 0.4 % (limit 5 %), p95 0.40 s (limit 2.0 s)" == lines[0]
        assert (
            "4 min 15 s of 5 min: 2 550 requests, error rate 0.4 % (limit 5 %), p95 0.40 s (limit 2.0 s)" == lines[-1]
        )

    def test_a_spike_that_passes(self, scene):
        """One look that crosses is nothing; it is told."""
        it = scene(
            prod=Traffic(errors=lambda now: 0.12 if 1000 <= now < 1015 else 0.0, rate=lambda now: 1 + (now - 1000) * 10)
        )
        assert it.hold()
        assert 1 == printed(it.run).count("above its limit")

    def test_no_traffic_is_green_with_a_notice(self, scene):
        """Nobody was answered wrongly, and nothing was proved."""
        it = scene(prod=SILENCE)
        assert it.hold()
        assert "notice: No traffic: prod got no request in 5 min, so nothing was judged" in printed(it.run)

    def test_a_little_traffic_is_green_with_a_notice(self, scene):
        """Of twelve requests nothing is judged, however they ended."""
        it = scene(prod=Traffic(rate=lambda _: 12 / 300, errors=lambda _: 1.0))
        assert it.hold()
        assert "with fewer than 20 nothing is judged (error rate 100 %" in printed(it.run)

    def test_metrics_that_are_away_for_a_while(self, scene):
        """Nine looks that saw nothing, and one that did: the watch goes on."""
        it = scene()
        it.service.fail(METRICS, refusal(503), times=9, after=2)
        assert it.hold()
        assert 9 == printed(it.run).count("the metrics could not be read: 503: no")

    def test_the_last_look_has_to_see(self, scene):
        """When its answer fails, the next one is soon."""
        it = scene()
        it.service.fail(METRICS, refusal(503), times=2, after=19)
        assert it.hold()
        assert [285.0, 300.0, 302.0, 304.0] == it.looks()[-4:]

    def test_the_deployment_without_an_environment(self, scene):
        """Its own metrics and state."""
        it = scene()
        assert it.hold("")
        assert {"GET /v1/models/model1/deployments/dep2", "GET /v1/models/model1/deployments/dep2/metrics"} == {
            call for call, _ in it.service.requests
        }

    def test_a_deployment_that_sleeps_is_well(self, scene):
        """It is scaled to zero for want of requests."""
        it = scene(prod=SILENCE)
        it.at(100, lambda: it.second.update(status="SCALED_TO_ZERO"))
        assert it.hold()
        assert "SCALED_TO_ZERO" == it.run.outputs.get("deployment-status")

    @pytest.mark.parametrize("served", [True, False])
    def test_a_newer_deployment_of_somebody_else(self, scene, served):
        """What is left to watch is not ours: the run ends well, with a notice that says by whom it was overtaken."""
        it = scene()

        def overtake():
            newer = it.service.add_deployment(labels={"deploy-key": "k3", "github-pr": "7"})
            it.environment["current_deployment" if served else "candidate_deployment"] = newer

        it.run.ledger.serves("prod", "dep2", ours=True)
        it.at(60, overtake)
        assert not it.hold()
        assert 60 <= it.elapsed < 70
        does = "serves" if served else "is being given"
        assert f"notice: Overtaken: prod {does} the newer deployment dep3 (pull request #7), so the watch" in printed(
            it.run
        )
        assert ("" if served else "dep2") == it.run.outputs.get("promoted-deployment-id")


class TestGoesWrong:
    """`watch_failed`."""

    def test_a_leak_of_errors(self, scene):
        """Two looks in a row are the end; the figures and the way back are in the message."""
        it = scene(prod=Traffic(errors=lambda now: (now - 1000) / 400))
        with pytest.raises(WatchFailed) as raised:
            it.hold()
        (problem,) = raised.value.problems
        assert not raised.value.unseen
        assert 60.0 == it.elapsed
        assert (
            "prod: the error rate is 7.5 % (limit 5 %), of 600 requests in 1 min, on two looks in a row"
            == problem.message
        )
        assert (
            "To go back: `mode: rollback`, `model-id: model1`, `environment: prod`, `deployment-id: dep1`."
            == problem.remedy
        )

    def test_slower_than_before(self, scene):
        """A ratio is to the hour before, of what served then."""
        it = scene({"watch_limits": "p95-ratio: 1.5"}, prod=Traffic(p95=lambda now: 0.3 if now < 1000 else 0.6))
        it.watch.before(it.run.api.environment("model1", "prod"))
        with pytest.raises(
            WatchFailed, match=r"prod: the p95 is 0\.60 s \(limit 0\.45 s, 1\.5 times the 0\.30 s of the"
        ):
            it.hold()
        assert 30.0 == it.elapsed

    def test_a_ratio_to_nothing_is_said(self, scene):
        """And the other limits hold."""
        it = scene({"watch_limits": "p95-ratio: 1.5"}, prod=Traffic(p95=lambda _: 9.0))
        it.watch.before(None)
        assert it.hold()
        assert "notice: `p95-ratio` cannot be judged" in printed(it.run)

    @pytest.mark.parametrize("fault", [refusal(500), refusal(503), refusal(429), refusal(400)], ids=str)
    def test_metrics_that_cannot_be_read(self, scene, fault):
        """Ten looks in a row: red, and never called a failure of the model."""
        it = scene()
        it.service.fail(METRICS, fault, times=99)
        with pytest.raises(WatchUnseen, match="could not be watched: its metrics could not be read") as raised:
            it.hold()
        assert (150.0, True) == (it.elapsed, raised.value.unseen)

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_metrics_that_are_refused(self, scene, status):
        """The first time: another look would be refused too."""
        it = scene()
        it.service.fail(METRICS, refusal(status), times=99)
        with pytest.raises(WatchUnseen, match=f"{status}: no"):
            it.hold()
        assert 15.0 == it.elapsed

    def test_a_limit_without_data(self, scene):
        """Requests, but no times although they have a limit: it was not measured, so it is not green."""

        def untimed(start, end):
            answer = STEADY.summary(start, end)
            answer["metric_values"][0]["values"][1] = [None] * 4
            return answer

        it = scene({"watch_limits": "p95-seconds: 2"}, prod=untimed)
        with pytest.raises(WatchUnseen, match=r"could not be read \(no data for p95\)"):
            it.hold()

    def test_a_short_watch_is_not_blind(self, scene):
        """Of one minute there are four looks; when they saw nothing, some more follow, and then it is red."""
        it = scene({"watch_minutes": "1"})
        it.service.fail(METRICS, refusal(503), times=99)
        with pytest.raises(WatchUnseen):
            it.hold()
        assert [15.0, 30.0, 45.0, 60.0, 62.0, 64.0, 66.0, 68.0, 70.0, 72.0] == it.looks()

    def test_a_limit_crossed_at_the_very_end(self, scene):
        """One more look decides."""
        it = scene({"watch_minutes": "0.1"}, prod=Traffic(errors=lambda _: 0.5))
        with pytest.raises(WatchFailed, match="error rate is 50 %"):
            it.hold()
        assert [6.0, 8.0] == it.looks()

    @pytest.mark.parametrize("environment", ["prod", ""])
    @pytest.mark.parametrize("status", ["FAILED", "INACTIVE", "DEACTIVATING", "DEPLOY_FAILED"])
    def test_a_deployment_that_dies(self, scene, environment, status):
        """At once, whatever the metrics say."""
        it = scene()
        it.at(60, lambda: it.second.update(status=status))
        with pytest.raises(WatchFailed, match=f"The deployment dep2 became {status} while it was watched"):
            it.hold(environment)
        assert 60 <= it.elapsed < 66
        assert status == it.run.outputs.get("deployment-status")

    @pytest.mark.parametrize(("recovers", "ends"), [(40, None), (None, 120)])
    def test_an_unhealthy_deployment(self, scene, recovers, ends):
        """May recover within a minute."""
        it = scene()
        it.at(60, lambda: it.second.update(status="UNHEALTHY"))
        if recovers:
            it.at(60 + recovers, lambda: it.second.update(status="ACTIVE"))
            assert it.hold()
            return
        with pytest.raises(WatchFailed, match="became UNHEALTHY"):
            it.hold()
        assert ends <= it.elapsed < ends + 15

    def test_a_deployment_that_is_gone(self, scene):
        """Somebody deleted it."""
        it = scene()
        it.at(60, it.service.deployments.clear)
        with pytest.raises(WatchFailed, match="the deployment dep2 is gone"):
            it.hold("")
        assert it.elapsed < 75

    def test_an_environment_that_is_gone(self, scene):
        """There is nothing to take back."""
        it = scene()
        it.at(61, it.service.environments.clear)
        with pytest.raises(WatchUnseen, match="prod is gone"):
            it.hold()
        assert it.elapsed < 75

    def test_somebody_took_it_back(self, scene):
        """An older deployment is served again: the environment does not serve ours, and it was not this run."""
        it = scene()
        it.at(60, lambda: it.environment.update(current_deployment=it.first))
        with pytest.raises(PromotionFailed, match="prod serves dep1 instead of dep2: somebody took it back"):
            it.hold()
        assert it.elapsed < 75
        assert "" == it.run.outputs.get("promoted-deployment-id")

    def test_a_state_that_cannot_be_read(self, scene):
        """Five minutes without one good answer: unknown, which is not failed."""
        it = scene({"watch_minutes": "20"})
        it.service.fail("GET .*/environments/prod$", refusal(503), times=999)
        with pytest.raises(WatchUnseen, match="How prod does is unknown"):
            it.hold()

    @pytest.mark.parametrize("times", [3, 999])
    def test_a_state_that_is_unknown_at_the_end(self, scene, times):
        """Metrics alone do not make it green: some more looks, and then it is red."""
        it = scene({"watch_minutes": "1"})
        it.service.fail("GET .*/environments/prod$", refusal(503), times=times, after=13)
        if times == 3:
            assert it.hold()
            return
        with pytest.raises(WatchUnseen, match="How prod does is unknown"):
            it.hold()
        assert it.elapsed < 120


class TestCancelled:
    """By the workflow."""

    def test_leaves_the_release_and_says_so(self, scene):
        """With what the run kept up for a roll-back."""
        it = scene({"rollback_on_failure": "true", "promote_to": "prod"})

        def cancel():
            raise Cancelled

        it.at(70, cancel)
        with pytest.raises(Cancelled):
            it.hold()
        said = printed(it.run)
        assert "of watching: prod goes on serving dep2" in said
        assert "dep1, which prod served before, was kept up" in said
        assert {"GET"} == {call.split()[0] for call, _ in it.service.requests}


class TestSummary:
    """What stands in the step summary."""

    def test_is_there_however_it_ends(self, scene):
        """The verdict above the table, and the table above the charts."""
        for traffic, good in ((STEADY, "✅ prod stayed within"), (Traffic(errors=lambda _: 0.5), "❌ prod: the error")):
            it = scene(prod=traffic)
            with suppress(WatchFailed):
                it.hold()
            note = it.run.blocks[0].markdown
            places = [note.index(part) for part in ("### Watch of prod", good, "| Requests |", "xychart-beta")]
            assert sorted(places) == places


class TestDuring:
    """A rolling promotion: the candidate is watched from its first share on."""

    def give(self, scene, percent, status="RAMPING_UP"):
        """The environment while it is being given dep2."""
        scene.environment.update(
            current_deployment=scene.first,
            candidate_deployment=scene.second,
            in_progress_promotion={"status": status, "percent_traffic_to_new_version": percent},
        )
        scene.watch.during(scene.run.api.environment("model1", "prod"))

    def ramp(self, scene):
        """A tenth of the traffic is on it for 100 s; it is looked at every five."""
        for _ in range(20):
            scene.clock.time += 5
            self.give(scene, 10)

    def test_before_it_has_a_share_nothing_is_asked(self, scene):
        """There is nothing to measure."""
        it = scene()
        for _ in range(20):
            it.clock.time += 5
            self.give(it, 0, "RELEASING")
        assert [] == it.service.calls(METRICS)

    def test_a_look_every_15_seconds_at_the_candidate(self, scene):
        """Since its first share, by its own metrics."""
        it = scene()
        self.ramp(it)
        assert {"GET /v1/models/model1/deployments/dep2/metrics"} == set(it.service.calls(METRICS))
        assert [20.0, 35.0, 50.0, 65.0, 80.0, 95.0] == it.looks()

    def test_a_candidate_that_crosses(self, scene):
        """Ends the promotion's wait; it is named that the promotion goes on."""
        it = scene(dep2=Traffic(errors=lambda _: 0.3))
        with pytest.raises(WatchFailed) as raised:
            self.ramp(it)
        assert 35.0 == it.elapsed
        (problem,) = raised.value.problems
        assert (
            "the candidate dep2 of prod: the error rate is 30 % (limit 5 %), of 300 requests in 30 s, on two looks in "
            "a row (Promotion into prod: RAMPING_UP, 10 % of the traffic); the promotion goes on" == problem.message
        )
        assert problem.remedy.startswith("Cancel it on its page. To go back: `mode: rollback`")
        assert "### Watch of the candidate dep2 of prod" in it.run.blocks[0].markdown

    def test_somebody_elses_candidate_is_not_watched(self, scene):
        """It is not ours to judge."""
        it = scene()
        it.second = it.service.add_deployment(labels={"deploy-key": "other"})
        self.ramp(it)
        assert [] == it.service.calls(METRICS)


def test_a_wrong_clock_of_the_runner(scene):
    """Windows are in the service's time, by the `Date` of its answers: also a day off."""
    it = scene({"watch_minutes": "1"})
    windows = []

    def measure(start, end):
        windows.append((start, end))
        return STEADY.summary(start, end)

    it.traffic["prod"] = measure
    day = 86_400
    inner = it.run.api.http._client._transport.handler

    def dated(request):

        answer = inner(request)
        answer.headers["Date"] = formatdate(it.clock.time + day, usegmt=True)
        return answer

    it.run.api.http._client._transport.handler = dated
    it.run.api.environment("model1", "prod")
    it.hold()
    assert {round(it.began + day)} == {round(start) for start, _ in windows}
    assert [15, 30, 45, 60] == [round(end - start) for start, end in windows]


def test_thirty_jobs_at_once_stay_below_twenty_requests_a_second(scene):
    """A matrix that watches together: what one asks, by thirty."""
    it = scene()
    it.hold()
    assert 30 * len(it.service.requests) / 300 < 20
    assert all(after - before < 16 for before, after in pairwise(it.service.times))


def test_outside_of_github_the_way_back_is_a_command(scene):
    """Its options, instead of what stands under `with:`."""
    it = scene(prod=Traffic(errors=lambda _: 0.5))
    with pytest.raises(WatchFailed) as raised:
        it.hold()
    assert (
        "To go back: `--mode rollback`, `--model-id model1`, `--environment prod`, `--deployment-id dep1`."
        == in_words_of_a_shell(raised.value.problems[0]).remedy
    )
