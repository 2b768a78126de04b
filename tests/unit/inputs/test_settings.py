"""Settings: what each input is by default, what its text may be, and that every problem is reported at once."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.errors import Problem
from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.settings import (
    Aftermath,
    Mode,
    Settings,
    read_settings,
    secrets_of,
    stray_inputs,
    suggestion,
    variable_of,
)
from baseten_deploy.inputs.table import BY_NAME, INPUTS

# The table of inputs, once more by hand: names, defaults and their types are a contract.
DEFAULTS = {
    "mode": Mode.DEPLOY,
    "baseten_api_key": "",
    "truss_directory": ".",
    "chain_entrypoint": "",
    "config": "",
    "library_listing": "",
    "model_name": "",
    "model_id": "",
    "chain_id": "",
    "deployment_id": "",
    "team": "",
    "environment": "",
    "create_environment": False,
    "environment_settings": None,
    "preserve_env_instance_type": True,
    "development": False,
    "deployment_name": "",
    "labels": None,
    "include_git_info": True,
    "deployment_settings": None,
    "disable_archive_download": False,
    "skip_unchanged": False,
    "redeploy_trigger": "",
    "max_hourly_cost": None,
    "wait": True,
    "deploy_timeout_minutes": 45,
    "wait_timeout_minutes": 45.0,
    "stream_logs": True,
    "predict": True,
    "predict_payload": None,
    "predict_expect": None,
    "predict_timeout": 300.0,
    "checks": "",
    "checks_report": "",
    "regional_environment": False,
    "deploy_retries": 0,
    "promote_to": "",
    "promotion_settings": None,
    "scale_down_previous": True,
    "watch_minutes": 0.0,
    "watch_limits": None,
    "rollback_on_failure": False,
    "on_failure": Aftermath.KEEP,
    "on_cancel": Aftermath.KEEP,
    "cleanup": False,
    "cleanup_labels": None,
    "keep_latest": 0,
    "retire": Aftermath.DEACTIVATE,
    "nemo_url": "",
    "nemo_workspace": "default",
    "nemo_token": "",
    "nemo_model_name": "",
    "nemo_entity": None,
    "nemo_provider": None,
    "github_token": "",
    "fail_without_credentials": False,
    "api_url": "https://api.baseten.co",
    "inference_url": "https://model-{model_id}.api.baseten.co",
    "app_url": "https://app.baseten.co",
    "s3_endpoint_url": "",
}
FLAGS = [spec.name for spec in INPUTS if spec.kind is Kind.FLAG]
CHOICES = [spec.name for spec in INPUTS if spec.kind is Kind.CHOICE]
OBJECTS = [spec.name for spec in INPUTS if spec.kind is Kind.OBJECT]
NUMBERS = [spec.name for spec in INPUTS if spec.kind in {Kind.INTEGER, Kind.NUMBER}]
SECRETS = [spec.name for spec in INPUTS if spec.kind is Kind.SECRET]


def read(inputs: Mapping[str, str]) -> tuple[Settings, list[Problem]]:
    """Read inputs given by name, as GitHub's runner passes them."""
    return read_settings({variable_of(name): text for name, text in inputs.items()})


def value_of(name: str, text: str) -> object:
    """Read one input, which must have no problem."""
    settings, problems = read({name: text})
    assert [] == problems
    return getattr(settings, name.replace("-", "_"))


def problem_of(name: str, text: str) -> Problem:
    """Read one input, which must have one problem, and which then has its default."""
    settings, problems = read({name: text})
    assert 1 == len(problems)
    assert problems[0].message.startswith(f"`{name}`: ")
    assert problems[0].remedy
    assert getattr(read({})[0], name.replace("-", "_")) == getattr(settings, name.replace("-", "_"))
    return problems[0]


def named(problems: list[Problem]) -> list[str]:
    """Read off the inputs that problems are about."""
    return [problem.message.split("`")[1] for problem in problems]


class TestDefaults:
    """What an input is when nobody sets it."""

    @pytest.mark.parametrize("absent", ["missing", "", " ", "\n"])
    def test_every_default_is_the_contracts(self, absent):
        """A missing variable, an empty one and blanks are the same."""
        settings, problems = read({} if absent == "missing" else dict.fromkeys(BY_NAME, absent))
        assert [] == problems
        assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
        assert {name: type(value) for name, value in DEFAULTS.items()} == {
            name: type(getattr(settings, name)) for name in DEFAULTS
        }

    def test_nothing_is_left_out(self):
        """The table above has every input, in the order of the contract."""
        assert list(DEFAULTS) == [spec.name.replace("-", "_") for spec in INPUTS]

    def test_waiting_lasts_as_long_as_the_deploy_timeout(self):
        """Unless it is set; in seconds for the code that waits."""
        assert 90 * 60 == read({"deploy-timeout-minutes": "90"})[0].wait_timeout_seconds
        settings, _ = read({"deploy-timeout-minutes": "90", "wait-timeout-minutes": "0.5"})
        assert (90, 30.0) == (settings.deploy_timeout_minutes, settings.wait_timeout_seconds)

    def test_text_is_stripped(self):
        """A block scalar in a workflow ends with a line break."""
        assert "my model" == value_of("model-name", "  my model\n")


