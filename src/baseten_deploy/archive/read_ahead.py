"""Results of a function over many items, in order, made by threads ahead of whoever takes them, in bounded memory."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from baseten_deploy.background import start
from baseten_deploy.records import dataclass

Item = TypeVar("Item")
Result = TypeVar("Result")

_CLOSED = "closed while it was read"


@dataclass
class _Slot(Generic[Result]):
    """A result that is being made, in the order of the items."""

    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class Ahead(Generic[Item, Result]):
    """Begins at once, and goes on while the results that nobody has taken have less than `room` bytes together.

    `size` gives the bytes of a result; one that is being made counts as `most`. Items come from the threads, one at a
    time. The threads are daemons: one that hangs in a read keeps neither `take` nor the process from ending.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterator[Item],
        *,
        threads: int,
        room: int,
        most: int,
        size: Callable[[Result], int],
    ) -> None:
        self._work = work
        self._items = items
        self._room = room
        self._most = most
        self._size = size
        self._bytes = 0
        self._slots: deque[_Slot[Result]] = deque()
        self._no_more = False
        self._closed = False
        self._changed = threading.Condition()
        started = [start(self._run, "pack") for _ in range(threads)]
        self._ahead = any(started)  # where the host allows no thread at all, each result is made when it is taken

    def take(self) -> Result | None:
        """The next result, `None` after the last. Raises what making it raised, and `ValueError` once it is closed."""
        if not self._ahead and (begun := self._begin()) is not None:
            self._make(*begun)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._slots[0].done if self._slots else self._no_more))
            if self._closed:
                raise ValueError(_CLOSED)
            if not self._slots:
                return None
            slot = self._slots.popleft()
            if slot.error is not None:
                raise slot.error
            assert slot.result is not None
            self._bytes -= self._size(slot.result)
            self._changed.notify_all()
            return slot.result

    def close(self) -> None:
        """Begin nothing more. May be called at any time from any thread."""
        with self._changed:
            self._closed = True
            self._slots.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while (begun := self._begin()) is not None:
            self._make(*begun)

    def _make(self, slot: _Slot[Result], item: Item) -> None:
        try:
            slot.result = self._work(item)
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            slot.error = error
        with self._changed:
            slot.done = True
            self._bytes -= self._most - (self._size(slot.result) if slot.result is not None else 0)
            self._changed.notify_all()

    def _begin(self) -> tuple[_Slot[Result], Item] | None:
        """The next item and where its result goes, when there is room; `None` when there is nothing more to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._no_more or self._bytes < self._room)
            if self._closed or self._no_more:
                return None
            slot: _Slot[Result] = _Slot()
            try:
                item = next(self._items)
            except StopIteration:
                self._no_more = True
            except BaseException as error:  # noqa: BLE001 - raised where the next result would be taken
                self._no_more = slot.done = True
                slot.error = error
                self._slots.append(slot)
            else:
                self._slots.append(slot)
                self._bytes += self._most
                return slot, item
            self._changed.notify_all()
            return None
