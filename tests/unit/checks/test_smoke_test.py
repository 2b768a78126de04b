"""The smoke test: one good answer, and everything that is not one."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import BY_NAME, HTML, KEY, Dripping, FakeClock, Script, make_client, make_run, printed

from baseten_deploy.checks import smoke_test as module
from baseten_deploy.checks.smoke_test import ask, cut, smoke_test
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.errors import PredictFailed, PredictUnseen
from baseten_deploy.inputs.expectation import parse_expectation
from baseten_deploy.service.http import ERROR_BYTES
from baseten_deploy.service.model_urls import environment_url, predict_url

URL = "https://model-m1.api.test/deployment/d1/predict"
INFERENCE = "https://model-{model_id}.api.test"


class Asked:
    """A smoke test that was made: the script that answered, what was reported, and how it ended."""

    def __init__(self, *answers, payload=None, expect="", seconds=300.0, clock=None):
        self.clock = clock or FakeClock()
        self.script = Script(*answers)
        self.reported = []
        self.seen = []
        redactor = Redactor()
        redactor.add(KEY)
        self.error = None
        try:
            self.result = smoke_test(
                URL,
                KEY,
                {"prompt": "hi"} if payload is None else payload,
                parse_expectation(expect) if expect else None,
                seconds=seconds,
                client=make_client(self.script),
                clock=self.clock,
                redactor=redactor,
                answered=self.reported.append,
                seen=self.seen.append,
            )
        except PredictFailed as error:
            self.error = error

    @property
    def message(self):
        """What it failed with."""
        return self.error.problems[0].message

    @property
    def remedy(self):
        """And what to do."""
        return self.error.problems[0].remedy

    @property
    def took(self):
        """Seconds."""
        return self.clock.now() - 1000


def said(text, status=200, **headers):
    """Make a response."""
    return httpx.Response(status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})


def events(*datas):
    """Make the text of an event stream."""
    return "".join(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n" for data in datas)


def delta(text):
    """Make an OpenAI-like event."""
    return {"choices": [{"delta": {"content": text}}]}


class TestUrls:
    """For each kind of target."""

    @pytest.mark.parametrize("base", [INFERENCE, INFERENCE + "/"])
    def test_of_a_deployment(self, base):
        """By its id, or the development slot."""
        assert URL == predict_url(base, "m1", "d1")
        assert "https://model-m1.api.test/development/predict" == predict_url(base, "m1", "d1", development=True)

    @pytest.mark.parametrize("base", [INFERENCE, INFERENCE + "/"])
    def test_of_an_environment(self, base):
        """By its name; a regional one has a host of its own."""
        assert "https://model-m1.api.test/environments/staging/predict" == environment_url(base, "m1", "staging")
        assert "https://model-m1-staging.api.test/predict" == environment_url(base, "m1", "staging", regional=True)

    def test_of_a_fixed_host(self):
        """A sandbox has one host for all models, with the id in the path or nowhere."""
        assert "http://localhost:1/m1/deployment/d1/predict" == predict_url("http://localhost:1/{model_id}", "m1", "d1")
        assert "http://localhost:1/deployment/d1/predict" == predict_url("http://localhost:1", "m1", "d1")


class TestJson:
    """A plain answer."""

    def test_is_the_prediction(self):
        """Sent with the key as the service wants it; reported; timed."""
        asked = Asked(said('{"text": "pong"}'), payload={"prompt": "ä"})
        assert ('{"text": "pong"}', 0) == (asked.result.text, asked.result.events)
        assert [asked.result] == asked.reported
        request = asked.script.requests[0]
        assert ("POST", URL, f"Api-Key {KEY}") == (request.method, str(request.url), request.headers["Authorization"])
        assert {"prompt": "ä"} == json.loads(request.content)

    @pytest.mark.parametrize("payload", [[], 0, "", False, "\ud800", [1, {"a": None}]])
    def test_any_json_can_be_sent(self, payload):
        """The model decides what it takes."""
        asked = Asked(said("1"), payload=payload)
        assert payload == json.loads(asked.script.requests[0].content)

    def test_the_time_is_that_of_the_answer(self):
        """Not of the tries before it."""
        clock = FakeClock()
        slow = httpx.Response(200, stream=Dripping([b"1", b"2"], clock, seconds=2))
        asked = Asked(said("", 503, Retry_After="9"), slow, clock=clock)
        assert 4 == asked.result.seconds

    def test_a_big_answer_is_taken(self):
        """An image is a couple of megabytes."""
        assert 10 * 2**20 == len(Asked(said("x" * (10 * 2**20))).result.text)

    @pytest.mark.parametrize("expect", ["", '{"a": 1}'])
    def test_one_without_end_is_read_to_the_bound(self, expect):
        """Hundreds of megabytes are an answer; only what must be compared has to be whole."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b"x" * 2**20, None), clock)
        asked = Asked(httpx.Response(200, stream=body), clock=clock, expect=expect)
        assert body.taken <= module.ANSWER_BYTES / 2**20 + 1
        assert 1 == len(asked.reported)
        if expect:
            assert "longer than 16 MiB, and cannot be compared with `predict-expect`" in asked.message
        else:
            assert (None, module.ANSWER_BYTES) == (asked.error, len(asked.result.text))

    def test_bytes_that_are_no_text(self):
        """A model may answer anything."""
        assert Asked(httpx.Response(200, content=b"\xff\xfe")).result.text


