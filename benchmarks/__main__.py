"""`make bench`: measure all contenders in turns, and print the tables. How to read them is README.md."""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .contenders import HERE, OURS, PACKAGES, ROOT, TAR, TRUSS, Contender, contenders, offline_plan
from .crowd import run_at_once
from .document import write
from .machine import machine
from .measure import LIVE_AFTER_SECONDS, SETTINGS, UNLIMITED, Measured, Service, Setting, measure, serving
from .report import Case, Extra, goals, table
from .trusses import PLANNED, QUICK_PLANNED, QUICK_SHAPES, SHAPES, Shape, make_truss

# Where a round-trip time is told apart from the work.
_FAR_SHAPES = ("5 KB", "60 MB code")


def main(arguments: Sequence[str]) -> int:
    """Measure and report."""
    options = _options(arguments)
    known = QUICK_SHAPES if options.quick else SHAPES
    shapes = [shape for shape in known if not options.only or shape.name in options.only]
    where = machine()
    results: dict[Case, list[Measured]] = {}
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-bench-") as name, serving(Path(name)) as service:
        bench = Bench(Path(name), service)
        them = contenders(options.python, options.truss_python)
        warm = make_truss(QUICK_SHAPES[0], Path(name) / "warm")
        for each in them:
            bench.run(each, warm)  # files in the cache, bytecode compiled
        for shape in shapes:
            truss = make_truss(shape, Path(name) / "trusses")
            for setting in _settings(shape, quick=options.quick):
                for number in range(options.rounds):
                    for each in _turn(them, number):
                        if _is_known(shape, each, number) or (options.brief and _is_slow(shape, each)):
                            continue
                        case = Case(shape.name, setting.name, each.name)
                        results.setdefault(case, []).append(bench.run(each, truss, setting))
                        print(".", end="", file=sys.stderr, flush=True)
        ours = next(each for each in them if each.name == OURS)
        extra = bench.alone(ours, warm, options, QUICK_PLANNED if options.quick else PLANNED)
    print(file=sys.stderr)
    ordered = {case: results[case] for case in sorted(results, key=lambda case: _place(case, shapes, them))}
    installed = []
    for name, python, packages in ((OURS, options.python, PACKAGES), (TRUSS, options.truss_python, ("truss",))):
        if python:
            command = (python, str(HERE / "installed.py"), *packages)
            installed.append(f"Installed, {name}: {subprocess.check_output(command, text=True).strip()}")  # noqa: S603
    text = "\n\n".join((where, goals(ordered, extra), table(ordered), "\n".join(installed)))
    print(text)
    if options.write:
        write(ROOT / "docs" / "benchmarks.md", text)
    return 0


def _turn(them: Sequence[Contender], number: int) -> Sequence[Contender]:
    """Who goes first changes: a machine that gets slower meanwhile favours nobody."""
    return them[::-1] if number % 2 else them


def _settings(shape: Shape, *, quick: bool) -> Sequence[Setting]:
    """Where a Truss is sent to: each setting takes as long as the first, and not everywhere it tells something."""
    if shape.name in _FAR_SHAPES:
        return SETTINGS
    return SETTINGS[:1] if shape.tiny or quick else SETTINGS[:2]


def _is_known(shape: Shape, contender: Contender, number: int) -> bool:
    """Whether another round would only take time: gzip of large Trusses takes most of a minute, each time the same."""
    return number > 0 and _is_slow(shape, contender)


def _is_slow(shape: Shape, contender: Contender) -> bool:
    return shape.is_large and not shape.tiny and contender.name == TAR


def _place(case: Case, shapes: Sequence[Shape], them: Sequence[Contender]) -> tuple[int, int, int]:
    names = [shape.name for shape in shapes]
    settings = [setting.name for setting in SETTINGS]
    return names.index(case.size), settings.index(case.sink), [each.name for each in them].index(case.contender)


class Bench:
    """A place to run contenders in, with a home directory that has nothing of its user's."""

    def __init__(self, directory: Path, service: Service) -> None:
        self._service = service
        self._directory = directory
        self._home = directory / "home"
        settings = self._home / ".config" / "truss" / "settings.toml"
        settings.parent.mkdir(parents=True)
        # Without it, `truss` asks the package index for a newer version before it does anything.
        settings.write_text("[preferences]\ncheck_for_updates = false\n")
        self._environment = {"PATH": "/usr/bin:/bin", "HOME": str(self._home), "TMPDIR": str(self._home)}

    def run(
        self, contender: Contender, truss: Path, setting: Setting = UNLIMITED, *, live_after: float = 0
    ) -> Measured:
        """Run a contender once; with `live_after`, it waits for the deployment."""
        environment = self._environment | contender.environment(self._service, truss)
        if live_after:
            environment["INPUT_WAIT"] = "true"
        command = contender.command(self._service, truss)
        return measure(self._service, command, environment, setting, live_after=live_after)

    def alone(self, ours: Contender, truss: Path, options: argparse.Namespace, planned: Shape) -> Extra:
        """What has no peer: how a run ends, many at once, an offline plan."""
        # Deployments go live at another moment of the rhythm each time.
        waited = [
            self.run(ours, truss, live_after=LIVE_AFTER_SECONDS + number % 7 / 7 * 4) for number in range(options.ends)
        ]
        command = ours.command(self._service, truss)
        crowd = None
        if options.at_once:
            environment = self._environment | ours.environment(self._service, truss) | {"INPUT_WAIT": "true"}
            crowd = run_at_once(self._service, command, environment, options.at_once, live_after=LIVE_AFTER_SECONDS)
        files = make_truss(planned, self._directory / "planned")
        plans = [self.time(command, offline_plan(files)) for _ in range(options.rounds)]
        return Extra(waited, crowd, plans, planned.name)

    def time(self, command: Sequence[str], environment: dict[str, str]) -> float:
        """The seconds of a run that asks nobody."""
        started = time.monotonic()
        subprocess.run(command, env=self._environment | environment, check=True, capture_output=True)  # noqa: S603 - the action's own
        return time.monotonic() - started


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter with requirements.txt")
    parser.add_argument("--truss-python", default="", help="interpreter with requirements-truss.txt; none: no `truss`")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ends", type=int, default=5, help="runs that wait until the deployment is live")
    parser.add_argument("--at-once", type=int, default=0, help="runs at one moment; 0: none")
    parser.add_argument("--only", action="append", help="a Truss, by its name in the table; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small ones, to see that all of it works")
    parser.add_argument("--brief", action="store_true", help="leave out the script where its gzip takes minutes")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
