"""What people read about a watch: verdict, table, charts, in any order of looks."""

import math
import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baseten_deploy.inputs.watch_limits import Limits
from baseten_deploy.service.metrics import Metrics
from baseten_deploy.watch import page, wording
from baseten_deploy.watch.judgement import Look, Yardstick

NOW = Metrics(60.0, 1234, 0.0123, {"p50": 0.21, "p95": 0.59, "p99": 1.2})
BEFORE = Metrics(3600.0, 51_234, 0.0021, {"p50": 0.2, "p95": 0.4})


def gauge(*metrics, yardstick=None, seconds=None):
    """A gauge of production with a look for each, every 15 s unless `seconds` says otherwise."""
    times = seconds or [15.0 * number for number in range(1, len(metrics) + 1)]
    looks = [Look(time, each, "" if each else "503") for time, each in zip(times, metrics, strict=True)]
    place = SimpleNamespace(title="production")
    elapsed = looks[-1].seconds if looks else 0.0
    return SimpleNamespace(place=place, yardstick=yardstick or Yardstick(Limits()), looks=looks, elapsed=elapsed)


class TestTable:
    """Before, now, limit."""

    def test_all_of_it(self):
        """The limits stand beside what they are of; a ratio in seconds, too."""
        limits = Limits(0.05, {"p95": 2.0}, {"p95": 1.5, "p99": 2.0})
        text = page.watched(gauge(NOW, yardstick=Yardstick(limits, BEFORE)), "all is well", good=True)
        assert text.startswith("### Watch of production\n\n✅ all is well\n\n|  | before | now | limit |\n")
        assert [
            "| Requests | 51 234 in 1 h | 1 234 in 1 min | at least 20 |",
            "| Error rate | 0.21 % | 1.2 % | at most 5 % |",
            "| p50 | 0.20 s | 0.21 s |  |",
            "| p95 | 0.40 s | 0.59 s | at most 2.0 s, at most 0.60 s (1.5 times before) |",
            "| p99 | - | 1.2 s | 2 times before: not judged |",
        ] == text.splitlines()[6:]

    def test_nothing_was_measured(self):
        """There is a table of nothing, and no chart."""
        text = page.watched(gauge(None, None), "blind", good=False)
        assert ("❌ blind" in text, "| Requests | - | - | at least 20 |" in text, "mermaid" in text) == (
            True,
            True,
            False,
        )


class TestCharts:
    """What Mermaid gets to draw."""

    LOOKS = st.lists(
        st.none()
        | st.builds(
            Metrics,
            seconds=st.just(1.0),
            requests=st.integers(0, 9),
            error_rate=st.none() | st.floats(0, 1),
            quantiles=st.fixed_dictionaries({}, optional={"p95": st.floats(0, 10_000)}),
        ),
        min_size=1,
        max_size=300,
    )

    @given(LOOKS, st.booleans())
    @example([None, Metrics(1.0, 0, None, {"p95": 5e-324})], False)
    def test_are_whole_however_many_looks(self, metrics, irregular):
        """Numbers without exponents; as many points as its axis has steps, exactly; every point within the chart."""
        times = [float(number) for number in range(len(metrics))] if irregular else None
        text = page.watched(gauge(*metrics, seconds=times), "x", good=True)
        for chart in re.findall(r"```mermaid\n(.*?)\n```", text, re.DOTALL):
            start, end = map(float, re.search(r'x-axis "[a-z ]+" ([\d.]+) --> ([\d.]+)', chart).groups())
            most = float(re.search(r'y-axis "[^"]+" 0 --> ([\d.]+)', chart)[1])
            lines = [[float(each) for each in row.split(", ")] for row in re.findall(r"line \[([\d., ]+)\]", chart)]
            step = (end - start) / (len(lines[0]) - 1)
            at, reached = start, 0
            while at <= end:  # as Mermaid counts its points
                at, reached = at + step, reached + 1
            assert reached == len(lines[0]) <= page.POINTS
            assert all(0 <= point <= most for row in lines for point in row)
            assert {len(lines[0])} == set(map(len, lines))

    def test_the_last_look_is_always_there(self):
        """However many are left out."""
        many = [Metrics(1.0, 100, 0.01, {"p95": float(number)}) for number in range(1, 242)]
        text = page.watched(gauge(*many), "x", good=True)
        assert ", 234, 241]" in text
        assert 'x-axis "minutes of the watch"' in text

    def test_a_gap_goes_on_as_it_was(self):
        """Mermaid knows no gaps."""
        text = page.watched(gauge(None, NOW, None, NOW), "x", good=True)
        assert "line [0, 1.23, 1.23, 1.23]" in text

    @pytest.mark.parametrize("metrics", [[NOW], [None, None], []])
    def test_fewer_than_two_points_are_no_line(self, metrics):
        """Nothing to draw."""
        assert "mermaid" not in page.watched(gauge(*metrics), "x", good=True)

    @given(st.floats(1e-4, 1e6))
    def test_an_axis_ends_above_what_it_shows(self, value):
        """And has ten marks at most, as d3 makes them."""
        end = page._ceiling(value)
        assert value < end <= 4 * value
        power = 10 ** math.floor(math.log10(end / 10))
        error = end / 10 / power
        mark = power * (10 if error >= 50**0.5 else 5 if error >= 10**0.5 else 2 if error >= 2**0.5 else 1)
        assert end / mark <= 10.01


class TestOutcome:
    """How a watch ended whose time is over."""

    @pytest.mark.parametrize(
        ("metrics", "expected"),
        [
            ([], "production was watched for 0 ms, and nothing could be measured"),
            ([None], "production was watched for 15 s, and nothing could be measured"),
            ([Metrics(15.0)], "No traffic: production got no request in 15 s, so nothing was judged"),
            (
                [Metrics(15.0, 1, 1.0)],
                "production got 1 request in 15 s: with fewer than 20 nothing is judged (error rate 100 %)",
            ),
            ([NOW], "production stayed within its limits for 15 s: 1 234 requests, error rate 1.2 %, p95 0.59 s"),
            (
                [Metrics(15.0, 1000, 0.25)],
                "production: the error rate is 25 % (limit 5 %), of 1 000 requests in 15 s",
            ),
        ],
    )
    def test_in_one_line(self, metrics, expected):
        """With the figures."""
        assert expected == page.outcome(gauge(*metrics))


class TestWording:
    """Numbers for people."""

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (0, "0 %"),
            (0.00001, "below 0.01 %"),
            (0.0025, "0.25 %"),
            (0.01, "1 %"),
            (0.05, "5 %"),
            (0.0123, "1.2 %"),
            (0.5, "50 %"),
            (0.99999, "100 %"),
            (1, "100 %"),
        ],
    )
    def test_a_share(self, value, expected):
        """Percent, with as many digits as say something."""
        assert expected == wording.share(value)
