"""The checks file: what it may say, what it becomes, and each mistake at its line."""

import json
import os

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baseten_deploy.checks import field_table
from baseten_deploy.checks.check import UNSET, Kind, Live
from baseten_deploy.checks.file import read_checks

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5000000000\n"


@pytest.fixture
def place(tmp_path):
    """Make a workspace with a Truss."""
    (tmp_path / "truss").mkdir()
    return tmp_path


def read(place, text, *, name="checks.yaml", report=""):
    """Read a file of the Truss; the suite and its problems as `line:column: message`."""
    if text is not None:
        (place / "truss" / "checks.yaml").write_text(text)
    suite, problems = read_checks(name, report, truss=place / "truss", workspace=place, timeout=300.0)
    return suite, [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


def one(place, text):
    """The only check of a file without mistakes."""
    suite, problems = read(place, text)
    assert [] == problems
    [check] = suite.checks
    return check


class TestRead:
    """A file without mistakes."""

    def test_the_defaults_of_the_fields(self, place):
        """A name is all that is needed."""
        check = one(place, "checks:\n  - name: asks\n")
        assert ("asks", 2, "truss/checks.yaml") == (check.name, check.line, check.file)
        assert (Kind.HTTP, "", "POST", None) == (check.kind, check.path, check.method, check.body)
        assert (1, 1, 0, 0, 300.0) == (
            check.repeat,
            check.concurrency,
            check.max_failures,
            check.warm_up,
            check.timeout,
        )
        assert check.max_seconds is None
        assert check.first_token_seconds is None
        assert check.expect.json is UNSET

    def test_every_field(self, place):
        """As it is written."""
        (place / "truss" / "schema.json").write_text('{"type": "object"}')
        check = one(
            place,
            """
            checks:
              - name: all
                path: /v1/chat/completions?x=1
                method: PUT
                headers: {X-Caller: ci}
                payload: {a: [1, null]}
                expect:
                  status: 201
                  json: null
                  regex: 'a+'
                  not-regex: b
                  live: equal
                  tolerance: 0.01
                  schema: schema.json
                  content-type: application/json
                  min-bytes: 1
                  max-bytes: 100
                max-seconds: 2.5
                first-token-seconds: 0.5
                repeat: 20
                concurrency: 4
                max-failures: 1
                warm-up: 2
                timeout: 60
            """,
        )
        assert ("/v1/chat/completions?x=1", "PUT", b'{"a": [1, null]}') == (check.path, check.method, check.body)
        assert (("X-Caller", "ci"), ("Content-Type", "application/json")) == check.headers
        assert (2.5, 0.5, 20, 4, 1, 2, 60) == (
            check.max_seconds,
            check.first_token_seconds,
            check.repeat,
            check.concurrency,
            check.max_failures,
            check.warm_up,
            check.timeout,
        )
        expect = check.expect
        assert (201, None, "a+", "b", Live.EQUAL, 0.01, "application/json", 1, 100) == (
            expect.status,
            expect.json,
            expect.regex.text,
            expect.not_regex.text,
            expect.live,
            expect.tolerance,
            expect.content_type,
            expect.min_bytes,
            expect.max_bytes,
        )
        assert ['$: 1 is not of type "object"'] == expect.schema.mismatches(1)

    def test_defaults_are_merged(self, place):
        """A check's own field wins; `expect` and `headers` go key by key; either payload replaces the other."""
        (place / "truss" / "raw.bin").write_bytes(b"\x00raw")
        suite, problems = read(
            place,
            """
            defaults: {timeout: 5, repeat: 3, headers: {A: "1", B: "1"}, expect: {status: 200, regex: x}, payload: 1}
            checks:
              - {name: takes them}
              - {name: says more, repeat: 1, headers: {B: "2"}, expect: {regex: y}, payload-file: raw.bin}
            """,
        )
        assert [] == problems
        first, second = suite.checks
        assert (5, 3, b"1") == (first.timeout, first.repeat, first.body)
        assert (5, 1, b"\x00raw") == (second.timeout, second.repeat, second.body)
        assert {"A": "1", "B": "2", "Content-Type": "application/octet-stream"} == dict(second.headers)
        assert (200, "y") == (second.expect.status, second.expect.regex.text)

    @pytest.mark.parametrize(
        ("fields", "body", "as_text", "media_type"),
        [
            ("payload: hello", b'"hello"', True, "application/json"),
            ("payload: hello\n    headers: {Content-Type: text/plain}", b"hello", True, "text/plain"),
            ("payload: hello\n    kind: websocket", b"hello", True, None),
            ("payload: {a: 1}\n    kind: websocket", b'{"a": 1}', True, None),
            ("payload-file: raw.wav", b"RIFF", False, "audio/x-wav"),
            ("payload-file: raw.wav\n    kind: websocket", b"RIFF", False, None),
            ("path: /health", b"", True, None),
        ],
    )
    def test_payloads(self, place, fields, body, as_text, media_type):
        """JSON, a text as it is, or the bytes of a file."""
        (place / "truss" / "raw.wav").write_bytes(b"RIFF")
        check = one(place, f"checks:\n  - name: a\n    {fields}\n")
        assert (body, as_text) == (check.body, check.as_text)
        assert media_type == dict(check.headers).get("Content-Type")

    def test_json_is_read_too(self, place):
        """The places of its keys too."""
        assert "a" == one(place, '{"checks": [{"name": "a"}]}').name
        assert ["1:27: `expct` is not a field here"] == read(place, '{"checks": [{"name": "a", "expct": {}}]}')[1]


class TestProblems:
    """Every mistake, at its line."""

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            ("", ["1:1: `checks`: the file must be a mapping with `checks`"]),
            ("- a", ["1:1: `checks`: the file must be a mapping with `checks`"]),
            ("checks: []", ["1:1: `checks` must be a list with at least one check"]),
            ("check: []", ["1:1: `check` is not a field here", "1:1: `checks` must be a list with at least one check"]),
            ("checks: [x]", ["1:10: a check must be a mapping"]),
            ("checks:\n- kind: http", ["2:3: a check has no `name`"]),
            ("checks:\n- name: 5", ["2:3: `name` must be text, not 5"]),
            ("checks:\n- name: ''", ['2:3: `name` must be text, not ""']),
            ("checks:\n- name: a\n- name: a", ["3:3: `name`: 'a' is there already, at line 2"]),
            ("checks:\n- {name: a, kind: grpc}", ['2:13: `kind`: "grpc" is not one of its values']),
            ("checks:\n- {name: a, path: v1}", ["2:13: `path`: 'v1' is not the path of a URL"]),
            ("checks:\n- {name: a, path: '/a b'}", ["2:13: `path`: '/a b' is not the path of a URL"]),
            ("checks:\n- {name: a, method: post}", ['2:13: `method`: "post" is not one of its values']),
            ("checks:\n- {name: a, repeat: 0}", ["2:13: `repeat`: 0 is not a whole number from 1 to 10000"]),
            ("checks:\n- {name: a, repeat: 1.5}", ["2:13: `repeat`: 1.5 is not a whole number from 1 to 10000"]),
            ("checks:\n- {name: a, repeat: true}", ["2:13: `repeat`: true is not a whole number from 1 to 10000"]),
            ("checks:\n- {name: a, concurrency: 65}", ["2:13: `concurrency`: 65 is not a whole number from 1 to 64"]),
            ("checks:\n- {name: a, timeout: 0}", ["2:13: `timeout`: 0 is not a number above 0, at most 86400"]),
            ("checks:\n- {name: a, expect: 200}", ["2:13: `expect` must be a mapping, not 200"]),
            ("checks:\n- {name: a, headers: [x]}", ['2:13: `headers` must be a mapping, not ["x"]']),
            (
                "checks:\n- {name: a, headers: {A: 1}}",
                ["2:23: `headers`: the value of `A` must be text of ASCII on one line"],
            ),
            (
                "checks:\n- {name: a, headers: {authorization: x}}",
                ["2:23: `headers`: `authorization` is set by this action"],
            ),
            ("checks:\n- {name: a, headers: {'a b': x}}", ["2:23: `headers`: 'a b' is no name of a header"]),
            (
                "checks:\n- {name: a, payload: 1, payload-file: b}",
                [
                    "2:25: `payload-file`: there is no file 'b'",
                    "2:25: `payload` and `payload-file` cannot go together",
                ],
            ),
            ("checks:\n- {name: a, kind: websocket, path: /x}", ["2:30: `path` is not for `kind: websocket`"]),
            ("checks:\n- {name: a, expect: {tolerance: 0.1}}", ["2:22: `tolerance` needs `live: equal`"]),
            (
                "checks:\n- {name: a, expect: {live: shape, tolerance: 0.1}}",
                ["2:35: `tolerance` needs `live: equal`"],
            ),
            ("defaults: {expect: {tolerance: 0.1}}\nchecks: [{name: a, expect: {live: shape}}]", []),
            ("checks:\n- {name: a, expect: {live: same}}", ['2:22: `live`: "same" is not one of its values']),
            ("checks:\n- {name: a, expect: {content-type: json}}", ["2:22: `content-type`: 'json' is no media type"]),
            (
                "checks:\n- {name: a, expect: {min-bytes: 5, max-bytes: 4}}",
                ["2:22: `min-bytes` 5 is above `max-bytes` 4"],
            ),
            ("defaults: {name: a}\nchecks: [{name: b}]", ["1:12: `name` cannot be a default: each check has its own"]),
            ("defaults: {repeats: 2}\nchecks: [{name: b}, {name: c}]", ["1:12: `repeats` is not a field here"]),
            (
                "defaults: {kind: null}\nchecks: [{name: b, kind: http}]",
                ["1:12: `kind`: null is not one of its values"],
            ),
            (
                "defaults: {repeat: x}\nchecks: [{name: b}, {name: c}]",
                ['1:12: `repeat`: "x" is not a whole number from 1 to 10000'],
            ),
            ("checks:\n- name: a\n  name: b", ["3:3: `checks`: the key `name` is here a second time, after line 2"]),
        ],
    )
    def test_each(self, place, text, problems):
        """Once, where it stands."""
        assert problems == read(place, text)[1]

    def test_all_at_once_in_the_order_of_the_file(self, place):
        """From the first line to the last, with the nearest name for a field that there is not."""
        text = "defaults:\n  max_second: 1\nchecks:\n- name: a\n  expct: {}\n- name: a\n  expect:\n    stauts: 200\n"
        (place / "truss" / "checks.yaml").write_text(text)
        _, problems = read_checks("checks.yaml", "", truss=place / "truss", workspace=place, timeout=1.0)
        assert [2, 5, 6, 8] == [problem.line for problem in problems]
        assert ["`max-seconds`", "`expect`", "", "`status`"] == [
            problem.remedy.split()[3].rstrip("?") if "Did you mean" in problem.remedy else "" for problem in problems
        ]
        assert {"truss/checks.yaml"} == {problem.file for problem in problems}

    @pytest.mark.parametrize("pattern", ["(", "[a", "a**", "(?P<x>", "(?<=a*)b("])
    def test_patterns(self, place, pattern):
        """A pattern that is none, with what is wrong in it."""
        [problem] = read(place, f"checks:\n- {{name: a, expect: {{regex: '{pattern}'}}}}")[1]
        assert problem.startswith("2:22: `regex`: ")
        assert "is not a regular expression" in problem

    @pytest.mark.parametrize(
        ("schema", "told"),
        [
            ({"$ref": "https://example.com/s.json"}, "points out of the schema, and nothing is fetched"),
            ({"properties": {"a": {"items": {"$ref": "other.json#/a"}}}}, "points out of the schema"),
            ({"$ref": "file:///etc/passwd"}, "points out of the schema"),
            ({"type": "strin"}, "strin"),
            ({"$ref": "#/$defs/nowhere"}, "nowhere"),
            ({"pattern": "("}, "regex"),
            ({"$schema": "http://json-schema.org/draft-07/schema#"}, "taken is 2020-12"),
        ],
    )
    def test_schemas(self, place, schema, told):
        """A schema that is none, or that something would have to be fetched for."""
        [problem] = read(place, f"checks:\n- {{name: a, expect: {{schema: {json.dumps(schema)}}}}}")[1]
        assert problem.startswith("2:22: `schema`: ")
        assert told in problem

    def test_a_schema_may_speak_of_references(self, place):
        """In `const`, `enum` and `examples` they are only words."""
        schema = {"$defs": {"a": {"const": {"$ref": "https://x"}}}, "$ref": "#/$defs/a", "examples": [{"$ref": "x"}]}
        assert [] == read(place, f"checks:\n- {{name: a, expect: {{schema: {json.dumps(schema)}}}}}")[1]


