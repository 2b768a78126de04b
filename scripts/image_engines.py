"""How an image gets built and into a registry: with Docker on GitHub's runners, with buildah in the rehearsal.

Each engine is a thin adapter of the same two steps: build for one platform and push it by its digest, and make the
index that names them all. What is released, and in which order, is `release`.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from build_context import NoTargetError, context_of

# What runs on which machine: the names that Docker gives platforms.
PLATFORMS = {"amd64": "linux/amd64", "arm64": "linux/arm64"}
BUILDKIT = "moby/buildkit:v0.25.1"  # `rewrite-timestamp` needs 0.13 or newer
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?/")


class EngineError(Exception):
    """A tool failed; the message has its command and its last words."""


class Engine(Protocol):
    """Builds and pushes. Both methods answer a digest, `sha256:...`, and raise `EngineError`."""

    def push(self, context: Path, image: str, architecture: str, seconds: int, target: str = "") -> str:
        """Build `context` for one architecture, every file at most as new as `seconds`, and push it untagged.

        `target` is a stage of the Dockerfile; without one it is the last.
        """

    def index(self, image: str, digests: Sequence[str], tag: str) -> str:
        """Make `tag` name the images of all architectures."""


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a tool and answer its output; its errors are shown as they come."""
    words = [str(word) for word in command]
    done = subprocess.run(  # noqa: S603 - the tools that are named here
        words, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"`{' '.join(words)}` ended with {done.returncode}: {done.stdout.strip()[-500:]}")
    return done.stdout


@dataclass(frozen=True)
class Docker:
    """`docker buildx`, with BuildKit in a container of its own: Docker's own cannot push by digest."""

    builder: str = "release"

    def push(self, context: Path, image: str, architecture: str, seconds: int, target: str = "") -> str:
        """See `Engine`."""
        if self.builder not in run(("docker", "buildx", "ls", "--format", "{{.Name}}")).split():
            driver = ("--driver", "docker-container", "--driver-opt", f"image={BUILDKIT}")
            run(("docker", "buildx", "create", "--name", self.builder, *driver))
        with tempfile.TemporaryDirectory() as directory:
            told = Path(directory) / "metadata.json"
            run(self.build_command(context, image, architecture, told, target), {"SOURCE_DATE_EPOCH": str(seconds)})
            return str(json.loads(told.read_text(encoding="utf-8"))["containerimage.digest"])

    def build_command(self, context: Path, image: str, architecture: str, told: Path, target: str = "") -> list[str]:
        """The build. No attestations of BuildKit's own: they would make the digest one of an index."""
        output = f"type=image,name={image},push-by-digest=true,name-canonical=true,push=true,rewrite-timestamp=true"
        return [
            *("docker", "buildx", "build", "--builder", self.builder, "--platform", PLATFORMS[architecture]),
            *("--provenance=false", "--sbom=false", "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH"),
            *(("--target", target) if target else ()),
            *("--output", output, "--metadata-file", str(told), str(context)),
        ]

    def index(self, image: str, digests: Sequence[str], tag: str) -> str:
        """See `Engine`."""
        run(("docker", "buildx", "imagetools", "create", "--tag", f"{image}:{tag}", *_named(image, digests)))
        told: Any = json.loads(
            run(("docker", "buildx", "imagetools", "inspect", f"{image}:{tag}", "--format", "{{json .Manifest}}"))
        )
        return str(told["digest"])


@dataclass(frozen=True)
class Buildah:
    """`buildah`, for a machine without a Docker engine. It builds for that machine alone.

    `build` is called with a tag and the context, of which it makes the last stage; a target is the last one of the
    context that it gets then. buildah's storage is the environment's business.
    """

    build: Path

    def push(self, context: Path, image: str, architecture: str, seconds: int, target: str = "") -> str:
        """See `Engine`. The layers' times are the Dockerfile's own doing; the image's is not set."""
        local = "-".join(filter(None, ("localhost/release", target, architecture)))
        try:
            with context_of(context, target) as given:
                run((self.build, local, given), {"SOURCE_DATE_EPOCH": str(seconds)})
        except NoTargetError as error:
            raise EngineError(str(error)) from error
        return self._push(("buildah", "push", "-q"), local, f"{image}:{architecture}")

    def index(self, image: str, digests: Sequence[str], tag: str) -> str:
        """See `Engine`."""
        local = f"localhost/release-index-{tag}"
        subprocess.run(["buildah", "manifest", "rm", local], capture_output=True, check=False)  # noqa: S603, S607
        run(("buildah", "manifest", "create", local))
        for each in _named(image, digests):
            run(("buildah", "manifest", "add", *self._plain(image), local, f"docker://{each}"))
        return self._push(("buildah", "manifest", "push", "-q", "--all"), local, f"{image}:{tag}")

    def _push(self, command: Sequence[str], local: str, reference: str) -> str:
        with tempfile.TemporaryDirectory() as directory:
            told = Path(directory) / "digest"
            run((*command, *self._plain(reference), "--digestfile", told, local, f"docker://{reference}"))
            return told.read_text(encoding="utf-8").strip()

    @staticmethod
    def _plain(reference: str) -> tuple[str, ...]:
        """A registry on loopback has no certificate."""
        return ("--tls-verify=false",) if _LOOPBACK.match(reference) else ()


def _named(image: str, digests: Sequence[str]) -> list[str]:
    return [f"{image}@{digest}" for digest in digests]
