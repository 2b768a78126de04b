#!/usr/bin/env python3
"""Start the action from this checkout or image, without installing it: `python entrypoint.py --help`."""

import sys
from pathlib import Path

# The image runs `python -I`, which keeps the script's own folder, PYTHONPATH and the user site off `sys.path`.
sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))

from baseten_deploy.main import main

if __name__ == "__main__":
    sys.exit(main())
