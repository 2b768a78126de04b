"""Runs one upload as a process, as the action does: for what concerns the process (signals, memory, environment).

usage: upload_driver.py JSON, with `url`, `size` in bytes, and optionally `region`, `stuck_at` (the stream hangs there)
and `chance` (of the longest pause). Prints the outcome as JSON and exits with 130 when SIGINT or SIGTERM ended it.
Tests call `start` and `outcome`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from baseten_deploy.clock import Clock
from baseten_deploy.errors import Cancelled, UploadFailed
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.answers import Credentials, UploadTarget
from baseten_deploy.storage.upload import preload, upload

SOURCE = Path(__file__).resolve().parents[3] / "src"


def start(environment: dict[str, str] | None = None, **asked: Any) -> subprocess.Popen[str]:
    """Start this file, with no other variables than `environment`."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__, json.dumps(asked)],
        env={"PYTHONPATH": str(SOURCE), **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str], seconds: float = 60) -> dict[str, Any]:
    """Wait for the end and read what it says."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert ("", 1) == (err, out.count("\n"))
    said: dict[str, Any] = json.loads(out)
    return said


class Noise:
    """A stream that makes its bytes when they are read."""

    def __init__(self, size: int, stuck_at: int) -> None:
        self._size = size
        self._stuck_at = stuck_at
        self._block = os.urandom(1 << 20)
        self.bytes_read = 0
        self.sha256 = "unknown"
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to a megabyte."""
        if 0 <= self._stuck_at <= self.bytes_read:
            time.sleep(120)
        size = min(size, len(self._block), self._size - self.bytes_read)
        self.bytes_read += size
        return bytes(memoryview(self._block)[:size])

    def close(self) -> None:
        """Remember."""
        self.closed = True


class Chance(Clock):
    """A clock without luck, or with."""

    def __init__(self, chance: float) -> None:
        self._chance = chance

    def chance(self) -> float:
        """Always the same."""
        return self._chance


def peak_mb() -> float:
    """Peak memory of this process; getrusage would count that of the process that started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def cancel(number: int, _frame: object) -> None:
    """Do what the action's signal handler does."""
    raise Cancelled(number)


def main() -> int:
    """Upload, and say how it went."""
    asked: dict[str, Any] = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, cancel)
    signal.signal(signal.SIGTERM, cancel)
    stream = Noise(asked["size"], asked.get("stuck_at", -1))
    credentials = Credentials("ASIAEXAMPLE", "secret", "token")
    target = UploadTarget("uploads", "models/archive.tgz", asked.get("region", "us-west-2"), credentials)
    before = dict(os.environ)
    outcome, code = "", 0
    try:
        preload()
        done = upload(
            lambda: stream,
            target,
            renew=lambda: target,
            largest=asked["size"],
            endpoint_url=asked["url"],
            way=WayOut(os.environ),
            clock=Chance(asked.get("chance", 0.0)),
        )
        outcome = f"uploaded {done.size}"
    except UploadFailed as error:
        outcome, code = str(error), 1
    except Cancelled:
        outcome, code = "cancelled", 130
    print(  # noqa: T201
        json.dumps(
            {
                "outcome": outcome,
                "closed": stream.closed,
                "read": stream.bytes_read,
                "peak_mb": peak_mb(),
                "environment_kept": before == dict(os.environ),
            }
        )
    )
    return code


if __name__ == "__main__":
    sys.exit(main())
