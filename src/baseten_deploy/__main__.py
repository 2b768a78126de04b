"""`python -m baseten_deploy`: the action as an installed package. Elsewhere `entrypoint.py` starts it."""

import sys

from baseten_deploy.main import main

if __name__ == "__main__":
    sys.exit(main())
