"""Why there is no comment, and what to do about it: each refusal of GitHub's has its own remedy. Pure.

Spec: what GitHub's REST API answers to writing issue comments; it tells refusals apart by words alone.
"""

import re
from collections.abc import Mapping

from baseten_deploy.ci.origin import Origin
from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.service.http import HttpError

from .conversation import is_throttled

_PERMISSIONS = """\
Give the job the permission, and pass `github-token: ${{ github.token }}`:
  permissions:
    pull-requests: write"""
_FORK = (
    "GitHub gives the run of a fork's or Dependabot's pull request a token that only reads. Comment from a workflow on "
    "`workflow_run`, which has one that writes; the summary of the run says the same."
)
# The first that fits. `%s` of a 403 or 404 that says none of this is the permissions block.
_BY_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (expression(words, re.IGNORECASE), remedy)
    for words, remedy in (
        (r"\blocked\b", "The conversation is locked: unlock it, or remove `github-token` from the step."),
        (r"archived|read-only", "The repository is archived: unarchive it, or remove `github-token` from the step."),
        (r"\bSAML\b|\bSSO\b", "Authorize the token for the organization's single sign-on, or pass the job's own."),
        (r"IP allow list|IP address", "The organization admits only some addresses: add the runner's to its list."),
        (
            r"personal access token",
            "Give the personal access token the permission `Pull requests: write` for this repository, or pass the "
            "job's own: `github-token: ${{ github.token }}`.",
        ),
        (r"\bblocked\b|suspended", "The account of the token is blocked or suspended: pass the token of another."),
    )
)
_BY_EVENT: Mapping[str, str] = {
    "issue_comment": "This comment is on an issue that is no pull request.",
    "workflow_run": "The run that started this one has no pull request, or several; a fork's is not listed.",
    "check_suite": "The checks are of no pull request, or of several.",
    "check_run": "The check is of no pull request, or of several.",
}


def why_none(origin: Origin, *, on_github: bool) -> Problem | None:
    """Why a comment that was asked for has no place to stand, `None` when it has one."""
    if not on_github:
        return Problem(
            "No pull-request comment: it can only be written from GitHub Actions",
            "Leave `github-token` out elsewhere; what it would say is in the outputs `plan` and `result`.",
        )
    if not origin.pull_request:
        event = origin.event or "unknown"
        why = _BY_EVENT.get(origin.event, f"A run on `{event}` has no pull request.")
        return Problem(
            f"No pull-request comment: {why.rstrip('.')}",
            "Run the workflow `on: pull_request` for it, or pass `github-token` only there.",
        )
    if not origin.repository:
        return Problem(
            "No pull-request comment: the repository is not known",
            "Pass the variable `GITHUB_REPOSITORY` on to the container of the step.",
        )
    return None


def is_by_design(error: HttpError, origin: Origin) -> bool:
    """Whether GitHub means it so: no workflow file can change what a fork's run may do."""
    return error.status == 403 and origin.secretless and not is_throttled(error)


def refused(error: HttpError, origin: Origin) -> Problem:
    """What is wrong, in GitHub's words, and the remedy that fits."""
    if is_by_design(error, origin):
        return Problem(f"No pull-request comment: its token only reads ({error.message})", _FORK)
    return Problem(f"The pull-request comment could not be written: {error.message}", _remedy(error))


def late(seconds: float) -> Problem:
    """GitHub did not end in time."""
    return Problem(
        f"The pull-request comment could not be written: GitHub's API did not answer within {seconds:g} s",
        "The run itself is not touched by it; the next run writes the comment.",
    )


def broken(error: Exception) -> Problem:
    """A bug of ours, or a setting that no connection can be made with."""
    return Problem(
        f"The pull-request comment could not be written: {type(error).__name__}",
        "The run itself is not touched by it, and its summary says the same. Please report it.",
    )


def _remedy(error: HttpError) -> str:
    if error.remedy:  # of a proxy, a certificate, or what stands in between
        return error.remedy
    if is_throttled(error):
        return "GitHub limits how often this token may call: run fewer jobs at once. The next run writes the comment."
    if error.status == 401:
        return "The token is invalid or expired: pass the job's own, `github-token: ${{ github.token }}`."
    if error.status in (403, 404, 410):
        return next((remedy for words, remedy in _BY_WORDS if words.search(error.message)), _PERMISSIONS)
    if error.status == 422:
        return "GitHub does not take this text; the summary of the run has it. Please report it."
    return "The run itself is not touched by it; the next run writes the comment. See githubstatus.com for outages."
