"""Runs one contender once: time, CPU, memory of its processes, and what the service saw of it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

SAMPLE_SECONDS = 0.02
LIVE_AFTER_SECONDS = 3.3
GBIT = 125_000_000.0  # bytes a second


@dataclass(frozen=True)
class Setting:
    """The way between a contender and the service. `rate` bounds S3, in bytes a second; delays are in seconds."""

    name: str
    rate: float = 0.0
    api_delay: float = 0.0
    s3_delay: float = 0.0


UNLIMITED = Setting("unlimited")
GIGABIT = Setting("1 Gbit/s", rate=GBIT)
FAR = Setting("50 ms", api_delay=0.05, s3_delay=0.01)
SETTINGS = (UNLIMITED, GIGABIT, FAR)


@dataclass(frozen=True)
class Service:
    """Where the service of `service.py` listens."""

    api: str
    s3: str
    certificate: Path

    def reset(self, setting: Setting = UNLIMITED, *, live_after: float = 0) -> None:
        """Forget what was asked; from now on answer as in `setting`."""
        delays = {"api_delay": setting.api_delay, "s3_delay": setting.s3_delay}
        self._call({"rate": setting.rate, "live_after": live_after, **delays})

    def seen(self) -> Any:
        """What was asked since."""
        return self._call(None)

    def _call(self, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.api}/bench", data)) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextmanager
def serving(directory: Path) -> Iterator[Service]:
    """Run the service, with a certificate of its own."""
    key, certificate, both = (directory / name for name in ("key.pem", "certificate.pem", "both.pem"))
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=benchmark"
    name = ("-addext", "subjectAltName=IP:127.0.0.1")
    made = ("openssl", "req", *options.split(), *name, "-keyout", str(key), "-out", str(certificate))
    subprocess.run(made, check=True, stderr=subprocess.DEVNULL)  # noqa: S603
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    program = (sys.executable, str(Path(__file__).with_name("service.py")), str(both))
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout
            api, s3 = process.stdout.readline().split()
            yield Service(f"http://127.0.0.1:{api}", f"https://127.0.0.1:{s3}", certificate)
        finally:
            process.terminate()


@dataclass(frozen=True)
class Measured:
    """One run. Times in seconds since the process was started, memory and the upload in bytes."""

    first_request: float
    commit: float
    end: float
    cpu: float
    memory: int
    uploaded: int
    requests: tuple[str, ...]  # of the management API, until the commit, without what is asked beside them
    noticed: float  # from the deployment being live to the end of the process
    ending: float = 0.0  # from the last read of the deployment's status to the end of the process


def measure(
    service: Service,
    command: Sequence[str],
    environment: Mapping[str, str],
    setting: Setting = UNLIMITED,
    *,
    live_after: float = 0,
) -> Measured:
    """Run `command` against the service. Raises `RuntimeError` with its output when it fails."""
    service.reset(setting, live_after=live_after)
    with Path(environment["HOME"], "output").open("w+b") as output:
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - the contenders' own commands
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watch = _Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.monotonic()
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    seen = service.seen()
    if process.returncode or not seen["committed"]:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{text[-4000:]}")
    calls = [(at, call, path) for at, call, path in seen["requests"] if not path.startswith("s3:")]
    looks = [at for at, call, path in calls if call == "GET" and path.rpartition("/")[0].endswith("/deployments")]
    return Measured(
        first_request=calls[0][0] - started,
        commit=seen["committed"] - started,
        end=ended - started,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=max(watch.peak, usage.ru_maxrss * 1024),
        uploaded=seen["bytes"],
        requests=tuple(f"{call} {path}" for at, call, path in calls if at <= seen["committed"] and path != _BESIDE),
        noticed=ended - (seen["committed"] + live_after),
        ending=ended - max(looks, default=ended),
    )


# Nothing waits for it.
_BESIDE = "/v1/instance_type_prices"


class _Memory:
    """The most memory that a process and its descendants had resident together, in bytes."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(pid,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _watch(self, pid: int) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_resident, _tree(pid))))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))
    except OSError:
        pass  # it has ended


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
