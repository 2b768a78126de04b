"""Fixtures for all tests, and how hypothesis and the garbage collector run here."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import HealthCheck, settings

from baseten_deploy.network import certificates

# For machines that are busy with something else: how long an example takes says nothing about what is tested.
_UNHEALTHY = [HealthCheck.too_slow]
# For a try at the desk; `.ci/run` asks for 600 of each property, whichever it is.
_EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
settings.register_profile("patient", deadline=None, suppress_health_check=_UNHEALTHY, max_examples=_EXAMPLES)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collecting makes thousands of things that stay, and hardly any garbage: the collector is not to look at them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each worker begins with its share of the whole runs, so that what is left for the end is short."""
    workers = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    runs = [item for item in items if "integration" in item.path.parts]
    others = [item for item in items if "integration" not in item.path.parts]

    def share(of: list[pytest.Item], number: int) -> list[pytest.Item]:
        return of[len(of) * number // workers : len(of) * (number + 1) // workers]

    items[:] = [item for number in range(workers) for item in share(runs, number) + share(others, number)]


@pytest.fixture(scope="session", autouse=True)
def all_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Where all public authorities are. Of these the tests have the first: on loopback none of them is met.

    To load all takes each run and each client 12 ms.
    """
    end = "-----END CERTIFICATE-----\n"
    first, *_ = certifi.contents().partition(end)
    path = tmp_path_factory.mktemp("authorities") / "public.pem"
    path.write_text(first + end, encoding="utf-8")
    where = certificates.public
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "public", lambda: str(path))
        yield where


@pytest.fixture
def restored_signals() -> Iterator[None]:
    """Put the handlers of SIGINT and SIGTERM back after a test that runs `main`."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def shared_part() -> Callable[[str], Path]:
    """Find a folder of ../shared, which holds what is needed to run against real services.

    A laptop may not have it: the test is skipped. CI must have it: there it fails, so that nothing is skipped unseen.
    """

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.is_dir():
            reason = f"needs ../shared/{name} beside this checkout, and there is no {path}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find
