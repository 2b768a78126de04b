"""`scripts/runner.py` and `workflow_commands.py` judge the action in other tests, so they are tested themselves.

The cases are those of actions/runner: its sources, and the L0 tests beside them.
"""

import sys
import time
from pathlib import Path

import pytest

from runner import Action, Launcher, Runner, Step, input_variables, read_action
from workflow_commands import CommandFileError, Log, parse_command, parse_command_file
from workflow_events import pull_request, push


def log_of(*lines: str) -> Log:
    """Make the log of a step that wrote these lines."""
    log = Log()
    for line in lines:
        log.feed(line)
    return log


def until_it_prints(step: Step) -> None:
    """Wait for a step's first line: from then on its signal handlers are there."""
    while not step.log.lines:
        time.sleep(0.01)


class TestCommands:
    """Which lines are commands, and what they say."""

    @pytest.mark.parametrize(
        ("line", "name", "properties", "data"),
        [
            ("::error::it broke", "error", {}, "it broke"),
            ("   ::error::after spaces", "error", {}, "after spaces"),
            ("::ERROR::any case", "error", {}, "any case"),
            ("::error file=a.py,line=3,col=7::m", "error", {"file": "a.py", "line": "3", "col": "7"}, "m"),
            ("::error file=a%2Cb%3Ac.py::100%25%0Asure", "error", {"file": "a,b:c.py"}, "100%\nsure"),
            ("::error file=,line=3::m", "error", {"line": "3"}, "m"),
            ("::warning::%250A is not a line feed", "warning", {}, "%0A is not a line feed"),
            ("text ##[add-mask]secret", "add-mask", {}, "secret"),
            ("##[error file=a%3Bb%5D;line=1]m", "error", {"file": "a;b]", "line": "1"}, "m"),
        ],
    )
    def test_is_a_command(self, line, name, properties, data):
        """`::x::` at the start of a line, `##[x]` anywhere, unescaped as the runner does it."""
        command = parse_command(line)
        assert command
        assert (name, properties, data) == (command.name, command.properties, command.data)

    @pytest.mark.parametrize(
        "line", ["", "plain", "text ::error::later", "::unknown::x", "::error", "::error:x", "##[unknown]x", "##[error"]
    )
    def test_is_no_command(self, line):
        """Everything else is text."""
        assert parse_command(line) is None


class TestLog:
    """What the commands do."""

    def test_masks_from_then_on(self):
        """A secret is hidden in the lines after its `add-mask`, each of its lines too, and the command is not shown."""
        log = log_of("s3cret", "::add-mask::s3cret", "a s3cret b", "::add-mask::one%0Atwo", "two and one")
        assert ["s3cret", "a *** b", "*** and ***"] == [line.text for line in log.lines]

    def test_stops_commands_until_the_token(self):
        """Between `stop-commands` and its token nothing is obeyed, the token is shown masked, and then it goes on."""
        log = log_of(
            "::stop-commands::0123456789", "::add-mask::x", "##[error]no", "::other::", "::0123456789::", "::error::yes"
        )
        assert ["stop-commands", "error"] == [command.name for command in log.commands]
        assert ["yes"] == [annotation.message for annotation in log.annotations]
        assert "0123456789" not in log.text

    @pytest.mark.parametrize("token", ["", "error", "pause-logging"])
    def test_refuses_a_stop_token_that_could_be_guessed(self, token):
        """The step fails, and commands are still obeyed."""
        log = log_of(f"::stop-commands::{token}", "::notice::still obeyed")
        assert log.failed
        assert "notice" in [annotation.kind for annotation in log.annotations]

    def test_keeps_ten_annotations_of_a_kind(self):
        """The eleventh error is in the log only; warnings are counted apart; a message is cut."""
        log = log_of(*[f"::error::{number}" for number in range(11)], "::warning::" + "x" * 5000)
        assert [*map(str, range(10)), "x" * 4096] == [annotation.message for annotation in log.annotations]
        assert "##[error]10" in log.text

    @pytest.mark.parametrize("command", ["::set-env name=A::b", "::add-path::/bin"])
    def test_fails_on_disabled_commands(self, command):
        """These were disabled for security; a step that uses them fails."""
        assert log_of(command).failed


