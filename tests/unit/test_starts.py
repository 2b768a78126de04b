"""`benchmarks.starts` by its pure half; what it measures needs a container engine: `make bench-starts`."""

from benchmarks import starts


def measured(pull, build, truss):
    """Seconds of one round."""
    return {starts.PULL: [pull], starts.BUILD: [build], starts.TRUSS: [truss]}


def test_a_goal_is_a_ratio_of_medians():
    """Met at the bound and below it; each by itself."""
    assert [True, True] == [met for _, met in starts.goals(measured(3.0, 10.0, 10.0))]
    assert [True, False] == [met for _, met in starts.goals(measured(3.4, 10.0, 11.0))]
    assert [False, True] == [met for _, met in starts.goals(measured(3.6, 10.0, 12.1))]


def test_the_table_has_every_way_and_every_goal():
    """Median and range of each, then the ratios."""
    text = starts.table({way: [*times, 9.0, 1.0] for way, times in measured(2.0, 16.0, 40.0).items()})
    assert "| the released image is pulled | 2.0 (1.0-9.0) |" in text
    assert "| the released image is pulled, against: the image is built (at most 0.35) | 0.22 |" in text


def test_the_build_is_that_of_this_dockerfile(tmp_path):
    """With the local stand-in as its base, in each stage that has one, and no cache."""
    command = starts.build_command(tmp_path / "Dockerfile")
    text = (tmp_path / "Dockerfile").read_text()
    assert [f"FROM python:3.13-slim AS {name}" for name in ("build", "action", "truss")] == [
        line for line in text.splitlines() if line.startswith("FROM python")
    ]
    assert "--no-cache" in command
