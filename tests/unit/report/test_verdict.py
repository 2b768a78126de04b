"""The heading and the verdict: what happened, what serves now, what to do next, and nothing that was not seen."""

import itertools

import pytest

from baseten_deploy.errors import Problem
from baseten_deploy.report.account import Account, Answer, Deployment, Known, Serving, State, Switch, Target
from baseten_deploy.report.facts import Facts
from baseten_deploy.report.heading import heading
from baseten_deploy.report.verdict import verdict
from baseten_deploy.status import Status

LOGS = "https://app.baseten.co/models/m1/logs/new1"
ROUTE = "https://model-m1.api.baseten.co/deployment/new1/predict"
OLD, NEW = Serving(True, "old1"), Serving(True, "new1")
LIVE = Deployment("new1", "v2", State.LIVE, "ACTIVE", ids=frozenset({"new1"}))


def account(**facts):
    """Make the account of a deploy into production, of what is live but not served yet."""
    given = {
        "target": "production",
        "model_name": "hello",
        "model_id": "m1",
        "made": Known.YES,
        "deployment": LIVE,
        "targets": (Target("production", OLD, OLD),),
        "route": ROUTE,
        "payload": "{}",
    }
    return Account(**{**given, **facts})


def told(status, facts=None, *, message="It broke", remedy="Mend it.", log_error="", unseen=False, **outputs):
    """Write heading and verdict of a run that ended so."""
    errors = [Problem(message, remedy)] if status.exit_code else []
    outputs = {"logs-url": LOGS, **outputs}
    found = Facts(status, facts or account(), outputs, errors, log_error=log_error, unseen=unseen)
    return heading(found), list(verdict(found))


def failed(status):
    """Make a deployment that failed in this status."""
    return Deployment("new1", "v2", State.FAILED, status, ids=frozenset({"new1"}))


