"""The judgement of a watch is a function of its looks: once is nothing, twice in a row is the end."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.inputs.watch_limits import Limits
from baseten_deploy.service.metrics import Metrics
from baseten_deploy.watch.judgement import (
    BLIND_LOOKS,
    Crossing,
    Look,
    Verdict,
    Yardstick,
    is_settled,
    judge,
    lasting,
)

LIMITS = Limits(error_rate=0.05, seconds={"p95": 2.0}, ratios={"p95": 1.5})
BEFORE = Metrics(3600.0, 5000, 0.001, {"p50": 0.5, "p95": 1.0, "p99": 1.4})
YARDSTICK = Yardstick(LIMITS, BEFORE)
FINE = Metrics(60.0, 600, 0.01, {"p50": 0.5, "p95": 1.1, "p99": 1.6})
FAILING = replace(FINE, error_rate=0.2)
SLOW = replace(FINE, quantiles={"p50": 0.5, "p95": 2.5, "p99": 3.0})

METRICS = st.builds(
    Metrics,
    seconds=st.floats(1, 3600),
    requests=st.integers(0, 10_000),
    error_rate=st.none() | st.floats(0, 1),
    quantiles=st.fixed_dictionaries({}, optional={name: st.floats(0, 10) for name in ("p50", "p95", "p99")}),
)
LOOKS = st.lists(
    st.builds(Look, seconds=st.just(0.0), metrics=METRICS) | st.builds(Look, seconds=st.just(0.0), why=st.just("503"))
)


def looks(*metrics):
    """A look for each; `None` saw nothing."""
    return [Look(15.0 * number, each, "" if each else "503") for number, each in enumerate(metrics, 1)]


class TestJudge:
    """All looks so far."""

    @pytest.mark.parametrize(
        ("seen", "expected"),
        [
            ([], Verdict.GOES_ON),
            ([FINE, FINE], Verdict.GOES_ON),
            ([FAILING], Verdict.GOES_ON),
            ([FAILING, FINE, FAILING, FINE], Verdict.GOES_ON),
            ([FAILING, FAILING], Verdict.CROSSED),
            ([FINE, FAILING, FAILING], Verdict.CROSSED),
            ([FAILING, SLOW], Verdict.GOES_ON),
            ([SLOW, SLOW], Verdict.CROSSED),
            ([FAILING, None, FAILING], Verdict.CROSSED),
            ([FAILING, None, FINE], Verdict.GOES_ON),
            ([None] * (BLIND_LOOKS - 1), Verdict.GOES_ON),
            ([None] * BLIND_LOOKS, Verdict.BLIND),
            ([FINE, *[None] * BLIND_LOOKS], Verdict.BLIND),
            ([*[None] * (BLIND_LOOKS - 1), FINE, None], Verdict.GOES_ON),
        ],
    )
    def test_of_looks(self, seen, expected):
        """The same limit twice in a row is the end; ten looks in a row that saw nothing are, as what they are."""
        assert expected is judge(looks(*seen), YARDSTICK)

    def test_a_refusal_is_no_matter_of_patience(self):
        """A key that may not read metrics will not be allowed to at the next look."""
        assert Verdict.BLIND is judge([Look(15.0, why="403: no", refused=True)], YARDSTICK)

    @given(LOOKS)
    def test_once_is_nothing(self, seen):
        """However the looks are, a limit that is crossed on every second of them at most ends nothing."""
        calm = [each for look in seen for each in (look, Look(0.0, FINE))]
        assert Verdict.CROSSED is not judge(calm, YARDSTICK)

    @given(LOOKS)
    def test_twice_is_the_end(self, seen):
        """Whatever was before."""
        assert Verdict.CROSSED is judge([*seen, *looks(FAILING, FAILING)], YARDSTICK)

    @given(METRICS, st.integers(1, 1000))
    def test_more_of_the_same_traffic_never_makes_a_failing_window_good(self, metrics, times):
        """Ten times the requests with the same share of errors and the same times cross what a tenth crosses."""
        more = replace(metrics, requests=metrics.requests * times)
        crossed = {each.name for each in YARDSTICK.crossings(metrics)}
        assert crossed <= {each.name for each in YARDSTICK.crossings(more)}

    @given(LOOKS)
    def test_what_cannot_be_read_is_neither_green_nor_a_failure(self, seen):
        """Looks that saw nothing settle nothing, and cross nothing by themselves."""
        blind = [Look(0.0, why="503")] * BLIND_LOOKS
        assert not is_settled([*seen, *blind], Yardstick(LIMITS))
        assert [] == lasting(blind, YARDSTICK)
        assert Verdict.BLIND is judge(blind, YARDSTICK)

    @given(st.lists(st.just(Metrics(60.0))))
    def test_no_traffic_is_fine(self, silent):
        """However long: nobody was answered wrongly."""
        assert Verdict.GOES_ON is judge(looks(*silent), YARDSTICK)
        assert bool(silent) == is_settled(looks(*silent), YARDSTICK)


class TestIsSettled:
    """Whether a watch whose time is over may end well."""

    @pytest.mark.parametrize(
        ("seen", "expected"),
        [([], False), ([FINE], True), ([FAILING], False), ([FINE, None], False), ([FAILING, FINE], True)],
    )
    def test_by_its_last_look(self, seen, expected):
        """What is in doubt is looked at again."""
        assert expected is is_settled(looks(*seen), YARDSTICK)


class TestYardstick:
    """Limits and what they are compared with."""

    def test_names_what_is_crossed(self):
        """With the value and the limit, both in seconds; a ratio's limit is that of before times the ratio."""
        slow = replace(FAILING, quantiles={"p95": 2.5})
        assert [
            Crossing("error-rate", 0.2, 0.05),
            Crossing("p95-seconds", 2.5, 2.0),
            Crossing("p95-ratio", 2.5, 1.5),
        ] == list(YARDSTICK.crossings(slow))

    @pytest.mark.parametrize("rate", [0.0, 0.049, 0.05])
    def test_a_limit_may_be_reached(self, rate):
        """`at most` includes it."""
        assert [] == list(YARDSTICK.crossings(replace(FINE, error_rate=rate)))

    def test_no_errors_at_all(self):
        """`error-rate: 0` allows none."""
        strict = Yardstick(Limits(error_rate=0.0))
        assert [[], ["error-rate"]] == [
            [each.name for each in strict.crossings(replace(FINE, error_rate=rate))] for rate in (0.0, 0.0001)
        ]

    @pytest.mark.parametrize(
        ("least", "requests", "judged"), [(20, 19, False), (20, 20, True), (0, 0, False), (0, 1, True)]
    )
    def test_few_requests_are_not_judged(self, least, requests, judged):
        """Of three requests one is a third; where 0 are enough, it takes one to have an error rate."""
        yardstick = Yardstick(Limits(min_requests=least))
        assert judged is any(yardstick.crossings(replace(FAILING, requests=requests)))

    @pytest.mark.parametrize(
        "before",
        [
            None,
            Metrics(3600.0),
            replace(BEFORE, requests=19),
            replace(BEFORE, quantiles={}),
            replace(BEFORE, quantiles={"p95": 0.0}),
        ],
    )
    def test_a_ratio_to_nothing_is_not_judged(self, before):
        """Nothing before, too few requests, no data: then it is named, and the other limits hold."""
        yardstick = Yardstick(LIMITS, before)
        assert ["p95-ratio"] == yardstick.unjudged
        assert ["p95-seconds"] == [each.name for each in yardstick.crossings(SLOW)]

    @pytest.mark.parametrize(
        ("metrics", "missing"),
        [
            (FINE, []),
            (replace(FINE, error_rate=None), ["error-rate"]),
            (replace(FINE, quantiles={"p50": 0.1}), ["p95"]),
            (replace(FINE, quantiles={}, requests=3), []),
            (Metrics(60.0), []),
        ],
    )
    def test_what_has_a_limit_must_be_measured(self, metrics, missing):
        """A look at enough requests that has no data for a limit saw nothing: it is not green."""
        assert missing == YARDSTICK.unmeasured(metrics)
        assert bool(missing) is not YARDSTICK.sees(Look(15.0, metrics))

    def test_what_is_crossed_is_seen_whatever_else_is_missing(self):
        """Errors are errors, also while there is no p95."""
        assert YARDSTICK.sees(Look(15.0, replace(FAILING, quantiles={})))

    def test_the_narrower_limit_counts(self):
        """In seconds and by ratio."""
        assert [1.5, None] == [YARDSTICK.limit_of("p95"), YARDSTICK.limit_of("p99")]
