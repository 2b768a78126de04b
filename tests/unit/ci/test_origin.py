"""Which commit a run is about, on GitHub, elsewhere and nowhere."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from baseten_deploy.ci.origin import Origin, read_origin
from runner import Action, Runner
from workflow_events import HEAD_SHA, MERGE_SHA, PUSHED_SHA, Event, pull_request, push

SHA = "1234567890abcdef1234567890abcdef12345678"
OTHER = "fedcba0987654321fedcba0987654321fedcba09"


def on_github(directory: Path, event: Event) -> Origin:
    """Read the facts of an event from what GitHub's runner passes to a step."""
    runner = Runner(directory, event=event, action=Action({}, ()), run_id=123, run_attempt=4)
    variables = runner.variables({})
    Path(variables["GITHUB_EVENT_PATH"]).write_text(json.dumps(event.payload), encoding="utf-8")
    return read_origin(variables, runner.workspace)


class TestGitHub:
    """Events."""

    def test_push(self, tmp_path):
        """The pushed commit."""
        origin = on_github(tmp_path, push())
        assert (PUSHED_SHA, "refs/heads/main", "") == (origin.sha, origin.ref, origin.tag)
        assert ("octo-org/models", "123", "4", "") == (
            origin.repository,
            origin.run_id,
            origin.run_attempt,
            origin.pull_request,
        )
        assert PUSHED_SHA[:7] == origin.deployment_name

    def test_pull_request(self, tmp_path):
        """The head, never the merge commit that `GITHUB_SHA` is."""
        origin = on_github(tmp_path, pull_request(12))
        assert (HEAD_SHA, "12", "PR-12_0a1b2c3") == (origin.sha, origin.pull_request, origin.deployment_name)
        assert MERGE_SHA not in repr(origin)

    def test_pull_request_target(self, tmp_path):
        """`GITHUB_SHA` is the base branch's commit there; the pull request is still its head."""
        event = pull_request(12, fork=True)
        event = Event("pull_request_target", "refs/heads/main", PUSHED_SHA, event.payload, "faster-model", "main")
        origin = on_github(tmp_path, event)
        assert (HEAD_SHA, "PR-12_0a1b2c3") == (origin.sha, origin.deployment_name)

    def test_tag(self, tmp_path):
        """The tag is known by its name."""
        origin = on_github(tmp_path, Event("push", "refs/tags/v1.2", PUSHED_SHA, {"ref": "refs/tags/v1.2"}))
        assert ("v1.2", "refs/tags/v1.2", PUSHED_SHA[:7]) == (origin.tag, origin.ref, origin.deployment_name)

    @pytest.mark.parametrize("name", ["workflow_dispatch", "schedule", "issue_comment", "merge_group", "release"])
    def test_other_events(self, tmp_path, name):
        """`GITHUB_SHA`, and no pull request: the issue of a comment need not be one."""
        origin = on_github(tmp_path, Event(name, "refs/heads/main", PUSHED_SHA, {"issue": {"number": 3}, "number": 3}))
        assert (PUSHED_SHA, "", name) == (origin.sha, origin.pull_request, origin.event)

    @pytest.mark.parametrize(
        ("name", "payload"),
        [
            ("pull_request", {"pull_request": {"number": 3}}),
            ("pull_request_target", {"pull_request": {"number": 3}}),
            ("pull_request_review", {"pull_request": {"number": 3}}),
            ("pull_request_review_comment", {"pull_request": {"number": 3}, "comment": {}}),
            ("issue_comment", {"issue": {"number": 3, "pull_request": {"url": "https://x"}}}),
            ("workflow_run", {"workflow_run": {"pull_requests": [{"number": 3}]}}),
            ("check_suite", {"check_suite": {"pull_requests": [{"number": 3}]}}),
        ],
    )
    def test_the_pull_request_of_every_event_that_has_one(self, tmp_path, name, payload):
        """Its number, wherever the event has it."""
        assert "3" == on_github(tmp_path, Event(name, "refs/heads/main", PUSHED_SHA, payload)).pull_request

    @pytest.mark.parametrize("pull_requests", [[], [{"number": 3}, {"number": 4}], None, [7], [{"number": True}], {}])
    def test_none_that_is_certain(self, tmp_path, pull_requests):
        """Of several, which one it is about cannot be told; a fork's are not listed."""
        payload = {"workflow_run": {"pull_requests": pull_requests}}
        assert "" == on_github(tmp_path, Event("workflow_run", "refs/heads/main", PUSHED_SHA, payload)).pull_request

    @pytest.mark.parametrize("path", ["", "/nowhere/event.json", "/dev/zero", "."])
    def test_no_event_file_on_a_pull_request(self, tmp_path, path):
        """Its number is in the ref; its head is not told, and the merge commit's name is no one's."""
        variables = {
            "GITHUB_EVENT_PATH": path,
            "GITHUB_SHA": MERGE_SHA,
            "GITHUB_REF": "refs/pull/42/merge",
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "9",
        }
        origin = read_origin(variables, tmp_path)
        assert ("", "42", "") == (origin.sha, origin.pull_request, origin.deployment_name)
        assert {"github-run": "9", "github-pr": "42", "git-ref": "refs/pull/42/merge"} == origin.labels
        assert {} == origin.user_env

    def test_an_event_file_that_is_a_pipe(self, tmp_path):
        """Is not read: it would hang the run."""
        os.mkfifo(tmp_path / "event.json")
        variables = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_SHA": SHA}
        assert SHA == read_origin(variables, tmp_path).sha

    def test_an_event_file_without_end(self, tmp_path):
        """Is not read either."""
        with (tmp_path / "event.json").open("wb") as file:
            file.truncate(20 * 2**30)
        variables = {"GITHUB_EVENT_PATH": str(tmp_path / "event.json"), "GITHUB_SHA": SHA}
        assert SHA == read_origin(variables, tmp_path).sha

    @pytest.mark.parametrize(
        "text",
        [
            *("", "{", "[]", "null", '"text"', "[" * 100_000, "\x00"),
            *('{"pull_request": null}', '{"pull_request": []}', '{"pull_request": {"head": [], "number": "x"}}'),
            *('{"pull_request": {"head": {"sha": 7}, "number": null}}', '{"pull_request": {"head": {"sha": ["x"]}}}'),
            '{"pull_request": {"head": {"sha": "a b\\n::error::x"}, "number": {"a": 1}}}',
        ],
    )
    def test_malformed_event(self, tmp_path, text):
        """What it does not say is unknown; the run does not depend on it."""
        path = tmp_path / "event.json"
        path.write_text(text, encoding="utf-8")
        origin = read_origin({"GITHUB_EVENT_PATH": str(path), "GITHUB_SHA": SHA}, tmp_path)
        assert (SHA, "") == (origin.sha, origin.pull_request)

    def test_bytes_that_are_no_text(self, tmp_path):
        """As above."""
        path = tmp_path / "event.json"
        path.write_bytes(b'{"number": 7, "x": "\xff"}')
        assert SHA == read_origin({"GITHUB_EVENT_PATH": str(path), "GITHUB_SHA": SHA}, tmp_path).sha

    @pytest.mark.parametrize("path", ["", "missing.json", "."])
    def test_no_event(self, tmp_path, path):
        """A run in another container than GitHub's."""
        variables = {"GITHUB_EVENT_PATH": str(tmp_path / path) if path else "", "GITHUB_SHA": SHA}
        assert SHA == read_origin(variables, tmp_path).sha


