"""How a new answer differs from a live one, place by place. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from .answer import NO_JSON, Answer
from .check import Live

DIFFERENCES = 20  # told of one answer
_SHOWN_CHARACTERS = 80


def differences(live: Answer, new: Answer, how: Live, tolerance: float) -> list[str]:
    """Where `new` is not as `live`: at most `DIFFERENCES` lines, and one more that says that there are more."""
    found: list[str] = []
    for line in _compared(live, new, how, tolerance):
        if len(found) == DIFFERENCES:
            return [*found, "and more"]
        found.append(line)
    return found


def _compared(live: Answer, new: Answer, how: Live, tolerance: float) -> Iterator[str]:
    if live.value is NO_JSON and new.value is NO_JSON:
        if how is Live.EQUAL and (live.text if live.is_stream else live.body) != (
            new.text if new.is_stream else new.body
        ):
            yield f"the answer is {_text(new)}, live it is {_text(live)}"
        elif _media(live) != _media(new):
            yield f"the answer is {_media(new) or 'of no media type'}, live it is {_media(live) or 'of none'}"
    elif live.value is NO_JSON or new.value is NO_JSON:
        one, other = ("no JSON", "JSON") if new.value is NO_JSON else ("JSON", "no JSON")
        yield f"the answer is {one}, live it is {other}"
    elif how is Live.SHAPE:
        yield from shape(live.value, new.value)
    else:
        yield from equal(live.value, new.value, tolerance)


def shape(live: Any, new: Any, path: str = "$") -> Iterator[str]:
    """Differences in keys and types. Each element of an array is held against its counterpart, or the last one."""
    if _kind(live) != _kind(new):
        yield f"{path} is {_kind(new)}, live it is {_kind(live)}"
    elif isinstance(live, dict):
        yield from _keys(live, new, path)
        for key in (key for key in live if key in new):
            yield from shape(live[key], new[key], f"{path}.{key}")
    elif isinstance(live, list) and live:
        for index, item in enumerate(new):
            yield from shape(live[min(index, len(live) - 1)], item, f"{path}[{index}]")


def equal(live: Any, new: Any, tolerance: float, path: str = "$") -> Iterator[str]:
    """Differences in values; numbers may differ by `tolerance`, relative to the larger one."""
    if _kind(live) != _kind(new):
        yield f"{path} is {_short(new)}, live it is {_short(live)}"
    elif isinstance(live, dict):
        yield from _keys(live, new, path)
        for key in (key for key in live if key in new):
            yield from equal(live[key], new[key], tolerance, f"{path}.{key}")
    elif isinstance(live, list):
        if len(live) != len(new):
            yield f"{path} has {len(new)} elements, live it has {len(live)}"
        for index, (one, other) in enumerate(zip(live, new, strict=False)):
            yield from equal(one, other, tolerance, f"{path}[{index}]")
    elif isinstance(live, int | float) and not isinstance(live, bool):
        if abs(live - new) > tolerance * max(abs(live), abs(new)):
            yield f"{path} is {_short(new)}, live it is {_short(live)}"
    elif live != new:
        yield f"{path} is {_short(new)}, live it is {_short(live)}"


def _keys(live: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{key} is missing, live it is there" for key in live if key not in new)
    yield from (f"{path}.{key} is new, live it is not there" for key in new if key not in live)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "an object"
        case _:
            return "an array"


def _media(answer: Answer) -> str:
    return answer.media_type.partition(";")[0].strip().lower()


def _text(answer: Answer) -> str:
    return f"{len(answer.body)} bytes" if "\0" in answer.plain else _short(answer.text)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
