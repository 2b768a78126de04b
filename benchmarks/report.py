"""What was measured, as Markdown: medians with their range, and ratios of medians."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .contenders import OURS, TAR, TRUSS
from .crowd import Crowd
from .measure import Measured


@dataclass(frozen=True)
class Case:
    """What one row is about: a Truss, the setting's name, a contender."""

    size: str
    sink: str
    contender: str


@dataclass(frozen=True)
class Extra:
    """What was measured of this action alone: runs that wait, runs at once, seconds of offline plans."""

    waited: Sequence[Measured]
    crowd: Crowd | None
    plans: Sequence[float]
    planned: str


Results = Mapping[Case, Sequence[Measured]]


def table(results: Results) -> str:
    """A row for each case: medians (min-max in brackets for times), and the time as a share of `truss push`'s."""
    names = ("Truss", "sink", "", "start to first request, s", "start to commit, s", "CPU, s", "peak memory, MB")
    head = (*names, "uploaded, MB", "time against `truss`", "CPU against `truss`")
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *_rows(results)])


def _rows(results: Results) -> Iterator[str]:
    for case, runs in results.items():
        peer = results.get(Case(case.size, case.sink, TRUSS), ())
        first = spread([run.first_request for run in runs])
        commit = spread([run.commit for run in runs])
        cpu = spread([run.cpu for run in runs])
        memory = f"{_median(run.memory for run in runs) / 1e6:.0f}"
        uploaded = f"{_median(run.uploaded for run in runs) / 1e6:.2f}"
        share = ratio((run.commit for run in runs), (run.commit for run in peer))
        cpu_share = ratio((run.cpu for run in runs), (run.cpu for run in peer))
        cells = (case.size, case.sink, case.contender, first, commit, cpu, memory, uploaded, share, cpu_share)
        yield f"| {' | '.join(cells)} |"


# Start to commit, as a share of `truss push` and, where there is one, of the script.
_GOALS = {
    ("5 KB", "unlimited"): (0.33, 1.1),
    ("60 MB code", "unlimited"): (0.4, None),
    ("60 MB code", "1 Gbit/s"): (0.3, None),
    ("200,000 files", "unlimited"): (0.2, 4.0),
    ("512 MB mixed", "1 Gbit/s"): (0.6, None),
    ("1 GB weights", "1 Gbit/s"): (0.65, None),
}


def goals(results: Results, extra: Extra) -> str:
    """What was aimed at and what was reached; a row for each goal that was measured."""
    rows = [*_against(results), *_alone(results, extra)]
    return "\n".join(["| goal | aimed at | reached |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])


def _against(results: Results) -> Iterator[tuple[str, str, str]]:
    ours = {case: runs for case, runs in results.items() if case.contender == OURS}
    for case, runs in ours.items():
        truss, script = (results.get(Case(case.size, case.sink, name), ()) for name in (TRUSS, TAR))
        aim, of_script = _GOALS.get((case.size, case.sink), (None, None))
        if case.size == "5 KB" and truss:
            share = ratio((run.first_request for run in runs), (run.first_request for run in truss))
            yield f"start to first request against `truss`, {case.sink}", "0.15", share
        what = f"start to commit, {case.size}, {case.sink}"
        if truss:
            share = ratio((run.commit for run in runs), (run.commit for run in truss))
            yield f"{what}, against `truss`", _aim(aim), share
        if of_script and script:
            share = ratio((run.commit for run in runs), (run.commit for run in script))
            yield f"{what}, against the script", _aim(of_script), share


def _alone(results: Results, extra: Extra) -> Iterator[tuple[str, str, str]]:
    ours = {case: runs for case, runs in results.items() if case.contender == OURS}
    if ours:
        peak, size = max((run.memory, case.size) for case, runs in ours.items() for run in runs)
        yield "peak memory in MB, any size and number of files", "200", f"{peak / 1e6:.0f} ({size})"
        calls = max(len(run.requests) for runs in ours.values() for run in runs)
        yield "management API requests to the commit (4)", "4", str(calls)
    if extra.plans:
        yield f"offline plan of {extra.planned}, s", "0.5", spread(extra.plans)
    if extra.waited:
        ending = [run.ending for run in extra.waited]
        noticed = sorted(run.noticed for run in extra.waited)
        p95 = noticed[max(0, -(-95 * len(noticed) // 100) - 1)]
        yield "from the answer that says live to the end, s", "0.3", spread(ending)
        found = f"{statistics.median(noticed):.2f} and {p95:.2f} of {len(noticed)} runs"
        yield "from live to the end, s, p50 and p95", "3 and 6", found
    if extra.crowd:
        yield f"{extra.crowd.size} runs at once", "nobody refused", extra.crowd.words()


def _aim(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> str:
    """Median by median, `-` without a peer."""
    peers = list(theirs)
    return f"{_median(ours) / _median(peers):.2f}" if peers and _median(peers) else "-"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
