"""A stand-in for Baseten's service on loopback: to rehearse a workflow, for `make demo`, and for tests.

`python -m baseten_sandbox` starts it and prints what to set. In a test::

    with Sandbox(speed=20) as sandbox:
        run_the_step(api_url=sandbox.api_url, api_key=sandbox.api_key, ...)
        assert [str(request) for request in sandbox.requests] == [...]

It is strict where the service is, and knows only what a deploy step calls. It is an extra (`pip install .[sandbox]`).
"""

from baseten_sandbox.control.faults import Fault, Faults, Kind
from baseten_sandbox.control.recorder import RecordedRequest
from baseten_sandbox.inference import Answer
from baseten_sandbox.sandbox import Sandbox
from baseten_sandbox.state.entities import Timing

__all__ = ["Answer", "Fault", "Faults", "Kind", "RecordedRequest", "Sandbox", "Timing"]