class TestFiles:
    """What the file names."""

    @pytest.mark.parametrize("field", ["payload-file: {}", "expect: {{schema: {}}}"])
    def test_outside_of_the_workspace(self, place, field):
        """By `..`, by an absolute path, by a symbolic link."""
        (place / "truss" / "link").symlink_to("/etc/hostname")
        for name in ("../../x", "/etc/hostname", "link"):
            [problem] = read(place, f"checks:\n- name: a\n  {field.format(name)}\n")[1]
            assert f"{name!r} is outside of the workspace" in problem

    def test_lfs_pointer(self, place):
        """A pointer is named; a text that only quotes one is none."""
        (place / "truss" / "a.wav").write_text(POINTER)
        (place / "truss" / "b.txt").write_text(f"As follows:\n{POINTER}")
        [problem] = read(place, "checks:\n- {name: a, payload-file: a.wav}\n- {name: b, payload-file: b.txt}\n")[1]
        assert "2:13: `payload-file`: 'a.wav' is a Git LFS pointer, not the file that it stands for" == problem

    def test_what_is_no_file(self, place):
        """A FIFO does not hang the run; a directory and a missing file are named."""
        os.mkfifo(place / "truss" / "fifo")
        (place / "truss" / "dir").mkdir()
        rows = "".join(f"- {{name: {name}, payload-file: {name}}}\n" for name in ("fifo", "dir", "missing"))
        problems = read(place, f"checks:\n{rows}")[1]
        assert ["not a regular file", "not a regular file", "there is no file"] == [
            next(words for words in ("not a regular file", "there is no file") if words in problem)
            for problem in problems
        ]

    def test_the_checks_file_itself(self, place):
        """Missing, not UTF-8, too large, no YAML: one problem."""
        assert ["0:0: `checks`: there is no file 'checks.yaml'"] == read(place, None)[1]
        (place / "truss" / "checks.yaml").write_bytes(b"\xff\xfe")
        assert ["0:0: `checks`: 'checks.yaml' is not UTF-8 text"] == read(place, None)[1]
        (place / "truss" / "checks.yaml").write_bytes(b"#" * (2**20 + 1))
        assert ["0:0: `checks`: 'checks.yaml' has more than 1 MiB"] == read(place, None)[1]
        [problem] = read(place, "checks: [\n")[1]
        assert problem.startswith("2:1: `checks`: ")
        assert ["0:0: `checks`: '../../checks.yaml' is outside of the workspace"] == read(
            place, None, name="../../checks.yaml"
        )[1]

    def test_the_truss_comes_before_the_workspace(self, place):
        """A name is looked for in both."""
        (place / "checks.yaml").write_text("checks: [{name: of the workspace}]")
        assert "of the workspace" == read(place, None)[0].checks[0].name
        assert "of the Truss" == one(place, "checks: [{name: of the Truss}]").name

    def test_the_report(self, place):
        """Below the workspace, and no directory."""
        good = "checks: [{name: a}]"
        assert place / "out" / "x.xml" == read(place, good, report="out/x.xml")[0].report
        assert ["0:0: `checks-report`: '../x.xml' is outside of the workspace"] == read(place, good, report="../x.xml")[
            1
        ]
        assert ["0:0: `checks-report`: 'truss' is a directory"] == read(place, good, report="truss")[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*(field.name for field in field_table.CHECK), "expct"])