class TestGreen:
    """What serves, endpoint and logs."""

    def test_served(self):
        """The target serves it instead of another one."""
        facts = account(targets=(Target("production", OLD, NEW, Switch.DONE),))
        assert (
            "✅ Deployed: `hello` → `production`",
            ["`production` serves `new1` now instead of `old1`.", f"[Endpoint]({ROUTE}) · [Logs]({LOGS})"],
        ) == told(Status.SUCCESS, facts)

    def test_the_first(self):
        """Nothing was served before."""
        facts = account(targets=(Target("production", Serving(True), NEW, Switch.DONE),))
        assert "`production` serves `new1` now." == told(Status.SUCCESS, facts)[1][0]

    def test_a_copy(self):
        """A promotion may give it another id."""
        copied = Deployment("new1", state=State.LIVE, status="ACTIVE", ids=frozenset({"new1", "copy1"}))
        facts = account(deployment=copied, targets=(Target("production", OLD, Serving(True, "copy1"), Switch.DONE),))
        assert "`production` serves `copy1` now instead of `old1`." == told(Status.SUCCESS, facts)[1][0]

    def test_in_no_environment(self):
        """It says so, as far as the service said so."""
        facts = account(target="", targets=())
        title, lines = told(Status.SUCCESS, facts)
        assert "✅ Live, in no environment: `hello`" == title
        assert "The new deployment `new1` is live (`ACTIVE`), in no environment." == lines[0]
        in_one = Deployment("new1", "v2", State.LIVE, "ACTIVE", "production", ids=frozenset({"new1"}))
        title, lines = told(Status.SUCCESS, account(target="", targets=(), deployment=in_one))
        assert ("✅ Live: `hello`", "The new deployment `new1` is live (`ACTIVE`), in `production`.") == (
            title,
            lines[0],
        )

    def test_not_waited_for(self):
        """Nothing is claimed of what comes after the run, and there is no endpoint."""
        coming = Deployment("new1", "v2", State.GOES_ON, "BUILDING", ids=frozenset({"new1"}))
        facts = account(waits=False, deployment=coming, targets=(Target("production", OLD, OLD, Switch.ASKED),))
        title, lines = told(Status.SUCCESS, facts)
        assert "⏳ Pushed, not waited for: `hello` → `production`" == title
        assert [
            "`production` still serves `old1`, as last seen. The new deployment `new1` is `BUILDING` and goes on.",
            "Not waited for (`wait: false`): whether it becomes live, and answers, was not seen.",
            f"[Logs]({LOGS})",
        ] == lines

    def test_deactivated_again(self):
        """What rests has no endpoint."""
        gone = Deployment("new1", "v2", State.LIVE, "ACTIVE", became="deactivated", ids=frozenset({"new1"}))
        title, lines = told(Status.SUCCESS, account(target="", targets=(), deployment=gone))
        assert "✅ Live and checked, then deactivated: `hello`" == title
        assert ["The new deployment `new1` was deactivated.", f"[Logs]({LOGS})"] == lines

    def test_skipped(self):
        """That, and why."""
        facts = account(made=Known.NO, why="this content is live already in the environment 'production'")
        title, lines = told(Status.SKIPPED, facts)
        assert "⏭️ Unchanged, nothing was deployed: `hello` → `production`" == title
        assert "Nothing was done: this content is live already in the environment 'production'." in lines

    @pytest.mark.parametrize(
        ("mode", "title"),
        [
            ("promote", "✅ Promoted: `hello` → `production`"),
            ("rollback", "✅ Rolled back, as asked for: `hello` → `production`"),
        ],
    )
    def test_other_modes(self, mode, title):
        """Each says what it did."""
        facts = account(mode=mode, made=Known.NO, targets=(Target("production", OLD, NEW, Switch.DONE),))
        assert title == told(Status.SUCCESS, facts)[0]

    @pytest.mark.parametrize("mode", ["deploy", "promote", "rollback"])
    def test_overtaken_while_it_was_watched(self, mode):
        """The heading does not leave it at that: something else is served, and the verdict says what."""
        targets = (Target("production", OLD, Serving(True, "newer1"), Switch.DONE),)
        head, (serves, *_) = told(Status.SUCCESS, account(mode=mode, targets=targets))
        assert ", and overtaken by a newer deployment: `hello` → `production`" in head
        assert serves.startswith("`production` serves `newer1` now; when this run began it served `old1`.")
        assert "`new1` is live" in serves

    def test_no_truss(self):
        """`mode: discover` says so, and not that it found some."""
        facts = Account(mode="discover", why="there is no Truss at or below `models`")
        head, lines = told(Status.SUCCESS, facts, **{"logs-url": ""})
        assert ("✅ No Truss found", ["Nothing was done: there is no Truss at or below `models`."]) == (head, lines)
        assert "✅ Trusses found" == told(Status.SUCCESS, Account(mode="discover", said="**1 of 1**"))[0]

    def test_cleaned_up(self):
        """How many went and stayed; or why there was nothing to do."""
        facts = account(
            mode="cleanup", target="", deployment=None, retired=(("a", "deleted"), ("b", "deleted")), kept=3
        )
        assert ["2 deployments deleted, 3 kept."] == told(Status.SUCCESS, facts, **{"logs-url": ""})[1]
        facts = account(mode="cleanup", target="", deployment=None, why="there is no model 'hello'")
        assert "✅ Nothing to clean up: `hello`" == told(Status.SUCCESS, facts)[0]
        assert ["Nothing was done: there is no model 'hello'."] == told(Status.SUCCESS, facts, **{"logs-url": ""})[1]