class TestAsItIs:
    """What an answer is shown as."""

    WAV = b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(2032)

    def test_bytes_are_told_and_not_shown(self):
        """Size, type, digest; a pattern may still be looked for in them."""
        asked = Asked(httpx.Response(200, content=self.WAV, headers={"Content-Type": "Audio/WAV"}), expect="/^RIFF/")
        assert asked.result.shown.startswith("binary, 2 048 bytes, audio/wav, SHA-256 ")
        assert [asked.result.shown] == asked.seen

    def test_bytes_are_not_in_a_failure(self):
        """Either."""
        asked = Asked(httpx.Response(200, content=self.WAV, headers={"Content-Type": "audio/wav"}), expect='{"a": 1}')
        assert "It was: binary, 2 048 bytes, audio/wav" in asked.message
        assert "\0" not in asked.message

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_an_empty_answer_is_one(self, status):
        """A model that only acts has nothing to say."""
        asked = Asked(httpx.Response(status))
        assert ("", [""]) == (asked.result.text, asked.seen)

    @pytest.mark.parametrize("status", [400, 500, 503])
    @pytest.mark.parametrize(
        ("body", "shown"), [(b'{"error": "no"}', '{"error": "no"}'), (b"\0\1", "binary, 2 bytes, of an unknown type")]
    )
    def test_an_errors_answer_is_seen(self, status, body, shown):
        """It is the last one."""
        asked = Asked(httpx.Response(status, content=body), seconds=0.1)
        assert asked.seen[-1].startswith(shown)
        assert "\0" not in asked.message


class TestPace:
    """How fast an answer came: measured at the byte that carries it, of the answer that counts."""

    def asked(self, *chunks, payload=None, media_type="application/json"):
        """An answer that comes in chunks, one a second, after one that was not ready for nine."""
        clock = FakeClock()
        body = Dripping([chunk.encode() for chunk in chunks], clock, seconds=1)
        slow = httpx.Response(200, stream=body, headers={"Content-Type": media_type})
        return Asked(said("", 503, Retry_After="9"), slow, clock=clock, payload=payload).result.pace

    def test_of_json(self):
        """The first byte; tokens over the whole time."""
        pace = self.asked('{"usage":', '{"completion_tokens": 30}', "}")
        assert (3.0, 1.0, False, 10.0) == (pace.seconds, pace.first, pace.is_stream, pace.tokens_per_second)
        assert "3.0 s, first byte after 1.0 s, 10 tokens/s" == pace.words

    @pytest.mark.parametrize("media_type", ["text/event-stream", "application/json", ""])
    def test_of_a_stream(self, media_type):
        """The first event, not a comment before it; tokens from the first event that has any to the last."""
        counted = {"choices": [], "usage": {"completion_tokens": 21}}
        sent = [": ping\n\n", *(events(each) for each in (delta("a"), delta("b"), delta("c"), counted, "[DONE]"))]
        pace = self.asked(*sent, payload={"stream": True}, media_type=media_type)
        assert (6.0, 2.0, True, 10.0) == (pace.seconds, pace.first, pace.is_stream, pace.tokens_per_second)
        assert "6.0 s, first token after 2.0 s, 10 tokens/s" == pace.words

    def test_tokens_that_nobody_counted(self):
        """Are not guessed."""
        pace = self.asked(events(delta("a")), events(delta("b")), payload={"stream": True})
        assert (1.0, None) == (pace.first, pace.tokens_per_second)
        assert "2.0 s, first token after 1.0 s" == pace.words

    def test_of_an_empty_body(self):
        """Its end is all there is."""
        pace = Asked(httpx.Response(204)).result.pace
        assert (pace.seconds, None) == (pace.first, pace.tokens_per_second)


