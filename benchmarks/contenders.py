"""Who is compared: this action, `truss push`, and a shell script; each as the process that a CI job would start."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import Service

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# What this action needs; in pyproject.toml with their versions.
PACKAGES = ("httpx", "boto3", "pyyaml", "actions-toolkit", "pathspec", "isal")
OURS, TRUSS, TAR = "this action", "truss push", "tar, gzip, boto3"


@dataclass(frozen=True)
class Contender:
    """A name, how to start it on a Truss, and its environment."""

    name: str
    command: Callable[[Service, Path], Sequence[str]]
    environment: Callable[[Service, Path], dict[str, str]]


def contenders(python: str, truss_python: str) -> list[Contender]:
    """All of them; without an interpreter that has `truss`, those that remain."""
    found = [
        entry_point(python, ROOT),
        Contender(
            TRUSS,
            lambda service, truss: [truss_python, str(HERE / "push_truss.py"), service.api, str(truss)],
            lambda _service, _truss: {},
        ),
        Contender(
            TAR,
            lambda service, truss: [
                python,
                *("-I", str(HERE / "push_tar.py"), service.api, service.s3, str(service.certificate), str(truss)),
            ],
            lambda _service, _truss: {},
        ),
    ]
    return [each for each in found if truss_python or each.name != TRUSS]


def entry_point(python: str, checkout: Path) -> Contender:
    """The action of a checkout of this repository."""
    return Contender(OURS, lambda _service, _truss: [python, "-I", str(checkout / "entrypoint.py")], _inputs)


def offline_plan(truss: Path) -> dict[str, str]:
    """The environment of a run that gets no key, as one for Dependabot: it plans without asking anybody."""
    return {
        "INPUT_MODE": "plan",
        "INPUT_TRUSS-DIRECTORY": truss.name,
        "GITHUB_WORKSPACE": str(truss.parent),
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_ACTOR": "dependabot[bot]",
    }


def _inputs(service: Service, truss: Path) -> dict[str, str]:
    """The environment that GitHub's runner gives the action."""
    inputs = {
        "baseten-api-key": "bench",
        "truss-directory": truss.name,
        "api-url": service.api,
        "inference-url": service.api,
        "s3-endpoint-url": service.s3,
        "wait": "false",
        "predict": "false",
    }
    return {
        **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
        "GITHUB_WORKSPACE": str(truss.parent),
        "GITHUB_ACTIONS": "true",
        "SSL_CERT_FILE": str(service.certificate),
    }
