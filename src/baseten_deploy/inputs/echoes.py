"""One message for one mistake: what follows from an input that could not be read is not said beside it."""

import re
from collections.abc import Iterator, Sequence

from baseten_deploy.errors import Problem

from .table import BY_NAME


def without_echoes(problems: Sequence[Problem], unread: Sequence[Problem]) -> Iterator[Problem]:
    """Those of `problems` that speak of no input that is `unread`, or that was written as another."""
    told = "\n".join(map(_whole, unread))
    found = re.findall(r"^`([\w-]+)`: |Did you mean `([\w-]+)`", told, re.MULTILINE)
    names = {name for pair in found for name in pair} & {*BY_NAME}
    for each in problems:
        if not names.intersection(re.findall(r"`([\w-]+)[`:]", _whole(each))):
            yield each


def _whole(problem: Problem) -> str:
    return f"{problem.message} {problem.remedy}"