class TestExpectation:
    """`predict-expect`."""

    @pytest.mark.parametrize("expect", ['{"a": 1}', '{"a": 1, "b": [2]}', "/pong/"])
    def test_is_met(self, expect):
        """By containment."""
        assert Asked(said('{"a": 1, "b": [2, 3], "c": "pong"}'), expect=expect).error is None

    def test_is_not_met(self):
        """The answer is shown, reported, and asked for only once."""
        asked = Asked(said('{"a": 2}'), expect='{"a": 1}')
        assert "$.a is 2, expected 1" in asked.message
        assert '{"a": 2}' in asked.message
        assert (1, 1) == (len(asked.reported), len(asked.script.requests))

    def test_a_long_answer_is_cut_in_the_message(self):
        """Nobody reads a megabyte in an annotation."""
        assert len(Asked(said('"' + "x" * 10_000 + '"'), expect='"y"').message) < 1000

    @pytest.mark.parametrize("pattern", ["/(a+)+$/", "/^(a|a?)+$/"])
    def test_a_pattern_that_would_take_for_ever(self, pattern):
        """It ends within `predict-timeout`, as an answer that is not what was expected, and is searched once."""
        asked = Asked(said("a" * 40 + "b"), expect=pattern, seconds=1)
        assert f"the pattern {pattern} took longer than 1 s on this text" in asked.message
        assert (1, 1) == (len(asked.reported), len(asked.script.requests))

    def test_of_a_stream_is_of_its_joined_content(self):
        """Whatever the pieces were."""
        assert Asked(said(events(delta("po"), delta("ng"))), payload={"stream": True}, expect="/^pong$/").error is None


