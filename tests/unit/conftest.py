"""Fixtures of the unit tests, none of which may reach another machine: what they need is on loopback, or faked."""

import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from baseten_deploy.inputs.settings import Settings, read_settings, variable_of
from baseten_deploy.inputs.table import BY_NAME

API_KEY = "test-key-0123456789"
_guard = {"active": False}


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in {None, "", "localhost"}:
        return True
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:
        return False


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _guard["active"]:
        return
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]  # a path for AF_UNIX
        refused = isinstance(address, tuple) and not _is_local(address[0])
    elif event == "socket.getaddrinfo":
        refused = not _is_local(arguments[0])
    else:
        return
    if refused:
        raise RuntimeError(f"a unit test wants the network: {event} {arguments[1:] if refused else ''}")


sys.addaudithook(_audit)  # a hook cannot be removed; it sleeps between the tests of this folder


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection and name look-up that leaves this machine, from whatever thread."""
    _guard["active"] = True
    yield
    _guard["active"] = False


@pytest.fixture
def make_settings() -> Callable[..., Settings]:
    """Make settings of an API key and the given inputs, which must be valid: `model_name="m"` is `model-name: m`."""

    def make(**inputs: str) -> Settings:
        values = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert values.keys() <= BY_NAME.keys()
        variables = {variable_of(name): value for name, value in {"baseten-api-key": API_KEY, **values}.items()}
        settings, problems = read_settings(variables)
        assert [] == problems
        return settings

    return make
