"""Many runs of this action at once, as a matrix of jobs starts them: time, memory, and what they asked for."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import UNLIMITED, Service


@dataclass(frozen=True)
class Crowd:
    """What `size` runs took: seconds of each, memory in bytes, how many failed, and the most requests in one second."""

    seconds: Sequence[float]
    memory: Sequence[int]
    failed: int
    requests_per_second: int

    @property
    def size(self) -> int:
        """How many runs there were."""
        return len(self.seconds)

    def words(self) -> str:
        """All of it in a line."""
        return (
            f"{self.failed} failed; {statistics.median(self.seconds):.1f} s each (longest {max(self.seconds):.1f}), "
            f"{max(self.memory) / 1e6:.0f} MB at most, {self.requests_per_second} requests in the busiest second"
        )


def run_at_once(
    service: Service, command: Sequence[str], environment: Mapping[str, str], size: int, *, live_after: float
) -> Crowd:
    """Start `size` runs of `command` at one moment; their deployments go live `live_after` seconds after the last."""
    service.reset(UNLIMITED, live_after=live_after)
    started = time.monotonic()
    running: dict[int, subprocess.Popen[bytes]] = {}
    for number in range(size):
        with Path(environment["HOME"], f"output-{number}").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the action's own command
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        running[process.pid] = process
    seconds, memory, failed = [], [], 0
    for pid in list(running):
        _, status, usage = os.wait4(pid, 0)
        running[pid].returncode = os.waitstatus_to_exitcode(status)
        failed += running[pid].returncode != 0
        seconds.append(time.monotonic() - started)
        memory.append(usage.ru_maxrss * 1024)
    times = sorted(at for at, _, path in service.seen()["requests"] if not path.startswith("s3:"))
    busiest = max((sum(at <= each < at + 1 for each in times) for at in times), default=0)
    return Crowd(seconds, memory, failed, busiest)
