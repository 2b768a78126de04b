"""Versions, the changelog and action.yml as a release reads and writes them: texts in, texts out.

What a version promises is docs/versions.md. Who calls this, and with what, is `release`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\S+))?\n", re.MULTILINE)
_CODE_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_IMAGE = re.compile(r"^  image: (?P<image>\S+)(?: +#.*)?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNRELEASED = "Unreleased"


class NotReadyError(Exception):
    """The release cannot be made; the message says what to do first. Nothing was changed."""


@dataclass(frozen=True, order=True)
class Version:
    """X.Y.Z of Semantic Versioning. There are no pre-releases: a branch can be used by its commit."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The tag that never moves."""
        return f"v{self}"

    @property
    def moving_tag(self) -> str:
        """The tag that moves to each new release of this major version."""
        return f"v{self.major}"


def parse_version(text: str) -> Version:
    """Read X.Y.Z, without a `v`. Raises `NotReadyError`."""
    if not (match := _VERSION.fullmatch(text)):
        raise NotReadyError(f"{text!r} is no version: write X.Y.Z, as in 1.4.0")
    return Version(*map(int, match.groups()))


def released(tags: Iterable[str]) -> list[Version]:
    """The versions among a repository's tags, the oldest first."""
    found = (_VERSION.fullmatch(tag.removeprefix("v")) for tag in tags if tag.startswith("v"))
    return sorted(Version(*map(int, match.groups())) for match in found if match)


def is_latest_of_its_major(version: Version, tags: Iterable[str]) -> bool:
    """Whether vX may move to it: a repair of an older minor version must not take anybody back."""
    return all(other <= version for other in released(tags) if other.major == version.major)


@dataclass(frozen=True)
class Section:
    """What the changelog says about one version."""

    date: str
    body: str


def section(changelog: str, name: str) -> Section | None:
    """The section of a version, or of `Unreleased`; `None` when there is none."""
    headings = list(_HEADING.finditer(changelog))
    ends = [heading.start() for heading in headings[1:]] + [len(changelog)]
    for heading, end in zip(headings, ends, strict=False):
        if heading["name"] == name:
            body = changelog[heading.end() : end]
            return Section(heading["date"] or "", body.strip())
    return None


def prepared_changelog(changelog: str, version: Version, date: str) -> str:
    """The changelog with what is unreleased as `version`, and an empty `Unreleased` above. Raises `NotReadyError`."""
    if section(changelog, str(version)):
        raise NotReadyError(f"CHANGELOG.md has a section [{version}] already")
    unreleased = section(changelog, UNRELEASED)
    if unreleased is None or not unreleased.body:
        raise NotReadyError(f"CHANGELOG.md says nothing under [{UNRELEASED}]: there is nothing to release")
    heading = f"## [{UNRELEASED}]\n"
    return changelog.replace(heading, f"{heading}\n## [{version}] - {date}\n", 1)


def code_version(source: str) -> str:
    """`__version__` of the package's `__init__.py`; empty when it has none."""
    match = _CODE_VERSION.search(source)
    return match[1] if match else ""


def with_code_version(source: str, version: Version) -> str:
    """The same source with another `__version__`. Raises `NotReadyError` when it has none."""
    changed, count = _CODE_VERSION.subn(f'__version__ = "{version}"', source)
    if count != 1:
        raise NotReadyError("the package's __init__.py has no line `__version__ = ...`")
    return changed


def problems(version: Version, changelog: str, source: str, tags: Iterable[str]) -> list[str]:
    """All that speaks against releasing `version` now, each with what to do."""
    tags = list(tags)
    found = []
    told = section(changelog, str(version))
    if told is None:
        found.append(f"CHANGELOG.md has no section [{version}]: `scripts/release.py prepare {version}`, and merge that")
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", told.date):
        found.append(f"CHANGELOG.md: the heading of [{version}] needs a date, as in `## [{version}] - 2026-11-28`")
    elif not told.body:
        found.append(f"CHANGELOG.md: the section [{version}] is empty")
    unreleased = section(changelog, UNRELEASED)
    if unreleased is None:
        found.append(f"CHANGELOG.md has no section [{UNRELEASED}] any more: put it back, above [{version}]")
    elif told and unreleased.body:
        found.append(f"CHANGELOG.md has lines under [{UNRELEASED}] that would be released unnamed: move them")
    if (coded := code_version(source)) != str(version):
        found.append(f"src/baseten_deploy/__init__.py says version {coded or 'nothing'}, not {version}")
    if version.tag in tags:
        found.append(f"{version.tag} exists, and a version never changes: take the next one")
    else:
        found += _order(version, released(tags))
    return found


def _order(version: Version, others: list[Version]) -> list[str]:
    """A version follows one that is there: nothing is skipped, so that a typing error is not released."""
    if not others:
        return []
    followers = {Version(other.major, other.minor, other.patch + 1) for other in others}
    followers |= {Version(other.major, other.minor + 1, 0) for other in others}
    followers.add(Version(others[-1].major + 1, 0, 0))
    if version in followers:
        return []
    return [f"{version} follows none of the versions that are released; the newest is {others[-1]}"]


def pinned_action(action: str, image: str, digest: str) -> str:
    """action.yml as a release has it: with the built image instead of the Dockerfile. Raises `NotReadyError`."""
    if not _DIGEST.fullmatch(digest):
        raise NotReadyError(f"{digest!r} is no digest: sha256: and 64 hexadecimal digits")
    if image != image.lower() or "@" in image or re.search(r":[^/]*$", image):
        raise NotReadyError(f"{image!r} is no image name: lower case, without tag and digest")
    named = _IMAGE.findall(action)
    # A sub-action cannot name a target of the Dockerfile: main has the moving tag of its image there.
    unpinned = re.compile(rf"Dockerfile|docker://\S+/{re.escape(image.rpartition('/')[2])}:v\d+")
    if named != [f"docker://{image}@{digest}"] and (len(named) != 1 or not unpinned.fullmatch(named[0])):
        raise NotReadyError(f"action.yml names {named or 'no image'} where main has `image: Dockerfile`")
    return _IMAGE.sub(f"  image: docker://{image}@{digest}", action)


def release_notes(
    changelog: str, version: Version, *, repository: str, image: str, digest: str, chain: str = ""
) -> str:
    """The text of the release: what changed, and how to pin exactly this. Raises `NotReadyError`.

    `chain` is the image for Chains, with its digest.
    """
    told = section(changelog, str(version))
    if told is None or not told.body:
        raise NotReadyError(f"CHANGELOG.md has no section [{version}]")
    verify = "$ gh attestation verify oci://{} --repo " + repository
    named = f"`{image}@{digest}`" + (f", that for Chains `{chain}`" if chain else "")
    checks = "\n".join(verify.format(each) for each in (f"{image}@{digest}", chain) if each)
    return (
        f"{told.body}\n\n### Use it\n\n"
        f"```yaml\n- uses: {repository}@{version.tag}\n```\n\n"
        f"The image is {named}, for linux/amd64 and linux/arm64. Check where it was built:\n\n"
        f"```console\n{checks}\n```\n"
    )
