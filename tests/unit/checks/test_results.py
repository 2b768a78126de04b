"""What came of a check: the count, the limits, and words without secrets."""

import pytest
from sample_answers import delta, made, stream

from baseten_deploy.checks.answer import NoAnswer
from baseten_deploy.checks.answer_schema import compile_schema
from baseten_deploy.checks.check import Check, Expect, Live
from baseten_deploy.checks.patterns import compile_pattern
from baseten_deploy.checks.results import KEPT, Call, Failure, Tally, judged
from baseten_deploy.ci.redaction import Redactor

SECRET = "sk-0123456789abcdef"


def redact(text):
    """Take the secret out."""
    redactor = Redactor()
    redactor.add(SECRET)
    return redactor.redact(text)


def tallied(check, *calls):
    """Count calls; each is its seconds, or a call."""
    tally = Tally(check)
    for call in calls:
        tally.add(call if isinstance(call, Call) else Call(call))
    return tally.result(1.0, done=True)


def failed(number, seconds=0.1):
    """Make a call that failed."""
    return Call(seconds, failure=Failure(number, ("wrong",)))


class TestJudged:
    """One outcome."""

    def test_a_good_answer(self):
        """Only its times."""
        call = judged(Check("c"), 1, stream(delta("a"), delta("b"), {"usage": {"completion_tokens": 3}}), None, redact)
        assert (0.1, None) == (call.first_token, call.failure)
        assert pytest.approx(20) == call.tokens_per_second

    def test_a_bad_answer(self):
        """The reasons, what came, the diff and the request."""
        answer = made('{"a": 2}')
        answer.headers["x-baseten-request-id"] = "r1"
        failure = judged(Check("c", expect=Expect(json={"a": 1})), 7, answer, None, redact).failure
        assert (7, ("$.a is 2, expected 1",), '{"a": 2}', "r1") == (
            failure.number,
            failure.reasons,
            failure.came,
            failure.request_id,
        )
        assert '+  "a": 2' in failure.diff

    def test_no_answer(self):
        """Its time counts, unless the model was not there yet."""
        assert 5.0 == judged(Check("c"), 1, NoAnswer("no answer within 5 s", 5.0), None, redact).seconds
        assert judged(Check("c"), 1, NoAnswer("503", 0.1, waking=True), None, redact).seconds is None

    @pytest.mark.parametrize("before", range(560, 605, 3))
    def test_no_part_of_a_secret_wherever_the_cut_goes(self, before):
        """It is taken out before anything is cut."""
        answer = made("x" * before + SECRET)
        failure = judged(Check("c", expect=Expect(regex=compile_pattern("nothing"))), 1, answer, None, redact).failure
        assert SECRET[:4] not in failure.came

    def test_an_answer_that_differs_in_a_secret(self):
        """Says no more than that."""
        check = Check("c", expect=Expect(not_regex=compile_pattern(SECRET)))
        assert ("it differs in a secret",) == judged(check, 1, made(SECRET), None, redact).failure.reasons

    @pytest.mark.parametrize("depth", [300, 900, 990])
    @pytest.mark.parametrize("live", [Live.SHAPE, Live.EQUAL])
    def test_deep_answers(self, depth, live):
        """JSON as deep as Python reads it is judged, or said to be too deep."""
        one, other = (made("[" * depth + inner + "]" * depth) for inner in ("1", '"1"'))
        check = Check("c", expect=Expect(live=live, json={"a": 1}, schema=compile_schema({"items": {"$ref": "#"}})))
        assert judged(check, 1, one, other, redact).failure.reasons

    def test_a_secret_within_bytes(self):
        """Is not quoted either, not even in part."""
        for before in range(60, 90, 3):
            answer = made(b"\0" + b"x" * before + SECRET.encode(), "application/octet-stream")
            failure = judged(
                Check("c", expect=Expect(json={"a": 1}, live=Live.EQUAL)), 1, answer, made("y"), redact
            ).failure
            assert SECRET[:4] not in str(failure)

    def test_bytes_are_counted(self):
        """They are not shown."""
        answer = made(b"RIFF\0\0" * 10, "audio/wav")
        failure = judged(Check("c", expect=Expect(min_bytes=100)), 1, answer, None, redact).failure
        assert "binary, 60 bytes, audio/wav" == failure.came


class TestTally:
    """All calls of a check."""

    def test_failures_within_the_allowed(self):
        """Pass; one more does not, and says how many and which was the first."""
        check = Check("c", repeat=3, max_failures=1)
        assert tallied(check, 0.1, failed(2), 0.1).passed
        result = tallied(check, failed(3), 0.1, failed(1))
        assert not result.passed
        assert ("2 of 3 repeats failed, 1 allowed; repeat 1: wrong",) == result.reasons

    def test_only_the_first_are_kept(self):
        """By their number, in whatever order they come."""
        result = tallied(Check("c", repeat=9), *(failed(number) for number in (9, 3, 7, 1, 5)))
        assert (5, [1, 3, 5]) == (result.failed, [failure.number for failure in result.failures])
        assert KEPT == len(result.failures)

    @pytest.mark.parametrize(
        ("times", "limit", "told"),
        [
            ([0.5], 0.5, ()),
            ([0.51], 0.5, ("it took 0.510 s, `max-seconds` is 0.5",)),
            ([0.1] * 19 + [9.0], 0.5, ()),
            ([0.1] * 18 + [9.0] * 2, 0.5, ("the p95 is 9.000 s, `max-seconds` is 0.5",)),
        ],
    )
    def test_max_seconds(self, times, limit, told):
        """Of the p95, or of the one answer."""
        assert told == tallied(Check("c", repeat=len(times), max_seconds=limit), *times).limits

    def test_first_token_seconds(self):
        """Of the p95 of the streams; without a stream it cannot be measured."""
        check = Check("c", repeat=2, first_token_seconds=0.3)
        assert tallied(check, Call(1.0, 0.2), Call(1.0, 0.3)).passed
        assert ("the first token took 0.400 s, `first-token-seconds` is 0.3",) == tallied(
            check, Call(1.0, 0.2), Call(1.0, 0.4)
        ).limits
        assert "cannot be measured" in tallied(check, 1.0, 1.0).limits[0]

    def test_one_that_was_cut_short(self):
        """Neither passed nor broke a limit."""
        tally = Tally(Check("c", repeat=5, max_seconds=0.1))
        tally.add(Call(1.0))
        result = tally.result(1.0, done=False)
        assert (False, ()) == (result.passed, result.limits)
