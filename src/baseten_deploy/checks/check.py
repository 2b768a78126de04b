"""One check: a request to the live model, and everything that must hold for its answers. Plain data.

How the file says it is `field_table` and `file`; how it is asked is `session`; whether it holds is `judge`.
"""

from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baseten_deploy.records import dataclass

if TYPE_CHECKING:
    from .answer_schema import AnswerSchema
    from .patterns import Pattern

UNSET: Any = object()  # `json: null` expects null


class Kind(StrEnum):
    """How the model is asked."""

    HTTP = "http"
    WEBSOCKET = "websocket"


class Live(StrEnum):
    """How an answer is compared with what the target serves now."""

    SHAPE = "shape"
    EQUAL = "equal"


@dataclass(frozen=True)
class Expect:
    """What one answer must be; what is `None` (of `json`: `UNSET`) is not looked at. Sizes are in bytes."""

    status: int | None = None
    json: Any = UNSET
    regex: "Pattern | None" = None
    not_regex: "Pattern | None" = None
    live: Live | None = None
    tolerance: float = 0.0
    schema: "AnswerSchema | None" = None
    content_type: str = ""
    min_bytes: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True)
class Check:
    """One check of the file, complete: defaults filled in, files read. Times are in seconds.

    `body` are the bytes that are sent: `None` means what the smoke test sends. `as_text` sends them as a text message
    over a websocket. `file` is relative to the workspace, for messages.
    """

    name: str
    file: str = ""
    line: int = 0
    kind: Kind = Kind.HTTP
    path: str = ""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    as_text: bool = True
    expect: Expect = Expect()
    max_seconds: float | None = None
    first_token_seconds: float | None = None
    repeat: int = 1
    concurrency: int = 1
    max_failures: int = 0
    warm_up: int = 0
    timeout: float = 300.0

    @property
    def asks(self) -> str:
        """What it sends where, for people."""
        if self.kind is Kind.WEBSOCKET:
            return "websocket"
        return f"{self.method} {self.path or 'predict'}"


@dataclass(frozen=True)
class Suite:
    """All checks of a run; `file` is relative to the workspace, `report` absolute (`None`: no JUnit XML)."""

    checks: tuple[Check, ...]
    file: str
    report: Path | None = None
