"""How the replica started: read once after the wait, whatever its end, and told; without it nothing changes."""

import httpx
import pytest
from baseten.client import managementapi as sdk
from hypothesis import given
from hypothesis import strategies as st
from transport import Service, make_run, printed, refusal

from baseten_deploy.deployment.startup import chosen, in_words, stuck_in, timeline, told, words
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import DeployFailed, DeployTimeout, PromotionFailed
from baseten_deploy.report.timeline import Phase
from baseten_deploy.service.answers import Model
from baseten_deploy.service.startups import Medians, StartPhase, Startup

MODEL = Model("model1", "m")
PERCENTILES = ("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms")


def phase(name, offset, duration, status="COMPLETED"):
    """A phase of an attempt, in seconds."""
    return {
        "phase": name,
        "status": status,
        "offset_ms": round(offset * 1000),
        "duration_ms": None if duration is None else round(duration * 1000),
    }


def attempt(outcome, seconds, *phases, started=1000.0):
    """An attempt of a replica to start, as the service answers it."""
    return {
        "model_id": "model1",
        "deployment_id": "dep1",
        "deployment_name": "d",
        "environment_name": None,
        "replica_id": "r",
        "started_at_epoch_millis": round(started * 1000),
        "ready_at_epoch_millis": round((started + seconds) * 1000) if outcome == "SUCCESS" else None,
        "duration_ms": round(seconds * 1000),
        "outcome": outcome,
        "phase_summary": list(phases),
    }


GOOD = attempt("SUCCESS", 42.5, phase("SCHEDULING", 0, 2.5), phase("IMAGE_PULL", 2.5, 30), phase("READINESS", 32.5, 10))
HUNG = attempt("STALLED", 900, phase("SCHEDULING", 0, 5), phase("WEIGHT_DOWNLOAD", 5, None))
FAILED = attempt("FAILED", 20, phase("SCHEDULING", 0, 5), phase("CONTAINER_START", 5, 15, "FAILED"))


def starts(*attempts, median=None):
    """What the service answers: these attempts, and of what served before a median of the image pull and of all."""

    def answer(_deployment_id, is_summary):
        if not is_summary:
            page = {"items": list(attempts), "pagination": {"has_more": False, "cursor": None}, "total_count": 1}
            return sdk.StartupAttempts.model_validate(page, extra="forbid").model_dump(mode="json")
        of_all = {"sample_count": 4, **dict.fromkeys(PERCENTILES, median)}
        summary = {
            "start_epoch_millis": 1,
            "end_epoch_millis": 2,
            "total_duration_ms": of_all,
            "phase_duration_ms": [{"phase": "IMAGE_PULL", "duration_ms": of_all}],
        }
        return sdk.StartupSummary.model_validate(summary, extra="forbid").model_dump(mode="json")

    return answer


class Scene:
    """A run that waits for dep2; dep1 served before."""

    def __init__(self, settings, answer):
        self.service = Service(starts=answer)
        self.service.add_model()
        self.service.add_deployment()
        self.service.add_deployment(created_at="1970-01-01T00:16:40Z")
        self.run = make_run(settings, self.service, self.service.clock)
        self.ours = Ours(self.run.api.deployment("model1", "dep2"))
        self.service.requests.clear()

    def wait(self, error=None, before="dep1"):
        """A wait of 50 s that ends with `error`, if any."""
        with told(self.run, MODEL, self.ours, before):
            self.service.clock.time += 50
            if error:
                raise error


@pytest.fixture
def scene(make_settings):
    """Make a scene with what the service answers."""
    return lambda answer: Scene(make_settings(), answer)