class TestCommandFile:
    """`GITHUB_OUTPUT` and `GITHUB_STATE`."""

    @pytest.mark.parametrize(
        ("text", "pairs"),
        [
            ("", {}),
            ("a=1\n\nb=2=3\n", {"a": "1", "b": "2=3"}),
            ("a=1\na=2\n", {"a": "2"}),
            ("a=<<x\n", {"a": "<<x"}),
            ("a<<E\none\n\ntwo\nE\nb=1", {"a": "one\n\ntwo", "b": "1"}),
            ("a<<E\nE\n", {"a": ""}),
            ("a<<E\n\nE\n", {"a": ""}),
            ("a<<E\n E\nE \nE", {"a": " E\nE "}),
            ("a<<E=F\nx=y\nE=F\n", {"a": "x=y"}),
            ("a<<E\r\nx\r\nE\r\n", {"a": "x\r"}),
        ],
    )
    def test_reads(self, text, pairs):
        """Both forms; the last value of a name wins; a CR is part of the line."""
        assert pairs == parse_command_file(text)

    @pytest.mark.parametrize("text", ["word\n", "<<E\nx\nE\n", "a<<\nx\n", "a<<E\nx\n", "a<<E\nx"])
    def test_refuses(self, text):
        """A line of neither form, a missing name or delimiter, a value without an end."""
        with pytest.raises(CommandFileError):
            parse_command_file(text)


class TestEnvironment:
    """What a step finds in its environment."""

    def test_inputs_arrive_as_the_runner_passes_them(self):
        """Each input is there: upper case, hyphens kept, spaces replaced; an empty value is not its default."""
        action = Action({"truss-directory": ".", "team": "", "two words": "x"}, ())
        variables = input_variables(action, {"Team": "ml", "truss-directory": "", "typo": "1"})
        assert variables == {
            "INPUT_TRUSS-DIRECTORY": "",
            "INPUT_TEAM": "ml",
            "INPUT_TWO_WORDS": "x",
            "INPUT_TYPO": "1",
        }

    def test_the_event_is_told_apart(self, tmp_path):
        """On a pull request `GITHUB_SHA` is the merge commit, and the head's is in the event file."""
        runner = Runner(tmp_path, event=pull_request(12), action=Action({}, ()))
        variables = runner.variables({})
        assert ("pull_request", "refs/pull/12/merge", "12/merge") == tuple(
            variables[f"GITHUB_{name}"] for name in ("EVENT_NAME", "REF", "REF_NAME")
        )
        assert runner.event.payload["pull_request"]["head"]["sha"] != variables["GITHUB_SHA"]
        assert Runner(tmp_path, event=push("v"), action=Action({}, ())).variables({})["GITHUB_REF_NAME"] == "v"

    def test_nothing_overrides_what_the_runner_sets(self, tmp_path):
        """`env:` of the job reaches the step, but not over the runner's own variables."""
        runner = Runner(tmp_path, action=Action({}, ()), environment={"AWS_PROFILE": "x", "GITHUB_SHA": "forged"})
        variables = runner.variables({})
        assert (variables["AWS_PROFILE"], variables["GITHUB_SHA"]) == ("x", push().sha)

    def test_action_yml_is_read(self):
        """Defaults are texts, as the runner passes them."""
        action = read_action()
        assert ("true", "45", "") == tuple(action.defaults[name] for name in ("wait", "deploy-timeout-minutes", "team"))
        assert "deployment-id" in action.outputs