class TestNotReady:
    """The way to the model."""

    NOT_READY = ("408", "429", "502 with HTML", "503", "504", "connection refused", "connect timeout")

    @pytest.mark.parametrize("name", NOT_READY)
    def test_is_asked_again(self, name):
        """A gateway that is still setting up its route."""
        fault = BY_NAME[name]
        broken = lambda request: fault.fail(request, said(""))  # noqa: E731
        asked = Asked(broken, broken, broken, said('"pong"'))
        assert '"pong"' == asked.result.text
        assert [0.25, 0.5, 1.0] == asked.clock.sleeps

    @pytest.mark.parametrize("name", NOT_READY)
    def test_until_the_time_is_up(self, name):
        """Then it failed, with the last reason."""
        fault = BY_NAME[name]
        asked = Asked(lambda request: fault.fail(request, said("")), seconds=60)
        assert asked.message.startswith("The smoke test got no answer within 60 s: ")
        assert "predict-timeout" in asked.remedy
        assert 30 < asked.took < 60
        assert PredictUnseen is type(asked.error)
        assert "is unknown, and nothing is undone because of it" in asked.message

    def test_for_a_day(self):
        """`predict-timeout` may be long: thousands of tries end like the first."""
        asked = Asked(said("", 503), seconds=86_400, clock=FakeClock(chance=0.999))
        assert len(asked.script.requests) > 4000
        assert "within 86400 s" in asked.message

    def test_obeys_the_hint(self):
        """Header or body."""
        refused = httpx.Response(429, json={"error": "slow", "retry_after": 20})
        asked = Asked(said("", 503, Retry_After="30"), refused, said("1"))
        assert [30.25, 20.5] == asked.clock.sleeps

    def test_a_hint_past_the_end_is_not_waited_for(self):
        """It would only fail later."""
        asked = Asked(said("", 429, Retry_After="61"), seconds=60)
        assert (0, 1) == (asked.took, len(asked.script.requests))
        assert "429" in asked.message

    @pytest.mark.parametrize("name", ["reset", "no answer"])
    def test_a_connection_that_breaks_is_made_again(self, name):
        """One reset is no reason to roll back a release."""
        fault = BY_NAME[name]
        broken = lambda request: fault.fail(request, said(""))  # noqa: E731
        assert "1" == Asked(broken, broken, said("1")).result.text

    @pytest.mark.parametrize("name", ["reset", "no answer"])
    def test_not_for_ever(self, name):
        """A model that dies of the request dies again: the log tells more than the fifth try."""
        fault = BY_NAME[name]
        asked = Asked(lambda request: fault.fail(request, said("")))
        assert 5 == len(asked.script.requests)
        assert asked.message.startswith("The smoke test's connection broke")
        assert "crashed" in asked.remedy

    def test_an_answer_that_breaks_off_is_none(self):
        """Half of it is not reported."""
        clock = FakeClock()
        body = Dripping([b'{"a": '], clock, end=httpx.RemoteProtocolError("peer closed connection"))
        asked = Asked(httpx.Response(200, stream=body), said("1"), clock=clock)
        assert ["1"] == [prediction.text for prediction in asked.reported]


class TestTimeout:
    """`predict-timeout` bounds everything together."""

    def test_of_a_model_that_thinks(self):
        """One long request; it is not sent again."""
        asked = Asked(httpx.ReadTimeout("slow"), seconds=90)
        assert "The smoke test got no answer within 90 s" == asked.message
        assert 1 == len(asked.script.requests)
        assert 90 == asked.script.requests[0].extensions["timeout"]["read"]

    def test_is_what_is_left_of_it(self):
        """After tries that took some."""
        asked = Asked(said("", 503, Retry_After="50"), httpx.ReadTimeout("slow"), seconds=60)
        assert "within 60 s" in asked.message
        assert 60 - 50.25 == asked.script.requests[1].extensions["timeout"]["read"]

    @pytest.mark.parametrize("status", [200, 500])
    def test_of_an_answer_that_drips(self, status):
        """A byte a second keeps every read timeout from firing."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b".", None), clock, seconds=1)
        asked = Asked(httpx.Response(status, stream=body), seconds=30, clock=clock)
        assert "The smoke test got no answer within 30 s" == asked.message
        assert asked.took <= 32


class TestRefused:
    """Errors of the model itself: one request, and the remedy that fits."""

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (400, "predict-payload"),
            (422, "predict-payload"),
            (401, "API key"),
            (403, "API key"),
            (404, "inference-url"),
            (301, "inference-url"),
            (307, "inference-url"),
            (409, "traceback"),
            (500, "traceback"),
            (501, "traceback"),
        ],
    )
    def test_is_final(self, status, remedy):
        """No second try."""
        asked = Asked(said('{"error": "KeyError: prompt"}', status, Location="https://evil.test/"))
        assert f"The smoke test was answered {status}: KeyError: prompt" == asked.message
        assert remedy in asked.remedy
        assert (1, []) == (len(asked.script.requests), asked.reported)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "500: Internal Server Error"),
            (HTML, "500: 502 Bad Gateway"),
            ("Traceback", "500: Traceback"),
            ('{"error": {"a": 1}}', '500: {"a": 1}'),
            ("[1", "500: [1"),
        ],
    )
    def test_says_what_was_said(self, text, message):
        """In any form."""
        assert " ".join(Asked(said(text, 500)).message.split()).endswith(message)

    def test_of_any_length(self):
        """Read to a bound and cut."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b"x" * 1024, None), clock)
        asked = Asked(httpx.Response(500, stream=body), clock=clock)
        assert body.taken <= ERROR_BYTES / 1024 + 1
        assert len(asked.message) < 700

    @pytest.mark.parametrize(
        "broken",
        [
            said(f"key {KEY}", 500),
            said(f"key {KEY}", 503),
            said(json.dumps({"error": KEY}), 400),
            said("x" * (module.SHOWN_CHARACTERS - 10) + KEY, 500),
            said(f'"{KEY}"'),
            said(events({"error": KEY}), 200, Content_Type="text/event-stream"),
            httpx.ReadError(f"sent {KEY}"),
            httpx.ConnectError(f"proxy said {KEY}"),
        ],
        ids=range(8),
    )
    def test_never_shows_the_key(self, broken):
        """A debugging model that echoes its headers."""
        asked = Asked(broken, expect='"something else"', seconds=5)
        assert KEY[:6] not in str(asked.error)

    def test_a_bad_url(self):
        """Is not the model's fault."""
        with pytest.raises(PredictFailed, match="URL"):
            smoke_test(
                "https://m:x/",
                KEY,
                1,
                None,
                seconds=5,
                client=make_client(Script(said("1"))),
                clock=FakeClock(),
                redactor=Redactor(),
                answered=[].append,
            )


