"""The account of a run: what follows from each thing that it did or saw, and the outputs that are written of it."""

import pytest

from baseten_deploy.report.account import Account, Known, Serving, State, Switch
from baseten_deploy.report.ledger import Ledger


@pytest.fixture
def written():
    """Outputs, in the order in which they were written."""
    return []


@pytest.fixture
def ledger(written):
    """The ledger of a deploy into production, which serves `old1`."""
    book = Ledger(Account(target="production"), lambda name, text: written.append((name, text)))
    book.goes_into("production", Serving(True, "old1"))
    return book


def target(ledger):
    """Give what is known of production."""
    return ledger.account.final


def test_a_run_that_looked_only(ledger, written):
    """Changed nothing."""
    assert ledger.account.changed_nothing
    assert (Serving(True, "old1"), Switch.UNTOUCHED) == (target(ledger).now, target(ledger).switch)
    assert [] == written


def test_a_commit_on_its_way(ledger):
    """May have made something until its answer is there; a refusal takes that back."""
    ledger.sends("production", new_model=True)
    assert (Known.UNKNOWN, Known.UNKNOWN) == (ledger.account.made, ledger.account.model_made)
    assert Switch.ASKED is target(ledger).switch
    assert not ledger.account.changed_nothing
    ledger.made_nothing()
    assert ledger.account.changed_nothing


def test_a_push_that_is_served(ledger, written):
    """The output is there once the environment was seen to serve it."""
    ledger.sends("production", new_model=False)
    ledger.made("new1", "v2", "BUILDING", new_model=False)
    assert (Known.YES, Known.NO) == (ledger.account.made, ledger.account.model_made)
    ledger.saw("ACTIVE", State.LIVE, "production")
    ledger.serves("production", "new1", ours=True)
    assert Switch.DONE is target(ledger).switch
    assert "production" == ledger.account.serves_ours.name
    assert [("deployment-status", "ACTIVE"), ("promoted-deployment-id", "new1")] == written


def test_a_copy_is_ours(ledger):
    """By the id that the promotion gave it."""
    ledger.made("new1", "v2", "ACTIVE", new_model=False)
    ledger.asks("production")
    ledger.serves("production", "copy1", ours=True)
    assert ledger.account.is_ours("copy1")


def test_taken_back(ledger, written):
    """What was promoted is not, in the end; a later look does not make it so again."""
    ledger.made("new1", "v2", "ACTIVE", new_model=False)
    ledger.asks("production")
    ledger.serves("production", "new1", ours=True)
    ledger.took_back("production", "old1")
    ledger.serves("production", "old1", ours=False)
    assert (Serving(True, "old1"), Switch.BACK) == (target(ledger).now, target(ledger).switch)
    assert ("promoted-deployment-id", "") == written[-1]


def test_an_environment_beside_the_final_one(ledger, written):
    """The output is of the one that was reached last; what the other serves does not take it back."""
    ledger.goes_into("staging", Serving(True))
    ledger.made("new1", "v2", "ACTIVE", new_model=False)
    ledger.asks("staging")
    ledger.serves("staging", "new1", ours=True)
    ledger.serves("production", "old1", ours=False)
    assert [("promoted-deployment-id", "new1")] == written


def test_not_seen(ledger):
    """Is unknown, and no longer what it was."""
    ledger.asks("production")
    ledger.unseen("production")
    assert Serving() == target(ledger).now
    assert Serving(True, "old1") == target(ledger).before


def test_an_environment_that_was_made(ledger):
    """Is a change, though nothing else was made."""
    ledger.environment_made("production")
    assert not ledger.account.changed_nothing


def test_answers(ledger, written):
    """The last one is the output, an error's too; none takes the place of one that is there."""
    ledger.answered("", "", good=False)
    assert [] == written
    ledger.answered("", "pong", good=True)
    ledger.answered("production", "boom", good=False)
    ledger.answered("production", "", good=False)
    assert ["pong", "boom", ""] == [text for _, text in written]
    assert ledger.account.is_failing


def test_retired(ledger):
    """What is retired answers no more; what is somebody else's is counted only."""
    ledger.made("new1", "v2", "ACTIVE", new_model=False)
    ledger.saw("ACTIVE", State.LIVE)
    assert ledger.account.deployment.answers
    ledger.became("other1", "deleted")
    assert ledger.account.deployment.answers
    ledger.became("new1", "deactivated")
    assert not ledger.account.deployment.answers
    assert (("other1", "deleted"), ("new1", "deactivated")) == ledger.account.retired


def test_without_secrets(ledger):
    """What pages show is redacted before anything is made of it."""
    ledger.model("m hunter22")
    ledger.made("new1", "hunter22", "hunter22", new_model=False)
    ledger.answered("", "hunter22", good=True)
    ledger.can_be_asked("https://hunter22", '{"a": "hunter22"}')
    ledger.did_nothing("hunter22")
    assert "hunter22" not in repr(ledger.account.redacted(lambda text: text.replace("hunter22", "***")))
