"""A release, step by step. `.github/workflows/release.yml` calls it; `make release-rehearsal` does so against loopback.

    release.py prepare 1.4.0           CHANGELOG.md and the package's version, for a pull request
    release.py check 1.4.0             all that speaks against it, together
    release.py image --arch amd64      build for one architecture, push it by its digest
    release.py index 1.4.0 DIGEST...   one image for all architectures, tagged v1.4.0
    release.py publish 1.4.0 DIGEST    the commit whose action.yml names the digest; tags v1.4.0 and v1, the image's too
                                       (`--target chain`, `--chain DIGEST`: the same for the image of chain/action.yml)
    release.py notes 1.4.0 DIGEST      what changed and how to pin it, from CHANGELOG.md
    release.py sbom 1.4.0 DIGEST       the software bill of materials, SPDX; with `--chain DIGEST` the other image's
    release.py announce 1.4.0 DIGEST   the release on GitHub, with notes and bill of materials

Each step can be repeated: what is there already and the same is left, what is there and differs ends it. Nothing is
visible to anybody who uses vX before `publish`, which is the last step but one. Outputs go to `GITHUB_OUTPUT`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import sbom
import versioning
from git_tags import Repository
from image_engines import PLATFORMS, Buildah, Docker, Engine, EngineError
from versioning import NotReadyError, Version

ROOT = Path(__file__).resolve().parent.parent
CODE = Path("src", "baseten_deploy", "__init__.py")
SBOM_NAMES = {"": "sbom.spdx.json", "chain": "sbom-chain.spdx.json"}


class Release:
    """One release of one checkout: which version, from where, to where."""

    def __init__(self, repository: Repository, engine: Engine, image: str) -> None:
        self.repository, self.engine, self.image = repository, engine, image

    def read(self, name: str | Path) -> str:
        """A file of the checkout."""
        return (self.repository.path / name).read_text(encoding="utf-8")

    def prepare(self, version: Version, date: str) -> None:
        """Write the version into CHANGELOG.md and the package."""
        changed = {
            Path("CHANGELOG.md"): versioning.prepared_changelog(self.read("CHANGELOG.md"), version, date),
            CODE: versioning.with_code_version(self.read(CODE), version),
        }
        for path, text in changed.items():
            (self.repository.path / path).write_text(text, encoding="utf-8")

    def check(self, version: Version) -> None:
        """Raises `NotReadyError` with all that speaks against it."""
        self.repository.head()
        tags = self.repository.tags()
        if found := versioning.problems(version, self.read("CHANGELOG.md"), self.read(CODE), tags):
            raise NotReadyError("\n".join(found))

    def image_of(self, target: str) -> str:
        """The name of the image of a stage of the Dockerfile."""
        return f"{self.image}-{target}" if target else self.image

    def push_image(self, architecture: str, target: str = "") -> str:
        """Build for one architecture; its digest."""
        self.repository.head()
        seconds = self.repository.seconds()
        return self.engine.push(self.repository.path, self.image_of(target), architecture, seconds, target)

    def index(self, version: Version, digests: Sequence[str], target: str = "") -> str:
        """Name the images of all architectures by the version; the digest of them together."""
        return self.engine.index(self.image_of(target), digests, version.tag)

    def publish(self, version: Version, digest: str, chain: str = "") -> str:
        """Make the release commit and both tags; then the images' moving tags. The commit.

        `chain` is the digest of the image with the Dockerfile's stage of that name.
        """
        digests = {"": digest} | ({"chain": chain} if chain else {})
        actions = {target: str(Path(target, "action.yml")) for target in digests}
        pinned = {
            name: versioning.pinned_action(self.read(name), self.image_of(target), digests[target])
            for target, name in actions.items()
        }
        commit = self.repository.commit_with(pinned, f"Release {version.tag}")
        latest = versioning.is_latest_of_its_major(version, self.repository.tags())
        self.repository.push_tags(commit, version.tag, version.moving_tag if latest else None)
        if latest:
            for target, named in digests.items():
                self.engine.index(self.image_of(target), [named], version.moving_tag)
        return commit

    def notes(self, version: Version, digest: str, repository: str, chain: str = "") -> str:
        """The text of the release; `chain` is the digest of the image for Chains."""
        named = f"{self.image_of('chain')}@{chain}" if chain else ""
        return versioning.release_notes(
            self.read("CHANGELOG.md"), version, repository=repository, image=self.image, digest=digest, chain=named
        )

    def sbom(self, version: Version, digest: str, dpkg_status: str, target: str = "", listing: str = "") -> str:
        """The bill of materials of a stage's image, as JSON. `listing` is what `list_packages` printed in it."""
        packages = sbom.locked_packages(self.read("requirements.txt"), sbom.installed_licences())
        packages += sbom.debian_packages(dpkg_status) + (sbom.listed_packages(listing) if listing else [])
        base = sbom.base_image(self.read("Dockerfile"))
        made = sbom.document(str(version), self.image_of(target), digest, self.repository.seconds(), base, packages)
        return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def announcement(version: Version, *, latest: bool, files: Sequence[Path], notes: Path) -> list[str]:
    """The command that makes the release on GitHub, from the tag that is there."""
    return [
        *("gh", "release", "create", version.tag, "--verify-tag", "--title", version.tag),
        *("--notes-file", str(notes), f"--latest={str(latest).lower()}", *map(str, files)),
    ]


