"""Percentiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.checks.measure import percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.5, 7),
        ([7], 0.95, 7),
        ([1, 2], 0.5, 1),
        ([3, 1, 2], 0.5, 2),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 101)), 1.0, 100),
    ],
)
def test_nearest_rank(values, share, expected):
    """The value that so many do not exceed."""
    assert expected == percentile(values, share)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_enough_do_not_exceed_it(values, share):
    """It was measured, at least the share is at or below it, and no smaller value would do."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values)