class TestSecretless:
    """Runs that GitHub gives no secrets, whatever the workflow says."""

    def test_of_a_fork(self, tmp_path):
        """A pull request from another repository."""
        assert on_github(tmp_path, pull_request(fork=True)).secretless

    def test_of_dependabot(self, tmp_path):
        """Its runs have secrets of their own."""
        assert on_github(tmp_path, pull_request(actor="dependabot[bot]")).secretless

    def test_others(self, tmp_path):
        """A push, a pull request within the repository, and `pull_request_target`."""
        assert not on_github(tmp_path, push()).secretless
        assert not on_github(tmp_path, pull_request()).secretless
        payload = pull_request(fork=True).payload
        assert not on_github(tmp_path, Event("pull_request_target", "refs/heads/main", SHA, payload)).secretless

    @pytest.mark.parametrize(
        ("head", "secretless"),
        [
            ({"repo": None}, True),  # the fork was deleted
            ({"repo": {"full_name": "stranger/models"}}, True),
            ({"repo": {"full_name": "Octo-Org/Models", "fork": True}}, False),  # this repository is a fork itself
            ({"repo": {"fork": True}}, True),
            ({"repo": {}}, False),
            ({}, False),
        ],
    )
    def test_head_repository(self, tmp_path, head, secretless):
        """A fork is another repository than this one; one that is gone was another."""
        payload = {"pull_request": {"number": 7, "head": head, "base": {"repo": {"full_name": "octo-org/models"}}}}
        event = Event("pull_request", "refs/pull/7/merge", SHA, payload)
        assert secretless is on_github(tmp_path, event).secretless


class TestGitLab:
    """Predefined variables of a GitLab job."""

    BASE: Mapping[str, str] = {
        "CI_COMMIT_SHA": SHA,
        "CI_COMMIT_REF_NAME": "main",
        "CI_PROJECT_PATH": "group/p",
        "CI_PIPELINE_ID": "9",
    }

    def test_branch(self, tmp_path):
        """Commit, branch, project and pipeline."""
        origin = read_origin(self.BASE, tmp_path)
        assert Origin(SHA, "main", "", "group/p", "9") == origin

    def test_merge_request(self, tmp_path):
        """Its number within the project."""
        origin = read_origin(
            {**self.BASE, "CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": ""}, tmp_path
        )
        assert f"PR-5_{SHA[:7]}" == origin.deployment_name

    def test_merged_result(self, tmp_path):
        """There `CI_COMMIT_SHA` is a merge commit that nobody wrote."""
        origin = read_origin(
            {**self.BASE, "CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": OTHER}, tmp_path
        )
        assert f"PR-5_{OTHER[:7]}" == origin.deployment_name

    def test_tag(self, tmp_path):
        """By its name."""
        assert "v2" == read_origin({**self.BASE, "CI_COMMIT_TAG": "v2"}, tmp_path).tag