class TestRed:
    """What serves; the first error; what to do, and where the log is."""

    def test_a_build(self):
        """The build's own error, and no word that it could be asked."""
        facts = account(deployment=failed("BUILD_FAILED"), targets=(Target("production", OLD, OLD, Switch.ASKED),))
        title, lines = told(Status.DEPLOY_FAILED, facts, log_error="ERROR: No matching distribution found for torhc")
        assert "❌ The build failed: `hello` → `production`" == title
        assert [
            "`production` is untouched, still serves `old1`. The new deployment `new1` failed (`BUILD_FAILED`).",
            "**Error:** `ERROR: No matching distribution found for torhc`",
            f"Mend it. · [Logs]({LOGS})",
        ] == lines

    def test_before_the_promotion(self):
        """A smoke test that fails leaves what serves."""
        facts = account(answers=(Answer("", "no", good=False),))
        title, lines = told(Status.PREDICT_FAILED, facts)
        assert "❌ The smoke test failed, nothing was promoted: `hello` → `production`" == title
        assert (
            "`production` is untouched, still serves `old1`. The new deployment `new1` is live (`ACTIVE`)." == lines[0]
        )

    def test_in_the_environment(self):
        """One that fails where it is served says who serves it."""
        facts = account(targets=(Target("production", OLD, NEW, Switch.DONE),))
        title, lines = told(Status.PREDICT_FAILED, facts)
        assert "❌ Served, but the smoke test failed: `hello` → `production`" == title
        assert "`production` serves `new1` now instead of `old1`." == lines[0]
        assert "❌ Served, but a check failed: " in told(Status.PREDICT_FAILED, facts, **{"checks-failed": "2"})[0]

    @pytest.mark.parametrize(
        ("status", "outputs", "expected"),
        [
            (Status.PREDICT_FAILED, {}, "❌ The smoke test was not answered, nothing was promoted"),
            (Status.PREDICT_FAILED, {"checks-failed": "2"}, "❌ The checks were not answered, nothing was promoted"),
            (Status.PROMOTION_FAILED, {}, "❌ It is not known what became of the promotion"),
            (Status.WATCH_FAILED, {}, "❌ Live, but it could not be watched"),
        ],
    )
    def test_what_was_not_seen_did_not_fail(self, status, outputs, expected):
        """The heading says that it was not seen."""
        assert f"{expected}: `hello` → `production`" == told(status, account(), unseen=True, **outputs)[0]

    def test_rolled_back(self):
        """It serves again what it served."""
        facts = account(targets=(Target("production", OLD, OLD, Switch.BACK),))
        assert "`production` serves `old1` again, as before this run." in told(Status.ROLLED_BACK, facts)[1][0]

    def test_a_roll_back_that_failed(self):
        """What was seen last is said; what was not is unknown."""
        facts = account(
            targets=(Target("production", OLD, NEW, Switch.DONE),), answers=(Answer("production", "", good=False),)
        )
        title, lines = told(Status.PROMOTION_FAILED, facts)
        assert "❌ `production` serves a deployment that fails its smoke test: `hello` → `production`" == title
        facts = account(targets=(Target("production", OLD, Serving(), Switch.ASKED),))
        lines = told(Status.PROMOTION_FAILED, facts)[1]
        assert lines[0].startswith("What `production` serves now is not known. It served `old1` when this run began.")

    def test_somebody_elses(self):
        """It is not said whose it is, but that it is another."""
        facts = account(targets=(Target("production", OLD, Serving(True, "other1"), Switch.ASKED),))
        lines = told(Status.PROMOTION_FAILED, facts)[1]
        assert lines[0].startswith("`production` serves `other1` now; when this run began it served `old1`.")

    def test_not_known_whether_it_was_made(self):
        """Neither made nor not made, and nothing of what it serves."""
        facts = account(
            made=Known.UNKNOWN, deployment=None, targets=(Target("production", OLD, Serving(), Switch.ASKED),)
        )
        title, lines = told(Status.COMMIT_FAILED, facts)
        assert "❌ It is not known whether a deployment was made: `hello` → `production`" == title
        assert lines[0].endswith("Whether a new deployment was made is not known.")
        assert "no deployment" not in title + " ".join(lines)

    def test_an_environment_that_was_created(self):
        """It is named where nothing else was changed."""
        facts = account(
            target="canary",
            made=Known.NO,
            deployment=None,
            targets=(Target("canary", Serving(True), Serving(True), created=True),),
        )
        title, lines = told(Status.REJECTED, facts)
        assert "❌ Refused before the upload, but the environment `canary` was created: `hello` → `canary`" == title
        assert "`canary` was created and serves nothing yet." == lines[0]

    @pytest.mark.parametrize(
        ("state", "status", "title"),
        [
            (State.UNSEEN, "BUILDING", "❌ The deployment's state is not known: `hello` → `production`"),
            (State.GOES_ON, "LOADING_MODEL", "❌ Not live in time: `hello` → `production`"),
            (
                State.LIVE,
                "ACTIVE",
                "❌ Live, but its environment did not serve it in time: `hello` → `production`",
            ),
        ],
    )
    def test_timed_out(self, state, status, title):
        """By what was seen last."""
        deployment = Deployment("new1", "v2", state, status, ids=frozenset({"new1"}))
        assert title == told(Status.DEPLOY_TIMEOUT, account(deployment=deployment))[0]

    def test_a_truss_that_cannot_be_read(self):
        """Is named by its directory."""
        facts = Account(directory="models/hello", target="production")
        title, lines = told(Status.INVALID, facts, **{"logs-url": ""})
        assert "❌ Invalid input, nothing was changed: `models/hello` → `production`" == title
        assert ["`production` was not touched.", "**Error:** It broke", "Mend it."] == lines

    def test_long_messages(self):
        """Stay readable; the whole is in the alert."""
        lines = told(Status.REJECTED, message="x" * 1000, remedy="y" * 1000)[1]
        assert max(map(len, lines)) < 300

    def test_what_stands_elsewhere(self):
        """The answer is shown below, and what serves now above: neither is repeated in the error's line."""
        message = "The smoke test's answer is not what `predict-expect` says: $.a is missing. It was: {}"
        expected = "**Error:** The smoke test's answer is not what `predict-expect` says: &#36;.a is missing"
        assert expected == told(Status.PREDICT_FAILED, message=message)[1][1]
        message = "It was answered 500: no memory. 'production' serves the previous deployment old1 again instead of x"
        assert "**Error:** It was answered 500: no memory" == told(Status.ROLLED_BACK, message=message)[1][1]

    def test_several(self):
        """How many more there are."""
        facts = Facts(Status.INVALID, Account(), errors=[Problem("one"), Problem("two"), Problem("three")])
        assert "**Error:** one (and 2 more)" in verdict(facts)


