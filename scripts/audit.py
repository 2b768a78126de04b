"""The packages that are pinned, against what is known to be vulnerable: `make audit`.

    python scripts/audit.py               says so and ends green where it could not look: no network, no database
    python scripts/audit.py --must-look   is red then: for the workflow that looks each week

pip-audit asks PyPI's advisory database about the exact versions of the lock files; nothing is resolved or installed.
pip-audit itself is in an environment of its own, from requirements-release.txt. Not looking is never called clean.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 15  # for each answer of the database


@dataclass(frozen=True)
class Finding:
    """What the look at one lock file came to: `found` are sentences; `packages` is 0 when it could not look."""

    packages: int
    found: tuple[str, ...] = ()
    reason: str = ""


def read(exit_code: int, output: str, errors: str) -> Finding:
    """What pip-audit's answer means. It ends with 1 both for a vulnerability and for a network that is not there."""
    try:
        document: dict[str, Any] = json.loads(output)
        dependencies = document["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line for line in errors.strip().splitlines() if line.strip()]
        return Finding(0, reason=lines[-1].strip() if lines else f"pip-audit ended with {exit_code} and said nothing")
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    if skipped:
        some = ", ".join(sorted(skipped)[:3]) + (" and others" if len(skipped) > 3 else "")
        return Finding(0, reason=f"the database that answers does not know {some}")
    found = []
    for each in dependencies:
        for known in each["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version yet"
            found.append(f"{each['name']} {each['version']}: {known['id']}, mended in {mended}")
    return Finding(len(dependencies), tuple(found))


def look(tool: Sequence[str | Path], path: Path) -> Finding:
    """Ask about one lock file."""
    options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", str(SECONDS))
    command = [*map(str, tool), "--requirement", str(path), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(0, reason=str(error))
    return read(done.returncode, done.stdout, done.stderr)


def main(arguments: Sequence[str], tool: Sequence[str | Path] = (), root: Path = ROOT) -> int:
    """Look at all lock files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="audit.py", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--must-look", action="store_true", help="not having looked is an error")
    options = parser.parse_args(arguments)
    tool = tool or installed(root)
    vulnerable = blind = False
    for path in sorted(root.glob("requirements*.txt"), key=lambda path: len(path.name)):  # the image's first
        finding, name = look(tool, path), path.name
        if finding.reason:
            blind = True
            print(f"{name}: could not look, so nothing is known: {finding.reason}")
            break  # it is the network, or the tool: the next file would wait as long for the same answer
        vulnerable |= bool(finding.found)
        print(f"{name}: {finding.packages} packages, {len(finding.found) or 'none'} known to be vulnerable")
        for line in finding.found:
            print(f"  {line}")
    return 1 if vulnerable or (blind and options.must_look) else 0


def installed(root: Path) -> tuple[Path, ...]:
    """pip-audit, put into an environment of its own when it is not there yet."""
    for environment in ("release", "audit"):  # scripts/release_tools.sh makes the former
        binary = root / ".venv" / environment / "bin" / "pip-audit"
        if binary.exists():
            break
    else:
        python = binary.with_name("python")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(python.parent.parent)], check=True)  # noqa: S603
        pip = (python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps", "--require-hashes")
        subprocess.run([*map(str, pip), "-r", str(root / "requirements-release.txt")], check=True)  # noqa: S603
    return (binary,)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
