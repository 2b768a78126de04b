"""What one run carries from step to step: its settings, its connections, what it tells and what it learned."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

import httpx

from baseten_deploy.ci.heartbeat import heartbeat
from baseten_deploy.ci.origin import Origin
from baseten_deploy.ci.outputs import Outputs
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner
from baseten_deploy.clock import Clock
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.records import dataclass
from baseten_deploy.report.account import Account
from baseten_deploy.report.blocks import Block, Page
from baseten_deploy.report.ledger import Ledger
from baseten_deploy.report.timeline import Phase
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import Http
from baseten_deploy.truss.transport import PREDICT, Transport

# Outside of a wait, retries may take this long in each step, however short the wait is to be or long the run took.
RETRY_SECONDS = 300.0


class Log(Protocol):
    """The log of the deployment that a run waits for: its last lines, and those that tell of errors."""

    tail: deque[str]
    errors: deque[str]
    first_error: str

    def poll(self) -> bool:
        """Print what is new; whether reading on at once is worth it."""


@dataclass
class Run:
    """One run. Made by `main`; the pipeline's steps fill in what they learn."""

    settings: Settings
    input_problems: list[Problem]
    workspace: Path
    runner: Runner
    outputs: Outputs
    redactor: Redactor
    clock: Clock
    client: httpx.Client
    api: Api
    origin: Origin
    started: float
    way: WayOut = field(default_factory=WayOut)  # without proxies and with the public CAs, until `main` says otherwise
    warnings: list[Problem] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    log: Log | None = None
    transport: Transport = PREDICT  # of what is asked
    sent: Any = None  # the `Sent` of a commit that is on its way, `None` before there is one
    notes: list[str] = field(default_factory=list)  # Markdown for the summary
    blocks: list[Block] = field(default_factory=list)  # what steps have to show on the pages; see `report.blocks`
    plan: Page | None = None  # what a plan found out
    first_into: str = ""  # the environment that a new Chain is promoted into before `promote-to`
    truss_python: str = ""  # an interpreter that can import `truss_chains`; `""` where there is none
    packed_files: int = 0
    packed_bytes: int = 0  # of these files, before compression
    ledger: Ledger = field(init=False)  # what happened so far

    def __post_init__(self) -> None:
        settings = self.settings
        self.ledger = Ledger(
            Account(
                mode=settings.mode.value,
                target=settings.promote_to or settings.environment,
                development=settings.development,
                directory="" if settings.library_listing else settings.truss_directory,
                waits=settings.wait,
                model_name=settings.model_name,
                model_id=settings.model_id,
            ),
            self.outputs.set,
        )

    @contextmanager
    def phase(self, title: str, *, beats: bool = True) -> Iterator[None]:
        """A folded group in the log and a row in the report; without `beats` the body itself tells that it goes on."""
        self.allow_retries()
        start = self.clock.now() - self.started
        failed = True
        try:
            beat = heartbeat(title, self.say, self.runner.silence) if beats else nullcontext()
            with self.runner.group(title), beat:
                yield
            failed = False
        finally:
            self.phases.append(Phase(title, start, self.clock.now() - self.started, failed))

    def allow_retries(self) -> None:
        """Let the next calls be retried: the time of what went before is not theirs."""
        self.api.http.deadline = max(self.api.http.deadline, self.clock.now() + RETRY_SECONDS)

    def say(self, text: str) -> None:
        """A line for the log."""
        self.runner.info(text)

    def warn(self, problem: Problem) -> None:
        """An annotation, and a line of the report."""
        self.warnings.append(problem)
        self.runner.warning(problem)

    def warn_text(self, text: str) -> None:
        """A warning that says it all by itself."""
        self.warn(Problem(text))


def make_api(settings: Settings, client: httpx.Client, clock: Clock, redactor: Redactor) -> Api:
    """The management API of these settings, about a model or about a Chain."""
    headers = {"Authorization": f"Bearer {settings.baseten_api_key}"}
    deadline = clock.now() + RETRY_SECONDS
    http = Http(
        settings.api_url, headers, client=client, clock=clock, redact=redactor.redact_foreign, deadline=deadline
    )
    if settings.is_chain:
        from baseten_deploy.service.chain_api import ChainApi  # noqa: PLC0415 - runs about models start without it

        return ChainApi(http)
    return Api(http)
