"""Whether one answer is what its check expects, and how it differs. Pure.

What is said here quotes the answer: who passes it on takes the secrets out of the answer first (see `results`).
"""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.inputs.expectation import difference
from baseten_deploy.report.amounts import count

from . import comparison
from .answer import NO_JSON, Answer
from .check import UNSET, Check, Expect
from .patterns import Found, Pattern

_DIFF_LINES = 60
_CONTEXT = 3  # lines around a difference
_HUNK = expression(r"([-+])(\d+)")
_DIFF_CHARACTERS = 200_000  # of a JSON text; a longer one has no diff


def mismatches(check: Check, answer: Answer, live: Answer | None = None) -> list[str]:
    """Every reason why the answer is not what was expected; `live` is what is live, `None`: nothing to compare with."""
    expect = check.expect
    reasons = [*_status(expect, answer)]
    if reasons:  # then the body is an error's, and all else would follow from that
        return reasons
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        return [f"the answer is compressed ({encoding[:40]}), which was not asked for"]
    if not answer.complete:
        return [f"the answer is longer than {count(len(answer.body) // 2**20, 'MiB').removesuffix('s')}"]
    return [*_stream(answer), *_sizes(expect, answer), *_media_type(expect, answer), *_content(expect, answer, live)]


def _status(expect: Expect, answer: Answer) -> Iterator[str]:
    if expect.status is None and not 200 <= answer.status < 300:
        yield f"the status is {answer.status}, expected 2xx"
    elif expect.status is not None and answer.status != expect.status:
        yield f"the status is {answer.status}, expected {expect.status}"


def _stream(answer: Answer) -> Iterator[str]:
    if not answer.is_stream:
        return
    if not answer.events:
        yield "the stream ended without a single event"
    for value in answer.event_values:
        if isinstance(value, dict) and value.get("error"):
            yield "the stream carried an error"
            return


def _sizes(expect: Expect, answer: Answer) -> Iterator[str]:
    size = count(len(answer.body), "byte")
    if expect.min_bytes is not None and len(answer.body) < expect.min_bytes:
        yield f"the answer has {size}, expected at least {expect.min_bytes}"
    if expect.max_bytes is not None and len(answer.body) > expect.max_bytes:
        yield f"the answer has {size}, expected at most {expect.max_bytes}"


def _media_type(expect: Expect, answer: Answer) -> Iterator[str]:
    if expect.content_type and not media_matches(expect.content_type, answer.media_type):
        yield f"the content type is {answer.media_type or 'not said'}, expected {expect.content_type}"


def media_matches(expected: str, actual: str) -> bool:
    """Whether a media type is the expected one; parameters count where they are written, `*` stands for any subtype."""
    one, *wanted = [part.strip().lower() for part in expected.split(";")]
    other, *found = [part.strip().lower() for part in actual.split(";")]
    same = one == other or (one.endswith("/*") and other.startswith(one[:-1]))
    return same and set(filter(None, wanted)) <= {part.replace('"', "") for part in found} | set(found)


def _content(expect: Expect, answer: Answer, live: Answer | None) -> Iterator[str]:
    if expect.json is not UNSET and (reason := _contains(expect.json, answer)):
        yield reason
    if expect.regex and (reason := _searched(expect.regex, answer, wanted=Found.YES)):
        yield reason
    if expect.not_regex and (reason := _searched(expect.not_regex, answer, wanted=Found.NO)):
        yield reason
    if expect.schema:
        values = [answer.value] if answer.value is not NO_JSON else list(answer.event_values)
        if not values:
            yield "the answer is no JSON, as its `schema` wants it"
        for value in values:
            if found := expect.schema.mismatches(value):
                yield f"the answer does not follow its `schema`: {'; '.join(found)}"
                break
    if expect.live and live is not None:
        found = comparison.differences(live, answer, expect.live, expect.tolerance)
        if found:
            yield f"the answer differs from the live one (`live: {expect.live}`): {'; '.join(found)}"


def _contains(expected: Any, answer: Answer) -> str:
    value = answer.text if answer.value is NO_JSON else answer.value
    reason = difference(expected, value, "$")
    if reason and answer.is_stream and any(not difference(expected, event, "$") for event in answer.event_values):
        return ""
    return reason


def _searched(pattern: Pattern, answer: Answer, *, wanted: Found) -> str:
    found = pattern.search(answer.text)
    if found is wanted:
        return ""
    if found is Found.GAVE_UP:
        return f"the regular expression `{pattern.text}` takes too long on this answer"
    if wanted is Found.YES:
        return f"nothing in it matches `{pattern.text}`"
    return f"something in it matches `{pattern.text}`"


def json_diff(check: Check, answer: Answer) -> str:
    """What `json` expects and what of it came, as a unified diff; `""` where there is none to show."""
    expected = check.expect.json
    if expected is UNSET or answer.value is NO_JSON or not difference(expected, answer.value, "$"):
        return ""
    before, after = _pretty(expected), _pretty(_projected(expected, answer.value))
    if len(before) + len(after) > _DIFF_CHARACTERS:
        return ""
    lines = _unified(before.split("\n"), after.split("\n"))
    return "\n".join(lines if len(lines) <= _DIFF_LINES else [*lines[:_DIFF_LINES], "..."])


def _unified(before: list[str], after: list[str]) -> list[str]:
    """The diff from a little before the first difference, as far as it is shown, and a line more if there is more.

    Whole texts are not compared: of lines of which many are alike that takes the square of their number, or more.
    """
    same = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)
    start = max(0, same - _CONTEXT)
    end = start + 3 * _DIFF_LINES
    lines = difflib.unified_diff(before[start:end], after[start:end], "expected", "came", lineterm="", n=_CONTEXT)
    told = [
        _HUNK.sub(lambda found: found[1] + str(int(found[2]) + start), line) if line[:3] == "@@ " else line
        for line in lines
    ]
    return told if before[end:] == after[end:] else [*told, "..."]


def _projected(expected: Any, actual: Any) -> Any:
    """Of `actual` only what `expected` speaks of."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {key: _projected(value, actual[key]) for key, value in expected.items() if key in actual}
    if isinstance(expected, list) and isinstance(actual, list):
        return [_projected(one, other) for one, other in zip(expected, actual, strict=False)]
    return actual


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
