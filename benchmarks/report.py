"""What was measured, as Markdown: medians with their range, and ratios of medians."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .contenders import OURS, TRUSS
from .measure import Measured


@dataclass(frozen=True)
class Case:
    """What one row is about; `rate` in bytes a second, 0 for unlimited."""

    size: str
    rate: float
    contender: str

    @property
    def sink(self) -> str:
        """The rate in words."""
        return "1 Gbit/s" if self.rate else "unlimited"


Results = Mapping[Case, Sequence[Measured]]


def table(results: Results) -> str:
    """A row for each case: medians (min-max in brackets for times), and the time as a share of `truss push`'s."""
    names = ("Truss", "sink", "", "start to first request, s", "start to commit, s", "CPU, s", "peak memory, MB")
    head = (*names, "uploaded, MB", "time against `truss`")
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *_rows(results)])


def _rows(results: Results) -> Iterator[str]:
    for case, runs in results.items():
        peer = results.get(Case(case.size, case.rate, TRUSS), ())
        first = spread([run.first_request for run in runs])
        commit = spread([run.commit for run in runs])
        cpu = spread([run.cpu for run in runs])
        memory = f"{_median(run.memory for run in runs) / 1e6:.0f}"
        uploaded = f"{_median(run.uploaded for run in runs) / 1e6:.2f}"
        share = ratio((run.commit for run in runs), (run.commit for run in peer))
        cells = (case.size, case.sink, case.contender, first, commit, cpu, memory, uploaded, share)
        yield f"| {' | '.join(cells)} |"


def goals(results: Results, noticed: Sequence[float]) -> str:
    """What was aimed at and what was reached, in the worst case of all."""
    ours = {case: runs for case, runs in results.items() if case.contender == OURS}
    peers = {case: results[other] for case in ours if (other := Case(case.size, case.rate, TRUSS)) in results}
    rows: list[tuple[str, str]] = []
    for case, peer in peers.items():
        what = f"start to commit against `truss`, {case.size}, {case.sink}"
        goal = "0.5" if case.size.endswith("code") else "1.0"
        rows.append((f"{what} (under {goal})", ratio((r.commit for r in ours[case]), (r.commit for r in peer))))
        if case.size.endswith("code") and not case.rate:
            share = ratio((r.uploaded for r in ours[case]), (r.uploaded for r in peer))
            rows.append((f"bytes uploaded against `truss`, {case.size} (under 0.4)", share))
    if peers:
        case = next(iter(peers))
        share = ratio((r.first_request for r in ours[case]), (r.first_request for r in peers[case]))
        rows.append(("start to first request against `truss` (under 0.2)", share))
    peak = max(run.memory for runs in ours.values() for run in runs) / 1e6
    rows.append(("peak memory in MB, all sizes (under 200)", f"{peak:.0f}"))
    calls = max(len(run.requests) for runs in ours.values() for run in runs)
    rows.append(("management API requests to the commit (4)", str(calls)))
    rows.append(("from live to noticed and ended, s (under 2)", spread(noticed)))
    return "\n".join(["| goal | reached |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)])


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> str:
    """Median by median, `-` without a peer."""
    peers = list(theirs)
    return f"{_median(ours) / _median(peers):.2f}" if peers and _median(peers) else "-"


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
