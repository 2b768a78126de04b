"""What an environment served before, from an audit log that knows wishes and not outcomes."""

import pytest
from transport import Service, make_run, refusal

from baseten_deploy.environment.history import find_previous
from baseten_deploy.errors import AuthFailed, InvalidInput, Rejected
from baseten_deploy.service.answers import Model

MODEL = Model("model1", "m")


@pytest.fixture
def previous(make_settings):
    """Find what `prod` served before; deployments are dep1 to depN, the log is given oldest first."""

    def find(current, *log, deployments=5, service=None, deleted=(), **changes):
        service = service or Service()
        service.add_model()
        for number in range(1, deployments + 1):
            service.add_deployment(labels={"deploy-key": f"k{number}"})
        for name, fields in changes.items():
            next(row for row in service.deployments if row["id"] == name).update(fields)
        by_id = {row["id"]: row for row in service.deployments}
        service.add_environment("prod", by_id[current] if current else None)
        service.deployments = [row for row in service.deployments if row["id"] not in deleted]
        for entry in log:
            service.promoted(entry.strip("!"), "prod", cancelled=entry.endswith("!"))
        run = make_run(make_settings(), service, service.clock)
        return find_previous(run, MODEL, run.api.environment("model1", "prod")).id

    return find


class TestPrevious:
    """Found."""

    @pytest.mark.parametrize(
        ("current", "log", "expected"),
        [
            ("dep2", ["dep1", "dep2"], "dep1"),
            ("dep3", ["dep1", "dep2", "dep3"], "dep2"),
            ("dep2", ["dep1", "dep2", "dep2"], "dep1"),  # promoted twice
            ("dep1", ["dep1", "dep2", "dep1"], "dep2"),  # rolled back once already
            ("dep2", ["dep1", "dep2", "dep3"], "dep1"),  # the last promotion did not get through
            ("dep3", ["dep1", "dep2", "dep2!", "dep3"], "dep1"),  # that of dep2 was cancelled
            ("dep3", ["dep2", "dep1", "dep2", "dep2!", "dep3"], "dep1"),
            ("dep5", ["dep1", "dep2"], "dep2"),  # the current one came by a push
        ],
    )
    def test_is_what_was_served_last(self, previous, current, log, expected):
        """The newest in the log that is older than the current one's own promotion."""
        assert expected == previous(current, *log)

    def test_of_other_environments_nothing_counts(self, previous):
        """Each has its own history, whatever the service answers."""
        service = Service()
        service.promoted("dep1", "prod")
        service.promoted("dep4", "staging")
        assert "dep1" == previous("dep2", "dep2", service=service)

    @pytest.mark.parametrize("status", ["DEPLOY_FAILED", "BUILD_FAILED", "FAILED"])
    def test_what_never_came_up_was_not_served(self, previous, status):
        """Its promotion was asked for, and nothing more."""
        assert "dep1" == previous("dep3", "dep1", "dep2", "dep3", dep2={"status": status})

    def test_a_rested_one_is_found(self, previous):
        """It can be activated."""
        assert "dep1" == previous("dep2", "dep1", "dep2", dep1={"status": "INACTIVE"})

    def test_the_current_one_is_a_copy(self, previous):
        """`redeploy_on_promotion`: the log has the original."""
        assert "dep1" == previous("dep4", "dep1", "dep2", dep4={"labels": {"deploy-key": "k2"}})

    def test_pages(self, previous):
        """As many as it takes."""
        service = Service(page=3)
        assert "dep1" == previous("dep2", "dep1", *["dep2"] * 10, service=service)
        assert 4 == len(service.calls("audit_logs"))

    def test_no_more_pages_than_it_takes(self, previous):
        """What is older is not read."""
        service = Service(page=3)
        assert "dep2" == previous("dep3", *["dep1"] * 10, "dep2", "dep3", service=service)
        assert 1 == len(service.calls("audit_logs"))


class TestNone:
    """Not found, and what to do."""

    def test_nothing_before(self, previous):
        """The first that it ever served; the others of the model are offered."""
        with pytest.raises(InvalidInput, match="knows of nothing that 'prod' served before dep1") as error:
            previous("dep1", "dep1", deployments=2)
        assert "`deployment-id`" in error.value.problems[0].remedy
        assert "dep2 (deployment-2)" in error.value.problems[0].remedy

    def test_serves_nothing(self, previous):
        """There is nothing to go back from."""
        with pytest.raises(InvalidInput, match="'prod' serves nothing"):
            previous("")

    def test_it_was_deleted(self, previous):
        """An older one is not taken without a word; those that are left are named."""
        with pytest.raises(InvalidInput, match="served dep2 before dep3, and that deployment was deleted") as error:
            previous("dep3", "dep1", "dep2", "dep3", deleted=["dep2"])
        assert "Set `deployment-id` to one that is left: dep1 (deployment-1)." == error.value.problems[0].remedy

    @pytest.mark.parametrize(("status", "kind"), [(404, Rejected), (400, Rejected), (403, AuthFailed)])
    def test_the_log_cannot_be_read(self, previous, status, kind):
        """`deployment-id` says which without it."""
        service = Service()
        service.fail("GET .*/audit_logs", refusal(status))
        with pytest.raises(kind, match="what 'prod' served before") as error:
            previous("dep2", "dep1", "dep2", service=service)
        assert kind is AuthFailed or "`deployment-id`" in error.value.problems[0].remedy