class TestFlags:
    """True or false."""

    @pytest.mark.parametrize("name", FLAGS)
    def test_both_ways(self, name):
        """The spellings of YAML 1.2, as `core.getBooleanInput` takes them."""
        assert [True] * 3 == [value_of(name, text) for text in ("true", "True", "TRUE")]
        assert [False] * 3 == [value_of(name, text) for text in ("false", "False", "FALSE")]

    @pytest.mark.parametrize("name", FLAGS)
    @pytest.mark.parametrize("text", ["yes", "1", "on", "tRUE", "true false", "null"])
    def test_anything_else_is_a_problem(self, name, text):
        """Nothing is taken for true that is not."""
        assert f"`{name}`: {text!r} is neither true nor false" == problem_of(name, text).message


class TestChoices:
    """One of a closed list."""

    @pytest.mark.parametrize("name", CHOICES)
    def test_every_value(self, name):
        """Each is the member of an enumeration, and a plain string for the log."""
        for choice in BY_NAME[name].choices:
            value = value_of(name, choice)
            assert choice == value
            assert isinstance(value, Mode if name == "mode" else Aftermath)

    @pytest.mark.parametrize("name", CHOICES)
    def test_anything_else_is_a_problem(self, name):
        """The remedy lists the values, with the nearest when one is near."""
        near = BY_NAME[name].choices[-1]
        problem = problem_of(name, near + "x")
        assert all(f"`{choice}`" in problem.remedy for choice in BY_NAME[name].choices)
        assert f"Did you mean `{near}`?" in problem.remedy
        assert "Did you mean" not in problem_of(name, "zzz").remedy


class TestNumbers:
    """Whole ones and others, with their limits."""

    @pytest.mark.parametrize(
        ("name", "text", "expected"),
        [
            ("deploy-timeout-minutes", "10", 10),
            ("deploy-timeout-minutes", "1440", 1440),
            ("deploy-timeout-minutes", "+60", 60),
            ("wait-timeout-minutes", "0.25", 0.25),
            ("wait-timeout-minutes", ".5", 0.5),
            ("wait-timeout-minutes", "10080", 10080.0),
            ("predict-timeout", "1.", 1.0),
            ("predict-timeout", "86400", 86400.0),
            ("keep-latest", "0", 0),
            ("keep-latest", "12", 12),
        ],
    )
    def test_within_limits(self, name, text, expected):
        """Whole numbers are int, the others float."""
        value = value_of(name, text)
        assert (expected, type(expected)) == (value, type(value))

    @pytest.mark.parametrize(
        ("name", "texts"),
        [
            ("deploy-timeout-minutes", ["9", "1441", "45.0", "1e2", "-45", "forty", "4 5", "0x2d"]),
            ("wait-timeout-minutes", ["0", "-1", "10081", "1e3", "inf", "nan", ".", "1,5", "ten"]),
            ("predict-timeout", ["0", "0.0", "-0.5", "86401", "NaN"]),
            ("keep-latest", ["-1", "1.5", "all", "1_000"]),
        ],
    )
    def test_everything_else_is_a_problem(self, name, texts):
        """Also what Python would read as a number."""
        for text in texts:
            assert repr(text) in problem_of(name, text).message

    @pytest.mark.parametrize("name", NUMBERS)
    def test_endless_digits_are_a_problem(self, name):
        """Python refuses to read an integer of some thousand digits."""
        problem_of(name, "9" * 5000)


LABELS = {"labels", "cleanup-labels"}
FINE_AS_LABELS = ("null", "# only a comment", "{a: .nan}", '{"a": NaN}', '{"a": 1e999}', "{a: 2024-01-01}")


