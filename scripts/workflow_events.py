"""What starts a workflow: events as GitHub sends them, for `runner`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REPOSITORY = "octo-org/models"
PUSHED_SHA = "5f1e0b7d8c9a4e6f3b2a1908f7e6d5c4b3a29180"
HEAD_SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
MERGE_SHA = "ffffffffeeeeeeeeddddddddccccccccbbbbbbbb"


@dataclass(frozen=True)
class Event:
    """What started the workflow: the part of the `github` context that depends on it, and the file event.json."""

    name: str
    ref: str
    sha: str
    payload: Mapping[str, Any]
    head_ref: str = ""
    base_ref: str = ""
    actor: str = "octocat"

    @property
    def ref_name(self) -> str:
        """As GitHub shortens it: `main`, `v1`, `7/merge`."""
        for prefix in ("refs/heads/", "refs/tags/", "refs/pull/"):
            if self.ref.startswith(prefix):
                return self.ref.removeprefix(prefix)
        return self.ref


def push(branch: str = "main", sha: str = PUSHED_SHA) -> Event:
    """A push to a branch."""
    ref = f"refs/heads/{branch}"
    payload = {"ref": ref, "after": sha, "repository": {"full_name": REPOSITORY}, "sender": {"login": "octocat"}}
    return Event("push", ref, sha, payload)


def pull_request(number: int = 7, *, head_sha: str = HEAD_SHA, fork: bool = False, actor: str = "octocat") -> Event:
    """A push to a pull request. `GITHUB_SHA` is the merge commit that GitHub made, not the head."""
    head_repository = {"full_name": "stranger/models" if fork else REPOSITORY, "fork": fork}
    head = {"ref": "faster-model", "sha": head_sha, "repo": head_repository}
    base = {"ref": "main", "sha": PUSHED_SHA, "repo": {"full_name": REPOSITORY, "fork": False}}
    payload = {
        "action": "synchronize",
        "number": number,
        "pull_request": {"number": number, "head": head, "base": base, "user": {"login": actor}},
        "repository": {"full_name": REPOSITORY},
        "sender": {"login": actor},
    }
    return Event("pull_request", f"refs/pull/{number}/merge", MERGE_SHA, payload, "faster-model", "main", actor)
