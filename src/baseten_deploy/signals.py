"""SIGINT and SIGTERM: remembered from the first moment on, turned into `Cancelled` while there is something to cancel.

Imported before anything else, so it imports next to nothing: a signal that finds no handler kills the process without a
word, and one during the imports would be a traceback. As PID 1 of a container, Python would ignore SIGTERM.
"""

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_pending: list[int] = []


def remember() -> None:
    """From now on a signal waits until `cancel` asks for it."""
    _handle(lambda number, _frame: _pending.append(number))


def cancel() -> None:
    """From now on the first signal raises `Cancelled` where the run is; one that waits does so now."""
    from baseten_deploy.errors import Cancelled  # noqa: PLC0415 - see above

    def raise_once(_number: int, _frame: FrameType | None) -> None:
        let_pass()
        raise Cancelled

    _handle(raise_once)
    if _pending:
        _pending.clear()
        let_pass()
        raise Cancelled


def let_pass() -> None:
    """Let signals pass: the run is ending already.

    By a handler, not by `SIG_IGN`: of two signals at once Python would complain about the second on stderr.
    """
    _handle(lambda _number, _frame: None)


def _handle(handler: "Callable[[int, FrameType | None], None]") -> None:
    if threading.current_thread() is threading.main_thread():  # elsewhere Python does not allow it
        for number in _SIGNALS:
            signal.signal(number, handler)
