"""What the runner makes of what we print: the emulator in `scripts/workflow_commands.py` is the judge."""

import errno
import io
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.ci.foreign_text import LINE_BYTES, printable
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import ANNOTATIONS, SUMMARY_BYTES, Runner
from baseten_deploy.errors import Problem
from workflow_commands import Log, parse_command_file

GITHUB = {"GITHUB_ACTIONS": "true"}
TITLES = ("Quiet", "Loud", "Broken")

# What a hostile server would write: commands, what ends lines, what the runner or .NET skips, and halves of characters.
HOSTILE = st.lists(
    st.sampled_from(
        [
            *("::", "##[", "]", ":", "#", "[", "\n", "\r", "\r\n", " ", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\xa0"),
            *("\u2028", "\u2029", "\u200b", "\ufeff", "\xad", "\u2060", "\u202e", "\x00", "\x1b[2K", "\x7f", "\x08"),
            *("error", "::error::x", "##[error]x", "add-mask", "::add-mask::a", "set-env name=A", "%0A", "%0D", "%25"),
            *("::stop-commands::x", "::x::", "set-output name=a", "group", "endgroup", "debug", "\udce9", "ü", "."),
        ]
    ),
    max_size=8,
).map("".join) | st.text(max_size=20)
INVISIBLE = re.compile("[\x00\xad\u200b-\u200f\u2060-\u206f\ufeff]")


class Screen:
    """A workflow that prints into memory."""

    def __init__(self, environment: dict[str, str] | None = None, *secrets: str) -> None:
        self.stream = io.StringIO(newline="")
        redactor = Redactor()
        for secret in secrets:
            redactor.add(secret)
        self.runner = Runner(GITHUB if environment is None else environment, redactor, self.stream)

    @property
    def text(self) -> str:
        """What was printed."""
        return self.stream.getvalue()

    def log(self) -> Log:
        """Let the runner read it: a line ends at a line feed, a carriage return or both."""
        log = Log()
        for line in re.split("\r\n|\n|\r", self.text.removesuffix("\n")):
            log.feed(line)
        return log

    def obeyed(self) -> list[str]:
        """Name the commands that the runner would obey, also if it skipped invisible characters."""
        skipping = Log()
        for line in re.split("\r\n|\n|\r", INVISIBLE.sub("", self.text).removesuffix("\n")):
            skipping.feed(line)
        commands = [command.name for command in self.log().commands]
        assert commands == [command.name for command in skipping.commands]
        return commands


class TestForeignText:
    """Nothing that somebody else wrote is ever taken for a command."""

    @given(HOSTILE)
    def test_foreign(self, text):
        """Logs and answers go out between `stop-commands` and its end."""
        screen = Screen()
        screen.runner.foreign(text)
        screen.runner.notice(Problem("the end"))
        assert ["stop-commands", "notice"] == screen.obeyed()

    @given(HOSTILE)
    def test_info(self, text):
        """A line of ours may quote foreign words, at its start or anywhere."""
        for line in (text, f"Model {text}", f"{text} is live"):
            screen = Screen()
            screen.runner.info(line)
            screen.runner.notice(Problem("the end"))
            assert screen.obeyed() in (["stop-commands", "notice"], ["notice"])

    @given(HOSTILE, HOSTILE, HOSTILE)
    def test_annotations(self, message, remedy, file):
        """An annotation is one command, and says what it should where it should; its text too, which the log shows."""
        screen = Screen()
        screen.runner.error(Problem(message, remedy, file, 3, 7))
        assert ["error"] == screen.obeyed()
        (annotation,) = screen.log().annotations
        expected = str(Problem(message, remedy, file, 3, 7))
        assert printable(expected) == annotation.message
        assert printable(file) == annotation.properties.get("file", "")
        assert ("3", "7") == (annotation.properties["line"], annotation.properties["col"])

    @given(HOSTILE, HOSTILE)
    def test_groups(self, title, text):
        """A title is one line."""
        screen = Screen()
        with screen.runner.group(title):
            screen.runner.foreign(text)
        assert ["group", "stop-commands", "endgroup"] == screen.obeyed()

    @given(st.lists(HOSTILE, min_size=12, max_size=12))
    def test_annotations_beyond_the_tenth(self, messages):
        """They are lines of the log, as GitHub would drop them."""
        screen = Screen()
        for message in messages:
            screen.runner.warning(Problem(message))
        assert ["warning"] * ANNOTATIONS == [name for name in screen.obeyed() if name != "stop-commands"]

    def test_a_guessed_end_does_not_resume(self):
        """The token is another one each time."""
        screen = Screen()
        screen.runner.foreign("a")
        token = screen.text.splitlines()[0].removeprefix("::stop-commands::")
        screen.runner.foreign(f"::{token}::\n::error::x")
        assert ["stop-commands"] * 2 == screen.obeyed()
        assert re.fullmatch("[0-9a-f]{32}", token)

    def test_plain_lines_stay_plain(self):
        """Text without anything like a command needs no wrapping."""
        screen = Screen()
        screen.runner.info("Uploaded 3 bytes: a::b #[x]")
        assert "Uploaded 3 bytes: a::b #[x]\n" == screen.text

    def test_threads_do_not_tear_a_block(self):
        """The log stream prints while the main thread does."""
        screen = Screen()

        def stream() -> None:
            for _ in range(200):
                screen.runner.foreign("::error::x\n::warning::y")

        threads = [threading.Thread(target=stream) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(200):
            screen.runner.info("ours")
        for thread in threads:
            thread.join()
        assert ["stop-commands"] * 600 == screen.obeyed()


class TestSecrets:
    """Masks are the second line of defence."""

    def test_a_secret_is_only_in_its_mask(self):
        """Whatever is printed afterwards."""
        screen = Screen()
        runner = screen.runner
        runner.mask("s3cret")
        runner.info("info s3cret ::")
        runner.foreign("foreign s3cret")
        runner.error(Problem("error s3cret", "remedy s3cret", "file-s3cret"))
        with runner.group("group s3cret"):
            pass
        lines = [line for line in screen.text.splitlines() if "s3cret" in line]
        assert ["::add-mask::s3cret"] == lines
        assert "s3cret" in screen.log().masks

    def test_a_secret_of_several_lines(self):
        """It is masked as a whole and by line, in one command."""
        screen = Screen()
        screen.runner.mask("line one\nline two %0A")
        assert ["add-mask"] == screen.obeyed()
        assert {"line one\nline two %0A", "line one", "line two %0A"} == screen.log().masks
        screen.runner.info("line two %0A")
        assert screen.text.endswith("\n***\n")

    @pytest.mark.parametrize("secret", ["", " ", "\n"])
    def test_nothing_is_not_masked(self, secret):
        """The runner would warn."""
        screen = Screen()
        screen.runner.mask(secret)
        assert "" == screen.text

    def test_elsewhere_nothing_is_printed(self):
        """Other CI systems have no such command; there the redaction alone has to do."""
        screen = Screen({})
        screen.runner.mask("s3cret")
        screen.runner.foreign("a s3cret")
        assert "a ***\n" == screen.text


class TestElsewhere:
    """Plain lines where no variable of GitHub's runner is set."""

    def test_no_commands(self):
        """For people."""
        screen = Screen({})
        with screen.runner.group("Upload"):
            screen.runner.info("ours")
            screen.runner.foreign("::error::theirs")
        screen.runner.error(Problem("message", "remedy", "config.yaml", 3, 7))
        screen.runner.warning(Problem("message"))
        screen.runner.notice(Problem("message", "", "config.yaml"))
        assert (
            "== Upload\nours\n::error::theirs\nerror: config.yaml:3:7: message\nremedy\nwarning: message\n"
            "notice: config.yaml: message\n"
        ) == screen.text

    def test_remedies_are_a_shells(self):
        """Nobody who typed a command looks for a workflow file."""
        screen = Screen({})
        screen.runner.error(Problem("no key", "Pass it: `baseten-api-key: ${{ secrets.BASETEN_API_KEY }}`."))
        assert "error: no key\nPass it: the environment variable `BASETEN_API_KEY`.\n" == screen.text

    def test_not_only_ten(self):
        """There is no limit."""
        screen = Screen({})
        for number in range(15):
            screen.runner.error(Problem(str(number)))
        assert 15 == len(screen.text.splitlines())

    def test_no_files(self):
        """Outputs are printed at the end instead."""
        screen = Screen({})
        screen.runner.output("a", "b")
        screen.runner.state("a", "b")
        screen.runner.summary("# a")
        assert "" == screen.text


class TestWhere:
    """One decision: is this GitHub's runner, or one that does as it does. In doubt it is."""

    @pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_RUN_ID", "GITHUB_WORKFLOW"])
    def test_any_variable_of_the_runner(self, tmp_path, variable):
        """A container hook sets only some of them: masks and guards apply all the same."""
        screen = Screen({variable: str(tmp_path / "output")})
        screen.runner.mask("s3cret")
        screen.runner.foreign("::set-output name=x::1")
        assert screen.runner.on_github
        assert ["add-mask", "stop-commands"] == screen.obeyed()

    @pytest.mark.parametrize("environment", [{}, {"GITHUB_ACTIONS": ""}, {"CI": "true", "GITLAB_CI": "true"}])
    def test_elsewhere(self, environment):
        """An empty variable is none."""
        assert not Screen(environment).runner.on_github

    @pytest.mark.parametrize("other", ["GITLAB_CI", "JENKINS_URL", "TF_BUILD", "TEAMCITY_VERSION", "BUILDKITE"])
    def test_another_ci_system_that_writes_outputs_into_a_file(self, tmp_path, other):
        """There is no doubt: a mask would be a line with the key in it. The outputs are in the file all the same."""
        path = tmp_path / "output"
        screen = Screen({other: "true", "GITHUB_OUTPUT": str(path)})
        screen.runner.mask("s3cret")
        screen.runner.foreign("s3cret")
        screen.runner.output("a", "b")
        assert "***\n" == screen.text
        assert {"a": "b"} == parse_command_file(path.read_text(encoding="utf-8"))

    def test_a_runner_of_githubs_within_another_ones(self):
        """What says so itself is one."""
        assert Screen({"GITHUB_ACTIONS": "true", "GITLAB_CI": "true"}).runner.on_github

    @pytest.mark.parametrize("environment", [{}, GITHUB])
    @pytest.mark.parametrize("method", ["foreign", "info", "group", "error"])
    @pytest.mark.parametrize(
        ("text", "mark"),
        [
            ("##vso[task.setvariable variable=PATH]/evil", r"##vso\["),
            ("done ##VSO[task.complete result=Failed]", r"(?i)##vso\["),
            ("##[section]x", r"##\["),
            ("progress\r##[error]x", r"##\["),
            ("##teamcity[buildStatus status='SUCCESS']", r"##teamcity\["),
            ("section_start:1700000000:x[collapsed=true]\r\x1b[0Kx", r"section_start:\d"),
            ("\x1b[0Ksection_end:1700000000:x\r\x1b[0K", r"section_end:\d"),
            ("--- evil", r"(?m)^---"),
            ("a\n+++ evil", r"(?m)^\+\+\+"),
            ("~~~ evil", r"(?m)^~~~"),
            ("^^^ +++", r"(?m)^\^\^\^"),
            ("#\x1b[0m#\x1b[1m[error]x", r"##\["),
        ],
    )
    def test_no_ci_system_is_commanded(self, environment, method, text, mark):
        """Its mark is inert wherever the step runs, and still to be read."""
        screen = Screen(environment)
        if method == "group":
            with screen.runner.group(text):
                pass
        else:
            getattr(screen.runner, method)(Problem(text) if method == "error" else text)
        assert not re.search(mark, screen.text)
        words = re.findall("[a-z]{3,}", re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", text).lower())
        assert [] == [word for word in words if word not in screen.text.lower()]


class TestLines:
    """What is printed of somebody else's lines."""

    def test_an_endless_line_is_cut(self):
        """After secrets are out: the first half of one would not be found any more."""
        screen = Screen(None, "s3cret-key-0123")
        screen.runner.foreign("x" * (LINE_BYTES - 30) + "s3cret-key-0123" + "y" * 300_000 + "\nnext")
        _, line, after, _ = screen.text.splitlines()
        assert len(line.encode()) <= LINE_BYTES
        assert line.endswith("x***" + "y" * (26 - len(" … cut here".encode()) + 1) + " … cut here")
        assert "next" == after
        assert "s3cret" not in screen.text

    def test_a_secret_that_an_escape_sequence_splits(self):
        """Is whole once the sequence is gone."""
        screen = Screen(None, "s3cret-key-0123")
        screen.runner.foreign("s3cret-\x1b[31mkey-\x1b]0;title\x070123")
        assert "s3cret-key" not in screen.text
        assert "***" in screen.text

    @pytest.mark.parametrize("environment", [{}, GITHUB])
    def test_no_group_is_empty(self, environment):
        """One that nothing was said in says how long it took; one that failed that it did."""
        screen = Screen(environment)
        with screen.runner.group("Quiet"):
            pass
        with screen.runner.group("Loud"):
            screen.runner.info("a line")
        with pytest.raises(RuntimeError), screen.runner.group("Broken"):
            raise RuntimeError
        plain = [line for line in screen.text.splitlines() if not line.startswith("::endgroup")]
        titles = ["== Quiet", "== Loud", "== Broken"] if not environment else [f"::group::{t}" for t in TITLES]
        assert [titles[0], titles[1], "a line", titles[2]] == [plain[0], plain[2], plain[3], plain[4]]
        assert plain[1].startswith("Done after ")
        assert plain[5].startswith("Failed after ")


class Closed(io.StringIO):
    """A stdout whose reader went away, or whose disk is full."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def flush(self):
        """As the operating system answers it."""
        raise self.error


class TestStdout:
    """It may end before the run does."""

    @pytest.mark.parametrize(
        "error", [BrokenPipeError(32, "Broken pipe"), OSError(28, "No space left on device"), ValueError("closed")]
    )
    @pytest.mark.parametrize("environment", [{}, GITHUB])
    def test_the_run_goes_on_without_it(self, files, environment, error):
        """Whatever is said, the files get theirs."""
        paths = {name: str(path) for name, path in files.items()} if environment else {}
        runner = Runner({**environment, **paths}, Redactor(), Closed(error))
        with runner.group("Title"):
            runner.info("a")
            runner.foreign("b")
        runner.error(Problem("c"))
        runner.output("name", "value")
        assert not environment or {"name": "value"} == parse_command_file(files["GITHUB_OUTPUT"].read_text("utf-8"))

    def test_another_character_set(self, tmp_path):
        """What it lacks is written out."""
        with (tmp_path / "out").open("w", encoding="ascii") as stream:
            runner = Runner({}, Redactor(), stream)
            runner.info("ü")
            runner.info("b")
        assert "\\xfc\nb\n" == (tmp_path / "out").read_text(encoding="ascii")

    def test_none_at_all(self, monkeypatch):
        """A process may be started with a closed one."""
        monkeypatch.setattr("sys.stdout", None)
        Runner({}, Redactor()).info("a")


class TestAnnotations:
    """Errors, warnings and notices on the run."""

    def test_ten_of_a_kind(self):
        """Each kind by itself; the rest is in the log."""
        screen = Screen()
        for number in range(12):
            screen.runner.error(Problem(f"e{number}"))
            screen.runner.warning(Problem(f"w{number}"))
        log = screen.log()
        assert 20 == len(log.annotations)
        assert "error: e11" in log.text
        assert "warning: w10" in log.text

    @pytest.mark.parametrize(
        ("problem", "properties"),
        [
            (Problem("m"), {}),
            (Problem("m", "", "a,b:c.yaml"), {"file": "a,b:c.yaml"}),
            (Problem("m", "", "f", 1), {"file": "f", "line": "1"}),
        ],
    )
    def test_places(self, problem, properties):
        """What is unknown is left out."""
        screen = Screen()
        screen.runner.notice(problem)
        assert properties == screen.log().annotations[0].properties


@pytest.fixture
def files(tmp_path):
    """The command files of a step."""
    paths = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")}
    for path in paths.values():
        path.touch()
    return paths


def with_files(files: dict[str, Path], *secrets: str) -> Screen:
    """Make a workflow with command files."""
    return Screen({**GITHUB, **{name: str(path) for name, path in files.items()}}, *secrets)


class TestCommandFiles:
    """`GITHUB_OUTPUT`, `GITHUB_STATE`, `GITHUB_STEP_SUMMARY`."""

    @given(values=st.lists(st.tuples(st.sampled_from(["a", "b-c"]), HOSTILE), min_size=1, max_size=5))
    def test_round_trip(self, tmp_path_factory, values):
        """Whatever a value holds, the runner reads it back, and nothing else; the last of a name wins."""
        path = tmp_path_factory.mktemp("files") / "output"
        screen = Screen({**GITHUB, "GITHUB_OUTPUT": str(path), "GITHUB_STATE": str(path) + "-state"})
        for name, value in values:
            screen.runner.output(name, value)
            screen.runner.state(name, value)
        expected = {name: value.encode("utf-8", "replace").decode() for name, value in values}
        for file in (path, Path(f"{path}-state")):
            assert expected == parse_command_file(file.read_bytes().decode())

    @pytest.mark.parametrize(
        "value", ["ghadelimiter_x", "a<<b", "a=b", "\n\n", "EOF\nother<<EOF\nx\nEOF", "\r\n", "", "::error::x"]
    )
    def test_values_that_look_like_the_format(self, files, value):
        """The delimiter cannot be guessed."""
        with_files(files).runner.output("name", value)
        assert {"name": value} == parse_command_file(files["GITHUB_OUTPUT"].read_bytes().decode())

    def test_each_has_its_own_delimiter(self, files):
        """One that was read in the file does not help to write into it."""
        screen = with_files(files)
        screen.runner.output("a", "1")
        first = files["GITHUB_OUTPUT"].read_text(encoding="utf-8")
        screen.runner.output("b", first)
        assert {"a": "1", "b": first} == parse_command_file(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))

    def test_secrets_are_redacted(self, files):
        """In outputs, state and summary."""
        screen = with_files(files, "s3cret")
        screen.runner.output("a", "x s3cret")
        screen.runner.state("a", "x s3cret")
        screen.runner.summary("x s3cret")
        for path in files.values():
            text = path.read_text(encoding="utf-8")
            assert "x ***" in text
            assert "s3cret" not in text

    def test_summary_is_appended(self, files):
        """Other steps of a composite action may have written before."""
        screen = with_files(files)
        screen.runner.summary("# one")
        screen.runner.summary("# zwei ü \udce9")
        assert "# one\n# zwei ü ?\n" == files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")

    @pytest.mark.parametrize("already", [0, 10, SUMMARY_BYTES - 3, SUMMARY_BYTES, SUMMARY_BYTES + 10])
    def test_summary_is_cut(self, files, already):
        """GitHub drops one above 1 MiB whole; no character is torn."""
        path = files["GITHUB_STEP_SUMMARY"]
        path.write_bytes(b"x" * already)
        with_files(files).runner.summary("😀" * (SUMMARY_BYTES // 3))
        data = path.read_bytes()
        data.decode()
        assert len(data) == already or len(data) <= SUMMARY_BYTES
        assert SUMMARY_BYTES < 1024 * 1024

    @pytest.mark.parametrize("variable", ["GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"])
    def test_a_file_that_cannot_be_written(self, files, tmp_path, variable):
        """A run in a container without the runner's files goes on; it is said once."""
        files[variable] = tmp_path / "missing" / "file"
        screen = with_files(files)
        for _ in range(3):
            screen.runner.output("a", "b")
            screen.runner.state("a", "b")
            screen.runner.summary("a")
        (annotation,) = screen.log().annotations
        assert variable in annotation.message

    @pytest.mark.parametrize(
        ("number", "remedy"),
        [
            (errno.ENOSPC, "The disk is full"),
            (errno.EDQUOT, "The disk is full"),
            (errno.EROFS, "mount it writable"),
            (errno.EACCES, "mount it writable"),
            (errno.ENOENT, "unset `GITHUB_OUTPUT`"),
            (errno.EIO, "unset `GITHUB_OUTPUT`"),
        ],
    )
    def test_the_remedy_fits(self, files, monkeypatch, number, remedy):
        """A full disk wants something else than a missing right."""

        def refuse(path):
            raise OSError(number, os.strerror(number), path)

        monkeypatch.setattr("baseten_deploy.ci.runner.open_to_append", refuse)
        screen = with_files(files)
        screen.runner.output("a", "b")
        (annotation,) = screen.log().annotations
        assert os.strerror(number) in annotation.message
        assert remedy in annotation.message

    def test_a_full_disk(self, files):
        """As the kernel's own device for it answers."""
        files["GITHUB_OUTPUT"] = Path("/dev/full")
        screen = with_files(files)
        for _ in range(3):
            screen.runner.output("a", "b")
        screen.runner.summary("still written")
        (annotation,) = screen.log().annotations
        assert "The disk is full" in annotation.message
        assert "still written\n" == files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")

    def test_what_is_no_file_is_not_opened(self, files, tmp_path):
        """A pipe would hang the run, `/dev/stdout` print outputs among the commands."""
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("/dev/stdout")
        for name, path in zip(files, ("pipe", "link", "."), strict=True):
            files[name] = tmp_path / path
        screen = with_files(files)
        screen.runner.output("a", "b")
        screen.runner.state("a", "b")
        screen.runner.summary("a")
        assert ["warning"] * 3 == [annotation.kind for annotation in screen.log().annotations]


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        """It is."""
        return True


class TestColour:
    """In a terminal, and nowhere else."""

    def printed(self, environment, stream):
        """Print an error, a group and foreign text that has a colour of its own."""
        runner = Runner(environment, Redactor(), stream)
        runner.error(Problem("bad"))
        with runner.group("Title"):
            runner.foreign("\x1b[31mred")
        return stream.getvalue()

    def test_a_terminal(self):
        """Ours are coloured; foreign text has no say in it."""
        expected = "\x1b[31merror: bad\x1b[0m\n\x1b[1m== Title\x1b[0m\nred\n"
        assert expected == self.printed({}, Terminal())

    @pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, GITHUB])
    def test_not_wanted(self, environment):
        """By its user, by the terminal, by GitHub."""
        assert "\x1b" not in self.printed(environment, Terminal())

    def test_a_file(self):
        """Has no colours."""
        assert "error: bad\n== Title\nred\n" == self.printed({}, io.StringIO())
