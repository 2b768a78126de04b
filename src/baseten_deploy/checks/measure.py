"""How long answers took, in few numbers. Pure."""

from collections.abc import Sequence
from math import ceil


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` (above 0, at most 1) of them do not exceed; `None` without values.

    The nearest-rank definition: always a value that was measured.
    """
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered) - 1e-9) - 1)]
