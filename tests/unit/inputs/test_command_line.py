"""The command line: every input as an option, and a help text that can be read."""

import re

import pytest

from baseten_deploy import __version__
from baseten_deploy.errors import InvalidInput
from baseten_deploy.inputs.command_line import make_parser, with_options
from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.settings import read_settings, variable_of
from baseten_deploy.inputs.table import INPUTS

FLAGS = [spec.name for spec in INPUTS if spec.kind is Kind.FLAG]


def inputs_of(*arguments: str) -> dict[str, str]:
    """What a command line sets."""
    return with_options(arguments, {})


def refusal(*arguments: str) -> str:
    """What is wrong with a command line, with the remedies."""
    with pytest.raises(InvalidInput) as caught:
        inputs_of(*arguments)
    return str(caught.value)


class TestOptions:
    """From options to the variables that GitHub would set."""

    @pytest.mark.parametrize("spec", INPUTS, ids=lambda spec: spec.name)
    def test_every_input_is_one(self, spec):
        """In both forms."""
        assert {variable_of(spec.name): "a b"} == inputs_of(f"--{spec.name}", "a b")
        assert {variable_of(spec.name): "a=b"} == inputs_of(f"--{spec.name}=a=b")

    @pytest.mark.parametrize("name", FLAGS)
    def test_flags(self, name):
        """Alone it is true; a value says otherwise; it swallows no other option."""
        variable = variable_of(name)
        assert {variable: "true"} == inputs_of(f"--{name}")
        assert {variable: "false"} == inputs_of(f"--{name}", "false") == inputs_of(f"--{name}=false")
        assert {variable: "true", "INPUT_TEAM": "t"} == inputs_of(f"--{name}", "--team", "t")

    def test_nothing_is_set_that_is_not_there(self):
        """Defaults are the settings' business."""
        assert {} == inputs_of()

    def test_options_win_over_the_environment(self):
        """And the rest of it stays."""
        environment = {"INPUT_TEAM": "a", "INPUT_MODEL-NAME": "m", "PATH": "/bin"}
        assert {**environment, "INPUT_TEAM": "b"} == with_options(["--team", "b"], environment)
        assert "a" == environment["INPUT_TEAM"]

    def test_an_empty_value_is_the_default_again(self):
        """As in a workflow."""
        environment = with_options(["--truss-directory="], {"INPUT_TRUSS-DIRECTORY": "x"})
        assert "." == read_settings(environment)[0].truss_directory

    def test_the_last_one_wins(self):
        """A script may append."""
        assert {"INPUT_TEAM": "b"} == inputs_of("--team=a", "--team=b")

    def test_values_with_dashes(self):
        """A negative number is a value, anything else needs the equals sign, and the error says so."""
        assert {"INPUT_PREDICT-PAYLOAD": "-1"} == inputs_of("--predict-payload", "-1")
        assert {"INPUT_LABELS": "--- {a: b}"} == inputs_of("--labels=--- {a: b}")
        assert "--name=value" in refusal("--deployment-name", "-x")

    def test_what_is_wrong_with_a_value_is_for_the_settings(self):
        """They report all problems together."""
        environment = inputs_of("--mode", "deplyo", "--wait", "yes")
        assert 2 == len(read_settings(environment)[1])


class TestMistakes:
    """What is no option."""

    @pytest.mark.parametrize(
        ("argument", "suggested"),
        [
            ("--truss-dir", "--truss-directory"),
            ("--truss_directory=x", "--truss-directory"),
            ("--model-nam", "--model-name"),
            ("-team", "--team"),
            ("--Environment", "--environment"),
        ],
    )
    def test_suggests_the_nearest(self, argument, suggested):
        """No abbreviation is guessed."""
        text = refusal(argument)
        assert f"`{argument.partition('=')[0]}`" in text
        assert f"Did you mean `{suggested}`?" in text

    @pytest.mark.parametrize("name", FLAGS)
    def test_how_to_turn_a_flag_off(self, name):
        """The form of other programs leads to ours."""
        assert f"Write `--{name}=false`." in refusal(f"--no-{name}")

    def test_all_of_them_together(self):
        """Each is a problem of its own; what follows one is its value."""
        with pytest.raises(InvalidInput) as caught:
            inputs_of("--a", "1", "--b=2", "--team", "t", "--c")
        assert ["`--a`", "`--b`", "`--c`"] == [problem.message.split("option ")[1] for problem in caught.value.problems]

    @pytest.mark.parametrize("arguments", [["plan"], ["--", "x"], ["--team", "t", "models/hello"], ["-"]])
    def test_words_without_an_option(self, arguments):
        """There is nothing that they could mean."""
        assert "Command line: " in refusal(*arguments)

    @pytest.mark.parametrize(
        "arguments",
        [
            *(["--baseten-api-kye", "s3cret"], ["--baseten-api-kye=s3cret"], ["--baseten-api-key", "two", "s3cret"]),
            *(["s3cret"], ["--", "s3cret"], ["--nemo-tokn=s3cret", "s3cret"]),
        ],
    )
    def test_no_value_is_repeated(self, arguments):
        """It may be a secret behind a misspelt name, and nothing is masked yet."""
        assert "s3cret" not in refusal(*arguments)

    def test_a_missing_value(self):
        """The option is named."""
        assert "--team: expected one argument" in refusal("--team")


class TestHelp:
    """`--help`, at the width of a usual terminal."""

    @pytest.fixture(params=["80", "100", "200"])
    def text(self, monkeypatch, request):
        """The help text at several widths."""
        monkeypatch.setenv("COLUMNS", request.param)
        text = make_parser().format_help()
        assert max(map(len, text.splitlines())) <= int(request.param)
        return text

    def test_lists_every_option_in_its_group(self, text):
        """In the order of the table, with its default."""
        options = re.findall(r"^  (--[a-z0-9-]+)", text, re.MULTILINE)
        assert [*(f"--{spec.name}" for spec in INPUTS), "--version"] == options
        for group in dict.fromkeys(spec.group for spec in INPUTS):
            assert f"\n{group}:\n" in text
        words = " ".join(text.split())
        for spec in INPUTS:
            if spec.default:
                assert f" [{spec.default}]" in words
            assert all(choice in words for choice in spec.choices)

    def test_does_not_tear_names(self, text):
        """A name is one word, wherever the line ends."""
        assert not re.search(r"[a-z]-\n", text)

    def test_has_a_short_usage(self, text):
        """Fifty options in one paragraph help nobody."""
        assert "usage: baseten-deploy [--name value | --name=value]..." == text.splitlines()[0]

    def test_says_where_the_key_belongs(self, text):
        """Not on the command line."""
        assert "BASETEN_API_KEY" in text

    @pytest.mark.parametrize("argument", ["--help", "-h"])
    def test_help(self, capsys, argument):
        """It ends the program well."""
        with pytest.raises(SystemExit) as caught:
            inputs_of(argument)
        assert (0, "usage: ") == (caught.value.code, capsys.readouterr().out[:7])

    def test_version(self, capsys):
        """As the package has it."""
        with pytest.raises(SystemExit) as caught:
            inputs_of("--version")
        assert (0, f"{__version__}\n") == (caught.value.code, capsys.readouterr().out)
