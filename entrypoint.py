#!/usr/bin/env python3
"""Start the action from this checkout or image, without installing it: `python entrypoint.py --help`."""

import gc
import os
import sys

# The image runs `python -I`, which keeps the script's own folder, PYTHONPATH and the user site off `sys.path`.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "src"))  # noqa: PTH118, PTH120

from baseten_deploy import signals

signals.remember()  # before the imports: a job may be cancelled at any moment
gc.disable()  # until `main` says how often to look for garbage: importing makes none

from baseten_deploy.main import leave, main  # noqa: E402 - see above

if __name__ == "__main__":
    leave(main())
