"""SIGINT and SIGTERM: remembered from the first moment on, turned into `Cancelled` while there is something to cancel.

Imported before anything else, so it imports next to nothing: a signal that finds no handler kills the process without a
word, and one during the imports would be a traceback. As PID 1 of a container, Python would ignore SIGTERM.
"""

import signal
import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all the rest of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_pending: "list[int]" = []
_raised: "list[int]" = []
_report_unraisable = sys.unraisablehook


def remember() -> None:
    """From now on a signal waits until `cancel` asks for it."""
    _handle(lambda number, _frame: _pending.append(number))


def cancel() -> None:
    """From now on the first signal raises `Cancelled` where the run is; one that waits does so now."""
    from baseten_deploy.errors import Cancelled  # noqa: PLC0415 - see above

    telling = False
    _raised.clear()

    def raise_once(number: int, _frame: "FrameType | None") -> None:
        if telling:  # within Python's own report what is raised is lost as well
            _soon(number)
            return
        _handle(_pass)
        _raised.append(number)
        raise Cancelled

    def again(lost: "sys.UnraisableHookArgs") -> None:
        """Python drops what is raised within a destructor or a callback: then the next moment is the right one."""
        nonlocal telling
        if lost.exc_type is Cancelled:
            telling = True
            _handle(raise_once)
            _soon(_SIGNALS[0])
            telling = False
        else:
            _report_unraisable(lost)

    sys.unraisablehook = again
    _handle(raise_once)
    if _pending:
        _pending.clear()
        let_pass()
        raise Cancelled


def has_cancelled() -> bool:
    """Whether a signal was raised since `cancel`: C code that imports may put an error of its own in its place."""
    return bool(_raised)


def let_pass() -> None:
    """Let signals pass: the run is ending already.

    By a handler, not by `SIG_IGN`: of two signals at once Python would complain about the second on stderr.
    """
    _handle(_pass)
    sys.unraisablehook = _report_unraisable


def _pass(_number: int, _frame: "FrameType | None") -> None:
    pass


def _soon(number: int) -> None:
    """Send the main thread a signal when what runs now is over: only one that is sent to it interrupts its sleep."""
    import threading  # noqa: PLC0415 - is there by now

    threading.Timer(0.001, signal.pthread_kill, [threading.main_thread().ident, number]).start()


def _handle(handler: "Handler") -> None:
    try:
        for number in _SIGNALS:
            signal.signal(number, handler)
    except ValueError:
        pass  # Python allows it only in the main thread; elsewhere there are none
