"""Whether an answer is what its check expects: each kind of expectation, met and not met."""

import json
import time

import pytest
from sample_answers import delta, made, stream

from baseten_deploy.checks.answer import Answer
from baseten_deploy.checks.answer_schema import compile_schema
from baseten_deploy.checks.check import Check, Expect, Live
from baseten_deploy.checks.judge import json_diff, media_matches, mismatches
from baseten_deploy.checks.patterns import Found, compile_pattern


def reasons(answer, **expect):
    """Judge."""
    return mismatches(Check("c", expect=Expect(**expect)), answer)


def pattern(text):
    """Compile one."""
    return compile_pattern(text)


class TestMismatches:
    """One after the other."""

    @pytest.mark.parametrize(
        ("status", "expected", "found"),
        [
            (200, None, []),
            (204, None, []),
            (500, None, ["the status is 500, expected 2xx"]),
            (302, None, ["the status is 302, expected 2xx"]),
            (503, 503, []),
            (200, 201, ["the status is 200, expected 201"]),
        ],
    )
    def test_status(self, status, expected, found):
        """Any 2xx, or the one."""
        assert found == reasons(made("{}", status=status), status=expected)

    @pytest.mark.parametrize(("encoding", "told"), [("gzip", True), ("gzip, gzip", True), ("identity", False)])
    def test_compressed(self, encoding, told):
        """Nobody asked for that: it says so, and not that the bytes are no JSON. Nothing is unpacked."""
        answer = Answer(200, {"content-encoding": encoding}, b"{}", 0.1)
        wanted = [f"the answer is compressed ({encoding}), which was not asked for"] if told else []
        assert wanted == reasons(answer, json={})

    def test_a_wrong_status_says_it_all(self):
        """The body is an error's then; the rest would be noise."""
        assert 1 == len(reasons(made("oops", status=500), json={"a": 1}, min_bytes=100))

    @pytest.mark.parametrize(
        ("expected", "body", "found"),
        [
            ({"a": 1}, '{"a": 1, "b": 2}', []),
            ({"a": [{}]}, '{"a": [{"b": 1}, 5]}', []),
            (None, "null", []),
            ("hello", "hello", []),
            ({"a": 1}, '{"a": 2}', ["$.a is 2, expected 1"]),
            (True, "1", ["$ is 1, expected true"]),
        ],
    )
    def test_json(self, expected, body, found):
        """Contained, as `predict-expect`."""
        assert found == reasons(made(body), json=expected)

    def test_json_of_a_stream(self):
        """One of its events, or its joined content."""
        answer = stream(delta("hi"), {"usage": {"completion_tokens": 1}})
        assert [] == reasons(answer, json={"choices": [{}]})
        assert [] == reasons(answer, json={"usage": {"completion_tokens": 1}})
        assert [] == reasons(stream(delta('{"a"'), delta(": 1}")), json={"a": 1})
        assert reasons(answer, json={"choices": [{}, {}]})

    def test_patterns(self):
        """Found, or not found; in a stream's joined content."""
        answer = stream(delta("fo"), delta("ur"))
        assert [] == reasons(answer, regex=pattern(r"\bfour\b"), not_regex=pattern("Traceback"))
        assert ["nothing in it matches `five`"] == reasons(answer, regex=pattern("five"))
        assert ["something in it matches `f.u`"] == reasons(answer, not_regex=pattern("f.u"))

    @pytest.mark.parametrize(
        ("text", "hostile"),
        [
            (r"(a|a)+$", "a" * 40 + "b"),
            (r"(a+)+$", "a" * 4000 + "b"),
            (r"(\w+\s?)*!$", "word " * 200 + "?"),
            (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 5000),
            (r"(.*)(.*)(.*)(.*)(.*)x{3}$", "y" * 20_000),
        ],
    )
    def test_no_pattern_hangs(self, text, hostile):
        """Each search ends, and what is not known is not passed: neither as found nor as not found."""
        began = time.monotonic()
        found = pattern(text).search(hostile, 0.1)
        assert time.monotonic() - began < 5
        assert found is not Found.YES
        if found is Found.GAVE_UP:
            answer = made(hostile, "text/plain")
            for field in ("regex", "not_regex"):
                told = f"the regular expression `{text}` takes too long on this answer"
                assert [told] == reasons(answer, **{field: pattern(text)})

    def test_schema(self):
        """Of the JSON; of a stream that is none, of each event."""
        schema = compile_schema({"type": "object", "required": ["choices"]})
        assert [] == reasons(made('{"choices": []}'), schema=schema)
        assert ['the answer does not follow its `schema`: $: "choices" is a required property'] == reasons(
            made("{}"), schema=schema
        )
        assert ["the answer is no JSON, as its `schema` wants it"] == reasons(made("x"), schema=schema)
        assert [] == reasons(stream(delta("a"), delta("b")), schema=schema)
        assert reasons(stream(delta("a"), {"x": 1}), schema=schema)

    def test_no_pattern_of_a_schema_hangs(self):
        """Its steps are bounded too."""
        schema = compile_schema({"pattern": r"^(a+)+(?=b)\1c$"})
        began = time.monotonic()
        assert reasons(made(json.dumps("a" * 5000 + "b")), schema=schema)
        assert time.monotonic() - began < 5

    def test_sizes_and_type(self):
        """Bytes of the body, and its media type."""
        answer = made(b"RIFF", "audio/wav; rate=8000")
        assert [] == reasons(answer, min_bytes=4, max_bytes=4, content_type="audio/wav")
        assert ["the answer has 4 bytes, expected at least 5"] == reasons(answer, min_bytes=5)
        assert ["the answer has 4 bytes, expected at most 3"] == reasons(answer, max_bytes=3)
        assert ["the content type is audio/wav; rate=8000, expected audio/ogg"] == reasons(
            answer, content_type="audio/ogg"
        )

    def test_streams_that_broke(self):
        """Without an event, or with an error in one."""
        assert ["the stream ended without a single event"] == reasons(made(": x\n\n", "text/event-stream"))
        assert ["the stream carried an error"] == reasons(stream(delta("a"), {"error": {"message": "x"}}))

    def test_live(self):
        """All differences in one reason; nothing to compare with is no reason."""
        check = Check("c", expect=Expect(live=Live.SHAPE))
        found = mismatches(check, made('{"a": 1, "b": 2}'), made('{"a": "1"}'))
        assert [
            "the answer differs from the live one (`live: shape`): $.b is new, live it is not there; "
            "$.a is a number, live it is a text"
        ] == found
        assert [] == mismatches(check, made('{"a": 1}'))

    def test_everything_at_once(self):
        """Each expectation that does not hold is told."""
        assert 3 == len(reasons(made('{"a": 2}'), json={"a": 1}, regex=pattern("x"), min_bytes=1000))


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("application/json", "application/json; charset=utf-8", True),
        ("Application/JSON", "application/json", True),
        ("application/json; charset=utf-8", "application/json", False),
        ("application/json;charset=utf-8", 'application/json; charset="utf-8"', True),
        ("audio/*", "audio/wav", True),
        ("audio/*", "application/wav", False),
        ("text/plain", "", False),
    ],
)
def test_media_types(expected, actual, same):
    """Parameters count where they are written."""
    assert same is media_matches(expected, actual)


