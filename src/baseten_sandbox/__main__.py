"""`python -m baseten_sandbox`: start the stand-in, print what to set, run until SIGINT or SIGTERM."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from baseten_sandbox.control.faults import Kind
from baseten_sandbox.control.faults import parse as parse_fault
from baseten_sandbox.sandbox import Sandbox
from baseten_sandbox.state.traffic import SCRIPTS
from baseten_sandbox.wishes import HOSTILE

_EPILOG = f"""\
A Truss scripts its own rehearsal by environment_variables in its config.yaml:
  SANDBOX_END_STATUS: BUILD_FAILED       the status that its deployment ends in
  SANDBOX_STATUSES: BUILDING,UNHEALTHY   or every status on the way
  SANDBOX_LOG_LINES: "2500"              more lines in the runtime log
  SANDBOX_PROMOTION: FAILED              how its promotion ends: FAILED, CANCELED, PAUSED
  SANDBOX_TRAFFIC: leak                  the requests that its metrics tell of: {", ".join(SCRIPTS)}
  SANDBOX_STARTUP_PHASE: IMAGE_PULL      where its start-up hangs or fails, when it does
  SANDBOX_PREDICT_STATUS, SANDBOX_PREDICT_BODY, SANDBOX_PREDICT_DELAY: the answer of predict

A request scripts its own answer, on any route and over a websocket, for a checks file that is being written:
  {{"sandbox": {{"status": 500, "body": {{}}, "delay": 0.5}}}}; "text"; "bytes" and "content-type"; "stream" and "gap";
  "fails-every": 3 (flaky); "wakes-after": 2 (waking up); "hostile": one of {", ".join(HOSTILE)}

A fault is [METHOD] [/PATH-REGEX] KIND [name=value ...], for example
  --fault 'POST /v1/models$ reset acts=true'
  --fault 'PUT partNumber=2 status status=503 times=2'
with KIND one of {", ".join(Kind)}
and names acts, nth, times (a number or always), probability, status, body, seconds, service.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; the exit code is 0."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sandbox = Sandbox(
        host=options.host,
        port=options.port,
        s3_port=options.s3_port,
        api_key=options.api_key,
        speed=options.speed,
        teams=options.team or ("Default",),
        rate_limits=not options.no_rate_limits,
        credential_seconds=options.credential_seconds,
        seed=options.seed,
    )
    sandbox.faults.add(*options.fault)
    if options.random_faults:
        sandbox.faults.add_random(options.random_faults)
    with sandbox:
        print(settings(sandbox))
        print("\nRunning; stop with Ctrl-C.", flush=True)
        stop.wait()
    return 0


def settings(sandbox: Sandbox) -> str:
    """What to set for the step to use this stand-in: as the action's environment, and as command-line options."""
    environment = "\n".join(f"INPUT_{name.upper()}={value}" for name, value in sandbox.inputs.items())
    options = " \\\n  ".join(f"--{name} '{value}'" for name, value in sandbox.inputs.items())
    return (
        f"# The action's inputs, as the runner passes them (docker run --env-file)\n{environment}\n\n"
        f"# The same as command-line options\n  {options}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m baseten_sandbox",
        description="A stand-in for Baseten's service on loopback: management API, S3, inference.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add("--port", type=int, default=0, help="port of the API and of inference (default: a free one)")
    add("--s3-port", type=int, default=0, help="port of S3 (default: a free one)")
    add("--api-key", help="the API key to accept (default: a new one)")
    add("--speed", type=_positive, default=1.0, help="how many times as fast; at 1 a deployment takes two seconds")
    add("--team", action="append", help="name of a team, the first is the default team; repeatable")
    add("--fault", action="append", type=parse_fault, default=[], help="let requests go wrong, see below; repeatable")
    add("--random-faults", type=float, default=0.0, metavar="P", help="let each request go wrong with probability P")
    add("--seed", type=int, help="repeat the random faults of another run")
    add("--credential-seconds", type=float, default=3600.0, help="lifetime of S3 credentials (default %(default)s)")
    add("--no-rate-limits", action="store_true", help="never answer 429 of its own accord")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
