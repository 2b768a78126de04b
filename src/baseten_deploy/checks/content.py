"""What a model answered, as it is: text, a stream of events, or bytes that nobody reads. Pure.

Bytes are never shown: they are told by size, type and digest.
"""

import codecs
import hashlib
import re
from collections.abc import Sequence

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.service.error_answer import error_text

from .event_stream import Event, deltas, is_event_stream, stream_events

EVENT_STREAM = "text/event-stream"

_MEDIA_TYPE = expression(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
# Of other types what the bytes are tells: text is often sent as `application/octet-stream`, or without a type.
_BINARY_TYPE = expression(r"(?:audio|font|image|video)/(?!svg\+xml)")
_TEXT_TYPE = expression(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|yaml|javascript|x-ndjson|x-www-form-urlencoded)\b"
)
# Those of text; Python knows names besides that are none (`rot13`, `idna`, `unicode_escape`).
_CHARSET = expression(
    r""";\s*charset\s*=\s*"?(utf-?(?:8|16|32)(?:-?[lb]e)?|us-ascii|ascii|iso-8859-\d+|latin-?1|windows-\d+
        |shift_jis|euc-(?:jp|kr)|gb(?:k|2312|18030)|big5|koi8-[ru])"?\s*(?:;|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_TEXT = expression(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class Content:
    """What an answer holds: `text` is compared (of a stream: its joined content), `shown` is for people.

    `events` counts a stream's, 0 for none. `error` is what a stream ended in instead of an answer, `""` for none.
    """

    text: str
    shown: str
    events: int = 0
    error: str = ""


def read_content(data: bytes, content_type: str = "", *, whole: bool = True, streamed: bool = False) -> Content:
    """Take an answer for what it is.

    `content_type` is the header, in any case; `whole` says that `data` is all of it; `streamed`, that a stream was
    asked for, which is one of events only if it looks like one: some models stream plain text.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    is_stream = media_type == EVENT_STREAM
    if not is_stream and is_binary(data, media_type, content_type):
        return Content(data.decode("utf-8", "replace"), label(data, media_type, whole=whole))
    text = _decoded(data, content_type)
    if is_stream or (
        streamed and (not text.strip() or is_event_stream(text) or any(True for _ in stream_events(text)))
    ):
        return _stream(text)
    return Content(text, text)


def is_binary(data: bytes, media_type: str, content_type: str = "") -> bool:
    """Whether an answer is no text: by its type, else because no text has such bytes."""
    if _BINARY_TYPE.match(media_type):
        return bool(data)
    if _CHARSET.search(content_type):
        return False
    if _NO_TEXT.search(data):
        return True
    if _TEXT_TYPE.match(media_type):
        return False  # a broken character in it is replaced
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)  # not to the end: it may be cut within a character
    except UnicodeDecodeError:
        return True
    return False


def label(data: bytes, media_type: str, *, whole: bool = True) -> str:
    """Bytes in words: `binary, 2 048 bytes, audio/wav, SHA-256 ...`."""
    size = "1 byte" if len(data) == 1 else f"{len(data):,} bytes".replace(",", " ")
    kind = media_type if _MEDIA_TYPE.fullmatch(media_type) else "of an unknown type"
    if not whole:
        return f"binary, more than {size}, {kind}"
    return f"binary, {size}, {kind}, SHA-256 {hashlib.sha256(data).hexdigest()}"


def _decoded(data: bytes, content_type: str) -> str:
    """The text in the character set that the answer names, else in UTF-8."""
    named = _CHARSET.search(content_type)
    try:
        text = data.decode(named[1] if named else "utf-8", "replace")
    except (LookupError, ValueError):  # a codec that is none, or none of text
        text = data.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")


def _stream(text: str) -> Content:
    """Join the content of server-sent events: OpenAI-like deltas, else the events' data line by line."""
    seen = list(stream_events(text))
    if not seen:
        return Content("", text, error="ended without a single event")
    joined = _joined([event for event in seen if not event.is_error])
    failed = next((event for event in seen if event.is_error), None)
    if failed is None:
        return Content(joined, joined, len(seen))
    said = error_text(failed.json, failed.data) if failed.data else "without a word of what it is"
    shown = "\n".join(filter(None, (joined, failed.data or "event: error")))
    return Content(joined, shown, len(seen), f"carried an error: {said}")


def _joined(seen: Sequence[Event]) -> str:
    pieces = [piece for event in seen for piece in deltas(event.json)]
    return "".join(pieces) if pieces else "\n".join(event.data for event in seen)
