"""Containers without a Docker engine, by what ../shared/image sets up: builds, layers, runs that run.sh does not do.

`run.sh` runs a step as GitHub's runner does. `Confined` runs one as a cluster does that trusts nobody: a read-only root
file system, any uid, no capability.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from build_context import context_of, up_to
from runner import Launcher

BASE = "docker.io/library/python:3.13-slim"  # the stand-in of ../shared/image: Debian with CPython and a shell
_OF_THE_STEP = ("INPUT_", "GITHUB_", "RUNNER_", "STATE_")


def machine_environment() -> dict[str, str]:
    """The environment of this process without what a runner around it may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_STEP)}


def tool(part: Path, *command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run podman or buildah with the storage of ../shared/image (`part`); its output. Fails with its errors."""
    done = subprocess.run(
        in_storage(part, *command),
        env=machine_environment() | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


def in_storage(part: Path, *command: str | Path) -> list[str]:
    """The command line that runs `command` with the storage of ../shared/image."""
    return ["bash", "-c", f'. "{part}/env.sh"; exec "$@"', "bash", *map(str, command)]


@contextmanager
def other_machine(part: Path, directory: Path, *, plain_registry: str) -> Iterator[Path]:
    """The storage of a machine that has never seen the image: the base alone is there. Gives its IMAGE_HOME.

    `plain_registry` (`host:port`) may be pulled from without TLS there.
    """
    own = Path(os.environ.get("IMAGE_HOME") or Path.home() / ".cache" / "action-image")
    (directory / "tmp").mkdir(parents=True)
    shutil.copy(own / "containers.conf", directory)
    (directory / "registries.conf").write_text(f'[[registry]]\nlocation = "{plain_registry}"\ninsecure = true\n')
    roots = f'graphroot = "{directory}/store"\nrunroot = "{directory}/run"\n'
    (directory / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{roots}')
    place = f"containers-storage:[overlay@{directory}/store+{directory}/run]{BASE}"
    tool(part, "buildah", "push", "-q", BASE, place)
    try:
        yield directory
    finally:
        tool(part, "podman", "rmi", "--all", "--force", environment={"IMAGE_HOME": str(directory)})


def build(part: Path, tag: str, context: Path, target: str = "") -> None:
    """Set up what ../shared/image brings, once, and build with it; layers that are there are used again."""
    with context_of(context, target) as given:
        for command in ([part / "setup.sh"], [part / "build.sh", tag, given]):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            assert done.returncode == 0, done.stdout


def build_anew(part: Path, tag: str, context: Path, target: str) -> None:
    """Build a stage as ../shared/image/build.sh does, with no cache."""
    dockerfile = context / "Dockerfile.local"
    text = up_to((context / "Dockerfile").read_text(), target)
    dockerfile.write_text(re.sub(r"(?m)^(FROM .*python:3\.13)[^ @]*(@sha256:[0-9a-f]+)?", r"\1-slim", text))
    certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"
    common = ("--pull=never", "--layers", "--no-cache", "--isolation", "chroot", "--volume", certificates)
    tool(part, "buildah", "bud", *common, "-t", tag, "-f", dockerfile, context)


def layer_digests(part: Path, tag: str) -> list[str]:
    """The SHA-256 of each layer's tar, the lowest first: what is the same when the same bytes were built."""
    layers: list[str] = json.loads(tool(part, "podman", "image", "inspect", tag))[0]["RootFS"]["Layers"]
    return layers


def compressed_layers(part: Path, tag: str, directory: Path) -> list[int]:
    """The bytes of each layer, the lowest first, as `buildah push` compresses them. `directory` gets an OCI layout."""
    tool(part, "buildah", "push", "-q", tag, f"oci:{directory}:image")
    index = json.loads((directory / "index.json").read_text())
    manifest = json.loads((directory / "blobs" / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    return [layer["size"] for layer in manifest["layers"]]


class Confined:
    """A `Launcher` that runs an image with `podman run` and the options given; the runner's directory is at /github.

    `home=False` leaves HOME out, as a cluster does. `command` replaces the image's entry point.
    """

    def __init__(
        self, tag: str, part: Path, options: Sequence[str], command: Sequence[str] = (), *, home: bool = True
    ) -> None:
        self.root = "/github"
        self.environment: Mapping[str, str] = {}
        self._tag, self._part, self._options, self._command, self._home = tag, part, options, command, home

    def start(self, directory: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        """Start the container; its environment is that of the step, and nothing of this machine's."""
        named = {name for name in environment if name.startswith(_OF_THE_STEP) or name in ("CI", "HOME")}
        if not self._home:
            named -= {"HOME"}
        # podman reads values from its own environment, by name: HOME is its own there.
        passed = [f"-e=HOME={environment['HOME']}" if name == "HOME" else f"-e={name}" for name in sorted(named)]
        entry, *arguments = self._command or ("",)
        command = (
            *("podman", "run", "--rm", "--network=host", "--workdir=/github/workspace", *self._options, *passed),
            *(("--entrypoint", entry) if entry else ()),
            *("-v", f"{directory.parent}:/github", self._tag, *arguments),
        )
        own = machine_environment()
        return Launcher(tuple(in_storage(self._part, *command))).start(
            directory, {**environment, "PATH": own["PATH"], "HOME": own.get("HOME", "/root")}
        )
