"""Work beside the main thread: what waits for the network or for C code, while the run goes on."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """Start `work` in a daemon thread: unlike an executor's, it never keeps a cancelled run from ending.

    Where the host allows no more threads it is done at once, in the caller's.
    """
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(error)

    if start(body) is None:
        body()
    return future


def start(body: Callable[[], None], name: str = "background") -> threading.Thread | None:
    """Start a daemon thread; `None` where the host allows no more (a container's limit of processes, memory)."""
    thread = threading.Thread(target=body, name=name, daemon=True)
    try:
        thread.start()
    except (RuntimeError, MemoryError):  # as `threading` says that the host refuses
        return None
    return thread
