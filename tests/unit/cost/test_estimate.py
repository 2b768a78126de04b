"""The cost now and then: which machine counts in which order, and what is not known."""

from dataclasses import replace

import pytest
from price_list import PRICES, environment

from baseten_deploy.cost.estimate import estimate
from baseten_deploy.cost.page import folded, line, plain, section, sentence, told, usd

H100 = {"resources": {"accelerator": "H100"}}


def cost(make_settings, config=None, before=None, prices=PRICES, extra=None, where="production", **inputs):
    """An estimate; the run goes into production unless it says otherwise."""
    settings = make_settings(**({"environment": "production"} if where else {}) | inputs)
    return estimate(prices, settings, config or {}, where, before, extra=extra)


class TestMachine:
    """The order of DESIGN section 10."""

    def test_the_environment_keeps_its_own(self, make_settings):
        """Whatever the config asks for; that it has no effect is told."""
        found = cost(make_settings, H100, environment(on="A10Gx4x16"))
        assert ("A10Gx4x16", "A10Gx4x16", True) == (found.then.machine.id, found.kept.id, found.ignores_resources)

    @pytest.mark.parametrize(
        ("config", "extra", "expected"),
        [
            (H100, {"instance_type_id": "A10Gx8x32"}, "A10Gx8x32"),
            ({"resources": {"instance_type": "A10G:8x32", "accelerator": "H100"}}, {}, "A10Gx8x32"),
            (H100, {}, "H100:26x234"),
            ({}, {}, "1x2"),
        ],
    )
    def test_when_it_is_not_kept(self, make_settings, config, extra, expected):
        """`instance_type_id`, then `resources.instance_type`, then the cheapest."""
        found = cost(make_settings, config, environment(), extra=extra, preserve_env_instance_type="false")
        assert (expected, None, False) == (found.then.machine.id, found.kept, found.ignores_resources)

    @pytest.mark.parametrize("before", [None, environment(serves=False)])
    def test_there_is_none_to_keep(self, make_settings, before):
        """An environment that serves nothing has no instance type of its own yet."""
        found = cost(make_settings, H100, before)
        assert ("H100:26x234", None, False) == (found.then.machine.id, found.now, found.serves)


class TestNumbers:
    """USD."""

    def test_now_and_then(self, make_settings):
        """Per hour at both ends of the replicas, with `environment-settings` applied."""
        found = cost(
            make_settings,
            H100,
            environment(low=1, high=3),
            preserve_env_instance_type="false",
            environment_settings="autoscaling_settings: {min_replica: 0, max_replica: 2}",
        )
        assert (1.2, 3.6) == (found.now.least, pytest.approx(found.now.most))
        assert (0.0, 12.0) == (found.then.least, found.then.most)
        assert pytest.approx(8.4) == found.difference

    def test_several_nodes(self, make_settings):
        """Each replica runs on all of them; of what is live that is not known."""
        config = {"resources": {"accelerator": "H100", "node_count": 2}}
        found = cost(make_settings, config, environment(high=1), preserve_env_instance_type="false")
        assert (12.0, None) == (found.then.most, found.now)
        assert "on how many nodes" in found.why_not_now

    def test_a_deployment_in_no_environment(self, make_settings):
        """Its own settings count, else the service's defaults."""
        found = cost(make_settings, H100, where="", extra={"autoscaling_settings": {"max_replica": 4}})
        assert (24.0, 24.0) == (found.then.most, found.difference)
        assert 6.0 == cost(make_settings, H100, where="").then.most

    @pytest.mark.parametrize(
        ("before", "prices", "why"),
        [
            (environment(on="none"), PRICES, "the service does not tell the instance type of `production`"),
            (environment(autoscaling_settings=None), PRICES, "does not tell its `min_replica`"),
            (environment(), "the service does not answer with its prices (404)", "with its prices (404)"),
            (environment(on="A10Gx8x32"), PRICES[:2], "names no price of the instance type `A10Gx8x32`"),
        ],
    )
    def test_unknown(self, make_settings, before, prices, why):
        """It has a reason, and no number."""
        found = cost(make_settings, {}, before, prices)
        assert (None, None, None) == (found.now, found.then, found.difference)
        assert why in found.why_not_then