@pytest.mark.parametrize("name", sorted(LABELS))
class TestLabels:
    """`labels` and `cleanup-labels`: their values are text as it was written."""

    @pytest.mark.parametrize(
        "value",
        [
            "0123457",
            "1.10",
            "20261128_1",
            "12:30:45",
            "yes",
            "No",
            "on",
            "TRUE",
            "2026-11-28",
            "2026-11-28T12:30:45Z",
            "0x1F",
            "0b11",
            "0o17",
            "1e5",
            "1_000",
            ".5",
            ".inf",
            "-.NaN",
            "+1",
            "1.",
            "=",
            "<<",
            "190:20:30",
            "é",
        ],
    )
    def test_yaml_scalars(self, name, value):
        """Whatever YAML 1.1 makes of them elsewhere; with and without quotes, in block and flow style."""
        texts = [f"a: {value}", f"{{a: {value}}}", f"a: '{value}'", f'{{"a": "{value}"}}', f"a: &x {value}  # no"]
        assert [{"a": value}] * 5 == [value_of(name, text) for text in texts]

    @pytest.mark.parametrize("value", ["1.10", "0.0", "1e5", "1E+2", "-0", "true", "false", "12345678901234567890123"])
    def test_json_scalars(self, name, value):
        """Numbers keep their digits, flags are as JSON writes them; also in JSON that YAML cannot read."""
        texts = [f'{{"a": {value}}}', f'{{\n\t"a":\t{value}}}', f'{{"\\ud83d\\ude00": "", "a": {value}}}']
        assert [value] * 3 == [value_of(name, text)["a"] for text in texts]

    @given(value=st.text(st.characters(codec="utf-8"), max_size=20))
    def test_json_text_is_itself(self, name, value):
        """Any text that JSON can write."""
        assert {"a": value} == value_of(name, json.dumps({"a": value}))

    @pytest.mark.parametrize("text", ["null", "~", "# only a comment", "--- "])
    def test_nothing_is_as_not_given(self, name, text):
        """So that an expression may leave it out."""
        assert value_of(name, text) is None

    @pytest.mark.parametrize(
        ("value", "kind"),
        [("null", "null"), ("~", "null"), ("", "null"), ("[x]", "a list"), ("[]", "a list"), ("{b: c}", "an object")],
    )
    def test_what_is_no_text(self, name, value, kind):
        """Is named with its key; a label has one value."""
        problem = problem_of(name, f"a: {value}")
        assert f"`{name}`: the value of `a` is {kind}, and a label's value is text" == problem.message
        assert 'Write text, for example `a: some text`, or `a: ""` for an empty one.' == problem.remedy

    def test_all_of_them_are_named(self, name):
        """With JSON as with YAML, one problem each."""
        _, problems = read({name: '{"a": null, "b": "x", "c": [1], "d": {"e": true}}'})
        assert ["`a` is null", "`c` is a list", "`d` is an object"] == [
            problem.message.split("value of ")[1].split(",")[0] for problem in problems
        ]


class TestObjects:
    """YAML or JSON objects."""

    @pytest.mark.parametrize("name", sorted({*OBJECTS} - LABELS))
    def test_yaml_and_json(self, name):
        """Either gives the same value, in block or flow style."""
        expected = {"a": "b", "n": {"list": [1, True, None, 1.5]}}
        texts = [
            "a: b\nn:\n  list: [1, true, null, 1.5]\n",
            "{a: b, n: {list: [1, yes, ~, 1.5]}}",
            json.dumps(expected),
            json.dumps(expected, indent=4),
        ]
        assert [expected] * 4 == [value_of(name, text) for text in texts]

    @pytest.mark.parametrize("name", OBJECTS)
    def test_an_empty_object_is_given(self, name):
        """It is not the same as nothing."""
        assert {} == value_of(name, "{}")

    @pytest.mark.parametrize("name", OBJECTS)
    @pytest.mark.parametrize(
        "text",
        [
            "[1]",
            "text",
            "5",
            "true",
            "null",
            "# only a comment",
            "a: b: c",
            "a: 1\na: 2",
            '{"a": 1, "a": 2}',
            '{"a": 1',
            "{a: .nan}",
            '{"a": NaN}',
            '{"a": 1e999}',
            '{"a": "\\ud800"}',
            "{1: a}",
            "{on: a}",
            "{a: 2024-01-01}",
            "{a: !!python/object:os.system x}",
            "a: *nowhere",
            "a: &x {b: *x}",
            "a: \x07",
            "--- {a: 1}\n--- {b: 2}",
            "{{ inputs.labels }}",
        ],
    )
    def test_everything_else_is_a_problem(self, name, text):
        """What is no object, what is no YAML, and what would be lost or surprising as JSON; see `TestLabels`."""
        if name not in LABELS or text not in FINE_AS_LABELS:
            problem_of(name, text)

    def test_the_place_is_named(self):
        """So that a long block can be corrected."""
        assert "line 3, column 1" in problem_of("labels", "a: 1\nb: 2\na: 3\n").message

    def test_alias_bomb_is_refused(self):
        """Nine levels of nine aliases are 400 million values."""
        bomb = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
        problem_of("labels", bomb)

    @given(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="ascii")),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner),
                max_leaves=5,
            ),
            max_size=4,
        )
    )
    def test_json_is_read_as_json(self, value):
        """Whatever object JSON can write down arrives as it is."""
        assert value == value_of("nemo-entity", json.dumps(value))


