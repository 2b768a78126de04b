"""How fast one answer came: its whole time, its first byte or token, its tokens a second. Pure.

The moments are those of `answer`; which answer that is, is its caller's.
"""

from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import duration

from .answer import Answer
from .content import EVENT_STREAM


@dataclass(frozen=True)
class Pace:
    """Times are in seconds from the request; `first` is until the first byte, of a stream until its first event.

    `tokens_per_second` is `None` where the answer does not count its tokens: they are never guessed.
    """

    seconds: float
    first: float
    is_stream: bool = False
    tokens_per_second: float | None = None

    @property
    def words(self) -> str:
        """`1.2 s, first token after 0.20 s, 54 tokens/s`."""
        what = "token" if self.is_stream else "byte"
        parts = [duration(self.seconds), f"first {what} after {duration(self.first)}"]
        if self.tokens_per_second:
            parts.append(f"{self.tokens_per_second:.3g} tokens/s")
        return ", ".join(parts)


def pace_of(data: bytes, marks: tuple[tuple[int, float], ...], seconds: float, *, is_stream: bool) -> Pace:
    """The pace of a body whose pieces were there at `marks`: each one's end within it, and the seconds till then."""
    answer = Answer(200, {"content-type": EVENT_STREAM if is_stream else ""}, data, seconds, marks)
    first = answer.first_event_seconds if is_stream else None
    if first is None:
        first = marks[0][1] if marks else seconds
    return Pace(seconds, first, is_stream, answer.tokens_per_second)
