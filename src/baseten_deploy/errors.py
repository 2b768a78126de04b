"""What can go wrong, as one tree. Each class is one status; each problem carries its own remedy.

::

    DeployError                    has `status` and one or more `Problem`s
    ├── InvalidInput               invalid              inputs, config or Truss directory; nothing was sent
    │   └── InvalidTruss           invalid              with what is known of the Truss all the same
    ├── AuthFailed                 auth_failed          401 or 403
    ├── Rejected                   rejected             the dry run or the prepare refused; nothing was uploaded
    ├── UploadFailed               upload_failed
    ├── CommitFailed               commit_failed        no deployment exists, and that was checked
    │   └── CommitUnseen           commit_failed        whether one exists could not be checked
    ├── DeployFailed               deploy_failed
    │   └── DeployTimeout          deploy_timeout
    │       └── DeployUnseen       deploy_timeout       its state could not be read: nothing is undone
    ├── PredictFailed              predict_failed
    │   └── PredictUnseen          predict_failed       the model could not be asked: nothing is undone
    ├── WatchFailed                watch_failed         a metric crossed its limit while it was watched
    │   └── WatchUnseen            watch_failed         its metrics could not be read: nothing is undone
    ├── PromotionFailed            promotion_failed
    │   ├── PromotionUnseen        promotion_failed     the environment's state could not be read: nothing is undone
    │   └── RolledBack             rolled_back
    ├── RegistrationFailed         registration_failed
    └── CleanupFailed              cleanup_failed

    Cancelled                      cancelled            raised by a signal; not an `Exception`, so nothing swallows it

Anything else that reaches `main` is a bug of ours: status `internal_error`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from baseten_deploy.records import dataclass
from baseten_deploy.status import Status


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what, what to do about it, and where.

    `file` is relative to the workspace (as annotations want it); `line` and `column` count from 1, 0 is unknown.
    `excerpt` is what stands there, in lines of equal width, with a caret below the place.
    """

    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    excerpt: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        text = f"{place}: {self.message}" if place else self.message
        return "\n".join(filter(None, (text, self.excerpt, self.remedy)))


class DeployError(Exception):
    """A run that ends in `status`, with every problem that was found."""

    status: ClassVar[Status]
    # Neither the service told of a failure nor did the run prove one: nothing is retired or rolled back because of it.
    unseen: ClassVar[bool] = False

    def __init__(self, problems: str | Problem | Iterable[Problem], remedy: str = "") -> None:
        if isinstance(problems, str):
            problems = Problem(problems, remedy)
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InvalidInput(DeployError):
    """Inputs, `config.yaml` or the Truss directory; nothing was sent."""

    status = Status.INVALID


class InvalidTruss(InvalidInput):
    """A Truss that cannot be deployed: its `config`, from `config_file`, and the warnings about it."""

    def __init__(
        self,
        problems: Iterable[Problem],
        *,
        config: Mapping[str, Any],
        config_file: str,
        warnings: Iterable[Problem],
    ) -> None:
        super().__init__(problems)
        self.config = config
        self.config_file = config_file
        self.warnings = tuple(warnings)


class AuthFailed(DeployError):
    """The service answered 401 or 403."""

    status = Status.AUTH_FAILED
    unseen = True


class Rejected(DeployError):
    """The service refused the payload, or could not be asked, before anything was uploaded."""

    status = Status.REJECTED


class UploadFailed(DeployError):
    """The archive is not in S3; no deployment exists."""

    status = Status.UPLOAD_FAILED


class CommitFailed(DeployError):
    """The archive is uploaded, but no deployment exists, and that was checked."""

    status = Status.COMMIT_FAILED


class CommitUnseen(CommitFailed):
    """The commit's answer was lost, and whether it made a deployment could not be checked."""

    unseen = True


class DeployFailed(DeployError):
    """The deployment exists and did not become live."""

    status = Status.DEPLOY_FAILED


class DeployTimeout(DeployFailed):
    """The deployment exists and was not live when the time was up; it goes on."""

    status = Status.DEPLOY_TIMEOUT


class DeployUnseen(DeployTimeout):
    """The deployment exists, and nothing is known of its state: the service could not be asked for it."""

    unseen = True


class PredictFailed(DeployError):
    """The deployment is live and its answer to the smoke test is not what was expected."""

    status = Status.PREDICT_FAILED


class PredictUnseen(PredictFailed):
    """The deployment is live, and nothing is known of its answers: the model's address was never reached."""

    unseen = True


class WatchFailed(DeployError):
    """The deployment is live, and crossed a limit, or fell, while it was watched."""

    status = Status.WATCH_FAILED


class WatchUnseen(WatchFailed):
    """The deployment is live, and nothing is known of how it does: its metrics could not be read."""

    unseen = True


class PromotionFailed(DeployError):
    """The deployment is live, and the environment does not serve it."""

    status = Status.PROMOTION_FAILED


class PromotionUnseen(PromotionFailed):
    """A promotion was begun, and nothing is known of it: the service could not be asked for the environment."""

    unseen = True


class RolledBack(PromotionFailed):
    """The environment failed its check or its watch, and serves the previous deployment again."""

    status = Status.ROLLED_BACK


class RegistrationFailed(DeployError):
    """The deployment is live and the registry was not told."""

    status = Status.REGISTRATION_FAILED


class CleanupFailed(DeployError):
    """The run succeeded and a deployment that it should have retired is still there."""

    status = Status.CLEANUP_FAILED


class Cancelled(BaseException):
    """The workflow was cancelled (SIGINT or SIGTERM)."""

    status = Status.CANCELLED
