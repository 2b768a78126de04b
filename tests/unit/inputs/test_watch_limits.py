"""`watch-limits`: what it may say, what cannot be, and the defaults."""

import pytest

from baseten_deploy.inputs.combinations import check, find_warnings
from baseten_deploy.inputs.settings import read_settings
from baseten_deploy.inputs.watch_limits import KNOWN, Limits, check_watch_limits


def problems(**inputs):
    """The messages of all problems of these inputs."""
    given = {f"INPUT_{name.upper().replace('_', '-')}": value for name, value in inputs.items()}
    settings, found = read_settings({"INPUT_BASETEN-API-KEY": "key-0123456789", **given})
    return [str(problem) for problem in [*found, *check(settings)]]


class TestLimits:
    """What a run watches by."""

    @pytest.mark.parametrize("given", [None, {}])
    def test_the_default(self, given):
        """One failing answer in twenty, alone; with fewer than 20 requests nothing is judged."""
        assert Limits(error_rate=0.05, seconds={}, ratios={}, min_requests=20) == Limits.of(given)

    def test_all_of_them(self):
        """Seconds and ratios of p50, p95 and p99."""
        given = {"error-rate": 0, "p95-seconds": 2, "p50-ratio": 1.5, "p99-ratio": 2, "min-requests": 5}
        expected = Limits(0.0, {"p95": 2.0}, {"p50": 1.5, "p99": 2.0}, 5)
        assert [expected, []] == [Limits.of(given), check_watch_limits(given)]

    def test_other_limits_leave_that_of_errors(self):
        """Who limits a time does not mean to allow every error."""
        assert 0.05 == Limits.of({"p95-seconds": 2}).error_rate

    @pytest.mark.parametrize("name", KNOWN)
    def test_every_name_takes_a_number(self, name):
        """One that fits them all."""
        assert [] == check_watch_limits({name: 1})


class TestWhatCannotBe:
    """Bad input."""

    @pytest.mark.parametrize(
        ("written", "near"),
        [
            ("error_rate", "error-rate"),
            ("errorrate", "error-rate"),
            ("p95_seconds", "p95-seconds"),
            ("p59-seconds", "p99-seconds"),
            ("p95-second", "p95-seconds"),
            ("min-request", "min-requests"),
            ("p99ratio", "p99-ratio"),
        ],
    )
    def test_an_unknown_name_has_a_nearest(self, written, near):
        """It is in the remedy, with all that there are."""
        (problem,) = check_watch_limits({written: 1})
        assert (f"`watch-limits`: there is no limit `{written}`", True) == (
            problem.message,
            problem.remedy.startswith(f"Did you mean `{near}`? Known: `error-rate`, "),
        )

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("error-rate", -0.1, "must be a share from 0 to 1, not -0.1"),
            ("error-rate", 5, "must be a share from 0 to 1, not 5"),
            ("error-rate", None, "must be a share from 0 to 1, not null"),
            ("error-rate", "5%", "must be a share from 0 to 1, not '5%'"),
            ("error-rate", True, "must be a share from 0 to 1, not True"),
            ("error-rate", [0.1], "must be a share from 0 to 1, not no number"),
            ("error-rate", float("nan"), "must be a share from 0 to 1, not nan"),
            ("p95-seconds", 0, "must be a number of seconds above 0, not 0"),
            ("p95-seconds", float("inf"), "must be a number of seconds above 0, not inf"),
            ("p50-ratio", -1, "must be a ratio above 0, not -1"),
            ("min-requests", 1.5, "must be a whole number from 0, not 1.5"),
            ("min-requests", -1, "must be a whole number from 0, not -1"),
        ],
    )
    def test_a_value_that_no_metric_can_be_held_to(self, name, value, said):
        """Says what it must be, and shows an example."""
        (problem,) = check_watch_limits({name: value})
        assert f"`watch-limits`: `{name}` {said}" == problem.message
        assert f"for example `{name}: " in problem.remedy

    @pytest.mark.parametrize(
        "text", ["error-rate: .nan", '{"error-rate": NaN}', "p95-seconds: .inf", '{"p95-seconds": 1e999}']
    )
    def test_numbers_that_json_does_not_have(self, text):
        """Are refused where they stand."""
        (message,) = problems(watch_minutes="10", watch_limits=text)
        assert "is not a number that JSON has" in message

    @pytest.mark.parametrize("minutes", ["", "0"])
    def test_limits_need_a_watch(self, minutes):
        """Else nobody would look."""
        (message,) = problems(watch_minutes=minutes, watch_limits="error-rate: 0.1")
        assert message.startswith("`watch-limits` needs a watch\nSet `watch-minutes` too")

    def test_a_watch_needs_a_wait(self):
        """What is not live yet has no metrics."""
        assert ["`watch-minutes` and `wait: false` cannot go together"] == [
            message.split("\n")[0] for message in problems(watch_minutes="5", wait="false")
        ]

    @pytest.mark.parametrize("minutes", ["-1", "x", "1e3", "20000"])
    def test_minutes_that_are_none(self, minutes):
        """Seven days are as far as the service's metrics go back."""
        assert any("is not a number from 0 to 10080" in message for message in problems(watch_minutes=minutes))


@pytest.mark.parametrize(("minutes", "warned"), [("360", False), ("360.5", True), ("1440", True)])
def test_longer_than_a_job(minutes, warned, make_settings):
    """A warning: GitHub ends a job after six hours, unless it is told otherwise."""
    warnings = find_warnings(make_settings(watch_minutes=minutes))
    assert warned is any("GitHub ends a job after 360 minutes" in each.message for each in warnings)


def test_a_cleanup_watches_nothing(make_settings):
    """It is said."""
    inputs = {"mode": "cleanup", "model_name": "m", "cleanup_labels": "a: b", "watch_minutes": "5"}
    said = [each.message for each in find_warnings(make_settings(**inputs))]
    assert "`watch-minutes` has no effect: `mode: cleanup` brings nothing up" in said
