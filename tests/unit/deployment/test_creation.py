"""Exactly one deployment, whatever happens on the way: the service is asked at the end how many it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import AMBIGUOUS, BY_NAME, TRANSIENT, UNSEEN, Fault, Service, make_api, payload_with, refusal

from baseten_deploy.deployment import creation as module
from baseten_deploy.deployment.creation import NameTakenError, archive_source, commit, find_committed
from baseten_deploy.errors import AuthFailed, CommitFailed
from baseten_deploy.service.answers import Model
from baseten_deploy.service.model_lookup import Destination

NEW = Destination("m", None)
COMMIT = r"POST .*/(models|deployments)$"


def exists(service):
    """Where a deployment is added to a model that is there."""
    service.add_model()
    return Destination("m", Model("model1", "m", "Core"))


def missing(_service):
    """Where the model is made, too."""
    return NEW


WHERE = pytest.mark.parametrize("where", [exists, missing])


def send(service, destination, *, key="key-1", deadline=float("inf"), said=None):
    """Commit, as the run does it."""
    source = archive_source(destination, payload_with(key), "s3/key", locked=False)
    api = make_api(service, service.clock, deadline=deadline)
    return commit(api, destination, source, service.clock, (said if said is not None else []).append)


def ours(service, key="key-1"):
    """Those that carry the run's key."""
    return [row for row in service.deployments if (row["labels"] or {}).get("deploy-key") == key]


class TestSource:
    """What is sent."""

    def test_of_a_new_model(self):
        """Name, archive, payload, and whether its archive can be downloaded."""
        assert {
            "kind": "model_archive",
            "name": "m",
            "s3_key": "k",
            "deployment": {"config": {}},
            "disable_archive_download": True,
        } == archive_source(NEW, {"config": {}}, "k", locked=True)

    def test_of_another_deployment(self):
        """What belongs to a model's creation is not sent."""
        destination = Destination("m", Model("model1", "m"))
        expected = {"kind": "model_archive", "s3_key": "k", "deployment": {}}
        assert expected == archive_source(destination, {}, "k", locked=False)

    def test_without_an_archive(self):
        """No key, rather than an empty one."""
        assert "s3_key" not in archive_source(NEW, {}, "", locked=False)


class TestPlain:
    """Nothing goes wrong."""

    def test_a_new_model(self):
        """Made with its first deployment, in one request."""
        service = Service()
        made = send(service, NEW)
        assert ("model1", "dep1", True) == (made.model.id, made.deployment.id, made.created_model)
        assert ["POST /v1/models"] == service.calls("")

    def test_another_deployment(self):
        """In the model that is there."""
        service = Service()
        made = send(service, exists(service))
        assert ("model1", "dep1", False) == (made.model.id, made.deployment.id, made.created_model)
        assert ["POST /v1/models/model1/deployments"] == service.calls("")

    def test_into_a_team(self):
        """A new model goes where `team` says."""
        service = Service()
        send(service, Destination("m", None, "t1"))
        assert ["POST /v1/teams/t1/models"] == service.calls("")


class TestOneFault:
    """The matrix: one failure of the commit itself."""

    @WHERE
    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_makes_exactly_one(self, where, fault):
        """Whether the server acted before it failed or not, and the run adopts or makes it."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, fault)
        made = send(service, destination)
        assert [made.deployment.id] == [row["id"] for row in ours(service)]
        assert 1 == len(service.models)
        assert (destination.model is None) == made.created_model
        assert (1 if fault.acts else 2) == len(service.calls(COMMIT))

    @WHERE
    @pytest.mark.parametrize("fault", [fault for fault in AMBIGUOUS if not fault.acts], ids=str)
    def test_looks_before_it_sends_again(self, where, fault):
        """Three looks, after 1, 2 and 4 seconds, stand between the two."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, fault)
        send(service, destination)
        assert list(module.LOOKS) == service.clock.sleeps[:3]
        first, second = (i for i, (call, _) in enumerate(service.requests) if call.startswith("POST"))
        assert 3 == second - first - 1

    @WHERE
    @pytest.mark.parametrize("fault", UNSEEN, ids=str)
    def test_just_sends_again_what_was_not_seen(self, where, fault):
        """Nothing can have been made; a hint is obeyed."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, fault)
        send(service, destination)
        assert [] == service.calls("GET")
        assert [3.25 if "with" in fault.name else 0.25] == service.clock.sleeps

    @WHERE
    @pytest.mark.parametrize("delay", [0.5, 2.5, 6.9])
    def test_waits_for_what_shows_up_late(self, where, delay):
        """A list may lag behind; within seven seconds it is found."""
        service = Service(visible_after=delay)
        destination = where(service)
        service.fail(COMMIT, BY_NAME["read timeout after acting"])
        # A model without a visible deployment could be anybody's, so a new one has to be looked at to the end.
        send(service, destination)
        assert 1 == len(service.deployments)

    @WHERE
    def test_sends_the_same_again(self, where):
        """Byte for byte what was validated."""
        service = Service()
        service.fail(COMMIT, BY_NAME["503"])
        send(service, where(service))
        first, second = service.bodies(COMMIT)
        assert first == second

    @WHERE
    def test_adopts_only_its_own(self, where):
        """A deployment of another run, even of the same commit, is not this run's."""
        service = Service()
        destination = where(service)
        if destination.model:
            service.add_deployment(labels={"deploy-key": "key-0", "git-sha": "abc"})
        service.fail(COMMIT, BY_NAME["502 with HTML"])
        made = send(service, destination)
        assert "key-1" == made.deployment.labels["deploy-key"]

    @WHERE
    def test_says_what_it_does(self, where):
        """A log that goes quiet for seven seconds explains itself."""
        service, said = Service(), []
        service.fail(COMMIT, BY_NAME["504 after acting"])
        send(service, where(service), said=said)
        assert said[0].startswith("The commit failed (504: Gateway Timeout); checking")
        assert "It did: deployment dep1 exists" == said[1]


