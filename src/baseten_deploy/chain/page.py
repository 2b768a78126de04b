"""The chainlets of a Chain as Markdown: a table, and those that failed with their log unfolded.

Where it stands on a page is for who calls it. What the service is asked for here is a comfort: a failure of it is no
news.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from baseten_deploy.deployment.creation import Committed
from baseten_deploy.deployment.log_stream import format_line
from baseten_deploy.errors import DeployError
from baseten_deploy.report.amounts import duration
from baseten_deploy.report.markdown import block, code, escape, table
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Chainlet
from baseten_deploy.service.api import Api
from baseten_deploy.service.chain_api import ChainApi
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.statuses import FAILED, UNHEALTHY

LINES = 40  # of a log
_WINDOW_MILLIS = 6 * 3600 * 1000  # the service hands out seven days at most
_PAGE = 1000


def chainlets_of(api: Api, deployment_id: str) -> tuple[Chainlet, ...]:
    """The chainlets of a deployment as they were seen last, none for what is no Chain's."""
    return api.seen(deployment_id) if isinstance(api, ChainApi) else ()


@contextmanager
def chainlets_shown(run: Run, committed: Committed) -> Iterator[None]:
    """However the body ends, unless the run is cancelled: the summary has the chainlets of a Chain, as seen last."""

    def show() -> None:
        if markdown := describe(run, committed.model.id, committed.deployment.id):
            run.notes.append(markdown)

    try:
        yield
    except DeployError:
        show()
        raise
    show()


def describe(run: Run, chain_id: str, deployment_id: str) -> str:
    """The table of the chainlets, and the log of each that failed; `""` when none was seen."""
    chainlets = chainlets_of(run.api, deployment_id)
    if not chainlets:
        return ""
    parts = ["### Chainlets", chainlet_table(chainlets, live_after_of(run.api, chainlets))]
    for chainlet in chainlets:
        if chainlet.status in FAILED | {UNHEALTHY} and (lines := _log_of(run, chain_id, deployment_id, chainlet)):
            title = f"Log of {escape(chainlet.name)}"
            text = block(run.redactor.redact("\n".join(lines)))
            parts.append(f"<details open><summary>{title}</summary>\n\n{text}\n\n</details>")
    return "\n\n".join(parts)


def live_after_of(api: Api, chainlets: Sequence[Chainlet]) -> dict[str, float]:
    """Seconds until each was seen live, by its id, of those that came up while this run looked on."""
    seconds = {each.id: api.live_after(each.id) for each in chainlets} if isinstance(api, ChainApi) else {}
    return {name: value for name, value in seconds.items() if value is not None}


def chainlet_table(chainlets: Sequence[Chainlet], live_after: Mapping[str, float] | None = None) -> str:
    """One row a chainlet: state, replicas, instance type, after how long without a request it scales down, start. Pure.

    `live_after` is in seconds, by the chainlet's id.
    """
    rows = [
        (
            code(chainlet.name),
            code(chainlet.status),
            " ".join(_replicas(chainlet)),
            code(chainlet.instance_type),
            _time_to_live(chainlet),
            duration(live_after[chainlet.id]) if live_after and chainlet.id in live_after else "",
        )
        for chainlet in chainlets
    ]
    return table(("Chainlet", "State", "Replicas", "Instance type", "Time to live", "Live after"), rows)


def _replicas(chainlet: Chainlet) -> Iterator[str]:
    yield str(chainlet.replicas)
    least, most = (chainlet.autoscaling.get(name) for name in ("min_replica", "max_replica"))
    if isinstance(least, int) and isinstance(most, int):
        yield f"({least} to {most})"


def _time_to_live(chainlet: Chainlet) -> str:
    """How long a replica stays up without a request, where it may go."""
    delay, least = chainlet.autoscaling.get("scale_down_delay"), chainlet.autoscaling.get("min_replica")
    if not isinstance(delay, int) or isinstance(delay, bool) or not 0 <= delay < 10**9:
        return ""
    words = duration(float(delay))
    return f"{words} without a request, then {least if isinstance(least, int) else '?'} stay"


def _log_of(run: Run, chain_id: str, deployment_id: str, chainlet: Chainlet) -> list[str]:
    api = run.api
    if not isinstance(api, ChainApi):
        return []
    run.allow_retries()
    try:
        since = run.clock.epoch_millis() - _WINDOW_MILLIS
        lines = api.chainlet_logs(chain_id, deployment_id, chainlet, since, _PAGE)
    except HttpError:
        return []
    return [format_line(line) for line in lines[-LINES:]]
