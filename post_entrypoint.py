#!/usr/local/bin/python3 -IBu
"""The action's post step: clears away what a cancelled run had no time for. See src/baseten_deploy/post.py.

The image has it on its PATH; its first line names the image's Python, and no shell is involved (hyphens in `INPUT_`).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from baseten_deploy.post import main

if __name__ == "__main__":
    sys.exit(main())
