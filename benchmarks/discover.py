"""`mode: discover` in a large repository: how long it takes, how much memory, how many requests at a time.

    python -m benchmarks.discover [--trusses 300] [--files 200000]

The repository is made in a temporary directory. The service is a process of its own that answers each request after
50 ms. Bounds: 300 Trusses among 200 000 other files in ten seconds and 200 MB, eight requests at once. Exits with 1
beyond one of them.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

ROOT = Path(__file__).resolve().parents[1]
LATENCY = 0.05
MOST_SECONDS, MOST_MEGABYTES, MOST_AT_ONCE = 10.0, 200.0, 8
_FILES_IN_ONE = 50
_MODEL = "class Model:\n    def load(self): ...\n    def predict(self, model_input):\n        return model_input\n"
_MACHINE = {
    "id": "A10Gx4x16",
    "name": "A10G:4x16",
    "memory_limit_mib": 16384,
    "millicpu_limit": 4000,
    "gpu_count": 1,
    "gpu_type": "A10G",
    "gpu_memory_limit_mib": 24576,
}


def make_repository(top: Path, trusses: int, files: int) -> None:
    """So many Trusses of five files each, and so many files that are none of theirs; some are ignored by git."""
    top.mkdir()
    (top / ".gitignore").write_text("node_modules/\n*.pyc\n/build\n!keep/\n")
    for number in range(trusses):
        truss = top / "models" / f"group{number % 20}" / f"model-{number}"
        (truss / "model").mkdir(parents=True)
        config = f"model_name: model-{number}\npython_version: py311\nresources:\n  accelerator: A10G\n"
        (truss / "config.yaml").write_text(config)
        (truss / "model" / "model.py").write_text(_MODEL)
        (truss / "model" / "__init__.py").write_text("")
        (truss / "README.md").write_text("# A model\n")
        (truss / "weights.txt").write_text("w" * 1000)
    for number in range(files // _FILES_IN_ONE):
        directory = top / "src" / f"part{number % 40}" / f"package{number}"
        directory.mkdir(parents=True)
        for index in range(_FILES_IN_ONE):
            (directory / f"file{index}.txt").touch()


def answer(path: str, trusses: int) -> dict[str, Any]:
    """What the service says: every model exists and serves something else."""
    if path.startswith("/v1/instance_type_prices"):
        return {"instance_types": [{"instance_type": _MACHINE, "price": 0.02012}]}
    if re.fullmatch(r"/v1/models(\?.*)?", path):
        return {"models": [{"id": f"m{each}", "name": f"model-{each}"} for each in range(trusses)]}
    deployment = {"id": "dep1", "name": "d", "status": "ACTIVE", "labels": {"content-digest": "another"}}
    scale = {"min_replica": 0, "max_replica": 2}
    production = {
        "name": "production",
        "current_deployment": deployment,
        "instance_type": _MACHINE,
        "autoscaling_settings": scale,
    }
    return {"environments": [production]}


def serve(listener: socket.socket, trusses: int, requests: "Synchronized[int]", most: "Synchronized[int]") -> None:
    """Answer each request after `LATENCY`, and count how many there are, and at a time."""
    now = 0

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            now += 1
            requests.value += 1
            most.value = max(most.value, now)
            await asyncio.sleep(LATENCY)
            body = json.dumps(answer(head.split(b" ", 2)[1].decode(), trusses)).encode()
            now -= 1
            fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
            writer.write(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body)

    async def forever() -> None:
        server = await asyncio.start_server(connection, sock=listener)
        await server.serve_forever()

    asyncio.run(forever())


def main() -> int:
    """Measure once, and say it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trusses", type=int, default=300)
    parser.add_argument("--files", type=int, default=200_000)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    requests, most = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    server = multiprocessing.Process(target=serve, args=(listener, options.trusses, requests, most), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder, "repository")
        make_repository(workspace, options.trusses, options.files)
        output = Path(folder, "output")
        environment = {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_OUTPUT": str(output),
            "INPUT_MODE": "discover",
            "INPUT_BASETEN-API-KEY": "benchmark-key",
            "INPUT_API-URL": f"http://127.0.0.1:{port}",
        }
        started = time.monotonic()
        command = [sys.executable, "-I", str(ROOT / "entrypoint.py")]
        ended = subprocess.run(  # noqa: S603 - our own entry point
            command, env=environment, cwd=workspace, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
        found = re.search(r"^matrix<<.*?\n(.*?)\n", output.read_text() if output.exists() else "", re.MULTILINE)
    server.terminate()
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    changed = len(json.loads(found[1])["include"]) if found else -1
    print(f"{options.trusses} Trusses among {options.files} other files, {LATENCY * 1000:.0f} ms a request")
    print(f"  {seconds:.1f} s (at most {MOST_SECONDS:.0f}), {megabytes:.0f} MB (at most {MOST_MEGABYTES:.0f})")
    print(f"  {requests.value} requests, {most.value} at a time (at most {MOST_AT_ONCE}); {changed} changed")
    if ended.returncode or changed != options.trusses:
        print(ended.stdout[-3000:], ended.stderr[-3000:])
        return 1
    return int(seconds > MOST_SECONDS or megabytes > MOST_MEGABYTES or most.value > MOST_AT_ONCE)


if __name__ == "__main__":
    sys.exit(main())
