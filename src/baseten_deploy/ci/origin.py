"""Where what is deployed comes from: commit, ref, pull request and run, from the CI system's variables and event.

What was packed counts: where the checkout is neither at the commit that started the run nor at the pull request's head,
its own commit is the one. Outside CI, too, the commit is that of `.git`, see `git`.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .git import Head, read_head
from .regular_files import read_regular
from .runner import is_github

DEPENDABOT = "dependabot[bot]"
# GitHub sends no larger one.
_EVENT_BYTES = 25 * 1024 * 1024
_PULL_REQUEST_REF = expression(r"refs/pull/([0-9]+)/(merge|head)")
# Events for which GitHub makes a merge commit and starts the run with it.
_MERGING = frozenset({"pull_request", "pull_request_review", "pull_request_review_comment"})
# Events that are about something which lists its pull requests.
_LISTING = ("workflow_run", "check_run", "check_suite")


@dataclass(frozen=True)
class Origin:
    """Facts about the commit; `""` is unknown. `sha` is a pull request's head, never the merge commit.

    `secretless`: GitHub gives this run no secrets and a token that only reads, whatever the workflow says.
    `run_page` is for people, `github_api_url` is that of github.com or of an Enterprise server. `event` is what started
    the run, as GitHub calls it.
    """

    sha: str = ""
    ref: str = ""
    tag: str = ""
    repository: str = ""
    run_id: str = ""
    run_attempt: str = ""
    pull_request: str = ""
    secretless: bool = False
    run_page: str = ""
    github_api_url: str = ""
    event: str = ""

    @property
    def deployment_name(self) -> str:
        """`PR-<n>_<sha7>`, `<sha7>`, or `""` when the commit is not known."""
        if not self.sha:
            return ""
        return f"PR-{self.pull_request}_{self.sha[:7]}" if self.pull_request else self.sha[:7]

    @property
    def labels(self) -> dict[str, str]:
        """The default labels that say where a deployment came from."""
        labels = {
            "git-sha": self.sha,
            "git-ref": self.ref,
            "github-repository": self.repository,
            "github-run": self.run_id,
            "github-pr": self.pull_request,
        }
        return {name: value for name, value in labels.items() if value}

    @property
    def user_env(self) -> dict[str, Any]:
        """`user_env` of the deployment payload: the service's `TrussUserEnv` with `git_info` alone.

        What is uncommitted cannot be told without git; a CI checkout has nothing uncommitted. Without a commit: `{}`.
        """
        if not self.sha:
            return {}
        return {
            "git_info": {
                "latest_commit_sha": self.sha,
                "latest_tag": self.tag or None,
                "commits_since_tag": 0 if self.tag else None,
                "has_uncommitted_changes": False,
            }
        }


def read_origin(environment: Mapping[str, str], workspace: Path, truss: str = "") -> Origin:
    """Read the facts; whatever is missing or malformed is simply unknown, since a run does not depend on it.

    `truss` is the Truss's directory, relative to the workspace: it may be in a checkout of its own (`path:`).
    """

    def first(*names: str) -> str:
        return next((value for name in names if (value := environment.get(name))), "")

    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    number, head = _pull_request(event)
    of_ref = _PULL_REQUEST_REF.fullmatch(environment.get("GITHUB_REF", ""))
    # GitLab's first is set when a pipeline runs on the merged result, whose commit is not the merge request's own.
    started = first("GITHUB_SHA", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
    ref, on_tag = first("GITHUB_REF", "CI_COMMIT_REF_NAME", "GIT_BRANCH"), environment.get("GITHUB_REF_TYPE") == "tag"
    if environment.get("GITHUB_SHA") or (is_github(environment) and not started):
        checkout = _checkout(workspace, truss)
        merges = of_ref[2] == "merge" if of_ref else environment.get("GITHUB_EVENT_NAME") in _MERGING
        sha = _packed(checkout, started, head, is_merge=merges)
        if checkout and sha == checkout.commit and sha not in (started, head):
            ref, on_tag = checkout.branch, False  # the run's own say nothing about it
    else:
        sha = started or getattr(_checkout(workspace, truss, within=False), "commit", "")
    return Origin(
        sha=sha,
        ref=ref,
        tag=first("GITHUB_REF_NAME") if on_tag else first("CI_COMMIT_TAG", "TAG_NAME"),
        repository=first("GITHUB_REPOSITORY", "CI_PROJECT_PATH"),
        run_id=first("GITHUB_RUN_ID", "CI_PIPELINE_ID"),
        run_attempt=first("GITHUB_RUN_ATTEMPT"),
        pull_request=number or (of_ref[1] if of_ref else first("CI_MERGE_REQUEST_IID", "CHANGE_ID")),
        secretless=_is_secretless(environment, event),
        run_page=_run_page(environment),
        github_api_url=first("GITHUB_API_URL"),
        event=first("GITHUB_EVENT_NAME"),
    )


def _packed(checkout: Head | None, started: str, head: str, *, is_merge: bool) -> str:
    """The commit of what is packed, `""` when only a merge commit is known, which nobody wrote.

    `started` is the commit that started the run (`is_merge`: it merges a pull request into its base), `head` the pull
    request's, `""` when the event does not tell.
    """
    if checkout is None or (checkout.commit == started and not checkout.is_merge):
        return head or ("" if is_merge and not (checkout and checkout.written) else started)
    if checkout.is_merge:
        return head or checkout.merged
    return checkout.commit


def _checkout(workspace: Path, truss: str, *, within: bool = True) -> Head | None:
    """What the Truss is checked out from; `within`: nothing above the workspace is looked at."""
    directory = Path(os.path.realpath(workspace / truss))
    directory = directory.parent if truss.endswith(".py") else directory  # a Chain's file
    if not directory.is_relative_to(workspace):
        directory = workspace
    return read_head(directory, workspace if within else None)


def issues_page(environment: Mapping[str, str]) -> str:
    """Where bugs of this action are reported, `""` where the step does not say which action it is."""
    repository = environment.get("GITHUB_ACTION_REPOSITORY", "")
    return f"{_server(environment)}/{repository}/issues" if repository else ""


def _run_page(environment: Mapping[str, str]) -> str:
    repository, number = environment.get("GITHUB_REPOSITORY"), environment.get("GITHUB_RUN_ID")
    return f"{_server(environment)}/{repository}/actions/runs/{number}" if repository and number else ""


def _server(environment: Mapping[str, str]) -> str:
    return environment.get("GITHUB_SERVER_URL", "https://github.com")


def _is_secretless(environment: Mapping[str, str], event: Mapping[str, Any]) -> bool:
    """Whether this is Dependabot's run, or a pull request's from a fork (which `pull_request_target` trusts)."""
    sender = event.get("sender")
    login = sender.get("login") if isinstance(sender, dict) else ""
    if DEPENDABOT in (environment.get("GITHUB_ACTOR"), login):
        return True
    if environment.get("GITHUB_EVENT_NAME") == "pull_request_target":
        return False
    pull_request = event.get("pull_request")
    head, base = (_side(pull_request, name) for name in ("head", "base"))
    if "repo" not in head:
        return False
    repository = head["repo"]
    if not isinstance(repository, dict):  # the fork is deleted
        return True
    ours = _side(base, "repo").get("full_name") or environment.get("GITHUB_REPOSITORY")
    theirs = repository.get("full_name")
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.lower() != theirs.lower()  # a repository that is a fork itself has branches of its own
    return repository.get("fork") is True


def _side(row: object, name: str) -> dict[str, Any]:
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, dict) else {}


def _pull_request(event: Mapping[str, Any]) -> tuple[str, str]:
    """Number and head commit of the pull request that an event is about, `""` for what it does not say.

    Only an event of a pull request itself tells the head of what is checked out by default.
    """
    pull_request = _side(event, "pull_request")
    if pull_request:
        sha = _side(pull_request, "head").get("sha")
        is_sha = isinstance(sha, str) and sha.isascii() and sha.isalnum()
        return _number(pull_request) or _number(event), str(sha) if is_sha else ""
    issue = _side(event, "issue")
    if issue.get("pull_request"):
        return _number(issue), ""
    for name in _LISTING:
        listed = _side(event, name).get("pull_requests")
        if isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], dict):
            return _number(listed[0]), ""
    return "", ""


def _number(row: Mapping[str, Any]) -> str:
    number = row.get("number")
    return str(number) if isinstance(number, int) and not isinstance(number, bool) and number > 0 else ""


def _event(path: str) -> dict[str, Any]:
    try:
        event = json.loads(read_regular(path, Path(path).parent, _EVENT_BYTES).decode("utf-8-sig")) if path else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
