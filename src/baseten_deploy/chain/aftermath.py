"""What a process with the user's code must not do to this one, nor leave behind. Linux; elsewhere as far as it goes."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from baseten_deploy.records import dataclass

if TYPE_CHECKING:
    import subprocess

# Of `prctl(2)`.
_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36
_REAP_SECONDS = 2.0

_LARGEST = 16 * 1024 * 1024


def hide_from_children() -> None:
    """Let no other process of this user read this one's environment, memory or open files: the job's secrets are there.

    Root could all the same; the program gives up that power before it imports the user's code.
    """
    _prctl(_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """What a child started and left becomes a child of this process, so that it can be ended."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def end_all(process: "subprocess.Popen[bytes]") -> None:
    """End a process, its group, and what it started and left, however that tries to stay."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()
    end = time.monotonic() + _REAP_SECONDS
    while (left := _orphans(process.pid)) and time.monotonic() < end:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.005)


def _orphans(ended: int) -> list[int]:
    """The children of this process that began after the one that ended, which is gone: what it left."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pid = int(entry.parent.name)
            if int(fields[1]) == os.getpid() and int(fields[3]) != os.getsid(0) and pid != ended:
                found.append(pid)
    return found


@dataclass(frozen=True)
class _Kept:
    path: Path
    size: int
    content: bytes


class CommandFiles:
    """The runner's command `files` (variable and path), in which only this process has a say.

    What somebody else does to them is taken back; `changed` has the variables of those that were changed.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.changed: set[str] = set()
        self._kept = {name: each for name, path in files.items() if (each := _keep(path))}

    def take_back(self) -> None:
        """Make all of them what they were."""
        self.changed |= {name for name, each in self._kept.items() if _restore(each)}

    @contextmanager
    def own_change(self, name: str) -> Iterator[None]:
        """What this process does to one of them inside stays."""
        self.take_back()
        yield
        if (before := self._kept.get(name)) and (now := _keep(str(before.path))):
            self._kept[name] = now


@contextmanager
def command_files_kept(files: Mapping[str, str]) -> Iterator[CommandFiles]:
    """What somebody does inside to the runner's command files is taken back in the end."""
    kept = CommandFiles(files)
    try:
        yield kept
    finally:
        kept.take_back()


def _keep(path: str) -> _Kept | None:
    with suppress(OSError):
        if path and Path(path).is_file() and not Path(path).is_symlink():
            size = Path(path).stat().st_size
            return _Kept(Path(path), size, Path(path).read_bytes() if size <= _LARGEST else b"")
    return None


def _restore(kept: _Kept) -> bool:
    """Whether the file was another than the one that was kept; it is as it was again."""
    path = kept.path
    with suppress(OSError):
        same = path.is_file() and not path.is_symlink()
        if same and (kept.size > _LARGEST or path.read_bytes() == kept.content):
            return False
        if not same:
            path.unlink(missing_ok=True)
        path.write_bytes(kept.content)
        return True
    return False