class TestPayload:
    """`predict-payload` is JSON of any kind."""

    @pytest.mark.parametrize("name", ["predict-payload", "predict-expect"])
    @pytest.mark.parametrize(
        "text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]', '{"a": 1, "b": 2, "\\u0061": 3}']
    )
    def test_a_key_that_is_there_twice(self, name, text):
        """One of them would be lost; the message names it."""
        assert 'the key "a" is there twice in one object' in problem_of(name, text).message

    @pytest.mark.parametrize("value", [{"prompt": "Hi"}, [1, 2], "text", 0, 1.5, False, "ü\u2028😀"])
    def test_any_json(self, value):
        """Also what is false in Python is given."""
        assert value == value_of("predict-payload", json.dumps(value))
        assert value == value_of("predict-payload", json.dumps(value, ensure_ascii=False))

    @pytest.mark.parametrize(
        "text",
        ["{prompt: Hi}", "{'a': 1}", '{"a": 1,}', "NaN", "[Infinity]", "1e999", '"\\ud800"', "[" * 100_000, "hello"],
    )
    def test_everything_else_is_a_problem(self, text):
        """Also what Python's reader takes and what could not be sent."""
        problem_of("predict-payload", text)


class TestExpectation:
    """`predict-expect` is JSON or a pattern."""

    def test_json_or_pattern(self):
        """Both can be compared with a response; `test_expect` says how."""
        for text, response in (('{"a": 1}', '{"a": 1, "b": 2}'), ("/h.llo/", "say hello")):
            expectation = read({"predict-expect": text})[0].predict_expect
            assert expectation is not None
            assert "" == expectation.mismatch(response)

    @pytest.mark.parametrize("text", ["hello", "/", "/(/", "/a{99999999999}/", "{", "NaN", "/a/i"])
    def test_everything_else_is_a_problem(self, text):
        """The remedy shows both forms."""
        assert "/regex/" in problem_of("predict-expect", text).remedy


class TestText:
    """What no input can be."""

    @pytest.mark.parametrize("name", ["model-name", "labels", "predict-payload", "truss-directory", "baseten-api-key"])
    def test_bytes_that_are_no_text(self, name):
        """They arrive as halves of surrogate pairs, which can neither be sent nor printed."""
        problem = problem_of(name, '{"a": "caf\udce9"}')
        assert "\udce9" not in str(problem)


class TestUnknownInputs:
    """A misspelt input must not be ignored."""

    @pytest.mark.parametrize(
        ("variable", "suggested"),
        [
            ("INPUT_TRUSS-DIR", "truss-directory"),
            ("INPUT_TRUSS_DIRECTORY", "truss-directory"),
            ("INPUT_MODEL_NAME", "model-name"),
            ("INPUT_DEPLOY-TIMEOUT-MINUTE", "deploy-timeout-minutes"),
            ("INPUT_ENVIROMENT", "environment"),
            ("INPUT_BASETEN-API-KEYS", "baseten-api-key"),
            ("INPUT_PROMOTE_TO", "promote-to"),
        ],
    )
    def test_suggests_the_nearest(self, variable, suggested):
        """With hyphens for underscores."""
        _, problems = read_settings({variable: "x"})
        assert [variable.removeprefix("INPUT_").lower()] == named(problems)
        assert f"Did you mean `{suggested}`?" in problems[0].remedy

    def test_suggests_nothing_far_away(self):
        """A wrong suggestion is worse than none. What is like no input is no error: the job may mean something else."""
        for variable in ("INPUT_XYZZY", "INPUT_VERSION", "INPUT_", "INPUT_REGION", "INPUT_FOO BAR"):
            assert [] == read_settings({variable: "s3cret-value"})[1]
            (warning,) = stray_inputs({variable: "s3cret-value"})
            assert f"`{variable}`" in warning.message
            assert "s3cret-value" not in str(warning)

    def test_what_is_near_is_not_warned_of_as_well(self):
        """It is an error; what is known is nothing at all."""
        assert [] == stray_inputs({"INPUT_TRUSS-DIR": "x", "INPUT_MODE": "plan", "INPUT_mode": "plan"})

    def test_even_when_empty(self):
        """GitHub passes every input that the workflow names."""
        assert ["tema"] == named(read_settings({"INPUT_TEMA": ""})[1])

    def test_only_of_this_step(self):
        """Other variables of the job are none of its business."""
        variables = {"INPUTS_TEAM": "x", "MY_INPUT_TEAM": "x", "input_team": "x", "GITHUB_SHA": "x", "INPUT": "x"}
        assert [] == read_settings(variables)[1]

    def test_a_known_name_in_lower_case(self):
        """Outside of GitHub somebody may write it so: it is not read, and not ignored."""
        settings, problems = read_settings({"INPUT_mode": "plan"})
        assert Mode.DEPLOY is settings.mode
        assert ["INPUT_mode"] == named(problems)
        assert "`INPUT_MODE`" in problems[0].remedy

    def test_a_value_is_not_repeated(self):
        """It may be a secret behind a misspelt name."""
        _, problems = read_settings({"INPUT_BASETEN-KEY": "s3cret-value"})
        assert "s3cret-value" not in str(problems)


