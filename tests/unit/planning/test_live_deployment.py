"""What is live where a run goes to, and when a run with the same content is needless."""

import pytest
from transport import FakeClock, Service, make_api, make_run, refusal

from baseten_deploy.environment.target import Target
from baseten_deploy.planning.live_deployment import Live, find_live, unchanged
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination

DIGEST = "d" * 64


def deployment(digest=DIGEST, status="ACTIVE", name="dep"):
    """Make a deployment that carries a content digest."""
    return Deployment(name, name, status, labels={"content-digest": digest})


def find(make_settings, service, targets=(), *, model=True, **inputs):
    """Look up what is live, with the model as the service lists it."""
    run = make_run(make_settings(**inputs), service)
    return find_live(run, Destination("m", run.api.model("model1") if model else None), targets)


class TestUnchanged:
    """Whether a run can be skipped. A needless deployment costs minutes, a wrong skip is a green run that lies."""

    @pytest.mark.parametrize("status", ["ACTIVE", "SCALED_TO_ZERO"])
    def test_the_same_and_live(self, status):
        """The deployment that has it is named."""
        found = deployment(status=status)
        assert found == unchanged([Live("production", found)], DIGEST)

    @pytest.mark.parametrize(
        "place",
        [
            Live("nothing is there"),
            Live("another digest", deployment("e" * 64)),
            Live("no digest", Deployment("dep", "dep", "ACTIVE")),
            Live("a digest that is no text", Deployment("dep", "dep", "ACTIVE", labels={"content-digest": 7})),
            Live("stopped", deployment(status="INACTIVE")),
            Live("failed", deployment(status="FAILED")),
            Live("unhealthy", deployment(status="UNHEALTHY")),
            Live("not live yet", deployment(status="LOADING_MODEL")),
            Live("of a status that is new", deployment(status="MELTING")),
            Live("about to be replaced", deployment(), candidate=deployment("e" * 64, name="next")),
        ],
        ids=lambda place: place.where,
    )
    def test_anything_else(self, place):
        """Deploys."""
        assert unchanged([place], DIGEST) is None

    def test_in_every_place(self):
        """A run that pushes into one environment and promotes into another changes something if either differs."""
        same, other = Live("staging", deployment(name="s")), Live("production", deployment("e" * 64))
        assert unchanged([same, other], DIGEST) is None
        assert "s" == unchanged([same, Live("production", deployment(name="p"))], DIGEST).id

    def test_a_promotion_of_the_same_content(self):
        """Replaces nothing."""
        assert unchanged([Live("production", deployment(), candidate=deployment(name="copy"))], DIGEST)


class TestStays:
    """Whether what is live in a place goes on serving, whoever deployed it."""

    @pytest.mark.parametrize(
        ("status", "candidate", "expected"),
        [
            ("ACTIVE", None, True),
            ("SCALED_TO_ZERO", None, True),
            ("ACTIVE", Deployment("dep", "dep", "ACTIVE"), True),  # the end of its own promotion
            ("ACTIVE", deployment(name="next"), True),
            ("ACTIVE", Deployment("next", "next", "DEPLOYING"), False),
            ("ACTIVE", deployment("e" * 64, name="next"), False),
            ("INACTIVE", None, False),
            ("BUILD_FAILED", None, False),
        ],
    )
    def test_stays(self, status, candidate, expected):
        """It serves, and what is on its way has the same content."""
        assert expected is Live("x", Deployment("dep", "dep", status), candidate).stays(DIGEST)

    def test_nothing(self):
        """Does not serve."""
        assert not Live("x").stays(DIGEST)


class TestFindLive:
    """Where it is looked for."""

    @pytest.fixture
    def service_with_labels(self):
        """A service whose deployments say their labels only by themselves, and the environment that has them."""
        service = Service()
        service.add_model()
        rows = [service.add_deployment(labels={"content-digest": DIGEST}) for _ in range(2)]
        current, candidate = ({key: row[key] for key in ("id", "name", "status")} for row in rows)
        service.add_environment("production", current, candidate_deployment={**candidate, "labels": None})
        return service, Target("production", make_api(service).environment("model1", "production"))

    def test_environments(self, make_settings):
        """What the environments serve is known from their look-up: nothing is asked again."""
        service = Service()
        serving, other = deployment(name="a"), deployment(name="b")
        targets = [Target("staging", Environment("staging", serving, other)), Target("production", None)]
        assert [
            Live("the environment 'staging'", serving, other),
            Live("the environment 'production'", None),
        ] == find(make_settings, service, targets, model=False)
        assert [] == service.requests

    def test_labels_that_the_environment_leaves_out(self, make_settings, service_with_labels):
        """They are optional there: without them nothing would ever be unchanged, so the deployments are asked."""
        service, target = service_with_labels
        (place,) = find(make_settings, service, [target])
        assert ("dep1", DIGEST, True) == (place.deployment.id, place.digest, place.has(DIGEST))
        assert "dep2" == place.candidate.id
        assert [f"GET /v1/models/model1/deployments/dep{n}" for n in (1, 2)] == service.calls("/deployments/")

    def test_a_deployment_that_is_not_visible_yet(self, make_settings, service_with_labels):
        """Stays one without a digest: what is about to come must not be taken for nothing."""
        service, target = service_with_labels
        service.deployments.clear()
        (place,) = find(make_settings, service, [target])
        assert ("dep1", "dep2", "") == (place.deployment.id, place.candidate.id, place.digest)

    def test_production_by_default(self, make_settings):
        """Without an environment it is what the model serves in production."""
        service = Service()
        service.add_model(production_deployment_id="dep1")
        service.add_deployment(labels={"content-digest": DIGEST})
        (place,) = find(make_settings, service)
        assert ("production", "dep1", DIGEST) == (place.where, place.deployment.id, place.digest)

    def test_the_development_slot(self, make_settings):
        """A development push replaces the development deployment."""
        service = Service()
        service.add_model(production_deployment_id="dep1", development_deployment_id="dep2")
        service.add_deployment()
        service.add_deployment()
        (place,) = find(make_settings, service, development="true")
        assert ("the development slot", "dep2") == (place.where, place.deployment.id)

    def test_nothing_live(self, make_settings):
        """A new model, one without a production deployment, and one whose deployment was just deleted."""
        service = Service()
        assert [Live("production")] == find(make_settings, service, model=False)
        service.add_model()
        assert [Live("production")] == find(make_settings, service)
        service.models[0]["production_deployment_id"] = "gone"
        assert [Live("production")] == find(make_settings, service)

    def test_what_cannot_be_looked_up(self, make_settings):
        """Is an error, not "nothing"."""
        service = Service(FakeClock())
        service.add_model(production_deployment_id="dep1")
        service.fail("deployments/dep1", refusal(403))
        with pytest.raises(HttpError):
            find(make_settings, service)


def test_the_model_of_an_older_service():
    """Ids that an answer lacks are unknown."""
    assert ("", "") == (Model("i", "n").production_deployment_id, Model("i", "n").development_deployment_id)
