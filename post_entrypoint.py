#!/usr/local/bin/python3 -IBu
"""The action's post step: clears away what a cancelled run had no time for. See src/baseten_deploy/post.py.

The image has it on its PATH; its first line names the image's Python, and no shell is involved (hyphens in `INPUT_`).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "src"))  # noqa: PTH118, PTH120

from baseten_deploy import launch

launch.prepare()

from baseten_deploy.main import leave  # noqa: E402 - a job may be cancelled at any moment, also while importing
from baseten_deploy.post import main  # noqa: E402 - the same

if __name__ == "__main__":
    leave(main())
