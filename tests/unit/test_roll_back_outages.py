"""Outages of every kind in the way back and in a cancel, in virtual time: each waits one out, or says what is unknown.

The way there is `test_gate_outages.py`.
"""

import httpx
import pytest
from outages import KINDS
from transport import Fault, Service, make_run

from baseten_deploy.deployment.on_failure import Saved, clear_away_cancelled
from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.target import find_target
from baseten_deploy.errors import PromotionFailed, PromotionUnseen, RolledBack
from baseten_deploy.gate import promote
from baseten_deploy.service.answers import Model

MODEL = Model("model1", "m")
PROMOTE, CANCEL = "POST .*/promote", "POST .*/cancel_promotion"
# A request that changes something is refused for good by these; a read is asked again whatever it is.
FINAL = ["302", "400", "405", "451"]
PASSING = [kind for kind in KINDS if kind not in FINAL]


class Scene:
    """`prod` serves dep1; dep2 answers every request wrongly there. From the first answer on nobody can be asked."""

    def __init__(self, settings, kind, seconds, *, calls=".", after_roll_back=False, status="ACTIVE"):
        self.service = Service(promotes_after=3.0)
        self.service.add_model()
        self.service.add_environment("prod", self.service.add_deployment(labels={"deploy-key": "k1"}, status=status))
        self.service.add_deployment(labels={"deploy-key": "k2"})
        self.run = make_run(settings, self.service, self.service.clock, inference=self.infer)
        self.ours = Ours(self.run.api.deployment("model1", "dep2"))
        self.out_from, self.seconds, self.after_roll_back = None, seconds, after_roll_back
        self.service.fail(calls, Fault(kind, lambda _, answer: self.answer(KINDS[kind], answer), acts=True), 10**6)
        # Whatever the outage is, the service does nothing in it.
        self.service._act, self.act = self.stand_still, self.service._act

    @property
    def out(self):
        """Whether it is an outage now."""
        return self.out_from is not None and self.out_from <= self.service.clock.now() < self.out_from + self.seconds

    def stand_still(self, call, body, request):
        """Do what is asked, unless it is lost on its way."""
        if self.out and not call.startswith("GET"):
            return httpx.Response(200, json={})
        answer = self.act(call, body, request)
        if self.after_roll_back and call.endswith("/promote") and body["deployment_id"] == "dep1":
            self.out_from = self.service.clock.now() + 0.5
        return answer

    def answer(self, fail, answer):
        """The service's answer, or none."""
        return fail() if self.out else answer

    def infer(self, _request):
        """The model is wrong, and that is seen."""
        if not self.after_roll_back and self.out_from is None:
            self.out_from = self.service.clock.now()
        return httpx.Response(500, text="KeyError")

    def promote(self):
        """As the pipeline does it; the error."""
        target = find_target(self.run, "model1", "prod")
        self.service.requests.clear()
        with pytest.raises(PromotionFailed) as failed:
            promote(self.run, MODEL, self.ours, target, {"prompt": "hi"})
        return failed.value

    @property
    def serves(self):
        """What the environment serves in the end."""
        return self.service._look("prod")["current_deployment"]["id"]


@pytest.fixture
def scene(make_settings):
    """A scene whose run is to roll back."""

    def make(kind, seconds, **more):
        settings = make_settings(promote_to="prod", rollback_on_failure="true", on_failure="delete")
        return Scene(settings, kind, seconds, **more)

    return make


class TestPromoteBack:
    """The outage begins when the check has failed."""

    @pytest.mark.parametrize("seconds", [15, 120])
    @pytest.mark.parametrize("kind", PASSING)
    def test_a_short_one_is_waited_out(self, scene, kind, seconds):
        """Nothing can be asked, the promotion back neither; then it is promoted back, once as far as anybody sees."""
        it = scene(kind, seconds)
        error = it.promote()
        assert RolledBack is type(error)
        assert "dep1" == it.serves

    @pytest.mark.parametrize("kind", FINAL)
    def test_reads_of_every_kind(self, scene, kind):
        """A read that is refused says nothing about what is read."""
        it = scene(kind, 120, calls="GET")
        assert (RolledBack, "dep1") == (type(it.promote()), it.serves)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_long_one_ends_unknown(self, scene, kind):
        """Red, with both deployments named, and it is not called rolled back; nothing is retired."""
        it = scene(kind, 600, calls="GET" if kind in FINAL else ".")
        error = it.promote()
        assert RolledBack is not type(error)
        assert error.unseen
        assert "Rolling 'prod' back to dep1 failed too" in error.problems[0].message
        assert "promote dep1 by hand" in error.problems[0].remedy
        assert [] == it.service.calls("DELETE|deactivate")

    @pytest.mark.parametrize("seconds", [15, 120])
    @pytest.mark.parametrize("kind", ["refused", "503", "reset"])
    def test_what_rests_is_activated_after_it(self, scene, kind, seconds):
        """What was served before was deactivated meanwhile."""
        it = scene(kind, seconds)
        it.service.deployments[0]["status"] = "INACTIVE"
        assert (RolledBack, "dep1") == (type(it.promote()), it.serves)