STATES = [
    None,
    *(
        Deployment("new1", "v2", state, status, ids=frozenset({"new1"}), became=became)
        for (state, status), became in itertools.product(
            [
                (State.LIVE, "ACTIVE"),
                (State.FAILED, "BUILD_FAILED"),
                (State.GOES_ON, "DEPLOYING"),
                (State.UNSEEN, ""),
            ],
            ["", "deleted"],
        )
    ),
]
TARGETS = [
    (),
    *(
        (Target("production", before, now, switch),)
        for before, now, switch in itertools.product([OLD, Serving(True)], [OLD, NEW, Serving()], Switch)
    ),
]


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("mode", ["deploy", "promote", "rollback", "cleanup"])
def test_every_ending(status, mode):
    """Whatever is known: one heading, three lines at most, an icon that fits, and nothing that contradicts it."""
    for deployment, targets, made, waits in itertools.product(STATES, TARGETS, Known, (True, False)):
        facts = account(
            mode=mode,
            deployment=deployment,
            targets=targets,
            made=made if deployment is None else Known.YES,
            waits=waits,
        )
        title, lines = told(status, facts)
        text = " ".join([title, *lines])
        assert "\n" not in text
        assert len(lines) <= 3
        assert ("✅" in title) <= (status.exit_code == 0)
        now = targets[0].now if targets else Serving()
        if mode != "cleanup" and targets and now.known:
            assert f"`{now.deployment_id}`" in text
        if targets and not now.known and mode != "cleanup":
            assert "not known" in text
        if "[Endpoint]" in text:
            assert deployment is not None
            assert deployment.answers
        if deployment is not None and mode != "cleanup":
            assert "no deployment was made" not in text or status in (Status.UPLOAD_FAILED, Status.COMMIT_FAILED)
