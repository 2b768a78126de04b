"""What is known at the end of a run, without secrets: what its pages, annotations and last lines are written of."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass
from baseten_deploy.status import Status

from .account import Account
from .blocks import Block, Page
from .timeline import Phase


@dataclass(frozen=True)
class Facts:
    """The end of a run.

    `annotated` is how many annotations of a kind the CI system shows, 0 when it shows none. `packed_bytes` are those of
    the `packed_files` before compression. `notes` are Markdown of the steps, `blocks` too. `log_error` is what the
    deployment's log first told of an error, `log_errors` are such lines, `log_tail` the last ones whatever they tell.
    `plan` is the page of a plan. `unseen` says that the run ended because it saw nothing any more, not because
    something was wrong (`DeployError.unseen`).
    """

    status: Status
    account: Account = field(default_factory=Account)
    outputs: Mapping[str, str] = field(default_factory=dict)
    errors: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    annotated: int = 0
    phases: Sequence[Phase] = ()
    packed_files: int = 0
    packed_bytes: int = 0
    log_error: str = ""
    log_errors: Sequence[str] = ()
    log_tail: Sequence[str] = ()
    notes: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    plan: Page | None = None
    unseen: bool = False

    @property
    def endpoint(self) -> str:
        """Where the model answers, `""` where nothing does: not live, not seen, retired, or without a route."""
        deployment = self.account.deployment
        if deployment is None or not deployment.answers or not self.account.route:
            return ""
        return self.account.route

    @property
    def logs(self) -> str:
        """The address of the deployment's logs, `""` where there is none."""
        return self.outputs.get("logs-url", "")

    @property
    def first_error(self) -> str:
        """The first error of the build's or the start's log, `""` where it is not what the run failed of."""
        failed = self.status in (Status.DEPLOY_FAILED, Status.DEPLOY_TIMEOUT, Status.PROMOTION_FAILED)
        deployment = self.account.deployment
        return self.log_error if failed and deployment and not deployment.answers else ""
