"""What a start costs: until the first request, from a machine that has a container engine and nothing of ours.

    python -m benchmarks.starts --rounds 3        needs ../shared/image, docker-registry (Debian) and the package index

Three ways to the same request, in turns: the released image is pulled from a registry on loopback; the image is built
from the Dockerfile, as GitHub's runner does for a branch; and `truss` is installed by pip, then `truss push`. The base
image is there before the first two, and is fetched as well in the rows that say so. Every round begins without the
image, without its layers and without a cache of packages: storage is a directory of its own, and is cleared.
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from .contenders import HERE, ROOT, _inputs
from .measure import Service, measure, serving
from .trusses import QUICK_SHAPES, make_truss

PULL, BUILD, TRUSS = "the released image is pulled", "the image is built", "truss is installed, `truss push`"
WITH_BASE = ", and its base"
GOALS = {(PULL, BUILD): 0.35, (PULL, TRUSS): 0.3}
BASE = "docker.io/library/python:3.13-slim"
OURS = "localhost/start"


class Store:
    """A container storage of its own, set up as ../shared/image does it."""

    def __init__(self, part: Path, directory: Path, registry: str) -> None:
        self._part, self._directory = part, directory
        home = Path(os.environ.get("IMAGE_HOME") or Path.home() / ".cache" / "action-image")
        (directory / "tmp").mkdir(parents=True)
        shutil.copy(home / "containers.conf", directory)
        (directory / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
        roots = f'graphroot = "{directory}/store"\nrunroot = "{directory}/run"\n'
        (directory / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{roots}')

    def script(self, *lines: str) -> list[str]:
        """The command line that runs these lines with this storage."""
        head = f'export IMAGE_HOME={shlex.quote(str(self._directory))}; . "{self._part}/env.sh"; set -e'
        return ["bash", "-c", "\n".join((head, *lines))]

    def run(self, *lines: str) -> None:
        """Run them now, not measured."""
        subprocess.run(self.script(*lines), check=True, stdout=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def registry(directory: Path) -> Iterator[str]:
    """Run Debian's docker-registry; gives `host:port`."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    directory.mkdir()
    configuration = directory / "registry.yml"
    storage = f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}"
    configuration.write_text(f"version: 0.1\nlog: {{level: error}}\n{storage}\nhttp: {{addr: {address}}}\n")
    command = ["docker-registry", "serve", str(configuration)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        for _ in range(200):
            with contextlib.suppress(URLError), urlopen(f"http://{address}/v2/", timeout=5):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


class Starts:
    """The ways to the first request, each a script that is measured from its first line."""

    def __init__(self, store: Store, address: str, directory: Path, service: Service, truss: Path) -> None:
        self._store, self._address, self._directory = store, address, directory
        self._service, self._truss = service, truss

    def _container(self, image: str) -> str:
        """Run the action in its image, on the Truss, as GitHub's runner does."""
        variables = _inputs(self._service, self._truss) | {"GITHUB_WORKSPACE": "/github/workspace"}
        variables["SSL_CERT_FILE"] = "/github/certificate.pem"
        options = (
            *("--rm", "--network=host", "--workdir=/github/workspace"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *("-v", f"{self._truss.parent}:/github/workspace"),
            *("-v", f"{self._service.certificate}:/github/certificate.pem:ro"),
        )
        return f"podman run {shlex.join(options)} {image}"

    def pull(self) -> list[str]:
        """A release: two layers come from the registry."""
        image = f"{self._address}/ours"
        return self._store.script(f"podman pull -q {image}", self._container(image))

    def build(self, base: str = "") -> list[str]:
        """A branch: the Dockerfile of this checkout. `base` is pulled first."""
        first = [f"podman pull -q {base}", f"podman tag {base} {BASE}"] if base else []
        build = f"{build_command(self._directory / 'Dockerfile')} -t {OURS} {shlex.quote(str(ROOT))}"
        return self._store.script(*first, build, self._container(OURS))

    def truss(self, version: str) -> list[str]:
        """Install by pip, then the command line. The environment itself is there, as `actions/setup-python` has it."""
        python = self._directory / "truss" / "bin" / "python"
        install = f"{python} -m pip install --quiet --no-cache-dir --disable-pip-version-check truss=={version}"
        push = shlex.join([str(python), str(HERE / "push_truss.py"), self._service.api, str(self._truss)])
        return ["bash", "-c", f"set -e\n{install}\n{push}"]

    def clear(self, *, base: bool) -> None:
        """Forget the image and, with `base`, everything."""
        images = "--all" if base else f"{OURS} {self._address}/ours"
        self._store.run(f"podman rmi --force {images} > /dev/null 2>&1 || true", "podman image prune -f > /dev/null")
        shutil.rmtree(self._directory / "truss", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(self._directory / "truss")], check=True)  # noqa: S603


def build_command(dockerfile: Path) -> str:
    """Build as ../shared/image/build.sh does, with no cache; the base is the local stand-in."""
    text = (ROOT / "Dockerfile").read_text()
    dockerfile.write_text(re.sub(r"(?m)^(FROM .*python:3\.13)[^ @]*(@sha256:[0-9a-f]+)?", r"\1-slim", text))
    options = "--pull=never --no-cache --isolation chroot --volume /etc/ssl/certs:/etc/ssl/certs:ro"
    return f"buildah bud -q {options} -f {shlex.quote(str(dockerfile))}"


def main(arguments: Sequence[str]) -> int:
    """Measure and print the table; the exit code is 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starts", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "image")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    version = re.search(r"^truss==(\S+)", (ROOT / "requirements-truss.txt").read_text(), re.MULTILINE)
    assert version
    for command in ([options.shared / "setup.sh"], [options.shared / "build.sh", OURS, ROOT]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-starts-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        address = stack.enter_context(registry(directory / "registry"))
        service = stack.enter_context(serving(directory))
        for image, kept in ((OURS, "ours"), (BASE, "base")):
            push = f'. "{options.shared}/env.sh"; buildah push -q --tls-verify=false {image} {address}/{kept}'
            subprocess.run(["bash", "-c", push], check=True, stdout=subprocess.DEVNULL)  # noqa: S603, S607
        store = Store(options.shared, directory / "images", address)
        starts = Starts(store, address, directory, service, make_truss(QUICK_SHAPES[0], directory / "trusses"))
        stack.callback(starts.clear, base=True)
        for _ in range(options.rounds):
            _round(starts, store, f"{address}/base", version[1], service, directory, seconds)
    print(table(seconds))
    return 0 if all(met for _, met in goals(seconds)) else 1


def _round(
    starts: Starts,
    store: Store,
    base: str,
    version: str,
    service: Service,
    directory: Path,
    seconds: dict[str, list[float]],
) -> None:
    """All ways once."""
    for way, command, with_base in (
        (PULL + WITH_BASE, starts.pull(), True),
        (BUILD + WITH_BASE, starts.build(base), True),
        (PULL, starts.pull(), False),
        (BUILD, starts.build(), False),
        (TRUSS, starts.truss(version), False),
    ):
        starts.clear(base=with_base)
        if not with_base:
            store.run(f"podman pull -q {base}", f"podman tag {base} {BASE}")
        home = directory / "home"
        shutil.rmtree(home, ignore_errors=True)
        settings = home / ".config" / "truss" / "settings.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text("[preferences]\ncheck_for_updates = false\n")  # see benchmarks.__main__
        # What finds the package index here comes from the environment: all ways get the same.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "INPUT_"))}
        measured = measure(service, command, environment | {"HOME": str(home)})
        seconds.setdefault(way, []).append(measured.first_request)
        print(f"{way}: {measured.first_request:.1f} s", file=sys.stderr, flush=True)


def goals(seconds: dict[str, list[float]]) -> list[tuple[str, bool]]:
    """Each goal in words, and whether it is met: a ratio of medians."""
    found = []
    for (ours, theirs), most in GOALS.items():
        ratio = statistics.median(seconds[ours]) / statistics.median(seconds[theirs])
        found.append((f"| {ours}, against: {theirs} (at most {most}) | {ratio:.2f} |", ratio <= most))
    return found


def table(seconds: dict[str, list[float]]) -> str:
    """Medians with their range, and the goals."""
    rows = [
        f"| {way} | {statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f}) |"
        for way, times in seconds.items()
    ]
    judged = [line for line, _ in goals(seconds)]
    head = ["| until the first request | seconds |", "|---|---|"]
    return "\n".join((*head, *rows, "", "| goal | reached |", "|---|---|", *judged))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
