"""`scripts/release.py` and `git_tags.py` against a bare repository; only the engine is played here."""

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

import image_engines
import release
from git_tags import Repository
from runner import ROOT
from versioning import NotReadyError, Version

IMAGE = "registry.test/octo-org/baseten-deploy"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@dataclass
class Registry:
    """Notes what is pushed, and answers digests."""

    pushed: list[tuple[str, ...]] = field(default_factory=list)

    def push(self, context, image, architecture, seconds, target=""):
        """As `image_engines.Engine`."""
        self.pushed.append(("push", str(context), image, architecture, str(seconds), *filter(None, [target])))
        return ONE

    def index(self, image, digests, tag):
        """As `image_engines.Engine`."""
        self.pushed.append(("index", f"{image}:{tag}", *digests))
        return TWO


def git(directory: Path, *arguments: str) -> str:
    """Run git as somebody."""
    who = {f"GIT_{role}_{what}": "a@b.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", *arguments], cwd=directory, env=os.environ | who, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A clone of a bare repository, with the files that a release reads, ready for 1.0.0."""
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("RELEASE_TOKEN", raising=False)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote.git")], check=True)
    path = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    git(path, "remote", "add", "origin", str(tmp_path / "remote.git"))
    for name in ("action.yml", "Dockerfile", "requirements.txt"):
        (path / name).write_text((ROOT / name).read_text())
    (path / "src" / "baseten_deploy").mkdir(parents=True)
    (path / "src" / "baseten_deploy" / "__init__.py").write_text('__version__ = "0.1.0"\n')
    (path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- First.\n")
    commit(path, "start")
    return path


def commit(path: Path, message: str) -> str:
    """Commit everything on main, and push it."""
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", message)
    git(path, "push", "-q", "origin", "main")
    return git(path, "rev-parse", "HEAD")


def of(checkout: Path) -> tuple[release.Release, Registry]:
    """A release of the checkout, and the registry that it pushes to."""
    registry = Registry()
    return release.Release(Repository(checkout), registry, IMAGE), registry


def released(checkout: Path, version: Version) -> str:
    """Prepare, commit and publish a version; the release commit."""
    if "[Unreleased]\n\n##" in (checkout / "CHANGELOG.md").read_text():
        text = (checkout / "CHANGELOG.md").read_text()
        (checkout / "CHANGELOG.md").write_text(text.replace("[Unreleased]\n", f"[Unreleased]\n\n- For {version}.\n"))
    made, _ = of(checkout)
    made.prepare(version, "2026-11-28")
    commit(checkout, f"Prepare {version}")
    made.check(version)
    return made.publish(version, ONE)


def test_a_release_from_beginning_to_end(checkout):
    """Both tags name a child of main whose action.yml has the image; main goes on to build its Dockerfile."""
    commit_id = released(checkout, Version(1, 0, 0))
    tags = Repository(checkout).tags()
    assert {"v1.0.0": commit_id, "v1": commit_id} == tags
    assert git(checkout, "rev-parse", f"{commit_id}^") == git(checkout, "rev-parse", "main")
    assert "action.yml" == git(checkout, "diff", "--name-only", "main", commit_id)
    runs = yaml.safe_load(git(checkout, "show", f"{commit_id}:action.yml"))["runs"]
    assert f"docker://{IMAGE}@{ONE}" == runs["image"]
    assert "" == git(checkout, "status", "--porcelain")
    assert "main" == git(checkout, "rev-parse", "--abbrev-ref", "HEAD")


def test_a_release_can_be_repeated(checkout):
    """A step that was cut off is run again: the same commit, the same tags, nothing new."""
    first = released(checkout, Version(1, 0, 0))
    made, _ = of(checkout)
    assert first == made.publish(Version(1, 0, 0), ONE)
    git(checkout, "push", "-q", "origin", ":refs/tags/v1")
    assert first == made.publish(Version(1, 0, 0), ONE)
    assert {"v1.0.0": first, "v1": first} == Repository(checkout).tags()


def test_a_version_never_changes(checkout):
    """Another image under the same version is refused, and so is the check."""
    first = released(checkout, Version(1, 0, 0))
    made, registry = of(checkout)
    with pytest.raises(NotReadyError, match=r"v1\.0\.0 exists and names another commit"):
        made.publish(Version(1, 0, 0), TWO)
    with pytest.raises(NotReadyError, match="a version never changes"):
        made.check(Version(1, 0, 0))
    assert {"v1.0.0": first, "v1": first} == Repository(checkout).tags()
    assert [] == registry.pushed


def test_v1_moves_forward_alone(checkout):
    """To 1.1.0; not back to a repair of 1.0; and v2 is another tag."""
    one = released(checkout, Version(1, 0, 0))
    two = released(checkout, Version(1, 1, 0))
    repair = released(checkout, Version(1, 0, 1))
    three = released(checkout, Version(2, 0, 0))
    expected = {"v1.0.0": one, "v1.1.0": two, "v1.0.1": repair, "v1": two, "v2.0.0": three, "v2": three}
    assert expected == Repository(checkout).tags()


def test_the_images_tag_moves_with_the_tag(checkout):
    """v1 of the image is moved after the tags are there, and not for a repair of an older version."""
    released(checkout, Version(1, 0, 0))
    released(checkout, Version(1, 1, 0))
    made, registry = of(checkout)
    made.publish(Version(1, 1, 0), ONE)
    assert [("index", f"{IMAGE}:v1", ONE)] == registry.pushed
    registry.pushed.clear()
    released(checkout, Version(1, 0, 1))
    made.publish(Version(1, 0, 1), ONE)
    assert [] == registry.pushed


def test_the_image_for_chains_is_pinned_in_the_same_commit(checkout):
    """Its action names a moving tag on main, for a stage of a Dockerfile cannot be named; in a release a digest."""
    (checkout / "chain").mkdir()
    (checkout / "chain" / "action.yml").write_text(
        "runs:\n  using: docker\n  image: docker://ghcr.io/OWNER/baseten-deploy-chain:v1 # zizmor: x\n  args: []\n"
    )
    made, registry = of(checkout)
    made.prepare(Version(1, 0, 0), "2026-11-28")
    commit(checkout, "Prepare")
    made.push_image("amd64", "chain")
    commit_id = made.publish(Version(1, 0, 0), ONE, TWO)
    seconds = git(checkout, "log", "-1", "--format=%ct")
    assert [
        ("push", str(checkout), f"{IMAGE}-chain", "amd64", seconds, "chain"),
        ("index", f"{IMAGE}:v1", ONE),
        ("index", f"{IMAGE}-chain:v1", TWO),
    ] == registry.pushed
    pinned = git(checkout, "show", f"{commit_id}:chain/action.yml")
    assert f"runs:\n  using: docker\n  image: docker://{IMAGE}-chain@{TWO}\n  args: []" == pinned
    assert ["action.yml", "chain/action.yml"] == git(checkout, "diff", "--name-only", "main", commit_id).splitlines()
    assert commit_id == made.publish(Version(1, 0, 0), ONE, TWO)


def test_tags_go_out_together_or_not_at_all(checkout, tmp_path):
    """A remote that refuses one of them keeps none."""
    hook = tmp_path / "remote.git" / "hooks" / "update"
    hook.write_text('#!/bin/sh\n[ "$1" != refs/tags/v1 ]\n')
    hook.chmod(0o755)
    with pytest.raises(NotReadyError, match="`git push` failed"):
        released(checkout, Version(1, 0, 0))
    assert {} == Repository(checkout).tags()


def test_an_annotated_tag_is_the_commit_that_it_names(checkout):
    """Whoever made it by hand made it an object of its own."""
    head = git(checkout, "rev-parse", "HEAD")
    git(checkout, "tag", "-a", "v0.9.0", "-m", "by hand")
    git(checkout, "push", "-q", "origin", "v0.9.0")
    assert {"v0.9.0": head} == Repository(checkout).tags()


def test_what_is_not_committed_is_not_released(checkout):
    """A changed file ends it; a file that git does not know does not."""
    made, _ = of(checkout)
    (checkout / "notes.txt").write_text("mine")
    assert ONE == made.push_image("amd64")
    (checkout / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(NotReadyError, match="not committed"):
        made.push_image("amd64")


def test_the_image_is_as_old_as_its_commit(checkout):
    """SOURCE_DATE_EPOCH is the time of the commit, so a build of it next year is the same."""
    made, registry = of(checkout)
    made.push_image("arm64")
    seconds = git(checkout, "log", "-1", "--format=%ct")
    assert [("push", str(checkout), IMAGE, "arm64", seconds)] == registry.pushed


def test_a_token_is_on_no_command_line(checkout, monkeypatch):
    """It is configuration in git's environment, and no `repr` shows it."""
    repository = Repository(checkout, token="s3cret")
    assert "s3cret" not in repr(repository)
    seen = {}

    def run(command, **kind):
        seen.update(command=command, environment=kind["env"])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    repository.git("push", "origin")
    assert ["git", "push", "origin"] == seen["command"]
    assert seen["environment"]["GIT_CONFIG_VALUE_0"] == "Authorization: Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0"