class TestWords:
    """What a reviewer reads."""

    @pytest.mark.parametrize(
        ("high", "said"),
        [
            (2, "`production`: at most **$2.40 an hour** ($1,752 a month), **$1.20 less** than now (-33 %)."),
            (3, "`production`: at most **$3.60 an hour** ($2,628 a month), the same as now."),
            (4, "`production`: at most **$4.80 an hour** ($3,504 a month), **$1.20 more** than now (+33 %)."),
            (
                30,
                "`production`: at most **$36.00 an hour** ($26,280 a month), "
                "**$32.40 more** than now (10 times as much).",
            ),
        ],
    )
    def test_the_difference(self, make_settings, high, said):
        """In words, with its size."""
        settings = f"autoscaling_settings: {{max_replica: {high}}}"
        assert said == sentence(cost(make_settings, {}, environment(), environment_settings=settings))

    @pytest.mark.parametrize(
        ("before", "least", "said"),
        [
            (
                environment(low=1, high=3),
                1,
                "at most **$3.60 an hour** ($2,628 a month), the same as now.",
            ),
            (
                environment(low=0, high=3),
                2,
                "at most **$3.60 an hour** ($2,628 a month), the same as now; "
                "at least **$2.40 an hour** ($1,752 a month), **$2.40 more** than now.",
            ),
            (
                environment(low=2, high=3),
                0,
                "at most **$3.60 an hour** ($2,628 a month), the same as now; "
                "at least **$0.00 an hour** ($0.00 a month), **$2.40 less** than now.",
            ),
            (
                None,
                1,
                "at most **$0.10 an hour** ($76.21 a month), where nothing is served now; "
                "at least **$0.0348 an hour** ($25.40 a month).",
            ),
        ],
    )
    def test_what_runs_all_the_time(self, make_settings, before, least, said):
        """A smallest number of replicas that changes is told: it is what somebody pays at night."""
        settings = f"autoscaling_settings: {{min_replica: {least}, max_replica: 3}}"
        found = cost(make_settings, {}, before, environment_settings=settings)
        assert f"`production`: {said}" == sentence(found)
        assert 1 == sum("Per hour" in each for each in section([found], str))

    def test_now_is_not_known(self, make_settings):
        """Is said in every row; the cost to come is not kept back for it."""
        found = cost(make_settings, H100, environment(on="none"), preserve_env_instance_type="false")
        (_, shown, _) = section([found], str)
        assert "| Instance type | not known | `H100:26x234` |" in shown
        assert "| Per hour | not known | $6.00 to $18.00 |" in shown
        assert "and what it costs now is not known, because the service does not tell" in sentence(found)

    def test_in_a_verdict(self, make_settings):
        """One line for all places; below it nothing is said twice."""
        both = [cost(make_settings, {}, environment()), replace(cost(make_settings, H100), where="canary")]
        line = told(both, str)
        assert line.startswith("**Cost** of `production`: at most **$3.60 an hour** ($2,628 a month), the same as now.")
        assert line.endswith(" Of `canary`: at most **$6.00 an hour** ($4,380 a month), where nothing is served now.")
        below = section(both, str, is_told=True)
        assert below[0].startswith("<details><summary>How the cost of <code>production</code> is reckoned</summary>")
        assert "**Cost** of `canary`" == below[1]
        assert not any("at most" in each for each in below)
        assert section(both[1:], str, is_told=True)[0].startswith("|  | Now | Then |")
        assert ("", []) == (told([], str), section([], str, is_told=True))

    def test_unknown(self, make_settings):
        """The reason is said, and that it is an estimate nowhere."""
        found = cost(make_settings, {}, environment(), "the service names no prices")
        assert "`production`: **the cost is not known**, because the service names no prices." == sentence(found)
        assert 1 == len(section([found], str))

    def test_the_table(self, make_settings):
        """Now and then, per hour and month, and that it is an estimate."""
        parts = section([cost(make_settings, H100, environment(), preserve_env_instance_type="false")], str)
        expected = (
            "|  | Now | Then |\n| --- | --- | --- |\n| Instance type | `A10G:4x16` | `H100:26x234` |\n"
            "| Replicas | 1 to 3 | 1 to 3 |\n| Per hour | $1.20 to $3.60 | $6.00 to $18.00 |\n"
            "| Per month of 730 h | $876.00 to $2,628 | $4,380 to $13,140 |"
        )
        assert expected == parts[1]
        assert "An estimate at list prices" in parts[2]

    def test_the_same_is_folded(self, make_settings):
        """One line says it; below it is one row: two equal ones make people look for the difference."""
        parts = section([cost(make_settings, {}, environment())], str)
        assert parts[1].startswith("<details><summary>How that is reckoned</summary>")
        assert "|  | Now and then |\n| --- | --- |\n| Instance type | `A10G:4x16` |" in parts[1]
        assert "Then |" not in parts[1]

    def test_where_markdown_does_not_reach(self, make_settings):
        """In the heading of a fold code is code, and what a service calls a machine opens no tag; the log is plain."""
        before = environment(high=1)
        machine = replace(before.instance_type, id="<img src=x>", name="<b>")
        found = cost(make_settings, {}, replace(before, instance_type=machine), preserve_env_instance_type="false")
        assert "<img" not in folded(found, str)
        assert "Cost of <code>production</code>: at most <b>$0.0348 an hour</b>" in folded(found, str)
        assert "because the service names no price of the instance type <img src=x>." in line(found)

    def test_nothing_is_served_yet(self, make_settings):
        """Then all of it is new."""
        found = cost(make_settings, H100)
        assert sentence(found).endswith("where nothing is served now.")
        assert "| Instance type | nothing |" in section([found], str)[1]
        assert "0 to 1, the service&#39;s default" in section([found], str)[1].replace("'", "&#39;")


@pytest.mark.parametrize(
    ("amount", "shown", "written"),
    [
        (0, "$0.00", "0"),
        (0.0348, "$0.0348", "0.0348"),
        (1.2, "$1.20", "1.2"),
        (12.0, "$12.00", "12"),
        (1234.5, "$1,234", "1234.5"),
    ],
)
def test_amounts(amount, shown, written):
    """For people with as many digits as matter, for machines as a plain number."""
    assert (shown, written) == (usd(amount), plain(amount))