def main(arguments: Sequence[str]) -> int:
    """Run one step; returns the exit code. What is wrong goes to stderr, one problem a line."""
    options = _parser().parse_args(arguments)
    engine: Engine = Buildah(options.buildah) if options.buildah else Docker()
    repository = Repository(options.checkout, options.remote, os.environ.get("RELEASE_TOKEN", ""))
    release = Release(repository, engine, (options.image or "").lower())
    try:
        _step(options, release)
    except (NotReadyError, EngineError) as error:
        for line in str(error).splitlines():
            print(f"::error::{line}" if os.environ.get("GITHUB_ACTIONS") == "true" else line, file=sys.stderr)
        return 1
    return 0


def _step(options: argparse.Namespace, release: Release) -> None:
    if options.step not in {"prepare", "check"} and not release.image:
        raise NotReadyError("which image? Give --image or RELEASE_IMAGE, as in ghcr.io/owner/baseten-deploy")
    if options.step == "image":
        digest = release.push_image(options.arch, options.target)
        _tell("digest", digest)
        return _tell(f"digest-{options.arch}", digest)  # a job's output; its jobs for both have one name
    version = versioning.parse_version(options.version)
    match options.step:
        case "prepare":
            release.prepare(version, options.date)
        case "check":
            release.check(version)
            print(f"{version} can be released")
        case "index":
            _tell("digest", release.index(version, options.digests, options.target))
        case "publish":
            _tell("commit", release.publish(version, options.digest, options.chain))
        case "notes":
            print(release.notes(version, options.digest, options.repository, options.chain), end="")
        case "sbom":
            print(_bills(options, release, version)["chain" if options.chain else ""], end="")
        case "announce":
            _announce(options, release, version)
    return None


def _announce(options: argparse.Namespace, release: Release, version: Version) -> None:
    latest = versioning.released(release.repository.tags())[-1] <= version
    with tempfile.TemporaryDirectory() as directory:
        notes = Path(directory) / "notes.md"
        notes.write_text(release.notes(version, options.digest, options.repository, options.chain), encoding="utf-8")
        files = []
        for target, bill in _bills(options, release, version).items():
            files.append(Path(directory) / SBOM_NAMES[target])
            files[-1].write_text(bill, encoding="utf-8")
        command = announcement(version, latest=latest, files=files, notes=notes)
        subprocess.run(command, cwd=release.repository.path, check=True)  # noqa: S603


def _bills(options: argparse.Namespace, release: Release, version: Version) -> dict[str, str]:
    """The bills of materials by the stage of their image: of both images where the one for Chains is named."""
    status, listing = (
        path.read_text(encoding="utf-8") if path else "" for path in (options.dpkg_status, options.packages)
    )
    bills = {"": release.sbom(version, options.digest, status)}
    if options.chain:
        bills["chain"] = release.sbom(version, options.chain, status, "chain", listing)
    return bills


def _tell(name: str, value: str) -> None:
    """An output, for people and for the workflow. Digests and commits need no heredoc."""
    print(f"{name}={value}")
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{name}={value}\n")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="release.py", description=__doc__, formatter_class=form)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="what is released")
    parser.add_argument("--remote", default="origin", help="where the tags go")
    parser.add_argument("--image", default=os.environ.get("RELEASE_IMAGE"), help="the image's name, without a tag")
    parser.add_argument("--repository", default=os.environ.get("GITHUB_REPOSITORY", "OWNER/baseten-deploy"))
    parser.add_argument("--buildah", type=Path, help="build with this script and push with buildah, not with Docker")
    steps = parser.add_subparsers(dest="step", required=True)
    image = steps.add_parser("image")
    image.add_argument("--arch", choices=tuple(PLATFORMS), required=True)
    made = {
        name: steps.add_parser(name) for name in ("prepare", "check", "index", "publish", "notes", "sbom", "announce")
    }
    for step in made.values():
        step.add_argument("version")
    made["prepare"].add_argument("--date", default=datetime.now(UTC).date().isoformat())
    for step in (image, made["index"]):
        step.add_argument("--target", default="", help="a stage of the Dockerfile, with an image of its own")
    for name in ("publish", "notes", "sbom", "announce"):
        made[name].add_argument("--chain", default="", help="digest of the image for chain/action.yml")
    made["index"].add_argument("digests", nargs="+")
    for name in ("publish", "notes", "sbom", "announce"):
        made[name].add_argument("digest")
    for name in ("sbom", "announce"):
        made[name].add_argument("--dpkg-status", type=Path, help="/var/lib/dpkg/status of the image")
        made[name].add_argument("--packages", type=Path, help="what list_packages.py prints in the image for Chains")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
