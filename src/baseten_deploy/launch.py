"""What comes before the imports, however the action is started. So it imports next to nothing itself."""
# ruff: noqa: PLC0415 - what is imported before the start file is found is imported without it

import sys

from baseten_deploy import start_file


def prepare() -> None:
    """Keep signals for later, and leave out of the imports what only takes time."""
    start_file.use()
    from baseten_deploy import signals

    signals.remember()  # a job may be cancelled at any moment
    start_file.ask_before_compiling(noting=not sys.dont_write_bytecode)
    import gc
    from types import ModuleType

    # Importing makes no garbage. `main` says how often to look for some; the post step is over before there is much.
    gc.disable()
    # httpx's command line loads rich and click wherever they are installed, which takes as long as all of httpx, and
    # httpcore what only its asynchronous half needs. Both are prepared for an import that fails.
    sys.modules["httpx._main"] = sys.modules["anyio"] = None  # type: ignore[assignment] # that is how it fails
    # httpcore loads certifi for certificates that `network.certificates` loads here, and certifi all that Python reads
    # the files of packages with: a twentieth of what comes before the first request. s3transfer loads as much for
    # processes that it is not asked to start.
    sys.modules["certifi"] = ModuleType("certifi")
    sys.modules["multiprocessing.managers"] = managers = ModuleType("multiprocessing.managers")
    managers.BaseManager = None  # type: ignore[attr-defined] # all that is asked for


def keep() -> None:
    """Keep for the next run what this one loaded, when that is worth it: as Python keeps bytecode, and beside it.

    Not with `PYTHONPATH`: who sets it develops or tests, often along a path that no other run will have.
    """
    import os

    from baseten_deploy import signals

    is_own_path = sys.flags.ignore_environment or "PYTHONPATH" not in os.environ
    if sys.dont_write_bytecode or not is_own_path or signals.has_cancelled() or not start_file.lacks_much():
        return
    try:
        from baseten_deploy import start_file_writer

        start_file_writer.keep()
    except Exception:  # noqa: BLE001, S110 - all of the run is written and told; the next one starts as this one did
        pass