class TestStream:
    """Server-sent events."""

    @pytest.mark.parametrize(
        ("text", "joined", "count"),
        [
            (events(delta("po"), delta("ng"), "[DONE]"), "pong", 2),
            (events(delta("po"), {"choices": []}, delta(None), {"choices": [{"finish_reason": "stop"}]}), "po", 4),
            (events({"choices": [{"text": "a"}]}, {"choices": [{"text": "b"}]}), "ab", 2),
            (events({"choices": [{"message": {"content": "whole"}}]}), "whole", 1),
            (events({"token": "a"}, {"token": "b"}), '{"token": "a"}\n{"token": "b"}', 2),
            (events("plain", "text"), "plain\ntext", 2),
            ("data: a\ndata: b\n\n", "a\nb", 1),
            ("data:a\r\n\r\ndata:b\r\n\r\n", "a\nb", 2),
            (": comment\nevent: x\nid: 1\ndata: a\n\n: ping\n\n", "a", 1),
            ("data: unterminated", "unterminated", 1),
            ("just text in chunks", "just text in chunks", 0),
            ('{"a": 1}', '{"a": 1}', 0),
            (events({"choices": "x"}, {"choices": [7]}, {"choices": [{"delta": 7}]}, [1], "7"), None, 5),
        ],
    )
    def test_content_is_joined(self, text, joined, count):
        """OpenAI-like deltas, else the data as it is."""
        asked = Asked(said(text), payload={"stream": True})
        assert count == asked.result.events
        assert joined is None or joined == asked.result.text

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    def test_an_event_cut_between_chunks(self, size):
        """Within a line, its end, and a character of several bytes."""
        raw = [json.dumps(delta(text), ensure_ascii=False) for text in ("é", "😀日")]
        sent = events(*raw).replace("\n", "\r\n").encode()
        body = Dripping([sent[at : at + size] for at in range(0, len(sent), size)], FakeClock())
        asked = Asked(httpx.Response(200, stream=body, headers={"Content-Type": "Text/Event-Stream"}))
        assert ("é😀日", 2) == (asked.result.text, asked.result.events)

    @pytest.mark.parametrize("payload", [{"stream": True}, {"stream": False}, {"prompt": "x"}])
    def test_is_known_by_its_type(self, payload):
        """Whatever was asked for."""
        asked = Asked(said(events(delta("a")), Content_Type="text/event-stream; charset=utf-8"), payload=payload)
        assert ("a", 1) == (asked.result.text, asked.result.events)

    @pytest.mark.parametrize("payload", [{"stream": "yes"}, {"stream": 1}, ["stream"], "stream"])
    def test_only_a_true_asks_for_one(self, payload):
        """Anything else is a field of somebody's model."""
        assert 0 == Asked(said(events("x")), payload=payload).result.events

    @pytest.mark.parametrize("text", ["", "\n\n", "   "])
    def test_an_empty_one_is_a_failure(self, text):
        """It was answered 200 and says nothing."""
        assert "without a single event" in Asked(said(text), payload={"stream": True}).message

    @pytest.mark.parametrize(
        "text", ['event: error\ndata: {"detail": "out of memory"}\n\n', 'data: {"error": "out of memory"}\n\n']
    )
    def test_what_came_before_an_error_is_seen(self, text):
        """With the error; it is no prediction."""
        asked = Asked(said(events(delta("po"), delta("ng")) + text), payload={"stream": True})
        assert "The smoke test's stream carried an error: out of memory" == asked.message
        assert [] == asked.reported
        assert asked.seen[-1].startswith("pong\n{")

    def test_an_error_event_is_a_failure(self):
        """The status was 200 before the model broke."""
        asked = Asked(said(events(delta("a"), {"error": {"message": "out of memory"}})), payload={"stream": True})
        assert "out of memory" in asked.message

    def test_one_that_breaks_off_is_asked_for_again(self):
        """As any other answer."""
        clock = FakeClock()
        body = Dripping([events(delta("a")).encode()], clock, end=httpx.ReadError("reset"))
        asked = Asked(httpx.Response(200, stream=body), said(events(delta("b"))), payload={"stream": True}, clock=clock)
        assert "b" == asked.result.text

    @given(st.text(alphabet=st.sampled_from(list('data: {}[]"\n\r,e')), max_size=60))
    def test_any_text(self, text):
        """Nothing in it is a traceback."""
        Asked(said(text), payload={"stream": True})