class TestCommandLine:
    """The steps as the workflow calls them."""

    def test_prepare_and_check(self, checkout, capsys):
        """Not ready before, ready afterwards; on GitHub each problem is an annotation."""
        common = ["--checkout", str(checkout)]
        assert 1 == release.main([*common, "check", "1.0.0"])
        assert "scripts/release.py prepare 1.0.0" in capsys.readouterr().err
        assert 0 == release.main([*common, "prepare", "1.0.0", "--date", "2026-11-28"])
        commit(checkout, "Prepare")
        assert 0 == release.main([*common, "check", "1.0.0"])
        assert "1.0.0 can be released\n" == capsys.readouterr().out

    def test_problems_are_annotations_on_github(self, checkout, capsys, monkeypatch):
        """One for each."""
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        assert 1 == release.main(["--checkout", str(checkout), "check", "1.0.0"])
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) > 1
        assert [] == [line for line in lines if not line.startswith("::error::")]

    def test_publish_notes_and_bill(self, checkout, capsys, monkeypatch, tmp_path):
        """The commit is an output; notes and bill of materials are printed."""
        made, registry = of(checkout)
        made.prepare(Version(1, 0, 0), "2026-11-28")
        commit(checkout, "Prepare")
        monkeypatch.setattr(release, "Docker", lambda: registry)
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
        common = ["--checkout", str(checkout), "--image", IMAGE.upper()]
        for step in (["image", "--arch", "amd64"], ["index", "1.0.0", ONE, TWO], ["publish", "1.0.0", ONE]):
            assert 0 == release.main([*common, *step])
        outputs = (tmp_path / "output").read_text().splitlines()
        assert [f"digest={ONE}", f"digest-amd64={ONE}", f"digest={TWO}"] == outputs[:3]
        assert re.fullmatch(r"commit=[0-9a-f]{40}", outputs[3])
        capsys.readouterr()
        assert 0 == release.main([*common, "--repository", "octo-org/x", "notes", "1.0.0", ONE])
        assert "- First." in (notes := capsys.readouterr().out)
        assert "octo-org/x@v1.0.0" in notes
        assert 0 == release.main([*common, "sbom", "1.0.0", ONE])
        assert '"spdxVersion": "SPDX-2.3"' in capsys.readouterr().out

    def test_without_an_image_nothing_is_pushed(self, checkout, capsys, monkeypatch):
        """Which one is not guessed."""
        monkeypatch.delenv("RELEASE_IMAGE", raising=False)
        assert 1 == release.main(["--checkout", str(checkout), "publish", "1.0.0", ONE])
        assert "Give --image or RELEASE_IMAGE" in capsys.readouterr().err

    def test_announce_calls_gh(self, checkout, monkeypatch, tmp_path):
        """With notes and bill of materials as files, from the tag that is there, as the latest release."""
        released(checkout, Version(1, 0, 0))
        tool = tmp_path / "bin" / "gh"
        tool.parent.mkdir()
        tool.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\ncp "$8" {tmp_path}/notes\ncp "${{10}}" {tmp_path}\n'
        )
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        assert 0 == release.main(["--checkout", str(checkout), "--image", IMAGE, "announce", "1.0.0", ONE])
        said = (tmp_path / "said").read_text().splitlines()
        assert ["release", "create", "v1.0.0", "--verify-tag", "--title", "v1.0.0", "--notes-file"] == said[:7]
        assert "--latest=true" in said
        assert (tmp_path / "sbom.spdx.json").is_file()
        assert "- First." in (tmp_path / "notes").read_text()

    def test_announce_has_a_bill_of_each_image(self, checkout, monkeypatch, tmp_path):
        """That of the image for Chains has the packages of `truss` besides."""
        released(checkout, Version(1, 0, 0))
        tool, packages = tmp_path / "bin" / "gh", tmp_path / "packages"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\ncp "$8" {tmp_path}/notes\ncp "${{10}}" "${{11}}" {tmp_path}\n')
        tool.chmod(0o755)
        packages.write_text('[["httpx", "0.0.1", ""], ["truss", "0.18.35", "MIT"]]')
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        given = ["announce", "1.0.0", ONE, "--chain", TWO, "--packages", str(packages)]
        assert 0 == release.main(["--checkout", str(checkout), "--image", IMAGE, *given])
        bills = [json.loads((tmp_path / name).read_text()) for name in ("sbom.spdx.json", "sbom-chain.spdx.json")]
        names = [[package["name"] for package in bill["packages"]] for bill in bills]
        assert [("baseten-deploy", 0, 1), ("baseten-deploy-chain", 1, 2)] == [
            (each[0], each.count("truss"), each.count("httpx")) for each in names
        ]
        assert f"{IMAGE}-chain@{TWO}" == bills[1]["name"]
        assert f"that for Chains `{IMAGE}-chain@{TWO}`" in (tmp_path / "notes").read_text()


class TestDocker:
    """What GitHub's runner is told; buildah's half is in the rehearsal."""

    def test_the_build_is_the_same_each_time_and_pushed_untagged(self, tmp_path):
        """Times are rewritten, no cache, no attestation that would make another digest; one platform."""
        command = image_engines.Docker().build_command(tmp_path, IMAGE, "arm64", tmp_path / "told.json")
        assert command[command.index("--platform") + 1] == "linux/arm64"
        output = command[command.index("--output") + 1].split(",")
        assert {"push-by-digest=true", "rewrite-timestamp=true", f"name={IMAGE}"} <= set(output)
        assert {"--provenance=false", "--no-cache"} <= set(command)
        assert "--target" not in command
        of_chains = image_engines.Docker().build_command(tmp_path, IMAGE, "arm64", tmp_path / "told.json", "chain")
        assert "chain" == of_chains[of_chains.index("--target") + 1]

    def test_a_tool_that_fails_is_named(self):
        """With its last words."""
        with pytest.raises(image_engines.EngineError, match=r"ended with 3: half"):
            image_engines.run(["sh", "-c", "echo half; exit 3"])
