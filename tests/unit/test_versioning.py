"""`scripts/versioning.py`: what a release reads from CHANGELOG.md and writes into action.yml."""

import itertools

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import versioning
from runner import ROOT
from versioning import NotReadyError, Version

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = "ghcr.io/octo-org/baseten-deploy"
CHANGELOG = """# Changelog

## [Unreleased]

## [1.1.0] - 2026-11-28

### Added

- A thing, see [the docs](docs/thing.md).

## [1.0.0] - 2026-10-01

- First.
"""
CODE = '"""Doc."""\n\n__version__ = "1.1.0"\n'
versions = st.builds(Version, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


@given(versions)
def test_a_version_is_read_as_it_is_written(version):
    """There and back; and its tag among others."""
    assert version == versioning.parse_version(str(version))
    assert [version] == versioning.released(["v1", "main", version.tag, f"{version}", f"{version.tag}-rc.1"])


@pytest.mark.parametrize("text", ["v1.2.3", "1.2", "1.2.3-rc.1", "01.2.3", "1.2.3\n", "", "1.2.3+build", "one"])
def test_anything_else_is_no_version(text):
    """A `v`, a pre-release and a leading zero are refused with an example."""
    with pytest.raises(NotReadyError, match=r"write X\.Y\.Z, as in 1\.4\.0"):
        versioning.parse_version(text)


@given(st.lists(versions, min_size=1), versions)
def test_the_moving_tag_never_goes_back(others, version):
    """Whatever was released: vX moves only to the newest of its major version."""
    moves = versioning.is_latest_of_its_major(version, [other.tag for other in others])
    assert moves == (version == max(other for other in [*others, version] if other.major == version.major))


def test_nothing_speaks_against_a_release_that_is_prepared():
    """Changelog and package name it, and it follows what is released."""
    assert [] == versioning.problems(Version(1, 1, 0), CHANGELOG, CODE, ["v1", "v1.0.0"])
    assert [] == versioning.problems(Version(1, 1, 0), CHANGELOG, CODE, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("## [1.1.0] - 2026-11-28", "## [1.1.0]"), "needs a date"),
        (("## [1.1.0] - 2026-11-28", "## [1.1.0] - today"), "needs a date"),
        (("## [1.1.0]", "## [1.2.0]"), "no section [1.1.0]: `scripts/release.py prepare 1.1.0`"),
        (("### Added\n\n- A thing, see [the docs](docs/thing.md).\n", ""), "the section [1.1.0] is empty"),
        (("## [Unreleased]\n", ""), "no section [Unreleased] any more"),
        (("## [Unreleased]\n", "## [Unreleased]\n\n- Later.\n"), "would be released unnamed"),
    ],
)
def test_what_the_changelog_lacks_is_said(change, said):
    """Each with what to do."""
    (problem,) = versioning.problems(Version(1, 1, 0), CHANGELOG.replace(*change), CODE, [])
    assert said in problem


def test_all_problems_are_told_together():
    """The version is there already, the package has another one, the changelog none."""
    found = versioning.problems(Version(1, 0, 0), "# Changelog\n", CODE, ["v1.0.0"])
    assert 4 == len(found)
    assert "v1.0.0 exists, and a version never changes: take the next one" in found


@pytest.mark.parametrize(
    ("version", "follows"),
    [
        ("1.2.1", True),
        ("1.3.0", True),
        ("2.0.0", True),
        ("1.1.6", True),  # a repair of an older minor version
        ("0.9.1", True),
        ("1.4.0", False),
        ("3.0.0", False),
        ("2.1.0", False),
        ("1.2.2", False),
    ],
)
def test_no_version_is_skipped(version, follows):
    """A typing error is not released."""
    tags = ["v0.9.0", "v1.1.5", "v1.2.0"]
    said = [text for text in versioning.problems(versioning.parse_version(version), "", "", tags) if "follows" in text]
    assert follows == (said == [])


def test_preparing_names_what_was_unreleased():
    """An empty section stays for what comes; the rest of the file is as it was; twice is refused."""
    before = CHANGELOG.replace("## [Unreleased]\n", "## [Unreleased]\n\n- New.\n")
    after = versioning.prepared_changelog(before, Version(1, 2, 0), "2026-12-01")
    assert "## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n- New.\n\n## [1.1.0]" in after
    assert [] == versioning.problems(Version(1, 2, 0), after, CODE.replace("1.1.0", "1.2.0"), ["v1.1.0"])
    with pytest.raises(NotReadyError, match="already"):
        versioning.prepared_changelog(after, Version(1, 2, 0), "2026-12-01")
    with pytest.raises(NotReadyError, match="nothing to release"):
        versioning.prepared_changelog(after, Version(1, 3, 0), "2026-12-01")