class TestAsk:
    """What a run tells of it."""

    @pytest.mark.parametrize(
        ("answer", "shown"),
        [
            (said("CUDA out of memory", 500), "CUDA out of memory"),
            (httpx.Response(500), "500 Internal Server Error, with an empty body"),
            (httpx.Response(500, content=b"\x1b[31mno\x00"), "binary, 8 bytes, of an unknown type, SHA-256 "),
            (said(f"the key is {KEY}", 400), "the key is ***"),
            (said('data: {"error": "boom"}\n\n', Content_Type="text/event-stream"), '{"error": "boom"}'),
        ],
    )
    def test_the_last_answer_is_the_output(self, make_settings, answer, shown):
        """An error's too: not that of an earlier request, which was good."""
        answers = Script(said('"fine"'), answer)
        run = make_run(make_settings(), lambda _: httpx.Response(500), FakeClock(), inference=answers)
        run.redactor.add(KEY)
        ask(run, URL, {"prompt": "hi"})
        assert '"fine"' == run.outputs.get("predict-response")
        with pytest.raises(PredictFailed):
            ask(run, URL, {"prompt": "hi"})
        assert run.outputs.get("predict-response").startswith(shown)

    def test_nothing_came(self, make_settings):
        """Then an earlier answer says nothing about it."""
        answers = Script(said('"fine"'), httpx.ReadTimeout("slow"))
        run = make_run(make_settings(), lambda _: httpx.Response(500), FakeClock(), inference=answers)
        ask(run, URL, 1)
        with pytest.raises(PredictFailed):
            ask(run, URL, 1)
        assert "" == run.outputs.get("predict-response")

    def test_how_fast_it_was(self, make_settings):
        """In the log and the summary, each time with who was asked."""
        run = make_run(make_settings(), lambda _: httpx.Response(500), FakeClock(), inference=Script(said('"fine"')))
        ask(run, URL, 1)
        ask(run, URL, 1, "production")
        assert "Answered in 0 ms, first byte after 0 ms:" in printed(run)
        assert [
            "Smoke test of the deployment: 0 ms, first byte after 0 ms.",
            "Smoke test of production: 0 ms, first byte after 0 ms.",
        ] == run.notes


def test_cut():
    """At most that long, and marked."""
    assert ["abcde", "ab..."] == [cut("abcde", 5), cut("abcdef", 5)]