class TestTold:
    """Around a wait."""

    def test_a_start(self, scene):
        """Output, log, summary and timeline; medians of what served before beside them."""
        it = scene(starts(GOOD, median=9000))
        it.wait()
        assert "42.5" == it.run.outputs.get("startup-seconds")
        said = "Start-up 42 s (before 9.0 s): scheduling 2.5 s, image pull 30 s (before 9.0 s), readiness 10 s"
        assert said in printed(it.run)
        note = it.run.blocks[0].markdown
        assert "<summary>Start-up 42 s (before 9.0 s)</summary>" in note
        assert "| image pull | 30 s | 9.0 s |\n| readiness | 10 s | - |\n| **in all** | 42 s | 9.0 s |" in note
        assert [
            Phase("Start-up, scheduling", 0.0, 2.5),
            Phase("Start-up, image pull (before 9.0 s)", 2.5, 32.5),
            Phase("Start-up, readiness", 32.5, 42.5),
        ] == it.run.phases

    def test_is_read_once(self, scene):
        """The attempts of this one, and the medians of what served before."""
        it = scene(starts(GOOD, median=9000))
        it.wait()
        assert [
            "GET /v1/models/model1/deployments/dep2/startups",
            "GET /v1/models/model1/deployments/dep1/startups/summary",
        ] == [call for call, _ in it.service.requests]

    @pytest.mark.parametrize(("made", "seconds"), [(False, "7.0"), (True, "42.5")])
    def test_one_that_is_activated_again(self, scene, made, seconds):
        """Has started before: only what starts during this wait counts."""
        it = scene(starts(GOOD, attempt("SUCCESS", 7, phase("READINESS", 0, 7), started=6010)))
        it.service.clock.time = 6000
        with told(it.run, MODEL, it.ours, "", made=made):
            it.service.clock.time += 50
        assert seconds == it.run.outputs.get("startup-seconds")

    def test_nothing_before(self, scene):
        """Then there is nothing beside it."""
        it = scene(starts(GOOD, median=9000))
        it.wait(before="")
        assert "Start-up 42 s: scheduling" in printed(it.run)
        assert 1 == len(it.service.requests)

    @pytest.mark.parametrize(
        ("error", "attempts", "said"),
        [
            (DeployTimeout("m", "r"), [HUNG], "m. Its start-up hung in WEIGHT_DOWNLOAD, for 14 min 55 s"),
            (DeployFailed("m", "r"), [FAILED], "m. Its start-up failed in CONTAINER_START, after 15 s"),
            (DeployFailed("m", "r"), [GOOD, FAILED], "m. Its start-up failed in CONTAINER_START, after 15 s"),
            (DeployFailed("m", "r"), [], "m"),
            (PromotionFailed("m", "r"), [HUNG], "m"),
        ],
    )
    def test_a_wait_that_failed(self, scene, error, attempts, said):
        """Names the phase in which it hung or failed, with what to look at; it stays the same error."""
        it = scene(starts(*attempts))
        with pytest.raises(type(error)) as raised:
            it.wait(error)
        assert error is raised.value
        assert said == error.problems[0].message
        assert error.problems[0].remedy.endswith("r")
        assert "" == it.run.outputs.get("startup-seconds")

    @pytest.mark.parametrize("error", [None, DeployTimeout("m", "r")])
    @pytest.mark.parametrize("answer", [400, 401, 403, 404, 429, 500, 503, {}, {"items": None}, {"items": [{}]}, []])
    def test_a_service_without_it_changes_nothing(self, scene, answer, error):
        """Missing, refused, or something else: no word, no other end, one try."""
        reply = httpx.Response(answer, text="no") if isinstance(answer, int) else httpx.Response(200, json=answer)
        it = scene(lambda *_: reply)
        if error:
            with pytest.raises(DeployTimeout):
                it.wait(error)
            assert "m" == error.problems[0].message
        else:
            it.wait()
        assert (1, "", [], []) == (len(it.service.requests), printed(it.run), it.run.blocks, it.run.phases)

    def test_medians_that_cannot_be_had(self, scene):
        """The start is told without them."""
        it = scene(starts(GOOD))
        it.service.fail("GET .*/summary", refusal(403))
        it.wait()
        assert "Start-up 42 s: scheduling" in printed(it.run)


SECONDS = st.floats(0, 3600)
PHASES = st.builds(StartPhase, st.sampled_from(["SCHEDULING", "IMAGE_PULL", "NEW_ONE"]), SECONDS, st.none() | SECONDS)
STARTUPS = st.builds(
    Startup,
    st.sampled_from(["SUCCESS", "FAILED", "STALLED", "NEW"]),
    SECONDS,
    st.integers(0, 2**45),
    st.none() | st.integers(1, 2**45),
    st.lists(PHASES, max_size=4).map(tuple),
)


class TestPure:
    """What is decided without a service."""

    @given(st.lists(STARTUPS), st.booleans())
    def test_the_attempt_that_tells(self, attempts, live):
        """Of a wait that ended well one that came up, of another one that did not; none where there is none."""
        found = chosen(attempts, live=live)
        assert [each.outcome == "SUCCESS" for each in attempts].count(live) == 0 if found is None else found in attempts
        assert found is None or (found.outcome == "SUCCESS") is live

    def test_the_first_replica_that_came_up(self):
        """It made the deployment live; others came later."""
        late, early = Startup("SUCCESS", 5.0, 1000, 6000), Startup("SUCCESS", 4.0, 1500, 5500)
        assert early is chosen([late, early], live=True)

    @given(STARTUPS, st.floats(0, 10_000), st.integers(0, 2**45))
    def test_rows_stay_within_the_run(self, startup, now, now_millis):
        """Whatever the clocks say."""
        for row in timeline(startup, Medians(), now=now, now_millis=now_millis):
            assert 0 <= row.start <= row.end <= max(now, row.start)

    @given(STARTUPS)
    def test_where_it_hung(self, startup):
        """Is one of its phases, in words that do not fail."""
        phase = stuck_in(startup)
        assert (phase is None) == (not startup.phases)
        if phase:
            assert phase.name in in_words(startup, phase)
            assert words(phase.name).islower()