class TestProblems:
    """All of them together."""

    def test_every_problem_at_once(self):
        """One bad value of every kind, and an unknown input: nobody corrects them one run at a time."""
        bad = {
            "mode": "deplyo",
            "labels": "[]",
            "wait": "yes",
            "deploy-timeout-minutes": "5",
            "predict-payload": "{",
            "predict-expect": "hello",
            "predict-timeout": "soon",
            "model-nam": "m",
        }
        assert list(bad) == named(read(bad)[1])

    def test_the_rest_is_read(self):
        """Settings with problems are good for finding more problems."""
        settings, _ = read({"wait": "yes", "model-name": "m", "labels": "{a: 1}"})
        assert ("m", {"a": "1"}, True) == (settings.model_name, settings.labels, settings.wait)


class TestSecrets:
    """The API key and the tokens."""

    def test_are_not_in_the_repr(self):
        """Nor in the text of the settings, which a traceback could show."""
        settings, _ = read({name: f"s3cret-{name}" for name in SECRETS} | {"model-name": "shown"})
        assert "shown" in repr(settings)
        assert "s3cret" not in repr(settings) + str(settings)
        assert [f"s3cret-{name}" for name in SECRETS] == [getattr(settings, name.replace("-", "_")) for name in SECRETS]

    def test_are_found_before_anything_is_read(self):
        """So that they can be masked first; each once, stripped, none empty."""
        variables = {variable_of(name): f" {name}\n" for name in SECRETS} | {"BASETEN_API_KEY": "baseten-api-key"}
        assert SECRETS == secrets_of(variables)
        assert [] == secrets_of({variable_of(name): " " for name in SECRETS})

    def test_the_key_may_come_from_baseten_api_key(self):
        """For CI systems whose variables cannot have hyphens; the input wins, and both are masked."""
        assert "from-env" == read_settings({"BASETEN_API_KEY": " from-env\n"})[0].baseten_api_key
        both = {"BASETEN_API_KEY": "from-env", variable_of("baseten-api-key"): "from-input"}
        assert "from-input" == read_settings(both)[0].baseten_api_key
        assert {"from-env", "from-input"} == set(secrets_of(both))

    @pytest.mark.parametrize("name", SECRETS)
    def test_are_never_in_a_problem(self, name):
        """Whatever is wrong with one."""
        _, problems = read({name: "s3cret\udce9"})
        assert problems
        assert "s3cret" not in str(problems)


class TestHelpers:
    """Small things."""

    def test_settings_are_frozen(self):
        """They are made once."""
        with pytest.raises(AttributeError):
            setattr(read({})[0], "model_name", "other")  # noqa: B010 - mypy knows that it cannot work

    @pytest.mark.parametrize(
        ("listing", "parts"),
        [("acme/llama-3", ("acme", "llama-3")), ("acme", ("acme", "")), ("/x", ("", "x")), ("", ("", ""))],
    )
    def test_library_parts(self, listing, parts):
        """Lab and listing."""
        assert parts == read({"library-listing": listing})[0].library_parts

    def test_variable_of(self):
        """Upper case, hyphens kept, as GitHub's runner does it."""
        assert "INPUT_TRUSS-DIRECTORY" == variable_of("truss-directory")

    def test_suggestion(self):
        """The template with the nearest word, or nothing."""
        assert "Did you mean red?" == suggestion("rde", ["green", "red"], "Did you mean {}?")
        assert "" == suggestion("blue", ["green", "red"], "{}")
        assert "" == suggestion("", [], "{}")
