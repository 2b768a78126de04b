"""What comes before the imports, however the action is started. So it imports next to nothing itself."""

import gc
import sys
from types import ModuleType

from baseten_deploy import signals


def prepare() -> None:
    """Keep signals for later, and leave out of the imports what only takes time."""
    signals.remember()  # a job may be cancelled at any moment
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
