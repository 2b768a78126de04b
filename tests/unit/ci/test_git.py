"""What was packed names the deployment: real git makes the checkouts, and says at which commit they are."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from baseten_deploy.ci.git import Head, read_head
from baseten_deploy.ci.origin import Origin, read_origin

STARTED = "5f1e0b7d8c9a4e6f3b2a1908f7e6d5c4b3a29180"
_QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "x@y.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(directory: Path, *arguments: str) -> str:
    """What git says."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    environment = {"PATH": os.environ["PATH"], **_QUIET}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit(directory: Path, text: str) -> str:
    """One more commit, and its name."""
    (directory / "file").write_text(text, encoding="utf-8")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", text)
    return git(directory, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    """A workspace with two commits on main and one on a branch, which is checked out."""
    workspace = tmp_path / "workspace"
    (workspace / "models/hello").mkdir(parents=True)
    git(workspace, "init", "-q")
    commit(workspace, "one")
    commit(workspace, "two")
    git(workspace, "checkout", "-qb", "feature")
    commit(workspace, "three")
    return workspace


def origin(workspace: Path, truss: str = ".", **variables: str) -> Origin:
    """The facts of a run that another commit started."""
    environment = {"GITHUB_SHA": STARTED, "GITHUB_REF": "refs/heads/main", "GITHUB_ACTIONS": "true", **variables}
    return read_origin(environment, workspace, truss)


class TestHead:
    """Wherever git keeps it, as git itself says it."""

    def test_a_branch(self, repository):
        """From each folder of it."""
        head = Head(git(repository, "rev-parse", "HEAD"), "refs/heads/feature")
        for folder in (repository, repository / "models/hello", repository / "not/there"):
            assert head == read_head(folder, repository)

    def test_detached(self, repository):
        """It names no branch."""
        git(repository, "checkout", "-q", "main~1")
        assert Head(git(repository, "rev-parse", "HEAD")) == read_head(repository, repository)

    def test_packed(self, repository):
        """After `git gc` no ref is a file."""
        git(repository, "gc", "-q")
        assert not (repository / ".git/refs/heads/feature").exists()
        assert Head(git(repository, "rev-parse", "HEAD"), "refs/heads/feature") == read_head(repository, repository)

    def test_a_symbolic_ref_of_a_symbolic_ref(self, repository):
        """Followed as git does."""
        git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
        git(repository, "symbolic-ref", "HEAD", "refs/heads/alias")
        head = read_head(repository, repository)
        assert head
        assert git(repository, "rev-parse", "main") == head.commit

    def test_a_ring_of_symbolic_refs(self, repository):
        """Ends."""
        for name, other in (("a", "b"), ("b", "a")):
            (repository / f".git/refs/heads/{name}").write_text(f"ref: refs/heads/{other}\n", encoding="utf-8")
        (repository / ".git/HEAD").write_text("ref: refs/heads/a\n", encoding="utf-8")
        assert read_head(repository, repository) is None

    def test_a_shallow_clone(self, repository, tmp_path):
        """As `actions/checkout` makes it."""
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
        assert (tmp_path / "shallow/.git/shallow").exists()
        head = read_head(tmp_path / "shallow", tmp_path / "shallow")
        assert head
        assert git(repository, "rev-parse", "HEAD") == head.commit

    @pytest.mark.parametrize("gc", [False, True])
    def test_a_worktree_within_the_workspace(self, repository, gc):
        """Its `.git` is a file, its branches are the repository's."""
        git(repository, "worktree", "add", "-q", "tree", "main")
        if gc:
            git(repository, "gc", "-q")
        head = Head(git(repository, "rev-parse", "main"), "refs/heads/main")
        assert head == read_head(repository / "tree", repository)
        assert head.commit == origin(repository, "tree").sha

    def test_a_worktree_of_a_repository_elsewhere(self, repository, tmp_path):
        """Nothing outside of the workspace is read, whatever `.git` says."""
        git(repository, "worktree", "add", "-q", str(tmp_path / "tree"), "main")
        assert read_head(tmp_path / "tree", tmp_path / "tree") is None
        assert STARTED == origin(tmp_path / "tree").sha

    def test_a_submodule_is_no_checkout_of_its_own(self, repository, tmp_path):
        """The commit around it names its too."""
        git(tmp_path, "clone", "-q", str(repository), "inner")
        git(repository, "submodule", "--quiet", "add", str(tmp_path / "inner"), "sub")
        head = commit(repository, "with a submodule")
        assert (repository / "sub/.git").is_file()
        assert head == origin(repository, "sub").sha


class TestNothingIsObeyed:
    """A pull request may have written `.git` anew."""

    @pytest.mark.parametrize("what", ["HEAD", "refs/heads/feature", "packed-refs", "commondir", ".git"])
    @pytest.mark.parametrize("kind", ["link out", "pipe", "device", "endless"])
    def test_of_files(self, repository, tmp_path, what, kind):
        """Links out, pipes, devices and files without end are as if they were not there."""
        (tmp_path / "secret").write_text("ab" * 20 + "\n", encoding="utf-8")
        path = repository / (".git" if what == ".git" else f".git/{what}")
        if what == "packed-refs":
            (repository / ".git/refs/heads/feature").unlink()
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if kind == "link out":
            path.symlink_to(tmp_path / "secret")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            with path.open("wb") as file:
                file.truncate(2**40)
        assert STARTED == origin(repository).sha

    @pytest.mark.parametrize(
        "text", ["gitdir: ../other/.git", "gitdir: /proc/self", "gitdir: .", "x", "gitdir: \0", ""]
    )
    def test_of_a_git_file(self, repository, tmp_path, text):
        """It may only name what is in the workspace."""
        shutil.copytree(repository / ".git", tmp_path / "other/.git")
        shutil.rmtree(repository / ".git")
        (repository / ".git").write_text(text, encoding="utf-8")
        assert STARTED == origin(repository).sha

    @pytest.mark.parametrize("ref", ["refs/../../secret", "../secret", "/etc/passwd", "refs/heads/\x1b[0m", "HEAD"])
    def test_of_a_ref(self, repository, ref):
        """Only what is a ref is looked up."""
        (repository / ".git/HEAD").write_text(f"ref: {ref}\n", encoding="utf-8")
        assert STARTED == origin(repository).sha

    def test_of_a_git_directory_that_is_a_link(self, repository, tmp_path):
        """It leads out."""
        shutil.move(repository / ".git", tmp_path / "moved")
        (repository / ".git").symlink_to(tmp_path / "moved")
        assert STARTED == origin(repository).sha


class TestWhatWasPacked:
    """It names the deployment, and stands in label and `user_env`."""

    @pytest.mark.parametrize(
        "event", ["workflow_dispatch", "issue_comment", "workflow_run", "repository_dispatch", "push"]
    )
    def test_another_commit_is_checked_out(self, repository, event):
        """Its name, its branch; a tag of the run's own commit is none of it."""
        head = git(repository, "rev-parse", "HEAD")
        found = origin(repository, GITHUB_EVENT_NAME=event, GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1")
        assert (head, head[:7], "refs/heads/feature", "") == (found.sha, found.deployment_name, found.ref, found.tag)
        assert head == found.labels["git-sha"] == found.user_env["git_info"]["latest_commit_sha"]

    def test_the_same_commit(self, repository):
        """Nothing is different."""
        head = git(repository, "rev-parse", "HEAD")
        found = origin(repository, GITHUB_SHA=head, GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1")
        assert (head, "refs/heads/main", "v1") == (found.sha, found.ref, found.tag)

    def test_a_checkout_in_a_folder(self, repository, tmp_path):
        """`path:` of `actions/checkout`: the workspace itself is none."""
        outer = tmp_path / "outer"
        shutil.copytree(repository, outer / "code")
        head = git(repository, "rev-parse", "HEAD")
        assert [STARTED, head, head] == [origin(outer, truss).sha for truss in (".", "code", "code/models/hello")]

    def test_nothing_above_the_workspace(self, repository):
        """A runner may live in a checkout of its own."""
        assert STARTED == origin(repository / "models").sha

    @pytest.mark.parametrize("truss", ["x" * 5000, "../..", "/etc"])
    def test_an_odd_directory(self, repository, truss):
        """Is said elsewhere; the commit is the workspace's or not known."""
        assert origin(repository, truss).sha in (STARTED, git(repository, "rev-parse", "HEAD"))


class TestMergeCommits:
    """The commit with which GitHub tries a merge is nobody's."""

    @pytest.fixture
    def merge(self, repository):
        """The merge of feature into main, checked out as `actions/checkout` does; gives it and the head."""
        head, base = git(repository, "rev-parse", "feature"), git(repository, "rev-parse", "main")
        tree = git(repository, "rev-parse", "feature^{tree}")
        merge = git(repository, "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}")
        git(repository, "update-ref", "refs/remotes/pull/42/merge", merge)
        git(repository, "checkout", "-q", merge)
        return merge, head

    def event(self, repository: Path, head: str) -> dict[str, str]:
        """Variables of a pull request."""
        path = repository.parent / "event.json"
        path.write_text(f'{{"pull_request": {{"number": 42, "head": {{"sha": "{head}"}}}}}}', encoding="utf-8")
        return {"GITHUB_EVENT_PATH": str(path), "GITHUB_REF": "refs/pull/42/merge"}

    @pytest.mark.parametrize("moved", [False, True])
    def test_keeps_the_head_of_the_event(self, repository, merge, moved):
        """Also when the merge was made anew since the event."""
        started = STARTED if moved else merge[0]
        found = origin(repository, GITHUB_SHA=started, **self.event(repository, merge[1]))
        assert (merge[1], "42") == (found.sha, found.pull_request)

    def test_the_head_itself_is_checked_out(self, repository, merge):
        """`ref: head.sha` of `actions/checkout`."""
        git(repository, "checkout", "-q", "feature")
        found = origin(repository, GITHUB_SHA=merge[0], **self.event(repository, merge[1]))
        assert (merge[1], "refs/pull/42/merge") == (found.sha, found.ref)

    @pytest.mark.parametrize("ref", ["refs/pull/42/merge", "refs/heads/main"])
    def test_without_an_event_its_second_parent_tells(self, repository, merge, ref):
        """The commit is an object in the checkout."""
        started = merge[0] if ref.endswith("merge") else STARTED
        assert merge[1] == origin(repository, GITHUB_SHA=started, GITHUB_REF=ref).sha

    @pytest.mark.parametrize("keeps_ref", [True, False])
    def test_its_object_in_a_pack_tells_too(self, repository, merge, keeps_ref):
        """After `git gc`, with the ref of the pull request or without it."""
        git(repository, "gc", "-q", "--prune=now")
        assert not list((repository / ".git/objects").glob("[0-9a-f][0-9a-f]"))
        if not keeps_ref:
            git(repository, "update-ref", "-d", "refs/remotes/pull/42/merge")
        assert merge[1] == origin(repository, GITHUB_SHA=merge[0], GITHUB_REF="refs/pull/42/merge").sha
        assert merge[1] == origin(repository).sha

    def test_of_a_shallow_checkout(self, repository, merge, tmp_path):
        """`actions/checkout` fetches one commit, which comes in a pack, and its parents are not there."""
        shallow = tmp_path / "shallow"
        shallow.mkdir()
        git(shallow, "init", "-q")
        git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
        refspec = f"+{merge[0]}:refs/remotes/pull/42/merge"
        keep = ("-c", "fetch.unpackLimit=1", "-c", "transfer.unpackLimit=1")
        git(shallow, *keep, "fetch", "-q", "--depth=1", repository.as_uri(), refspec)
        git(shallow, "checkout", "-q", "refs/remotes/pull/42/merge")
        assert list((shallow / ".git/objects/pack").glob("*.pack"))
        assert merge[1] == origin(shallow, GITHUB_SHA=merge[0], GITHUB_REF="refs/pull/42/merge").sha
        assert "PR-42_" + merge[1][:7] == (
            origin(shallow, GITHUB_SHA=merge[0], GITHUB_REF="refs/pull/42/merge").deployment_name
        )

    def test_or_nothing(self, repository, merge):
        """Where its object cannot be read the commit is not known, and it is never that of the merge."""
        git(repository, "gc", "-q", "--prune=now")
        for pack in (repository / ".git/objects/pack").iterdir():
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:100])
        assert "" == origin(repository, GITHUB_SHA=merge[0], GITHUB_REF="refs/pull/42/merge").sha
        assert "" == origin(repository).sha

    @pytest.mark.parametrize("event", ["pull_request", "pull_request_review", "pull_request_review_comment"])
    def test_or_nothing_by_the_event_alone(self, repository, merge, event):
        """The ref is not told either, and nothing in `.git` says what the commit is."""
        shutil.rmtree(repository / ".git/objects")
        git_refs = repository / ".git/refs/remotes"
        shutil.rmtree(git_refs)
        assert "" == origin(repository, GITHUB_SHA=merge[0], GITHUB_REF="", GITHUB_EVENT_NAME=event).sha

    @pytest.mark.parametrize("ref", ["refs/pull/42/head", "refs/pull/42/merge", ""])
    def test_a_runner_that_starts_with_the_head(self, repository, ref):
        """Gitea and Forgejo do: it was read, and somebody wrote it."""
        head = git(repository, "rev-parse", "HEAD")
        found = origin(repository, GITHUB_SHA=head, GITHUB_REF=ref, GITHUB_EVENT_NAME="pull_request")
        assert head == found.sha

    def test_the_head_is_checked_out_and_no_event_tells(self, repository, merge):
        """Then it is the head's."""
        git(repository, "checkout", "-q", "feature")
        found = origin(repository, GITHUB_SHA=merge[0], GITHUB_REF="refs/pull/42/merge")
        assert ("PR-42_" + merge[1][:7], "refs/heads/feature") == (found.deployment_name, found.ref)

    def test_other_merges_are_commits_as_any(self, repository):
        """Somebody wrote them."""
        git(repository, "checkout", "-q", "main")
        commit(repository, "four")
        git(repository, "merge", "-q", "-s", "ours", "-m", "Merge pull request #7 from x", "feature")
        assert git(repository, "rev-parse", "HEAD") == origin(repository).sha