class TestStep:
    """A process, from start to result."""

    def step(self, directory: Path, code: str, **inputs: str):
        """Start a step that runs Python code."""
        launcher = Launcher((sys.executable, "-I", "-u", "-c", code))
        return Runner(directory, action=Action({"given": "default"}, ()), launcher=launcher).start(inputs)

    def test_result(self, tmp_path):
        """Exit code, outcome, log from both streams, outputs, state and masked summary."""
        code = """if True:
            import os, sys
            print("::add-mask::s3cret"); print("from s3cret", file=sys.stderr)
            for name in ("OUTPUT", "STATE"):
                pairs = f"{name}<<E\\n{os.environ['INPUT_GIVEN']}\\nE\\nkey=s3cret\\n"
                open(os.environ["GITHUB_" + name], "a").write(pairs)
            open(os.environ["GITHUB_STEP_SUMMARY"], "a").write("# s3cret\\n")
            print(os.getcwd()); sys.exit(3)
        """
        result = self.step(tmp_path, code).wait(30)
        assert (3, "failure") == (result.exit_code, result.outcome)
        assert f"from ***\n{(tmp_path / 'workspace').resolve()}" == result.log.text
        assert {"OUTPUT": "default", "key": "s3cret"} == result.outputs
        assert {"STATE": "default", "key": "s3cret"} == result.state
        assert result.job_outputs == {"OUTPUT": "default"}
        assert result.summary == "# ***\n"

    def test_a_bad_output_file_fails_the_step(self, tmp_path):
        """Although the process itself succeeded."""
        code = "import os; open(os.environ['GITHUB_OUTPUT'], 'w').write('no pair')"
        result = self.step(tmp_path, code).wait(30)
        assert (0, "failure", {}) == (result.exit_code, result.outcome, result.outputs)

    def test_a_large_summary_is_dropped(self, tmp_path):
        """Above 1 MiB there is no summary at all, and an error says so."""
        code = "import os; open(os.environ['GITHUB_STEP_SUMMARY'], 'w').write('x' * (1024 * 1024 + 1))"
        result = self.step(tmp_path, code).wait(30)
        assert ("", "success", ["error"]) == (
            result.summary,
            result.outcome,
            [annotation.kind for annotation in result.log.annotations],
        )

    def test_a_carriage_return_starts_a_line(self, tmp_path):
        """So a command may hide behind one."""
        result = self.step(tmp_path, r"print('100%\r::error::hidden')").wait(30)
        assert ["hidden"] == [annotation.message for annotation in result.log.annotations]

    def test_an_unknown_input_is_warned_of_and_passed_on(self, tmp_path):
        """As the runner does it; refusing it is up to the action."""
        result = self.step(tmp_path, "import os; print(os.environ['INPUT_TYPO'])", typo="x").wait(30)
        assert "x" == result.log.lines[-1].text
        assert ["warning"] == [annotation.kind for annotation in result.log.annotations]

    def test_cancel_interrupts(self, tmp_path):
        """SIGINT comes first, and the outcome is `cancelled` whatever the process makes of it."""
        code = """if True:
            import signal, sys, time
            signal.signal(signal.SIGINT, lambda *_: (print("interrupted"), sys.exit(0)))
            print("ready"); time.sleep(60)
        """
        step = self.step(tmp_path, code)
        until_it_prints(step)
        step.cancel()
        result = step.wait(30)
        assert ("cancelled", "ready\ninterrupted") == (result.outcome, result.log.text)

    def test_cancel_kills_what_ignores_signals(self, tmp_path, monkeypatch):
        """After SIGINT and SIGTERM, each with its grace."""
        monkeypatch.setattr("runner.SIGINT_SECONDS", 0.2)
        monkeypatch.setattr("runner.SIGTERM_SECONDS", 0.2)
        code = """if True:
            import signal, time
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            print("ready"); time.sleep(60)
        """
        step = self.step(tmp_path, code)
        until_it_prints(step)
        step.cancel()
        assert step.wait(30).exit_code == -9