expected = st.dictionaries(st.sampled_from([field.name for field in field_table.EXPECT]), json_values, max_size=4)
checks = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=5).filter(str.strip)},
    optional={
        "expect": expected,
        "repeat": st.integers(-1, 10001),
        "kind": st.sampled_from(["http", "websocket", "x"]),
    },
)
documents = st.fixed_dictionaries(
    {"checks": st.lists(checks | st.dictionaries(names, json_values, max_size=5), max_size=3)},
    optional={"defaults": st.dictionaries(names, json_values, max_size=3) | json_values},
)


class TestAnything:
    """Whatever stands in it."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(document=documents)
    def test_a_suite_or_problems(self, place, document):
        """Every document becomes checks, or problems that have a file and a remedy; nothing else comes out."""
        (place / "truss" / "checks.yaml").write_text(json.dumps(document))
        suite, problems = read_checks("checks.yaml", "", truss=place / "truss", workspace=place, timeout=1.0)
        assert (suite is None) == bool(problems)
        assert all(problem.file == "truss/checks.yaml" and problem.remedy for problem in problems)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(document=documents)
    def test_what_the_schema_refuses_the_reader_refuses(self, place, document):
        """`schemas/checks.schema.json` and the reader follow one table: an editor never complains about a good file."""
        validator = jsonschema_rs.Draft202012Validator(field_table.json_schema())
        (place / "truss" / "checks.yaml").write_text(json.dumps(document))
        suite, _ = read_checks("checks.yaml", "", truss=place / "truss", workspace=place, timeout=1.0)
        if suite:
            assert [] == [error.message for error in validator.iter_errors(document)]
