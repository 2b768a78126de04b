"""The checks as people read them."""

from baseten_deploy.checks.check import Check, Kind, Suite
from baseten_deploy.checks.results import CheckResult, Failure
from baseten_deploy.checks.table import described, line, results_table


def good(name="good", **more):
    """A check that passed."""
    return CheckResult(Check(name), 1, p50=0.1, p95=0.2, done=True, **more)


def bad(name="bad", came="", diff="", log=()):
    """A check that did not."""
    failure = Failure(1, ("the status is 500, expected 2xx",), came, diff, "req-1", log)
    return CheckResult(Check(name), 1, 1, (failure,), p50=0.1, p95=0.2, done=True)


class TestTable:
    """Of the summary."""

    def test_few_are_all_in_one_table(self):
        """With the first token, and tokens a second where they are known."""
        text = results_table([good(), bad(), good("streams", first_token=0.05, tokens_per_second=41.7)], "production")
        assert text.startswith("### Checks of production: 2 of 3 passed")
        assert "| check | result | calls | p50 | p95 | first token | tokens/s |" in text
        assert "| good | ✅ passed | 1 | 0.10 s | 0.20 s |  |  |" in text
        assert "| bad | ❌ failed | 1, 1 failed | 0.10 s | 0.20 s |  |  |" in text
        assert "| streams | ✅ passed | 1 | 0.10 s | 0.20 s | 50 ms | 42 |" in text
        assert "<details>" not in text

    def test_many_that_passed_are_folded(self):
        """The failed ones stay open."""
        text = results_table([*(good(f"good {n}") for n in range(6)), bad()], "the deployment")
        before, _, folded = text.partition("<details><summary>6 checks passed</summary>")
        assert "| bad |" in before
        assert "good" not in before
        assert 6 == folded.count("✅ passed")

    def test_a_failure_is_told(self):
        """Expected, came, the request and its log; a diff instead of what came."""
        text = results_table([bad(came="oops", log=("10:00 boom",)), bad("json", came='{"a": 1}', diff="-1\n+2")], "x")
        assert (
            "**bad**: the status is 500, expected 2xx\n\n```\noops\n```\n\nRequest `req-1`\n\n```\n10:00 boom\n```"
            in text
        )
        assert "```diff\n-1\n+2\n```" in text
        assert '{"a": 1}' not in text

    def test_one_that_did_not_finish(self):
        """Is neither."""
        text = results_table([CheckResult(Check("cut"), 3)], "x")
        assert "| cut | ⚠️ not finished | 3 |" in text
        assert "0 of 1 passed" in text

    def test_names_and_answers_are_foreign(self):
        """Neither breaks the table or the page."""
        text = results_table([bad("a | b <img> @everyone", came="```\n</details>")], "x")
        assert "a | b" not in text
        assert "<img>" not in text
        assert "````\n```\n</details>\n````" in text


def test_line():
    """Of the log."""
    assert "passed: good (1 call, p50 0.10 s, p95 0.20 s)" == line(good())
    assert "failed: bad (1 call, p50 0.10 s, p95 0.20 s)\n  the status is 500, expected 2xx" == line(bad())
    assert "not finished: cut (0 calls)" == line(CheckResult(Check("cut")))


def test_described():
    """For the plan: what is asked how often."""
    checks = (
        Check("one", path="/v1/x", method="GET", repeat=20, concurrency=4, warm_up=1),
        Check("two"),
        Check("three", kind=Kind.WEBSOCKET),
    )
    text = described(Suite(checks, "truss/checks.yaml"))
    assert "3 checks of `truss/checks.yaml` will run after the smoke test." in text
    assert "| one | `GET /v1/x` | 20, 4 at once, after 1 to warm up |" in text
    assert "| two | `POST predict` | 1 |" in text
    assert "| three | `websocket` | 1 |" in text