class TestVerify:
    """The outage begins when the promotion back has."""

    @pytest.mark.parametrize("seconds", [15, 120])
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_short_one_is_waited_out(self, scene, kind, seconds):
        """The environment is seen to serve what it served."""
        it = scene(kind, seconds, after_roll_back=True)
        assert (RolledBack, "dep1") == (type(it.promote()), it.serves)
        assert ["dep2", "dep1"] == [body["deployment_id"] for body in it.service.bodies(PROMOTE)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_long_one_ends_unknown(self, scene, kind):
        """It was promoted back, and nobody saw what came of it."""
        it = scene(kind, 600, after_roll_back=True)
        error = it.promote()
        assert PromotionUnseen is type(error)
        assert "The state of the environment 'prod' is unknown" in error.problems[0].message
        assert ["dep2", "dep1"] == [body["deployment_id"] for body in it.service.bodies(PROMOTE)]


class TestCancel:
    """The post step's minute: dep2 is being promoted, its run was cancelled, `on-cancel: delete`."""

    @pytest.fixture
    def cancel(self, make_settings):
        """Clear away, in an outage of some calls from second `begins` on; whether all is done, and the service."""

        def go(kind, seconds, *, calls=".", begins=0.0, moves_back=4.0):
            service = Service()
            service.add_model()
            served, ours = (service.add_deployment(labels={"deploy-key": key}) for key in ("k1", "k2"))
            promotion = {"status": "RAMPING_UP", "percent_traffic_to_new_version": 40}
            row = service.add_environment("prod", served, candidate_deployment=ours, in_progress_promotion=promotion)
            run = make_run(make_settings(on_cancel="delete"), service, service.clock)
            act, clock = service._act, service.clock
            first = clock.now() + begins

            def out():
                return first <= clock.now() < first + seconds

            def moving_back(_model, _name):
                promotion["status"] = "RAMPING_DOWN"
                over = {"candidate_deployment": None, "in_progress_promotion": None}
                row.setdefault("_due", [(clock.now() + moves_back, over)])
                return {"status": "RAMPING_DOWN", "message": "ok"}

            service._cancel_promotion = moving_back
            service._act = lambda call, body, request: (
                httpx.Response(200, json={}) if out() and "GET" not in call else act(call, body, request)
            )
            fault = Fault(kind, lambda _, answer: KINDS[kind]() if out() else answer, acts=True)
            service.fail(calls, fault, 10**6)
            run.api.http.deadline = clock.now() + 60
            done = clear_away_cancelled(run, run.api, Saved("model1", "m", deployment_ids=("dep2",)))
            return done, service, run

        return go

    @pytest.mark.parametrize("kind", PASSING)
    def test_a_short_one_before_it(self, cancel, kind):
        """It is cancelled after it, and what it promoted is deleted."""
        done, service, _ = cancel(kind, 15)
        assert (True, ["dep1"]) == (done, [row["id"] for row in service.deployments])

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_short_one_while_traffic_moves_back(self, cancel, kind):
        """Cancelled once, and waited for, however long nothing is seen."""
        done, service, _ = cancel(kind, 15, calls="GET .*/environments", begins=1.0)
        assert (True, ["dep1"]) == (done, [row["id"] for row in service.deployments])
        assert 1 == len(service.calls(CANCEL))

    @pytest.mark.parametrize("seconds", [120, 600])
    @pytest.mark.parametrize("kind", PASSING)
    def test_a_longer_one(self, cancel, kind, seconds):
        """The time is up: nothing is retired, and that is said."""
        done, service, run = cancel(kind, seconds)
        assert (False, 2) == (done, len(service.deployments))
        assert [] == service.calls("DELETE")
        assert "could not be cancelled" in run.warnings[-1].message
        assert service.clock.now() <= 1063

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_longer_one_while_traffic_moves_back(self, cancel, kind):
        """Whether it was given back is not known: nothing is retired."""
        done, service, run = cancel(kind, 600, calls="GET .*/environments", begins=1.0)
        assert (False, [], 1) == (done, service.calls("DELETE"), len(service.calls(CANCEL)))
        assert "could not be cancelled" in run.warnings[-1].message

    @pytest.mark.parametrize("kind", ["reset", "time-out", "500", "HTML with 200"])
    def test_a_cancel_whose_answer_is_lost(self, make_settings, kind):
        """It took effect: the refusal of the next one is no failure."""
        service = Service()
        service.add_model()
        rows = [service.add_deployment(labels={"deploy-key": key}) for key in ("k1", "k2")]
        promotion = {"status": "RAMPING_UP", "percent_traffic_to_new_version": 40}
        row = service.add_environment("prod", rows[0], candidate_deployment=rows[1], in_progress_promotion=promotion)
        run = make_run(make_settings(on_cancel="delete"), service, service.clock)
        asked = []

        def cancels(_model, _name):
            asked.append(service.clock.now())
            if len(asked) > 1:
                return httpx.Response(400, json={"message": "it is being cancelled"})
            promotion["status"] = "RAMPING_DOWN"
            over = {"candidate_deployment": None, "in_progress_promotion": None}
            row["_due"] = [(service.clock.now() + 8, over)]
            return {"status": "RAMPING_DOWN", "message": "ok"}

        service._cancel_promotion = cancels
        service.fail(CANCEL, Fault(kind, lambda *_: KINDS[kind](), acts=True))
        run.api.http.deadline = service.clock.now() + 60
        assert clear_away_cancelled(run, run.api, Saved("model1", "m", deployment_ids=("dep2",)))
        assert 2 == len(asked)
