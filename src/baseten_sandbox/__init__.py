"""A stand-in for Baseten's service on loopback: to rehearse a workflow, for `make demo`, and for tests.

`python -m baseten_sandbox` starts it and prints what to set. In a test::

    with Sandbox(speed=20) as sandbox:
        run_the_step(api_url=sandbox.api_url, api_key=sandbox.api_key, ...)
        assert [str(request) for request in sandbox.requests] == [...]

It is strict where the service is, and knows only what a deploy step calls. It is an extra (`pip install .[sandbox]`).
"""

from .entities import Timing
from .faults import Fault, Faults, Kind
from .inference import Answer
from .recorder import RecordedRequest
from .sandbox import Sandbox

__all__ = ["Answer", "Fault", "Faults", "Kind", "RecordedRequest", "Sandbox", "Timing"]