class TestDiff:
    """`json`, as a diff."""

    def test_only_what_is_spoken_of(self):
        """The rest of the answer is left out."""
        check = Check("c", expect=Expect(json={"a": 1, "b": [{"c": 5}]}))
        found = json_diff(check, made('{"a": 1, "x": "noise", "b": [{"c": 6, "y": 0}, 7]}'))
        assert '-      "c": 5' in found
        assert '+      "c": 6' in found
        assert "noise" not in found

    @pytest.mark.parametrize("kinds", [1, 3, 150, 12_000])
    def test_long_lists(self, kinds):
        """It begins at the first difference, with its line, and takes no longer for lines that are much alike."""
        expected, came = [n % kinds for n in range(12_000)], [n * 5 % kinds for n in range(12_000)]
        expected[500], came[500] = -1, -2
        began = time.process_time()
        lines = json_diff(Check("c", expect=Expect(json=expected)), made(json.dumps(came))).split("\n")
        assert time.process_time() - began < 10  # of whole texts: a minute and more
        first = 500 if kinds == 1 else 1
        assert lines[2].startswith(f"@@ -{max(1, first - 1)},")
        assert lines[-1] == "..." if kinds > 1 else "..." not in lines
        assert len(lines) <= 61

    def test_none(self):
        """Where nothing is expected, where it holds, where there is no JSON, where it would be too long."""
        assert "" == json_diff(Check("c"), made("{}"))
        assert "" == json_diff(Check("c", expect=Expect(json={})), made("{}"))
        assert "" == json_diff(Check("c", expect=Expect(json={"a": 1})), made("no"))
        assert "" == json_diff(Check("c", expect=Expect(json={"a": 1})), made(json.dumps({"a": "x" * 300_000})))
