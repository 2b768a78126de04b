"""The software bill of materials of an image: SPDX 2.3 as JSON, from the lock file and what a package says of itself.

Python packages come from requirements.txt, with the licence that their metadata names where they are installed; those
of `truss` from what `list_packages` printed in the image for Chains; the base's Debian packages from a dpkg status
file, where one is given. Nothing is looked up. Spec: SPDX 2.3.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from list_packages import installed

_PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;]+)(?P<marker> ;[^\\\n]*)?", re.MULTILINE)
_BASE = re.compile(r"^FROM (?P<name>[a-z0-9./-]+):(?P<version>[^\s@]+)", re.MULTILINE)
_UNKNOWN = "NOASSERTION"
_ID = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True)
class Package:
    """One thing in the image. `purl` names it in its ecosystem."""

    name: str
    version: str
    purl: str
    licence: str = _UNKNOWN
    purpose: str = "LIBRARY"

    @property
    def identifier(self) -> str:
        """Its SPDX id, unique in the document."""
        kind = self.purl.removeprefix("pkg:").partition("/")[0]
        return f"SPDXRef-{kind}-{_ID.sub('-', f'{self.name}-{self.version}')}"  # `truss` may need another one of ours


def locked_packages(requirements: str, licences: Mapping[str, str]) -> list[Package]:
    """The packages of requirements.txt."""
    return [
        Package(
            pin["name"],
            pin["version"],
            f"pkg:pypi/{pin['name']}@{pin['version']}",
            licences.get(pin["name"], _UNKNOWN),
        )
        for pin in _PIN.finditer(requirements)
    ]


def listed_packages(listing: str) -> list[Package]:
    """The packages that `list_packages` printed."""
    return [
        Package(name, version, f"pkg:pypi/{name}@{version}", licence or _UNKNOWN)
        for name, version, licence in json.loads(listing)
    ]


def installed_licences() -> dict[str, str]:
    """What the packages installed here say of their licence as an SPDX expression (PEP 639), by normalized name."""
    return {name: licence for name, (_, licence) in installed().items() if licence}


def debian_packages(status: str) -> list[Package]:
    """The installed packages of a dpkg status file."""
    found = []
    for paragraph in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            found.append(Package(name, version, f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}"))
    return found


def base_image(dockerfile: str) -> Package:
    """What the Dockerfile's last stage stands on."""
    match = list(_BASE.finditer(dockerfile))[-1]
    name, version = match["name"], match["version"]
    return Package(name, version, f"pkg:docker/library/{name}@{version}", purpose="CONTAINER")


def document(
    version: str, image: str, digest: str, seconds: int, base: Package, packages: Iterable[Package]
) -> dict[str, Any]:
    """The document: it describes the image, which contains its base and the packages, each once.

    `seconds` is the time of the commit, so that the same release has the same document.
    """
    name = image.rpartition("/")[2]
    ours = Package(name, version, f"pkg:oci/{name}@{digest.replace(':', '%3A')}", "MIT", "CONTAINER")
    contained = list({package.purl: package for package in (*packages, base)}.values())
    relationships = [("SPDXRef-DOCUMENT", "DESCRIBES", ours.identifier)]
    relationships += [(ours.identifier, "CONTAINS", package.identifier) for package in contained]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{image}@{digest}",
        "documentNamespace": f"https://{image}/sbom/{digest.removeprefix('sha256:')}",
        "creationInfo": {
            "created": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: baseten-deploy-scripts-sbom"],
        },
        "packages": [_record(package) for package in (ours, *contained)],
        "relationships": [
            {"spdxElementId": left, "relationshipType": kind, "relatedSpdxElement": right}
            for left, kind, right in relationships
        ],
    }


def _record(package: Package) -> dict[str, Any]:
    return {
        "SPDXID": package.identifier,
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": package.licence,
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": package.purpose,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl}
        ],
    }
