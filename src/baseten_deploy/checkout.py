"""Which commit this run is about: sha, ref, pull request and run, from the CI system's variables.

No git binary: the workspace belongs to another user, and git refuses to look at it. Outside CI the commit is read from
`.git` itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Checkout:
    """Facts about the commit; `""` is unknown. `sha` is a pull request's head, never the merge commit."""

    sha: str = ""
    ref: str = ""
    tag: str = ""
    repository: str = ""
    run_id: str = ""
    run_attempt: str = ""
    pull_request: str = ""

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


def read_checkout(environment: Mapping[str, str], workspace: Path) -> Checkout:
    """Read the facts; whatever is missing or malformed is simply unknown, since a run does not depend on it."""
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    pull_request = event.get("pull_request")
    pull_request = pull_request if isinstance(pull_request, dict) else {}
    head = pull_request.get("head")
    head_sha = head.get("sha") if isinstance(head, dict) else ""
    number = pull_request.get("number") or event.get("number") if pull_request else ""
    sha = head_sha or environment.get("GITHUB_SHA") or environment.get("CI_COMMIT_SHA") or environment.get("GIT_COMMIT")
    ref = environment.get("GITHUB_REF") or environment.get("CI_COMMIT_REF_NAME") or environment.get("GIT_BRANCH") or ""
    tag = environment.get("CI_COMMIT_TAG", "")
    if environment.get("GITHUB_REF_TYPE") == "tag":
        tag = environment.get("GITHUB_REF_NAME", "")
    return Checkout(
        sha=str(sha or _head_of(workspace)),
        ref=ref,
        tag=tag,
        repository=environment.get("GITHUB_REPOSITORY") or environment.get("CI_PROJECT_PATH", ""),
        run_id=environment.get("GITHUB_RUN_ID") or environment.get("CI_PIPELINE_ID", ""),
        run_attempt=environment.get("GITHUB_RUN_ATTEMPT", ""),
        pull_request=str(number or environment.get("CI_MERGE_REQUEST_IID", "")),
    )


def _event(path: str) -> dict[str, Any]:
    try:
        event = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def _head_of(workspace: Path) -> str:
    """The commit that `.git/HEAD` points to, `""` when there is none or it is packed away."""
    for directory in (workspace, *workspace.parents):
        git = directory / ".git"
        try:
            head = (git / "HEAD").read_text(encoding="ascii").strip()
            if head.startswith("ref: "):
                head = (git / head.removeprefix("ref: ")).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            if git.exists():
                return ""
            continue
        return head if len(head) >= 40 and head.isalnum() else ""
    return ""
