"""What comes before the imports, however the action is started. So it imports next to nothing itself."""

import gc
import sys

from baseten_deploy import signals


def prepare() -> None:
    """Keep signals for later, and leave out of the imports what only takes time."""
    signals.remember()  # a job may be cancelled at any moment
    gc.disable()  # until `main` says how often to look for garbage: importing makes none
    # httpx's command line. It loads rich and click wherever they are installed, which takes as long as all of httpx.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
