"""Dataclasses whose methods are made when the first one is: by its first request a run has loaded more than it needs.

Python writes and compiles some six methods for each dataclass, 0.5 ms here: that was a fifth of a run's start. Those
that are the same for each, but for the names of its fields, are here, once.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - handed on: type checkers see the original
else:
    import dataclasses
    from reprlib import recursive_repr

    T = TypeVar("T")
    _lock = threading.RLock()

    def dataclass(cls: type[T] | None = None, *, frozen: bool = False) -> type[T] | Callable[[type[T]], type[T]]:
        """As `dataclasses.dataclass`, with this option alone.

        Not for a class with `__new__` or `__eq__`, nor for one that another dataclass inherits.
        """
        if cls is None:
            return lambda given: dataclass(given, frozen=frozen)

        def make(made: type[T], /, *_: Any, **__: Any) -> T:
            with _lock:
                if cls.__new__ is make:
                    dataclasses.dataclass(cls, frozen=frozen, eq=False, repr=False)
                    cls.__eq__, cls.__hash__ = _eq, _hash if frozen else None
                    if "__repr__" not in cls.__dict__:
                        cls.__repr__ = _repr
                    cls.__new__ = _new
            return object.__new__(made)

        cls.__new__ = make
        return cls

    def _new(made: type[T], /, *_: Any, **__: Any) -> T:
        return object.__new__(made)  # `del cls.__new__` would not bring object's back: python/cpython#49572

    @recursive_repr()
    def _repr(self: Any) -> str:
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _eq(self: Any, other: object) -> bool:
        return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_compared(self))

    def _compared(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, each.name) for each in dataclasses.fields(self) if each.compare)
