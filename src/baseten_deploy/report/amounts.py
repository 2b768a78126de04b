"""Numbers for people: bytes, seconds and counts, the same everywhere. Pure."""

_UNITS = ("kB", "MB", "GB", "TB")


def size(number: int) -> str:
    """A number of bytes, in powers of 1000."""
    if number < 1000:
        return count(number, "byte")
    power = min((len(str(number)) - 1) // 3, len(_UNITS))
    return f"{number / 1000**power:.1f} {_UNITS[power - 1]}"


def count(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """How long something took or takes: `7 ms`, `0.35 s`, `4.2 s`, `42 s`, `3 min 5 s`, `2 h 5 min`."""
    seconds = max(0.0, seconds)
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        digits = 2 if seconds < 0.995 else 1 if seconds < 9.95 else 0
        return f"{seconds:.{digits}f} s"
    if seconds < 3570:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
