"""`make bench`: measure all contenders in turns, and print the tables. `--help` lists the options."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .contenders import HERE, OURS, PACKAGES, TAR, TRUSS, Contender, contenders
from .measure import GBIT, LIVE_AFTER_SECONDS, Measured, Service, measure, serving
from .report import Case, goals, table
from .trusses import QUICK_SHAPES, SHAPES, make_truss


def main(arguments: Sequence[str]) -> int:
    """Measure and report."""
    options = _options(arguments)
    known = QUICK_SHAPES if options.quick else SHAPES
    shapes = [shape for shape in known if not options.only or shape.name in options.only]
    results: dict[Case, list[Measured]] = {}
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-bench-") as name, serving(Path(name)) as service:
        bench = Bench(Path(name), service)
        them = contenders(options.python, options.truss_python)
        warm = make_truss(QUICK_SHAPES[0], Path(name) / "warm")
        for each in them:
            bench.run(each, warm)  # files in the cache, bytecode compiled
        for shape in shapes:
            truss = make_truss(shape, Path(name) / "trusses")
            for rate in (0.0, GBIT):
                for number in range(options.rounds):
                    for each in them:
                        if shape.is_large and each.name == TAR and number:
                            continue  # gzip takes most of a minute, each time the same
                        case = Case(shape.name, rate, each.name)
                        results.setdefault(case, []).append(bench.run(each, truss, rate=rate))
                        print(".", end="", file=sys.stderr, flush=True)
        ours = next(each for each in them if each.name == OURS)
        noticed = [bench.run(ours, warm, live_after=LIVE_AFTER_SECONDS).noticed for _ in range(options.rounds)]
    print(file=sys.stderr)
    print(table(results))
    print()
    print(goals(results, noticed))
    print()
    for name, python, packages in ((OURS, options.python, PACKAGES), (TRUSS, options.truss_python, ("truss",))):
        if python:
            command = (python, str(HERE / "installed.py"), *packages)
            print(f"Installed, {name}: {subprocess.check_output(command, text=True).strip()}")  # noqa: S603
    return 0


class Bench:
    """A place to run contenders in, with a home directory that has nothing of its user's."""

    def __init__(self, directory: Path, service: Service) -> None:
        self._service = service
        self._home = directory / "home"
        settings = self._home / ".config" / "truss" / "settings.toml"
        settings.parent.mkdir(parents=True)
        # Without it, `truss` asks the package index for a newer version before it does anything.
        settings.write_text("[preferences]\ncheck_for_updates = false\n")

    def run(self, contender: Contender, truss: Path, *, rate: float = 0, live_after: float = 0) -> Measured:
        """Run a contender once; with `live_after`, it waits for the deployment."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self._home), "TMPDIR": str(self._home)}
        environment |= contender.environment(self._service, truss)
        if live_after:
            environment["INPUT_WAIT"] = "true"
        command = contender.command(self._service, truss)
        return measure(self._service, command, environment, rate=rate, live_after=live_after)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter with requirements.txt")
    parser.add_argument("--truss-python", default="", help="interpreter with requirements-truss.txt; none: no `truss`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="a Truss, by its name in the table; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small ones, to see that all of it works")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
