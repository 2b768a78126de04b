"""One regular expression, read and searched in a process of its own: what `patterns` starts, as a script.

Standard input: a line with the pattern's length in bytes, the seconds of CPU time and the bytes of memory that this
process may take, and 1 if there is a text to be searched; then the pattern and the text, UTF-8. Standard output: see
`main`. Imports little, because
it starts once for each answer that is judged.
"""

import contextlib
import re
import resource
import sys


def main() -> None:
    """Answer `error POSITION REASON` (-1: unknown), `memory`, `read` where there is no text, `none` or `match`."""
    length, seconds, memory, has_text = map(int, sys.stdin.buffer.readline().split())
    _limit(resource.RLIMIT_CPU, seconds)  # should the parent be killed, this one ends as well
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CORE, 0)
    try:
        pattern = sys.stdin.buffer.read(length)
        answer = _answer(pattern, sys.stdin.buffer.read() if has_text else None)
    except MemoryError:
        answer = "memory"
    sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace"))


def _limit(what: int, value: int) -> None:
    """Set a limit, as far as the system has it and does not set a lower one already."""
    hard = resource.getrlimit(what)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(pattern: bytes, text: bytes | None) -> str:
    try:
        compiled = re.compile(pattern.decode("utf-8", "surrogatepass"), re.DOTALL)  # noqa: TID251 - a user's text
    except (re.error, OverflowError, RecursionError) as error:
        reason = error.msg if isinstance(error, re.error) else str(error)
        position = getattr(error, "pos", None)
        return f"error {-1 if position is None else position} {reason}"
    if text is None:
        return "read"
    return "match" if compiled.search(text.decode("utf-8", "surrogatepass")) else "none"


if __name__ == "__main__":
    main()
