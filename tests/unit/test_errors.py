"""Errors: one class for each status, as the tree in the module's docstring draws it, and problems with their places."""

import re

import pytest

from baseten_deploy import errors
from baseten_deploy.errors import (
    Cancelled,
    CommitUnseen,
    DeployError,
    DeployUnseen,
    InvalidInput,
    InvalidTruss,
    PredictUnseen,
    Problem,
    PromotionUnseen,
    WatchUnseen,
)
from baseten_deploy.status import Status


def subclasses(of: type[DeployError]) -> list[type[DeployError]]:
    """All classes below one."""
    return [below for child in of.__subclasses__() for below in (child, *subclasses(child))]


class TestTree:
    """The classes."""

    def test_docstring_draws_it(self):
        """Name, parent and status of each class."""
        drawn = re.findall(r"^    (│?  *)?[├└]── (\w+) +(\w+)", errors.__doc__, re.MULTILINE)
        ours = [each for each in subclasses(DeployError) if each.__module__ == errors.__name__]
        assert {(name, status) for _, name, status in drawn} == {(each.__name__, str(each.status)) for each in ours}
        assert {name for indent, name, _ in drawn if indent} == {
            each.__name__ for each in ours if DeployError not in each.__bases__
        }

    def test_each_failure_has_one_class(self):
        """Runs that end well, and a bug, have none; six classes say more about a failure that has one already."""
        more = {InvalidTruss, CommitUnseen, DeployUnseen, PredictUnseen, PromotionUnseen, WatchUnseen}
        ours = [each for each in subclasses(DeployError) if each.__module__ == errors.__name__]
        kinds = [each for each in ours if each not in more]
        raised = sorted([each.status for each in kinds] + [Cancelled.status])
        ends_well = {Status.SUCCESS, Status.PLANNED, Status.SKIPPED, Status.INTERNAL_ERROR}
        assert sorted(set(Status) - ends_well) == raised

    def test_nothing_swallows_a_cancel(self):
        """`except Exception` is everywhere."""
        assert not issubclass(Cancelled, Exception)


class TestProblem:
    """One thing that is wrong."""

    @pytest.mark.parametrize(
        ("problem", "text"),
        [
            (Problem("m"), "m"),
            (Problem("m", "r"), "m\nr"),
            (Problem("m", "r", "a/config.yaml"), "a/config.yaml: m\nr"),
            (Problem("m", "", "config.yaml", 3, 7), "config.yaml:3:7: m"),
            (Problem("m", "", "config.yaml", 3), "config.yaml:3: m"),
        ],
    )
    def test_text(self, problem, text):
        """Place, message, and the remedy on a line of its own."""
        assert text == str(problem)


class TestDeployError:
    """Made of a text, a problem or several."""

    def test_of_a_text(self):
        """With its remedy."""
        assert (Problem("m", "r"),) == InvalidInput("m", "r").problems

    def test_of_problems(self):
        """All of them are kept and said."""
        problems = [Problem("one"), Problem("two", "do", "f", 1)]
        assert tuple(problems) == InvalidInput(iter(problems)).problems
        assert "one\nf:1: two\ndo" == str(InvalidInput(problems))
        assert (problems[1],) == InvalidInput(problems[1]).problems
