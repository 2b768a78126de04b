"""Dataclasses whose methods are made when the first one is."""

import copy
import dataclasses
import pickle
import threading
from dataclasses import field, replace
from functools import cached_property

import pytest

from baseten_deploy.records import dataclass


def frozen():
    """A class that nobody has used yet."""

    @dataclass(frozen=True)
    class Point:
        """A place."""

        x: int
        made: int = 2
        names: tuple[str, ...] = field(default=(), repr=False, compare=False)

        @cached_property
        def sum(self):
            return self.x + self.made

    return Point


def test_nothing_is_made_before_the_first():
    """And then it is a dataclass."""
    point = frozen()
    assert not dataclasses.is_dataclass(point)
    point(1)
    assert dataclasses.is_dataclass(point)


def test_it_is_the_standard_librarys():
    """Defaults, comparison, its text, what it refuses."""
    point = frozen()
    assert point(1) == point(x=1, made=2, names=("a",)) != point(2)
    assert hash(point(1)) == hash(point(1, 2))
    assert repr(point(1)).endswith("Point(x=1, made=2)")
    assert "A place." == point.__doc__
    assert 3 == point(1).sum
    with pytest.raises(dataclasses.FrozenInstanceError):
        point(1).x = 2
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        point()
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        point(1, z=1)


def test_copies():
    """By the standard library's own ways."""
    point = frozen()
    assert point(5) == replace(point(1), x=5) == copy.copy(point(5)) == copy.deepcopy(point(5))


@dataclass
class Plain:
    """One that changes."""

    made: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.made.append(1)


def test_one_that_changes():
    """A field may have any name; what a pickle brings is one too."""
    assert [1] == Plain(made=[]).made
    plain = Plain()
    plain.made = [3]
    assert plain == pickle.loads(pickle.dumps(plain)) != Plain()


def test_by_many_threads_at_once():
    """None of them sees it half made."""
    for _ in range(50):
        point, together, made = frozen(), threading.Barrier(8), []

        def make(point=point, together=together, made=made):
            together.wait()
            made.append(point(1))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [point(1)] * 8 == made


@dataclass(frozen=True)
class Secretive:
    """One with a text of its own, and one that holds itself."""

    inside: list[object] = field(default_factory=list)
    key: str = field(default="", repr=False)

    def __repr__(self):
        return "Secretive"


def test_what_is_shared():
    """A text of its own stays, one that holds itself ends, what changes has no hash, other classes are others."""
    assert repr(Secretive(key="k")) == "Secretive"
    assert Secretive(key="k") != Secretive(key="l")
    plain = Plain()
    plain.made.append(plain)
    assert repr(plain) == "Plain(made=[1, ...])"
    with pytest.raises(TypeError, match="unhashable"):
        hash(plain)
    assert frozen()(1) != frozen()(1) != (1, 2)
    assert frozen()(1).__eq__(1) is NotImplemented
