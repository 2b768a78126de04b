"""The shapes of what an answer names: ids, environments, places in S3. Checked once, where answers are decoded.

An id goes into paths, host names and the log, so one of another shape is no id, and the answer that has it is unusable.
No message here shows a value: it may be half a secret, or made to be read by a terminal. Pure.
"""

import re
from collections.abc import Iterable
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.inputs.ids import ENVIRONMENT, ID

# A lone `Unusable` tells what is wrong; whatever else an odd value makes Python raise has the value in its text.
_BUCKET = expression(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}", re.ASCII)  # an access point's ARN is one as well
_REGION = expression(r"[A-Za-z0-9-]{1,63}", re.ASCII)  # part of a host name
_CREDENTIAL = expression(r"[!-~]{1,8192}", re.ASCII)  # goes into headers
_S3_KEY_BYTES = 1024
_LEVELS = 100
_WORD_CHARACTERS = 100  # of an enum's value, known or not
_LATEST_NANOSECONDS = 2**63


class Unusable(ValueError):
    """What is wrong with an answer, in words of ours: `str()` of it holds nothing of the answer."""


def text(value: object, what: str) -> str:
    """A text that is there. Raises `Unusable`, as all here."""
    if not isinstance(value, str) or not value:
        raise Unusable(f"`{what}` is no text" if value != "" else f"`{what}` is empty")
    return value


def word(value: object, what: str) -> str:
    """A value of an enum that may have grown."""
    found = text(value, what)
    if len(found) > _WORD_CHARACTERS or not found.isprintable():
        raise Unusable(f"`{what}` is no word")
    return found


def identifier(value: object, what: str = "id") -> str:
    """An id of the service."""
    return _matching(ID, text(value, what), what, "has not the shape of an id")


def is_identifier(text: str) -> bool:
    """Whether a text has the shape of an id."""
    return ID.fullmatch(text) is not None


def optional_identifier(value: object, what: str) -> str:
    """An id, `""` for none."""
    return "" if value in (None, "") else identifier(value, what)


def environment_name(value: object, what: str = "name") -> str:
    """The name of an environment."""
    return _matching(ENVIRONMENT, text(value, what), what, "is not the name of an environment")


def optional_environment_name(value: object, what: str) -> str:
    """The name of an environment, `""` for none, or for what is no text."""
    return environment_name(value, what) if isinstance(value, str) and value else ""


def bucket(value: object) -> str:
    """A bucket of S3."""
    return _matching(_BUCKET, text(value, "s3_bucket"), "s3_bucket", "is not the name of a bucket")


def s3_key(value: object) -> str:
    """A key in a bucket: printable, and not longer than S3 takes."""
    found = text(value, "s3_key")
    if not found.isprintable() or len(found.encode()) > _S3_KEY_BYTES:  # what is printable can be encoded
        raise Unusable("`s3_key` is no key of S3")
    return found


def region(value: object) -> str:
    """A region, `""` when it is not said."""
    return "" if value in (None, "") else _matching(_REGION, text(value, "s3_region"), "s3_region", "is no region")


def credential(value: object, what: str) -> str:
    """A credential, as a header takes it."""
    return _matching(_CREDENTIAL, text(value, what), what, "is no credential")


def mapping(value: object, what: str) -> dict[str, Any]:
    """An object, `{}` for none."""
    if not value:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"`{what}` is no object")
    shallow(value, what)
    return value


def shallow(value: object, what: str) -> None:
    """Not nested deeper than what is done with it can follow: it is compared, merged and written again."""
    level = [value]
    for _ in range(_LEVELS):
        level = [part for whole in level if isinstance(whole, dict | list) for part in _parts(whole)]
        if not level:
            return
    raise Unusable(f"`{what}` is nested more than {_LEVELS} levels deep")


def _parts(whole: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return whole.values() if isinstance(whole, dict) else whole


def nanoseconds(value: object) -> int:
    """A time since 1970, as a number or as text of one."""
    digits = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and int(digits) < _LATEST_NANOSECONDS):
        raise Unusable("`timestamp` is no time")
    return int(digits)


def percent(value: object) -> int:
    """A share of the traffic, 0 when it is not said."""
    if not value:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise Unusable("a percentage is none")
    return int(value)


def same(found: str, asked: str, what: str) -> None:
    """An answer about something else than was asked for is none."""
    if found != asked:
        raise Unusable(f"it is about another {what} than was asked for")


def _matching(pattern: re.Pattern[str], value: str, what: str, otherwise: str) -> str:
    if pattern.fullmatch(value) is None:
        raise Unusable(f"`{what}` {otherwise}")
    return value
