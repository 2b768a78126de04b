"""Where the job's files are: nothing outside of it is packed. And whether they are there."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from baseten_deploy.errors import InvalidInput

_SHOWN = 100  # characters of a path

_CHECKOUT = """\
Check the repository out in a step before this one, in the same job:
  steps:
    - uses: actions/checkout@v6"""
_MOUNT = (
    "Run the step in the directory of the checkout, or name it in the environment variable `WORKSPACE`; a container "
    "sees only what is mounted into it."
)
_RIGHTS = "Let the user of this step read it: mount it readable, or correct its owner and mode."


def find_workspace(environment: Mapping[str, str], truss: str) -> Path:
    """Nothing outside of it is packed: GitHub's workspace, else the current directory.

    Without a CI system somebody types a path, and may well type one elsewhere: then that Truss is the workspace. Raises
    `InvalidInput` when there is no current directory.
    """
    given = environment.get("GITHUB_WORKSPACE") or environment.get("CI_PROJECT_DIR") or environment.get("WORKSPACE")
    try:
        workspace = Path(os.path.realpath(given or "."))
    except OSError:
        raise InvalidInput("The current directory is gone", "Change into one that is there, and run again.") from None
    directory = Path(os.path.realpath(workspace / truss))
    return workspace if given or directory.is_relative_to(workspace) else directory


def find_truss(workspace: Path, truss: str, *, on_github: bool) -> Path:
    """The directory that `truss-directory` names, absolute. What is in it is for others to look at.

    Raises `InvalidInput` when the workspace is none, has nothing in it or cannot be read, or when the directory is
    outside of it or no system call could ask for it.
    """
    get_one = _CHECKOUT if on_github else _MOUNT
    try:
        with os.scandir(workspace) as entries:
            is_empty = next(entries, None) is None
    except FileNotFoundError:
        raise InvalidInput(f"There is no workspace: {_short(workspace)} does not exist", get_one) from None
    except NotADirectoryError:
        raise InvalidInput(f"There is no workspace: {_short(workspace)} is a file", get_one) from None
    except PermissionError:
        raise InvalidInput(f"The workspace {_short(workspace)} cannot be read", _RIGHTS) from None
    except OSError as error:
        raise InvalidInput(f"The workspace {_short(workspace)} cannot be read: {error.strerror}", get_one) from None
    if is_empty:
        raise InvalidInput("The workspace is empty", get_one)
    directory = Path(os.path.realpath(workspace / truss))
    if not directory.is_relative_to(workspace):
        raise InvalidInput(
            f"`truss-directory`: {_short(truss)!r} is outside of the workspace {_short(workspace)}",
            "Only what is checked out in the workspace is deployed; give a path relative to it.",
        )
    try:
        directory.stat()
    except OSError as error:
        _refuse(truss, error)
    return directory


def _refuse(truss: str, error: OSError) -> None:
    """Raise what is wrong with a path, but that it is not there: who reads it knows what is near."""
    if error.errno == errno.ENAMETOOLONG:
        raise InvalidInput(
            f"`truss-directory`: is no path: it has {len(truss)} characters: {_short(truss)!r}",
            "Give the path of a directory, relative to the workspace.",
        )
    if error.errno == errno.EACCES:
        raise InvalidInput(f"`truss-directory`: {_short(truss)!r} cannot be read", _RIGHTS)
    if error.errno not in (errno.ENOENT, errno.ENOTDIR):
        raise InvalidInput(
            f"`truss-directory`: {_short(truss)!r} cannot be read: {error.strerror}",
            "Give the path of a directory, relative to the workspace.",
        )


def _short(path: Path | str) -> str:
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
