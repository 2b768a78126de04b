#!/usr/bin/env python3
"""Start the action from this checkout or image, without installing it: `python entrypoint.py --help`."""

import os
import sys

# The image runs `python -I`, which keeps the script's own folder, PYTHONPATH and the user site off `sys.path`.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "src"))  # noqa: PTH118, PTH120

from baseten_deploy import launch

launch.prepare()

from baseten_deploy.main import leave, main  # noqa: E402 - a job may be cancelled at any moment, also while importing

if __name__ == "__main__":
    leave(main())
