"""What an error answer says, in one line of words: each service has a shape of its own, some have several. Pure."""

import json
from collections.abc import Mapping
from typing import Any

# Where an answer says what is wrong, most telling first; and where it lists it piece by piece.
_MESSAGES = ("message", "error", "detail", "errors")
_PIECES = ("errors", "details", "detail")
# Within a piece: what it is about, and what is wrong with it.
_PLACES = ("field", "path", "loc", "param", "key")
_WORDS = ("message", "msg", "error", "reason", "description", "detail")


def error_text(body: Any, text: str) -> str:
    """The message of a JSON `body` with its pieces and its code, else `text` without the HTML around it."""
    if isinstance(body, dict):
        chosen = next((key for key in _MESSAGES if body.get(key)), "")
        if chosen:
            pieces = (_said(body[key]) for key in _PIECES if key != chosen and body.get(key))
            said = ": ".join(dict.fromkeys(filter(None, (_said(body[chosen]), *pieces))))
            code = body.get("code")
            return f"{said} ({code})" if isinstance(code, str) else said
    if "<html" in text.lower() or "<!doctype" in text.lower():
        import re  # noqa: PLC0415 - only for a proxy's page

        # Each tag ends its search at the next one, so that no page takes longer than its length.
        text = re.sub(r"(?is)<(script|style)\b((?!<\1\b).)*?</\1>|<[^<>]*>", " ", text)
    return text


def _said(value: Any) -> str:
    """What a value says, and a list one after the other; deeper than that nobody writes words."""
    return "; ".join(filter(None, map(_piece, value))) if isinstance(value, list) else _piece(value)


def _piece(value: Any) -> str:
    """Words as they are, those of an object with the place that they are about, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        words = next((each for key in _WORDS if isinstance(each := value.get(key), str) and each), "")
        place = next((each for key in _PLACES if (each := value.get(key))), "")
        if words:
            return f"{_dotted(place)}: {words}" if place else words
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):  # nested as deep as a text can be read, which is deeper than it can be written
        return "..."


def _dotted(place: Any) -> str:
    try:
        return ".".join(map(str, place)) if isinstance(place, list) else str(place)
    except RecursionError:
        return "..."
