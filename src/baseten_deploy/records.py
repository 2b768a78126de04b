"""Dataclasses whose methods are made when the first one is: by its first request a run has loaded more than it needs.

Python writes and compiles some six methods for each dataclass, 0.5 ms here: that was a fifth of a run's start.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - handed on: type checkers see the original
else:
    import dataclasses

    T = TypeVar("T")
    _lock = threading.RLock()

    def dataclass(cls: type[T] | None = None, **options: Any) -> type[T] | Callable[[type[T]], type[T]]:
        """As `dataclasses.dataclass`. Not for a class with a `__new__`, nor for one that another dataclass inherits."""
        if cls is None:
            return lambda given: dataclass(given, **options)

        def make(made: type[T], /, *_: Any, **__: Any) -> T:
            with _lock:
                if cls.__new__ is make:
                    dataclasses.dataclass(cls, **options)
                    cls.__new__ = _new
            return object.__new__(made)

        cls.__new__ = make
        return cls

    def _new(made: type[T], /, *_: Any, **__: Any) -> T:
        return object.__new__(made)  # `del cls.__new__` would not bring object's back: python/cpython#49572
