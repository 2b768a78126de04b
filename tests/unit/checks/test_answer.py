"""An answer: its text, its stream, and the times in it."""

import pytest
from sample_answers import delta, made, stream

from baseten_deploy.checks.answer import NO_JSON


class TestText:
    """What it says."""

    def test_json(self):
        """Its value; what is no JSON has none."""
        assert {"a": 1} == made('{"a": 1}').value
        assert made("hello").value is NO_JSON
        assert made("[" * 100_000).value is NO_JSON

    def test_a_stream_is_joined(self):
        """The deltas, else the data of the events."""
        assert "Hello" == stream(delta("Hel"), delta("lo"), "[DONE]").text
        assert "one\ntwo" == stream("one", "two").text

    def test_bytes_that_are_no_text(self):
        """Do no harm."""
        assert "\ufffd" == made(b"\xff", "audio/wav").text


class TestTimes:
    """Measured at the byte that carries it."""

    def test_the_first_event(self):
        """The end of its line, not of its piece: a comment before it does not count, nor what comes with it."""
        assert 0.1 == stream(delta("a"), delta("b")).first_event_seconds
        text = b": ping\n\ndata: x\n\ndata: y\n\n"
        assert 2.0 == made(text, "text/event-stream", [(8, 1.0), (15, 2.0), (len(text), 3.0)]).first_event_seconds
        assert 3.0 == made(text, "text/event-stream", [(8, 1.0), (14, 2.0), (len(text), 3.0)]).first_event_seconds

    def test_nothing_where_there_is_no_stream(self):
        """Nor events."""
        assert made("{}").first_event_seconds is None
        assert made(": ping\n\n", "text/event-stream").first_event_seconds is None

    @pytest.mark.parametrize("usage", [5, 21])
    def test_tokens_a_second(self, usage):
        """Those of `usage`, from the first event that carries any to the last."""
        role = {"choices": [{"delta": {"role": "assistant"}}]}
        answer = stream(
            role, delta("a"), delta("b"), delta("c"), delta("", usage={"completion_tokens": usage}), "[DONE]"
        )
        assert pytest.approx((usage - 1) / 0.2) == answer.tokens_per_second

    def test_tokens_that_nobody_counted(self):
        """Are not guessed."""
        assert stream(delta("a"), delta("b")).tokens_per_second is None
        assert stream(delta("a"), {"usage": {"completion_tokens": True}}).tokens_per_second is None
