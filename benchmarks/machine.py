"""What the figures were measured on, in words: kind and cores, never a name of a host."""

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

# More runnable processes than this, for each core, before anything was started: somebody else works here, too.
_SHARED = 0.5


def machine() -> str:
    """Date, system, processor, cores, memory, Python; and whether others used it, as far as that shows."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    system = f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}",
        f"Python {platform.python_version()}",
        system,
        f"{_kind()} with {cores} cores ({_processor()}) and {_memory()} GB",
    ]
    text = ", ".join(parts) + "."
    if load > _SHARED * cores:
        text += (
            f" It was shared: {load:.1f} other processes wanted its cores when it began, so times are too long by a "
            "factor that changes from run to run. The contenders take turns; ratios and processor time are what counts."
        )
    return text


def _processor() -> str:
    """As the processor calls itself."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.machine()


def _kind() -> str:
    virtual = re.search(r"^flags\s*:.*\bhypervisor\b", _read("/proc/cpuinfo"), re.MULTILINE)
    return "a virtual machine" if virtual else "a machine"


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
