"""What a builder is given: a checkout's own files in a copy, with a Dockerfile that ends where a target does.

A builder with `--target` stops after that stage. One that makes the last stage alone gets a Dockerfile that has no more
after it: the same instructions with the same inputs, so the same image. How it is built is the business of others.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*\S+(?:\s+AS\s+(?P<name>\S+))?\s*", re.IGNORECASE)


class NoTargetError(Exception):
    """The Dockerfile has no stage of that name; the message names those that it has."""


def up_to(dockerfile: str, target: str) -> str:
    """A Dockerfile without what comes after the stage `target`. Raises `NoTargetError`."""
    lines = dockerfile.splitlines(keepends=True)
    stages = [(number, match["name"] or "") for number, match in _stages(lines)]
    names = [name.lower() for _, name in stages]
    if not target or target.lower() not in names:
        known = ", ".join(filter(None, names)) or "none with a name"
        raise NoTargetError(f"the Dockerfile has no stage {target!r}; it has {known}")
    after = names.index(target.lower()) + 1
    return "".join(lines[: stages[after][0]] if after < len(stages) else lines)


def _stages(lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    """Where each stage begins: a line with FROM that does not go on an instruction of an earlier line."""
    goes_on = False
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("#") or (goes_on and not text):  # neither ends an instruction
            continue
        if not goes_on and (match := _FROM.fullmatch(text)):
            yield number, match
        goes_on = text.endswith("\\")


def copy_checkout(checkout: Path, to: Path) -> None:
    """Copy the files of a git checkout: those of its commit as they are now, and new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)  # noqa: S603
    for name in filter(None, listed.stdout.split("\0")):
        if (checkout / name).is_file():  # one that was removed and not committed is listed, too
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, to / name)


@contextmanager
def context_of(checkout: Path, target: str = "") -> Iterator[Path]:
    """What to build to get a stage: the checkout itself, or with a `target` a copy whose Dockerfile ends after it.

    The copy goes with the block. Raises `NoTargetError`.
    """
    if not target:
        yield checkout
        return
    dockerfile = up_to((checkout / "Dockerfile").read_text(encoding="utf-8"), target)
    with tempfile.TemporaryDirectory(prefix=f"context-{target}-") as directory:
        copy = Path(directory)
        copy_checkout(checkout, copy)
        (copy / "Dockerfile").write_text(dockerfile, encoding="utf-8")
        yield copy
