"""The diff of one small text file between what is live and what would be deployed. Pure.

A pull request's readers see it, and a file may hold anything: nothing is shown of one that is named or reads like a
credential on either side, nor of one that is no text.
"""

import difflib

from baseten_deploy.truss.credentials import in_file, is_named_so

# Of one file; a larger one is seldom written by hand.
TEXT_BYTES = 32 * 1024
# Of all files of a live archive together.
ALL_TEXT_BYTES = 2 * 1024 * 1024
LINES = 200
# Its own diff is shown without secrets.
CONFIG = "config.yaml"


def text_diff(name: str, before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    """The lines of a unified diff; none where it cannot be shown."""
    if before is None or after is None or name == CONFIG or is_named_so(name):
        return ()
    if in_file(name, before) or in_file(name, after):
        return ()
    old, new = _text(before), _text(after)
    if old is None or new is None:
        return ()
    return tuple(difflib.unified_diff(old, new, "live", "this run", lineterm=""))[:LINES]


def _text(content: bytes) -> list[str] | None:
    """The lines of a text, `None` of anything else."""
    if len(content) > TEXT_BYTES or b"\0" in content:
        return None
    try:
        return content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
