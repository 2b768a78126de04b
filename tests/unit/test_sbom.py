"""`scripts/sbom.py`: the bill of materials from the lock file. `make release-rehearsal` has spdx-tools judge it."""

import json

from packaging.requirements import Requirement

import sbom
from runner import ROOT

DIGEST = "sha256:" + "ab" * 32
STATUS = """Package: libc6
Status: install ok installed
Version: 2.41-12+deb13u1
Description: GNU C Library
 second line

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def made(packages):
    """A document of these packages, at a fixed time."""
    base = sbom.base_image((ROOT / "Dockerfile").read_text())
    return sbom.document("1.4.0", "ghcr.io/octo/x", DIGEST, 1_764_288_000, base, packages)


def test_every_pin_of_the_lock_file_is_in_it():
    """Name, version and package URL of each; nothing that the image does not have."""
    text = (ROOT / "requirements.txt").read_text()
    lines = [line.removesuffix("\\") for line in text.splitlines() if line and line[0] not in " #"]
    pins = {(pin.name, str(pin.specifier).removeprefix("==")) for pin in map(Requirement, lines)}
    packages = sbom.locked_packages(text, {})
    assert pins == {(package.name, package.version) for package in packages}
    assert "pkg:pypi/httpx@" in json.dumps(made(packages))


def test_a_licence_is_what_the_package_says_of_itself():
    """As an SPDX expression where there is one; else nothing is asserted."""
    known, unknown = sbom.locked_packages("httpx==0.28.1 \\\nfoo==1 \\\n", {"httpx": "BSD-3-Clause"})
    assert ("BSD-3-Clause", "NOASSERTION") == (known.licence, unknown.licence)
    assert "MIT" == sbom.installed_licences()["urllib3"]


def test_the_packages_of_the_base_are_in_it():
    """Those that are installed, by their Debian versions; the base itself by name and tag."""
    (package,) = sbom.debian_packages(STATUS)
    assert ("libc6", "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1") == (package.name, package.purl)
    base = sbom.base_image("FROM python:3.13.16-slim-trixie AS build\nFROM python:3.13.16-slim-trixie AS action\n")
    assert "pkg:docker/library/python@3.13.16-slim-trixie" == base.purl


def test_the_document_hangs_together():
    """Every relationship names packages that are there, each once; the image is described and contains the rest."""
    packages = sbom.locked_packages((ROOT / "requirements.txt").read_text(), {}) + sbom.debian_packages(STATUS)
    document = made(packages)
    ids = [package["SPDXID"] for package in document["packages"]]
    assert len(ids) == len(set(ids)) == len(packages) + 2
    named = {each["relatedSpdxElement"] for each in document["relationships"]}
    assert set(ids) == named
    assert "2025-11-28T00:00:00Z" == document["creationInfo"]["created"]


def test_the_same_release_has_the_same_document():
    """No time of day, no random namespace."""
    packages = sbom.debian_packages(STATUS)
    assert made(packages) == made(packages)
    assert document_namespace(made(packages)) != document_namespace(
        sbom.document("1.4.0", "ghcr.io/octo/x", DIGEST.replace("a", "c"), 0, packages[0], [])
    )


def document_namespace(document):
    """Where the document's ids live."""
    return document["documentNamespace"]
