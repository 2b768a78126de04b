"""What one run carries from step to step: its settings, its connections, what it tells and what it learned."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from .api import Api
from .checkout import Checkout
from .clock import Clock
from .errors import Problem
from .heartbeat import heartbeat
from .http import Http
from .outputs import Outputs
from .redaction import Redactor
from .resolve import Destination
from .settings import Settings
from .timeline import Phase
from .workflow import Workflow

if TYPE_CHECKING:
    from .log_stream import LogStream

# Outside of a wait, retries may take this long in each step, however short the wait is to be or long the run took.
RETRY_SECONDS = 300.0


@dataclass
class Run:
    """One run. Made by `main`; the pipeline's steps fill in what they learn."""

    settings: Settings
    input_problems: list[Problem]
    environment: Mapping[str, str]
    workspace: Path
    workflow: Workflow
    outputs: Outputs
    redactor: Redactor
    clock: Clock
    client: httpx.Client
    api: Api
    checkout: Checkout
    started: float
    warnings: list[Problem] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    log: "LogStream | None" = None
    sent: tuple[Destination, str] | None = None  # of a commit that is on its way, with its deploy key
    notes: list[str] = field(default_factory=list)  # Markdown for the summary
    packed_files: int = 0
    packed_bytes: int = 0  # of these files, before compression

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """A folded group in the log and a row in the report."""
        self.allow_retries()
        start = self.clock.now() - self.started
        failed = True
        try:
            with self.workflow.group(title), heartbeat(title, self.say, self.workflow.silence):
                yield
            failed = False
        finally:
            self.phases.append(Phase(title, start, self.clock.now() - self.started, failed))

    def allow_retries(self) -> None:
        """Let the next calls be retried: the time of what went before is not theirs."""
        self.api.http.deadline = max(self.api.http.deadline, self.clock.now() + RETRY_SECONDS)

    def say(self, text: str) -> None:
        """A line for the log."""
        self.workflow.info(text)

    def warn(self, problem: Problem) -> None:
        """An annotation, and a line of the report."""
        self.warnings.append(problem)
        self.workflow.warning(problem)

    def warn_text(self, text: str) -> None:
        """A warning that says it all by itself."""
        self.warn(Problem(text))


def make_api(settings: Settings, client: httpx.Client, clock: Clock, redactor: Redactor) -> Api:
    """The management API of these settings."""
    headers = {"Authorization": f"Bearer {settings.baseten_api_key}"}
    deadline = clock.now() + RETRY_SECONDS
    return Api(Http(settings.api_url, headers, client=client, clock=clock, redactor=redactor, deadline=deadline))
