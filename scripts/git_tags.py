"""The release commit and its tags, in a remote repository: made without touching the work tree or a branch.

The commit is a child of the one that is released and has only `image:` changed, so main goes on to build its
Dockerfile. The same release from the same commit is the same commit: its times are the parent's. The tags go out
together or not.
"""

import base64
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from versioning import NotReadyError

BOT = "github-actions[bot]"
BOT_EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"


@dataclass(frozen=True)
class Repository:
    """A checkout and the remote that it releases to. `token` is for a remote over https."""

    path: Path
    remote: str = "origin"
    token: str = field(default="", repr=False)

    def git(self, *arguments: str, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
        """Run git and answer its output, stripped. Raises `NotReadyError` with what git said."""
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            cwd=self.path,
            input=given,
            env={**os.environ, **self._credentials(), **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotReadyError(f"`git {arguments[0]}` failed: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def _credentials(self) -> dict[str, str]:
        """The token as configuration in the environment: on no command line, in no file."""
        if not self.token:
            return {}
        basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }

    def head(self) -> str:
        """The commit that is checked out. Raises `NotReadyError` when tracked files differ from it."""
        if changed := self.git("status", "--porcelain", "--untracked-files=no"):
            raise NotReadyError(f"there are changes that are not committed:\n{changed}")
        return self.git("rev-parse", "HEAD")

    def seconds(self) -> int:
        """When the commit that is checked out was made, in seconds since 1970: what SOURCE_DATE_EPOCH is for."""
        return int(self.git("log", "-1", "--format=%ct"))

    def tags(self) -> dict[str, str]:
        """The remote's tags, each with the commit that it stands for."""
        found: dict[str, str] = {}
        for line in self.git("ls-remote", "--tags", self.remote).splitlines():
            commit, _, reference = line.partition("\t")
            # `^{}` is what an annotated tag points to; it follows the tag's own line.
            found[reference.removeprefix("refs/tags/").removesuffix("^{}")] = commit
        return found

    def commit_with(self, changed: Mapping[str, str], message: str) -> str:
        """A child of HEAD in which some files have another content; no branch and no work tree is changed."""
        parent = self.head()
        when = self.git("log", "-1", "--format=%cI")
        index = {"GIT_INDEX_FILE": self.git("rev-parse", "--path-format=absolute", "--git-path", "release-index")}
        self.git("read-tree", parent, environment=index)
        for name, content in changed.items():
            blob = self.git("hash-object", "-w", "--stdin", given=content)
            self.git("update-index", "--cacheinfo", f"100644,{blob},{name}", environment=index)
        tree = self.git("write-tree", environment=index)
        Path(index["GIT_INDEX_FILE"]).unlink()
        people = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", BOT), ("EMAIL", BOT_EMAIL), ("DATE", when))
        }
        return self.git("commit-tree", tree, "-p", parent, "-m", message, environment=people)

    def push_tags(self, commit: str, tag: str, moving: str | None) -> None:
        """Make `tag` and, unless it is `None`, `moving` name `commit`: both or neither. `tag` is new, or names it.

        `moving` is only moved from where it was seen last. Raises `NotReadyError`.
        """
        before = self.tags()
        if before.get(tag, commit) != commit:
            raise NotReadyError(f"{tag} exists and names another commit, {before[tag]}: a version never changes")
        references = [f"{commit}:refs/tags/{tag}"] if tag not in before else []
        options = []
        if moving and before.get(moving) != commit:
            references.append(f"{commit}:refs/tags/{moving}")
            seen = self.git("ls-remote", self.remote, f"refs/tags/{moving}").partition("\t")[0]
            options.append(f"--force-with-lease=refs/tags/{moving}:{seen}")
        if references:
            self.git("push", "--atomic", *options, self.remote, *references)
        after = self.tags()
        wrong = [name for name in (tag, moving) if name and after.get(name) != commit]
        if wrong:
            raise NotReadyError(f"after the push {', '.join(wrong)} does not name {commit}")