def test_the_changelog_of_this_repository_can_be_prepared():
    """The real files, as the next release will find them."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    source = (ROOT / "src" / "baseten_deploy" / "__init__.py").read_text()
    version = Version(99, 0, 0)
    if not versioning.section(changelog, "Unreleased").body:
        changelog = changelog.replace("## [Unreleased]\n", "## [Unreleased]\n\n- Something.\n")
    prepared = versioning.prepared_changelog(changelog, version, "2026-12-01")
    assert [] == versioning.problems(version, prepared, versioning.with_code_version(source, version), [])


def test_the_action_of_a_release_names_the_image():
    """The real action.yml: only its image differs, and doing it again changes nothing."""
    action = (ROOT / "action.yml").read_text()
    pinned = versioning.pinned_action(action, IMAGE, DIGEST)
    before, after = yaml.safe_load(action), yaml.safe_load(pinned)
    assert f"docker://{IMAGE}@{DIGEST}" == after["runs"].pop("image")
    assert "Dockerfile" == before["runs"].pop("image")
    assert before == after
    assert pinned == versioning.pinned_action(pinned, IMAGE, DIGEST)


@pytest.mark.parametrize(
    ("image", "digest", "said"),
    [
        (IMAGE, "sha256:abc", "no digest"),
        (IMAGE, DIGEST + "\n", "no digest"),
        (IMAGE + ":1", DIGEST, "no image name"),
        (f"{IMAGE}@{DIGEST}", DIGEST, "no image name"),
        ("ghcr.io/Octo/x", DIGEST, "lower case"),
    ],
)
def test_what_cannot_be_pinned_is_refused(image, digest, said):
    """A tag, a short digest, a name that a registry does not take."""
    with pytest.raises(NotReadyError, match=said):
        versioning.pinned_action("runs:\n  image: Dockerfile\n", image, digest)


def test_an_action_that_is_pinned_to_something_else_is_refused():
    """A release is made from main, whose action.yml has the Dockerfile."""
    other = f"runs:\n  image: docker://{IMAGE}@{DIGEST.replace('0', 'f')}\n"
    with pytest.raises(NotReadyError, match="where main has `image: Dockerfile`"):
        versioning.pinned_action(other, IMAGE, DIGEST)


def test_a_registry_with_a_port_is_an_image_name():
    """`:5000` is no tag."""
    assert "docker://127.0.0.1:5000/a@" in versioning.pinned_action("  image: Dockerfile\n", "127.0.0.1:5000/a", DIGEST)


def test_the_notes_say_what_changed_and_how_to_pin_it():
    """That version's section and no other, the line for the workflow, the digest, how to check the provenance."""
    notes = versioning.release_notes(
        CHANGELOG, Version(1, 1, 0), repository="octo-org/baseten-deploy", image=IMAGE, digest=DIGEST
    )
    assert notes.startswith("### Added\n\n- A thing")
    assert "First." not in notes
    assert "- uses: octo-org/baseten-deploy@v1.1.0\n" in notes
    assert f"gh attestation verify oci://{IMAGE}@{DIGEST} --repo octo-org/baseten-deploy" in notes


def test_the_notes_name_both_images():
    """That for Chains has a digest and a provenance of its own."""
    chain = f"{IMAGE}-chain@sha256:{'c' * 64}"
    notes = versioning.release_notes(
        CHANGELOG, Version(1, 1, 0), repository="octo-org/baseten-deploy", image=IMAGE, digest=DIGEST, chain=chain
    )
    assert f"The image is `{IMAGE}@{DIGEST}`, that for Chains `{chain}`, for linux/amd64" in notes
    for image in (f"{IMAGE}@{DIGEST}", chain):
        assert f"$ gh attestation verify oci://{image} --repo octo-org/baseten-deploy\n" in notes


def test_sections_are_found_in_any_order():
    """Each has its own lines, whatever stands above and below."""
    parts = [f"## [{number}.0.0] - 2026-01-0{number}\n\n- {number}\n\n" for number in (1, 2, 3)]
    for order in itertools.permutations(parts):
        assert ["- 1", "- 2", "- 3"] == [versioning.section("".join(order), f"{n}.0.0").body for n in (1, 2, 3)]