class TestJenkins:
    """Variables of the git plugin."""

    def test_branch(self, tmp_path):
        """Commit and branch."""
        origin = read_origin({"GIT_COMMIT": SHA, "GIT_BRANCH": "origin/main"}, tmp_path)
        assert Origin(SHA, "origin/main") == origin

    def test_change_and_tag(self, tmp_path):
        """Of a multibranch project."""
        assert "8" == read_origin({"GIT_COMMIT": SHA, "CHANGE_ID": "8"}, tmp_path).pull_request
        assert "v3" == read_origin({"GIT_COMMIT": SHA, "TAG_NAME": "v3"}, tmp_path).tag


class TestPlainGit:
    """No CI system: `.git` says it."""

    def repository(self, directory: Path, files: dict[str, str]) -> Path:
        """Write files below `.git`."""
        for name, text in files.items():
            path = directory / ".git" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return directory

    @pytest.mark.parametrize(
        "files",
        [
            {"HEAD": f"{SHA}\n"},
            {"HEAD": "ref: refs/heads/main\n", "refs/heads/main": f"{SHA}\n"},
            {"HEAD": "ref: refs/heads/feature/ü\n", "refs/heads/feature/ü": f"{SHA}\n"},
            {
                "HEAD": "ref: refs/heads/main\n",
                "packed-refs": f"# pack-refs with: peeled\n{OTHER} refs/heads/main2\n{SHA} refs/heads/main\n^{OTHER}\n",
            },
            {
                "HEAD": "ref: refs/heads/main\n",
                "refs/heads/main": f"{SHA}\n",
                "packed-refs": f"{OTHER} refs/heads/main\n",
            },
        ],
        ids=["detached", "branch", "branch with a slash", "packed", "packed and newer"],
    )
    def test_head(self, tmp_path, files):
        """Wherever git keeps it; from a folder of the repository, too."""
        (tmp_path / "models/hello").mkdir(parents=True)
        self.repository(tmp_path, files)
        assert SHA == read_origin({}, tmp_path).sha
        assert Origin(SHA) == read_origin({}, tmp_path / "models/hello")

    def test_sha256(self, tmp_path):
        """The other object format."""
        self.repository(tmp_path, {"HEAD": f"{'ab' * 32}\n"})
        assert "ab" * 32 == read_origin({}, tmp_path).sha

    @pytest.mark.parametrize(
        "files",
        [
            {"HEAD": ""},
            {"HEAD": "ref: refs/heads/main\n"},
            {"HEAD": "ref: refs/heads/main\n", "packed-refs": ""},
            {"HEAD": "ref: refs/heads/main\n", "refs/heads/main": "nonsense"},
            {"HEAD": "ref: ../../secret\n"},
            {"HEAD": "x" * 40},
            {"config": ""},
        ],
    )
    def test_unknown(self, tmp_path, files):
        """An empty repository, or what is none: no commit, no name, no facts."""
        (tmp_path / "secret").write_text("this is 40 characters or more, and no commit at all\n", encoding="utf-8")
        (tmp_path / "repository").mkdir()
        origin = read_origin({}, self.repository(tmp_path / "repository", files))
        assert Origin() == origin
        assert ("", {}, {}) == (origin.deployment_name, origin.labels, origin.user_env)

    def test_worktree(self, tmp_path):
        """There `.git` is a file, and the repository above is another one."""
        self.repository(tmp_path, {"HEAD": f"{SHA}\n"})
        (tmp_path / "worktree").mkdir()
        (tmp_path / "worktree/.git").write_text("gitdir: /elsewhere\n", encoding="utf-8")
        assert "" == read_origin({}, tmp_path / "worktree").sha

    def test_the_ci_system_knows_better(self, tmp_path):
        """GitLab's merged result is checked out, too, and is no commit that anybody wrote."""
        self.repository(tmp_path, {"HEAD": f"{OTHER}\n"})
        assert SHA == read_origin({"CI_COMMIT_SHA": SHA}, tmp_path).sha


class TestFacts:
    """What becomes of the facts."""

    def test_labels(self):
        """Only of what is known."""
        assert {"git-sha": SHA, "git-ref": "r", "github-repository": "o/r", "github-run": "1", "github-pr": "2"} == (
            Origin(SHA, "r", "t", "o/r", "1", "3", "2").labels
        )
        assert {"git-sha": SHA} == Origin(SHA).labels

    def test_user_env(self):
        """The service's fields, all of them: `TrussUserEnv` lacks no default for those of git."""
        assert {
            "git_info": {
                "latest_commit_sha": SHA,
                "latest_tag": None,
                "commits_since_tag": None,
                "has_uncommitted_changes": False,
            }
        } == Origin(SHA).user_env
