"""A newer deployment of somebody else in our place: when it counts, and how it is said."""

from dataclasses import replace

import pytest
from transport import Service, make_api, refusal

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.overtaken import GLANCE_SECONDS, Lookout, overtaken, overtaker, whose
from baseten_deploy.errors import PromotionFailed
from baseten_deploy.service.answers import Deployment, Environment, Promotion

MINE = Deployment("d2", "v2", "ACTIVE", labels={"deploy-key": "k2"}, created_at="2026-01-02")
OLD = Deployment("d1", "v1", "ACTIVE", labels={"deploy-key": "k1"}, created_at="2026-01-01")
NEWER = Deployment("d3", "v3", "ACTIVE", labels={"deploy-key": "k3"}, created_at="2026-01-03")


def look(current=OLD, candidate=None, status=""):
    """Make one look at the environment."""
    return Environment("prod", current, candidate, Promotion(status) if status else None)


class TestOvertaker:
    """Who took our place."""

    @pytest.mark.parametrize(
        "environment", [look(NEWER), look(OLD, NEWER), look(OLD, NEWER, "RELEASING"), look(NEWER, None, "SUCCEEDED")]
    )
    def test_is_newer_and_somebody_elses(self, environment):
        """Served, or on its way."""
        assert NEWER == overtaker(environment, Ours(MINE))

    @pytest.mark.parametrize(
        "environment",
        [
            look(None),
            look(OLD),
            look(OLD, OLD),
            look(OLD, MINE, "RELEASING"),
            look(MINE),
            look(OLD, NEWER, "FAILED"),
            look(OLD, NEWER, "CANCELED"),
            look(replace(NEWER, labels={"deploy-key": "k2"})),  # a copy of ours
            look(replace(NEWER, labels={}, name="v2")),  # a bare one
            look(replace(NEWER, created_at="")),
        ],
    )
    def test_is_nobody(self, environment):
        """Older, ours, a copy of ours, or a promotion that failed."""
        assert None is overtaker(environment, Ours(MINE))

    def test_what_was_there_before_overtakes_nobody(self):
        """`mode: promote` and roll-backs bring an older deployment in."""
        assert None is overtaker(look(NEWER), Ours(MINE, before=look(NEWER)))

    def test_nobody_knows_when(self):
        """Without our own time nothing is newer."""
        assert None is overtaker(look(NEWER), Ours(replace(MINE, created_at="")))


class TestWhose:
    """By the labels that this action sets."""

    @pytest.mark.parametrize(
        ("labels", "said"),
        [
            ({}, ""),
            ({"other": "x"}, ""),
            ({"github-pr": "7", "git-sha": "0123", "github-run": "u"}, "pull request #7, commit 0123, run u"),
            ({"git-ref": "main", "git-sha": "0123"}, "commit 0123, of main"),
        ],
    )
    def test_in_words(self, labels, said):
        """As many as there are."""
        assert said == whose(Deployment("d", "n", "ACTIVE", labels=labels))

    @pytest.mark.parametrize(
        ("labels", "faults", "said"),
        [
            ({"github-run": "u9"}, 0, "prod' serves the newer deployment dep1 (run u9) instead of d2"),
            ({}, 0, "the newer deployment dep1 (v3) instead of d2"),
            ({"github-run": "u9"}, 9, "the newer deployment dep1 (v3) instead of d2"),
        ],
    )
    def test_is_asked_for(self, labels, faults, said):
        """Labels may be left out within an environment; what cannot be read has a name at least."""
        service = Service()
        service.add_model()
        service.add_deployment(name="v3", labels=labels)
        service.fail("GET", refusal(500), times=faults)
        bare = Deployment("dep1", "v3", "ACTIVE", created_at="2026-01-03")
        error = overtaken(make_api(service), "model1", look(bare), Ours(MINE), bare)
        assert said in error.problems[0].message
        assert "`concurrency`" in error.problems[0].remedy


class TestLookout:
    """While ours is still built."""

    def lookout(self):
        """Of an environment that is being given the deployment of another run."""
        service = Service()
        service.add_model()
        service.add_environment("prod", service.add_deployment(name="v1"))
        mine = service.add_deployment(name="v2", labels={"deploy-key": "k2"})
        other = service.add_deployment(name="v3", labels={"deploy-key": "k3", "github-run": "77"})
        service.environments["prod"]["candidate_deployment"] = other
        api = make_api(service, service.clock)
        ours = Ours(api.deployment("model1", mine["id"]))
        service.requests.clear()
        return service, Lookout(api, "model1", "prod", ours, service.clock)

    def test_ends_the_wait_and_says_by_whom(self):
        """At the first look, not after the build and not at the end of the wait."""
        service, lookout = self.lookout()
        lookout.glance()
        assert [] == service.requests
        service.clock.sleep(GLANCE_SECONDS)
        with pytest.raises(
            PromotionFailed, match=r"Overtaken: 'prod' is being given the newer deployment dep3 \(run 77\)"
        ):
            lookout.glance()

    def test_looks_seldom(self):
        """Twice a minute at most, beside the status."""
        service, lookout = self.lookout()
        service.environments["prod"]["candidate_deployment"] = None
        for _ in range(120):
            service.clock.sleep(1)
            lookout.glance()
        assert 4 == len(service.requests)

    def test_a_look_that_fails_says_nothing(self):
        """Unseen is not overtaken."""
        service, lookout = self.lookout()
        service.fail("environments/prod", refusal(503), times=9)
        for _ in range(5):
            service.clock.sleep(GLANCE_SECONDS)
            lookout.glance()
        assert 5 == len(service.requests)
