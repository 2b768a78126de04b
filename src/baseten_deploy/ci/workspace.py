"""Where the job's files are: nothing outside of it is packed."""

import os
from collections.abc import Mapping
from pathlib import Path


def find_workspace(environment: Mapping[str, str], truss: str) -> Path:
    """Nothing outside of it is packed: GitHub's workspace, else the current directory.

    Without a CI system somebody types a path, and may well type one elsewhere: then that Truss is the workspace.
    """
    given = environment.get("GITHUB_WORKSPACE") or environment.get("CI_PROJECT_DIR") or environment.get("WORKSPACE")
    workspace = Path(os.path.realpath(given or "."))
    directory = Path(os.path.realpath(workspace / truss))
    return workspace if given or directory.is_relative_to(workspace) else directory
