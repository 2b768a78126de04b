"""Compare this checkout's start with another one's: the time to the first request, in alternating runs.

    python -m benchmarks.versions ../before --rounds 40

A move of modules, or another dependency, costs every run of every user; this shows it as a ratio, pair by pair, because
the machine's speed drifts.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from .__main__ import Bench
from .contenders import ROOT, Contender, entry_point
from .measure import serving
from .trusses import QUICK_SHAPES, make_truss


def main(arguments: Sequence[str]) -> int:
    """Measure and print medians and the ratio of each pair."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--python", default=sys.executable, help="interpreter with requirements.txt")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    both = [entry_point(options.python, checkout) for checkout in (ROOT, options.other.resolve())]
    for checkout in (ROOT, options.other):  # else the first run pays for all of them
        command = (options.python, "-m", "compileall", "-q", str(checkout / "src"))
        subprocess.run(command, check=True)  # noqa: S603 - the interpreter that was given
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-bench-") as name, serving(Path(name)) as service:
        bench = Bench(Path(name), service)
        truss = make_truss(QUICK_SHAPES[0], Path(name) / "trusses")
        pairs = [_pair(bench, both, truss, turned=bool(number % 2)) for number in range(options.rounds + 1)][1:]
    ours, others = (list(column) for column in zip(*pairs, strict=True))
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    print(
        f"first request, median of {options.rounds}: {median(ours) * 1000:.1f} ms, {median(others) * 1000:.1f} ms there"
    )
    print(f"ratio, pair by pair: median {median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}")
    return 0


def _pair(bench: Bench, both: Sequence[Contender], truss: Path, *, turned: bool) -> tuple[float, float]:
    """The seconds of both, whichever goes first."""
    seconds = {each: bench.run(each, truss).first_request for each in (reversed(both) if turned else both)}
    return seconds[both[0]], seconds[both[1]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
