"""Bytecode of what `truss` loads of the standard library, for the image for Chains; the same bytes each time.

    PYTHONHASHSEED=0 /opt/truss/bin/python -s -B chain_root.py ROOT

The Dockerfile's stage `truss` runs it. The base image has none, and the action's layers have theirs in start files,
which are the action's alone (`image_root.py`). Beside its own packages, `truss` loads a third of the library.
"""

import importlib
import sys
import sysconfig
from pathlib import Path

from image_root import compile_to, loaded_modules

# What `chain/truss_program.py` imports, in functions too.
LOADED = ("truss_chains.framework", "truss_chains.deployment.deployment_client", "truss.remote.baseten.api")


def main(arguments: list[str]) -> int:
    """Write it below a folder; returns the exit code."""
    (root,) = map(Path, arguments)
    library = Path(sysconfig.get_path("stdlib"))
    for name in LOADED:
        importlib.import_module(name)
    for _, path in loaded_modules():
        if path.suffix == ".py" and path.is_relative_to(library):
            compile_to(root, path, path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