class TestManyFaults:
    """More than one failure."""

    @WHERE
    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    def test_fails_with_nothing_made(self, where, fault):
        """Five tries, then `commit_failed`: no deployment exists, and that was checked."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, fault, times=99)
        with pytest.raises(CommitFailed, match="no deployment was made"):
            send(service, destination)
        assert ([], 5) == (service.deployments, len(service.calls(COMMIT)))

    @WHERE
    @pytest.mark.parametrize("first", ["read timeout", "500", "truncated JSON", "429", "connection refused"])
    @pytest.mark.parametrize("second", ["reset after acting", "wrong shape after acting", "503 after acting"])
    def test_any_failure_before_one_that_acted(self, where, first, second):
        """The second try's deployment is found."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, BY_NAME[first])
        service.fail(COMMIT, BY_NAME[second])
        made = send(service, destination)
        assert [made.deployment.id] == [row["id"] for row in service.deployments]

    @pytest.mark.parametrize("second", [BY_NAME["429"], BY_NAME["connection refused"], refusal(400), refusal(409)])
    def test_what_was_doubtful_stays_so(self, second):
        """The first try shows up only after the second was refused: it is looked for again, and adopted."""
        service = Service(visible_after=7.5)
        destination = exists(service)
        service.fail(COMMIT, BY_NAME["read timeout after acting"])
        service.fail(COMMIT, second)
        made = send(service, destination)
        assert ["dep1"] == [row["id"] for row in service.deployments]
        assert "dep1" == made.deployment.id

    @WHERE
    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    @pytest.mark.parametrize("times", [1, 4])
    def test_the_look_has_blips_too(self, where, fault, times):
        """A failing list is asked again before anything is decided."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, BY_NAME["reset after acting"])
        service.fail("GET", fault, times=min(times, 2) if "shape" in fault.name or "empty" in fault.name else times)
        send(service, destination)
        assert 1 == len(service.deployments)

    @WHERE
    @pytest.mark.parametrize("commit_fault", ["reset", "reset after acting"])
    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    def test_what_cannot_be_checked_is_not_sent_again(self, where, fault, commit_fault):
        """The run fails, says so, and says what to look for."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, BY_NAME[commit_fault])
        service.fail("GET", fault, times=99)
        with pytest.raises(CommitFailed) as error:
            send(service, destination)
        assert 1 == len(service.calls(COMMIT))
        assert "could not be checked" in error.value.problems[0].message
        assert "`deploy-key: key-1`" in error.value.problems[0].remedy
        assert "was made (checked)" not in str(error.value)

    @pytest.mark.parametrize("left", [0.0, 5.0])
    def test_stops_at_the_deadline(self, left):
        """A hint that does not fit is not waited for."""
        service = Service()
        service.fail(COMMIT, BY_NAME["429 with a field"], times=99)
        destination = exists(service)
        with pytest.raises(CommitFailed):
            send(service, destination, deadline=service.clock.now() + left)
        assert service.clock.now() <= 1000 + left

    @given(
        st.lists(st.sampled_from(TRANSIENT), max_size=4),
        st.lists(st.tuples(st.integers(1, 3), st.sampled_from(TRANSIENT)), max_size=3),
        st.floats(0, 6.5),
        st.booleans(),
    )
    def test_never_more_than_one(self, commits, looks, delay, new):
        """Any mixture of failures of the commit and of the looks: one deployment and a result, or an error."""
        service = Service(visible_after=delay)
        destination = missing(service) if new else exists(service)
        for fault in commits:
            service.fail(COMMIT, fault)
        for times, fault in looks:
            service.fail("GET", Fault(fault.name, fault.fail), times)
        try:
            made, failed = send(service, destination), ""
        except (NameTakenError, CommitFailed) as error:
            made, failed = None, str(error) or "the name is taken"
        if made:
            assert [made.deployment.id] == [row["id"] for row in service.deployments]
        else:
            assert not service.deployments or "could not be checked" in failed
        assert len(service.deployments) <= 1
        assert len(service.models) <= 1


