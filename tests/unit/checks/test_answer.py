"""An answer: its text, its stream, and the times in it."""

import pytest
from sample_answers import delta, made, stream

from baseten_deploy.checks.answer import NO_JSON, Answer


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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("0af7651916cd43dd", "0af7651916cd43dd"),
        ("a-b_C", "a-b_C"),
        ("", ""),
        ("a" * 65, ""),
        ("a`<img>", ""),
        ("é", ""),
    ],
)
def test_the_request_id(said, expected):
    """Only what has the shape of an id is one: it is shown, and asked for in the log."""
    assert expected == Answer(500, {"x-baseten-request-id": said}, b"", 0.1).request_id


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

    @pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "tool_calls"])
    def test_tokens_of_every_kind(self, key):
        """What `usage` counts is not text alone: what a model thinks takes its time, too."""
        thinks = {"choices": [{"delta": {key: "hm"}}]}
        answer = stream(thinks, thinks, delta("a"), {"usage": {"completion_tokens": 5}})
        assert pytest.approx(4 / 0.2) == answer.tokens_per_second

    @pytest.mark.parametrize("key", ["completion_tokens", "output_tokens"])
    def test_tokens_a_second_without_a_stream(self, key):
        """Those of `usage` over the whole time: when the first was there cannot be seen."""
        assert 30.0 == made(f'{{"usage": {{"{key}": 60}}}}', marks=[(5, 1.0), (40, 2.0)], seconds=2.0).tokens_per_second

    @pytest.mark.parametrize("body", ['{"usage": {"prompt_tokens": 5, "total_tokens": 5}}', '{"usage": 5}', '"usage"'])
    def test_what_counts_none(self, body):
        """An embedding has no tokens of its own."""
        assert made(body).tokens_per_second is None

    @pytest.mark.parametrize("choice", [5, None, {"delta": 5}, {"delta": {"content": ""}}, {"text": ""}])
    def test_events_without_tokens(self, choice):
        """Whatever stands in a choice, it is only counted where it carries something."""
        answer = stream({"choices": [choice]}, delta("a"), delta("b"), {"usage": {"completion_tokens": 2}})
        assert pytest.approx(1 / 0.1) == answer.tokens_per_second

    def test_tokens_that_nobody_counted(self):
        """Are not guessed."""
        assert stream(delta("a"), delta("b")).tokens_per_second is None
        assert stream(delta("a"), {"usage": {"completion_tokens": True}}).tokens_per_second is None
