"""What a call that failed means for people: which error it becomes, in which words, with which remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from baseten_deploy.errors import AuthFailed, CommitFailed, DeployError

from .http import HttpError
from .retry import Fault


@contextmanager
def failing_as(kind: type[DeployError], what: str, remedy: str = "", *, unanswered: str = "") -> Iterator[None]:
    """Turn an `HttpError` inside into a `kind` that says `what` could not be done; 401 and 403 into `AuthFailed`."""
    try:
        yield
    except HttpError as error:
        raise explain(error, kind, what, remedy, unanswered=unanswered) from error


def explain(
    error: HttpError, kind: type[DeployError], what: str, remedy: str = "", *, unanswered: str = ""
) -> DeployError:
    """The error for people: what could not be done, what the service said, and what to do about it.

    `unanswered` takes the place of `what` where that calls it a refusal and the service only was in trouble.
    """
    if error.remedy:  # something in between answered, not the service
        unseen = unanswered or what if error.failure.transient else what
        look = (
            remedy if kind is CommitFailed and error.failure.ambiguous else ""
        )  # where to see whether something was made all the same
        return kind(f"{unseen}: {error.message}", " ".join(filter(None, (error.remedy, look))))
    if error.status == 401:
        return AuthFailed(
            f"{what}: Baseten does not accept the API key ({error.message})",
            "Check that the secret behind `baseten-api-key` holds a valid key of this workspace, whole and without "
            "quotes; create a new one in the workspace's settings under API keys.",
        )
    if error.status == 403:
        return AuthFailed(
            f"{what}: the API key may not do that ({error.message})",
            "Use a key of a member or team that has the permission, or set `team` to one that the key belongs to.",
        )
    if error.failure.transient:
        what = unanswered or what
        remedy = _transient_remedy(error)
    return kind(f"{what}: {error.message}", remedy or _refusal_remedy(error))


def _refusal_remedy(error: HttpError) -> str:
    """Where nobody knows better: the service's own words come first, and say what it does not take."""
    if error.status == 404:
        return "Check the names and ids in the inputs, and that the API key is of the workspace that has them."
    return "Correct what the service names and run again; if it names nothing, give this message to Baseten's support."


def _transient_remedy(error: HttpError) -> str:
    if error.failure.fault in (Fault.NOT_SENT, Fault.BARRED):
        return "Check `api-url`, and that this runner can reach it (DNS, proxy, firewall)."
    if error.status == 429:
        return "The key's rate limit is used up; run again later, or use a key of its own for CI."
    return "The service has trouble or is slow; run again later. Its state: https://status.baseten.co"
