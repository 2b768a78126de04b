"""What a push gets of the run's way out."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from baseten_deploy.chain.certificates import handed_on
from baseten_deploy.network.certificates import public
from baseten_deploy.network.way_out import WayOut


def test_where_the_public_authorities_are_enough(tmp_path: Path) -> None:
    """No file, and no proxy that nobody named."""
    assert ({}, "") == handed_on(WayOut(), tmp_path)


def test_authorities_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in one file with the public ones; certifi is not loaded for that, as `launch` leaves it out."""
    monkeypatch.setitem(sys.modules, "certifi", ModuleType("certifi"))
    own = tmp_path / "own.pem"
    own.write_bytes(
        b"-----BEGIN CERTIFICATE-----" + Path(public()).read_bytes().split(b"-----BEGIN CERTIFICATE-----")[1]
    )
    variables, bundle = handed_on(WayOut({"SSL_CERT_FILE": str(own), "HTTPS_PROXY": "http://p:1"}), tmp_path)
    assert {
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "HTTPS_PROXY": "http://p:1",
    }.items() <= variables.items()
    assert "localhost" in variables["NO_PROXY"]
    assert Path(bundle).read_bytes() == Path(public()).read_bytes() + b"\n" + own.read_bytes()