class TestRefusals:
    """The service says no."""

    @WHERE
    @pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
    def test_is_final(self, where, status):
        """One request, and its message."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, refusal(status, "no such accelerator"), times=9)
        with pytest.raises(CommitFailed, match="no such accelerator"):
            send(service, destination)
        assert (1, []) == (len(service.calls(COMMIT)), service.deployments)
        assert [] == service.clock.sleeps

    @WHERE
    @pytest.mark.parametrize("status", [401, 403])
    def test_of_the_key(self, where, status):
        """`auth_failed`."""
        service = Service()
        destination = where(service)
        service.fail(COMMIT, refusal(status), times=9)
        with pytest.raises(AuthFailed):
            send(service, destination)

    def test_a_look_that_fails_does_not_hide_the_refusal(self):
        """What the service refused is the message."""
        service = Service()
        destination = exists(service)
        service.fail(COMMIT, refusal(400, "no such accelerator"))
        service.fail("GET", BY_NAME["503"], times=99)
        with pytest.raises(CommitFailed, match="no such accelerator"):
            send(service, destination)


class TestRace:
    """Two jobs make the model of one name at the same time."""

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_the_loser_is_told(self, status):
        """Its caller looks the model up and adds a deployment; nothing was made by this commit."""
        service = Service()
        service.fail(COMMIT, refusal(status, "a model named m exists"))
        service.add_model()
        service.add_deployment(labels={"deploy-key": "other"})
        with pytest.raises(NameTakenError):
            send(service, NEW)
        assert [] == ours(service)

    @pytest.mark.parametrize("fault", [fault for fault in AMBIGUOUS if not fault.acts], ids=str)
    def test_also_after_an_ambiguous_failure(self, fault):
        """The other job's model appears while this one looks."""
        service = Service()
        service.fail(COMMIT, fault)
        service.add_model()
        service.add_deployment(labels={"deploy-key": "other"})
        with pytest.raises(NameTakenError):
            send(service, NEW)
        assert 1 == len(service.calls(COMMIT))

    def test_a_model_whose_first_deployment_failed_to_be_made(self):
        """The server made the model and broke: it is there without ours, so ours is added to it."""
        service = Service()
        service.fail(COMMIT, BY_NAME["500"])
        service.add_model()
        with pytest.raises(NameTakenError):
            send(service, NEW)


class TestLibraryListing:
    """A listing's deployment carries no label of ours."""

    SOURCE = {"kind": "library_listing", "lab_display_name": "lab", "user_defined_listing_id": "x"}  # noqa: RUF012

    def commit(self, service):
        """As the run does it."""
        return commit(make_api(service, service.clock), NEW, self.SOURCE, service.clock, [].append)

    @pytest.mark.parametrize("fault", UNSEEN, ids=str)
    def test_what_was_not_seen_is_sent_again(self, fault):
        """That is safe without any label."""
        service = Service()
        service.fail(COMMIT, fault)
        self.commit(service)
        assert 1 == len(service.models)

    @pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
    def test_what_is_ambiguous_is_not(self, fault):
        """It cannot be told whether it was made, so the run says that, and never makes two."""
        service = Service()
        service.fail(COMMIT, fault)
        with pytest.raises(CommitFailed) as error:
            self.commit(service)
        assert len(service.models) == int(fault.acts)
        assert ["POST /v1/models"] == service.calls("")
        assert "models page" in error.value.problems[0].remedy or "Its state" in error.value.problems[0].remedy
        assert "checked" not in str(error.value)


class TestFindCommitted:
    """Also used by a cancelled run, to find what its commit made."""

    def test_by_key_in_the_model(self):
        """The model is known."""
        service = Service()
        destination = exists(service)
        service.add_deployment(labels={"deploy-key": "a"})
        service.add_deployment(labels=None)
        service.add_deployment(labels={"deploy-key": "b"})
        assert "dep3" == find_committed(make_api(service), destination, "b")[1].deployment.id
        assert find_committed(make_api(service), destination, "c")[1] is None

    def test_by_key_in_all_models_of_the_name(self):
        """The model may be one of several by now."""
        service = Service()
        service.add_model()
        service.add_model()
        service.add_deployment("model2", labels={"deploy-key": "b"})
        models, found = find_committed(make_api(service), NEW, "b")
        assert (["model1", "model2"], "model2", True) == (
            [model.id for model in models],
            found.model.id,
            found.created_model,
        )
