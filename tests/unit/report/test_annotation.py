"""The red line on a run's page: message, first error of the log, what to do, and where the log is."""

from baseten_deploy.errors import Problem
from baseten_deploy.report.account import Account, Deployment, State
from baseten_deploy.report.annotation import annotated
from baseten_deploy.report.facts import Facts
from baseten_deploy.status import Status

LOGS = "https://app.baseten.co/models/m1/logs/d1"
ERROR = "ERROR: No matching distribution found for torhc"


def facts(status, state, error=ERROR, logs=LOGS):
    """Give the end of a run."""
    deployment = Deployment("d1", state=state, status="x", ids=frozenset({"d1"}))
    return Facts(status, Account(deployment=deployment), outputs={"logs-url": logs}, log_error=error)


def test_a_build_that_failed():
    """All of it, in this order."""
    problem = Problem("The deployment d1 ended as BUILD_FAILED", "Read the log.")
    expected = f"The deployment d1 ended as BUILD_FAILED\n{ERROR}\nRead the log.\nLogs: {LOGS}"
    assert expected == str(annotated(problem, facts(Status.DEPLOY_FAILED, State.FAILED)))


def test_a_smoke_test_that_failed():
    """An error line of the build says nothing about an answer; the log may."""
    problem = Problem("It answered 500", "Correct the model.")
    shown = str(annotated(problem, facts(Status.PREDICT_FAILED, State.LIVE)))
    assert f"It answered 500\nCorrect the model.\nLogs: {LOGS}" == shown


def test_without_a_deployment():
    """There is no log to name."""
    problem = Problem("`wait`: bad", "Write `true`.")
    assert problem == annotated(problem, Facts(Status.INVALID))
    assert problem == annotated(problem, facts(Status.DEPLOY_FAILED, State.FAILED, logs=""))


def test_a_message_that_has_it():
    """It is not said twice, and a place keeps its excerpt."""
    told = Problem(f"The build failed: {ERROR}", "", excerpt="")
    assert 1 == str(annotated(told, facts(Status.DEPLOY_FAILED, State.FAILED))).count(ERROR)
    placed = Problem("x", excerpt="a: b\n   ^")
    assert "a: b\n   ^" in str(annotated(placed, facts(Status.DEPLOY_FAILED, State.FAILED)))
