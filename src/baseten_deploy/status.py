"""The closed list of outcomes of a run, and the exit code of each: a contract, listed in README.md."""

from enum import StrEnum


class Status(StrEnum):
    """What the `status` output says; each failed phase has a value of its own."""

    SUCCESS = "success"
    PLANNED = "planned"
    SKIPPED = "skipped"
    INVALID = "invalid"
    AUTH_FAILED = "auth_failed"
    REJECTED = "rejected"
    UPLOAD_FAILED = "upload_failed"
    COMMIT_FAILED = "commit_failed"
    DEPLOY_FAILED = "deploy_failed"
    DEPLOY_TIMEOUT = "deploy_timeout"
    PREDICT_FAILED = "predict_failed"
    WATCH_FAILED = "watch_failed"
    PROMOTION_FAILED = "promotion_failed"
    ROLLED_BACK = "rolled_back"
    REGISTRATION_FAILED = "registration_failed"
    CLEANUP_FAILED = "cleanup_failed"
    CANCELLED = "cancelled"
    INTERNAL_ERROR = "internal_error"

    @property
    def exit_code(self) -> int:
        """0 when the run did what it was asked for, 130 (as a shell says SIGINT) when cancelled, else 1."""
        if self in (Status.SUCCESS, Status.PLANNED, Status.SKIPPED):
            return 0
        return 130 if self is Status.CANCELLED else 1
