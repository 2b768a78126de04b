"""What measuring adds: 64 calls at once against a server that answers after 50 ms, by checks and by `wrk`.

    python -m benchmarks.checks_overhead [calls]

Both ask the same server, one process of one core beside the client, for the same time. What a percentile has above
50 ms is the server's own lateness and the client's; `wrk` (C, an event loop) shows how much is the server's.
"""

import asyncio
import json
import multiprocessing
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from baseten_deploy.checks.check import Check, Expect
from baseten_deploy.checks.results import CheckResult
from baseten_deploy.checks.suite_run import LiveSide, Means, Place, run_check

SECONDS = 0.05
AT_ONCE = 64
CALLS = 3000
PAYLOAD = {"prompt": "ping"}
_ANSWER = b'{"text": "pong"}'
_PERCENTILES = """
done = function(_, latency)
  io.write(string.format("p50=%d p95=%d", latency:percentile(50), latency:percentile(95)))
end
"""


def serve(listener: socket.socket) -> None:
    """Answer each request of each kept connection after `SECONDS`."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(_ANSWER)}\r\n\r\n"
    whole = head.encode() + _ANSWER

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                request = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", request.lower())
                await reader.readexactly(int(length[1]) if length else 0)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            await asyncio.sleep(SECONDS)
            writer.write(whole)

    async def forever() -> None:
        server = await asyncio.start_server(connection, sock=listener)
        await server.serve_forever()

    asyncio.run(forever())


def by_checks(url: str, calls: int) -> CheckResult:
    """The result of a check that asks so often, and compares each answer."""
    results: list[CheckResult] = []
    check = Check(
        "overhead",
        body=json.dumps(PAYLOAD).encode(),
        repeat=calls,
        concurrency=AT_ONCE,
        warm_up=AT_ONCE,
        expect=Expect(json={"text": "pong"}),
    )
    means = Means("key", None, 10.0, lambda: 0.5)
    run_check(check, Place("the server", f"{url}/predict"), LiveSide(), means, results.append)
    return results[0]


def by_wrk(url: str, seconds: float) -> tuple[float, float] | None:
    """p50 and p95 in seconds, `None` where `wrk` is not installed."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "post.lua"
        body = json.dumps(PAYLOAD).replace('"', '\\"')
        script.write_text(f'wrk.method = "POST"\nwrk.body = "{body}"\n{_PERCENTILES}\n', encoding="utf-8")
        command = [wrk, "-t1", f"-c{AT_ONCE}", f"-d{max(1, round(seconds))}s", "-s", str(script), f"{url}/predict"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    found = re.search(r"p50=(\d+) p95=(\d+)", text)
    return (int(found[1]) / 1e6, int(found[2]) / 1e6) if found else None


def main(arguments: list[str]) -> int:
    """Measure and print a table."""
    calls = int(arguments[0]) if arguments else CALLS
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
    server.start()
    try:
        began = time.monotonic()
        ours = by_checks(url, calls)
        theirs = by_wrk(url, time.monotonic() - began)
    finally:
        server.kill()
    print(f"{calls} calls, {AT_ONCE} at once, against a server that answers after {SECONDS * 1000:g} ms\n")
    print("| client | p50 | p95 |\n|---|---|---|")
    assert ours.p50 is not None
    assert ours.p95 is not None
    print(f"| checks ({ours.failed} failed) | {ours.p50 * 1000:.2f} ms | {ours.p95 * 1000:.2f} ms |")
    print(
        "| wrk | not installed | |"
        if theirs is None
        else f"| wrk | {theirs[0] * 1000:.2f} ms | {theirs[1] * 1000:.2f} ms |"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
