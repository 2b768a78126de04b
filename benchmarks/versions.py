"""Compare this checkout with another one, in alternating runs: the time to the first request, or of an offline plan.

    python -m benchmarks.versions ../before --rounds 40
    python -m benchmarks.versions ../before --rounds 10 --plan

A move of modules, or another dependency, costs every run of every user; this shows it as a ratio, pair by pair, because
the machine's speed drifts.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from .__main__ import Bench
from .contenders import ROOT, Contender, entry_point, offline_plan
from .measure import serving
from .trusses import PLANNED, QUICK_SHAPES, make_truss


def main(arguments: Sequence[str]) -> int:
    """Measure and print medians and the ratio of each pair."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versions", description=__doc__)
    parser.add_argument("other", type=Path, help="another checkout of this repository")
    parser.add_argument("--python", default=sys.executable, help="interpreter with requirements.txt")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--plan", action="store_true", help=f"an offline plan of {PLANNED.name}")
    options = parser.parse_args(arguments)
    both = [entry_point(options.python, checkout) for checkout in (ROOT, options.other.resolve())]
    for checkout in (ROOT, options.other):  # else the first run pays for all of them
        command = (options.python, "-m", "compileall", "-q", str(checkout / "src"))
        subprocess.run(command, check=True)  # noqa: S603 - the interpreter that was given
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-bench-") as name, serving(Path(name)) as service:
        bench = Bench(Path(name), service)
        truss = make_truss(PLANNED if options.plan else QUICK_SHAPES[0], Path(name) / "trusses")
        if options.plan:
            what = "offline plan"
            commands = [each.command(service, truss) for each in both]
            runs = [partial(bench.time, command, offline_plan(truss)) for command in commands]
        else:
            what = "first request"
            runs = [partial(_first_request, bench, each, truss) for each in both]
        pairs = [_pair(runs, turned=bool(number % 2)) for number in range(options.rounds + 1)][1:]
    ours, others = (list(column) for column in zip(*pairs, strict=True))
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    print(f"{what}, median of {options.rounds}: {median(ours) * 1000:.1f} ms, {median(others) * 1000:.1f} ms there")
    print(f"ratio, pair by pair: median {median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}")
    return 0


def _first_request(bench: Bench, contender: Contender, truss: Path) -> float:
    return bench.run(contender, truss).first_request


def _pair(runs: Sequence[Callable[[], float]], *, turned: bool) -> tuple[float, float]:
    """The seconds of both, whichever goes first."""
    seconds = {each: runs[each]() for each in ((1, 0) if turned else (0, 1))}
    return seconds[0], seconds[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
