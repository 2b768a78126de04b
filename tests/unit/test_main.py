"""From a process to a status: exit codes, outputs, annotations and the summary, without a network."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from trees import MINIMAL_TRUSS, write_tree

from baseten_deploy import __version__, signals
from baseten_deploy.errors import Cancelled
from baseten_deploy.main import main
from runner import ROOT, Runner, read_action
from workflow_commands import Log, parse_command_file

pytestmark = pytest.mark.usefixtures("restored_signals")

KEY = "s3cret_key*0123"


class Job:
    """A checkout with a Truss, and a step in it, run within this process."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.runner = Runner(directory, action=read_action())
        write_tree(self.runner.workspace, MINIMAL_TRUSS)
        self._capsys = capsys
        self.log = Log()
        self.outputs: dict[str, str] = {}
        self.summary = ""

    def run(self, inputs: dict[str, str] | None = None, arguments: list[str] | None = None) -> int:
        """Run the step and read what it left."""
        files = self.runner.directory / "file_commands"
        for name in ("output", "state", "summary"):
            (files / name).write_bytes(b"")
        variables = self.runner.variables(inputs or {})
        Path(variables["GITHUB_EVENT_PATH"]).write_text(json.dumps(self.runner.event.payload), encoding="utf-8")
        code = main([] if arguments is None else arguments, variables)
        captured = self._capsys.readouterr()
        assert "" == captured.err
        for line in captured.out.splitlines():
            self.log.feed(line)
        self.outputs = parse_command_file((files / "output").read_text(encoding="utf-8"))
        self.summary = (files / "summary").read_text(encoding="utf-8")
        return code


@pytest.fixture
def job(tmp_path, capsys):
    """A job on GitHub."""
    return Job(tmp_path, capsys)


class Arguments(list[str]):
    """A command line that raises when it is read: the first thing that a run does."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(["--help"])
        self._error = error

    def __iter__(self):
        raise self._error


class TestInvalid:
    """Nothing is sent: the guard of these tests would tell."""

    def test_all_problems_together(self, job):
        """Of the inputs, their rules and the Truss, each as an annotation and in the summary."""
        write_tree(job.runner.workspace, {"config.yaml": "model_name: [\n"})
        code = job.run({"wait": "yes", "development": "true", "deployment-name": "a b", "model-nam": "x"})
        assert (1, "invalid") == (code, job.outputs["status"])
        messages = "\n".join(annotation.message for annotation in job.log.annotations)
        for part in ("`wait`", "`model-nam`", "`development` and `deployment-name`", "`baseten-api-key`"):
            assert part in messages
        assert "config.yaml" in {annotation.properties.get("file") for annotation in job.log.annotations}
        assert job.summary.startswith("## ❌ Invalid input, nothing was changed")
        assert all(f"`{name}`" in job.summary for name in ("wait", "model-nam", "baseten-api-key"))

    def test_warnings_are_shown_with_the_errors(self, job):
        """What is only doubtful may be the cause, and one push is to mend it all; a missing name is said as well."""
        config = "requirments: [torch]\nrequirements_file: no.txt\n"
        write_tree(job.runner.workspace, {"config.yaml": config, "lib/a.py": ""})
        assert 1 == job.run({"baseten-api-key": KEY})
        assert ("warning", "1") in {(line.kind, line.properties.get("line")) for line in job.log.annotations}
        text = job.log.text
        assert "`requirments` is no key of a Truss config" in text
        assert "config.yaml:2:1: `requirements_file`: `no.txt` does not exist" in text
        assert "The model has no name" in text
        assert "The default ignore rules leave out `lib/`" in text

    def test_the_name_is_known_all_the_same(self, job):
        """Of a Truss that is wrong: what reports about it can be found by the name."""
        write_tree(job.runner.workspace, {"config.yaml": "model_name: m\nrequirements_file: no.txt\n"})
        job.run({"baseten-api-key": KEY})
        assert ("invalid", "m") == (job.outputs["status"], job.outputs["model-name"])

    def test_outputs(self, job):
        """The status, and `result` with it."""
        job.run()
        assert "invalid" == job.outputs["status"]
        assert "invalid" == json.loads(job.outputs["result"])["status"]

    def test_command_line(self, job):
        """An option that is none, as any other problem."""
        assert 1 == job.run({"baseten-api-key": KEY}, ["--model-nam", "x"])
        assert "invalid" == job.outputs["status"]
        assert "Did you mean `--model-name`?" in job.log.annotations[0].message

    def test_options_are_inputs(self, job):
        """They win over the variables."""
        job.run({"mode": "plan"}, ["--mode", "nonsense"])
        assert "'nonsense'" in job.log.annotations[0].message


class TestSecrets:
    """Not in a log, an output or a summary."""

    def test_are_masked_first(self, job):
        """And printed nowhere else, although a value of another input repeats one."""
        inputs = {"baseten-api-key": KEY, "nemo-token": "t0ken-t0ken", "deployment-name": f"x {KEY}"}
        assert 1 == job.run(inputs)
        assert [f"::add-mask::{KEY}", "::add-mask::t0ken-t0ken"] == job.log.raw[:2]
        assert KEY not in "\n".join(job.log.raw[2:])
        assert KEY not in json.dumps(job.outputs)

    def test_are_not_in_the_summary_however_markdown_writes_them(self, job):
        """Escaping changes a key, so it is taken out before."""
        job.run({"baseten-api-key": KEY, "deployment-name": f"x {KEY}"})
        assert "deployment-name" in job.summary
        for form in (KEY, KEY.replace("_", "&#95;").replace("*", "&#42;"), "s3cret", "key&#42;0123"):
            assert form not in job.summary

    def test_libraries_do_not_log_past_us(self):
        """Their warnings quote servers: on stderr as they are, they could issue commands and show secrets."""
        code = "import logging, baseten_deploy.main as m; m.main(['--version'], {}); logging.getLogger('x').error('y')"
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        assert ("", f"{__version__}\n") == (done.stderr, done.stdout)


class TestEnds:
    """Every way in which a run ends."""

    @pytest.mark.parametrize("argument", ["--help", "--version"])
    def test_help(self, capsys, argument):
        """Without a status: nothing was run."""
        assert 0 == main([argument], {})
        out = capsys.readouterr().out
        assert "status" not in out.splitlines()[-1]
        assert "" != out

    @pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt()])
    def test_cancelled(self, job, error):
        """130, as a shell says it, with the outputs that there are."""
        assert 130 == job.run(arguments=Arguments(error))
        assert "cancelled" == job.outputs["status"]
        assert job.summary.startswith("## ⚠️ Cancelled")
        assert [] == job.log.annotations

    def test_a_cancel_that_becomes_another_error(self, job):
        """C code that imports puts an `ImportError` in the place of whatever a signal raises meanwhile."""

        class Importing(list[str]):
            def __iter__(self):
                try:
                    os.kill(os.getpid(), signal.SIGTERM)
                    time.sleep(30)
                except BaseException:  # noqa: BLE001 - as C code does
                    raise ImportError('PyCapsule_Import could not import module "_socket"') from None

        assert 130 == job.run(arguments=Importing(["--help"]))
        assert "cancelled" == job.outputs["status"]
        assert [] == job.log.annotations

    @pytest.mark.parametrize("error", [RuntimeError("boom\n::error::x"), SystemExit(3), MemoryError()])
    def test_a_bug_of_ours(self, job, error):
        """The traceback in a folded group, without obeying anything in it, and where to report it."""
        assert 1 == job.run(arguments=Arguments(error))
        assert "internal_error" == job.outputs["status"]
        (annotation,) = job.log.annotations
        assert annotation.message.startswith("A bug of this action: ")
        assert "https://github.com/baseten-deploy/baseten-deploy/issues" in annotation.message
        tags = [line.tag for line in job.log.lines]
        shown = [line.text for line in job.log.lines]
        start, end = tags.index("group"), tags.index("endgroup")
        assert "Traceback" == shown[start]
        assert any(text.startswith("Traceback (most recent call last)") for text in shown[start:end])

    def test_elsewhere_the_outputs_are_printed(self, tmp_path, capsys):
        """One a line, and the status last."""
        write_tree(tmp_path, MINIMAL_TRUSS)
        assert 1 == main([], {"CI_PROJECT_DIR": str(tmp_path)})
        lines = capsys.readouterr().out.splitlines()
        assert "status=invalid" in lines
        assert "Status: invalid" == lines[-1]
        assert not [line for line in lines if re.match("::|##", line)]


class TestEnding:
    """What a run leaves, whatever happens to what it writes to."""

    def test_outputs_come_first(self, job, monkeypatch):
        """A bug in the summary changes neither them nor how the run ended."""

        def break_down(_facts):
            raise RuntimeError("boom")

        monkeypatch.setattr("baseten_deploy.report.summary.page", break_down)
        assert 1 == job.run()
        assert ("invalid", "invalid") == (job.outputs["status"], json.loads(job.outputs["result"])["status"])
        assert "## invalid" in job.summary
        assert any("A bug of this action: RuntimeError: boom" in line.message for line in job.log.annotations)

    def test_an_input_that_is_like_none_is_a_warning(self, job):
        """A job's own `env: INPUT_VERSION` is not the step's; a name that is near one is a typing error."""
        job.run({"version": "1"})
        kinds = {line.kind for line in job.log.annotations if "INPUT_VERSION" in line.message}
        assert {"warning"} == kinds
        assert "there is no such input" not in job.log.text


def start(directory, *arguments, **files):
    """Start entrypoint.py outside of GitHub, or with command files."""
    write_tree(directory / "work", MINIMAL_TRUSS)
    environment = {"PATH": os.environ["PATH"], "CI_PROJECT_DIR": str(directory / "work")}
    environment |= {name: str(path) for name, path in files.items()}
    command = [sys.executable, "-I", "-B", "-u", "-X", "utf8", str(ROOT / "entrypoint.py"), *arguments]
    return command, environment


@pytest.fixture(scope="module")
def unhindered(tmp_path_factory):
    """The exit code and the outputs of entrypoint.py, by its arguments, with a stdout that takes all."""

    @cache
    def run(*arguments):
        directory = tmp_path_factory.mktemp("unhindered")
        output = directory / "output"
        command, environment = start(directory, *arguments, GITHUB_OUTPUT=output)
        code = subprocess.run(command, env=environment, capture_output=True, check=False).returncode
        return code, output.read_text(encoding="utf-8") if output.exists() else ""

    return run


class TestProcess:
    """A process, its stdout and its signals."""

    @pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("--model-nam", "x")])
    @pytest.mark.parametrize("how", ["closed", "gone", "full"])
    def test_a_stdout_that_takes_nothing(self, tmp_path, unhindered, arguments, how):
        """`| head`, `>&-` and a full disk: the same exit code, the same outputs, nothing on stderr."""
        output = tmp_path / "output"
        command, environment = start(tmp_path, *arguments, GITHUB_OUTPUT=output)
        expected, written = unhindered(*arguments)
        if how == "closed":
            command = ["/bin/sh", "-c", '"$@" >&-', "sh", *command]
            stdout = subprocess.DEVNULL
        elif how == "gone":
            reader, stdout = os.pipe()
            os.close(reader)
        else:
            stdout = os.open("/dev/full", os.O_WRONLY)
        done = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
        if how != "closed":
            os.close(stdout)
        assert (expected, "") == (done.returncode, done.stderr)
        assert ("status" in written) == (output.exists() and "status" in output.read_text(encoding="utf-8"))

    @pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
    @pytest.mark.parametrize("early", [True, False])
    def test_a_signal_at_once(self, tmp_path, numbers, early):
        """Before the first import is done, or right after; two at once are as one: 130, a status, no traceback.

        The process stops itself where a handler is first set, so that no time is measured.
        """
        output = tmp_path / "output"
        command, environment = start(tmp_path, GITHUB_OUTPUT=output)
        where = "baseten_deploy.signals.remember" if early else "baseten_deploy.signals.cancel"
        program = (
            "import os, runpy, sys; sys.path.insert(0, sys.argv.pop(1))\n"
            "from baseten_deploy import signals\n"
            f"name = {where.rpartition('.')[2]!r}; inner = getattr(signals, name)\n"
            "def outer():\n"
            "    inner()\n"
            "    setattr(signals, name, inner)\n"
            f"    for number in {[int(number) for number in numbers]}: os.kill(os.getpid(), number)\n"
            "setattr(signals, name, outer)\n"
            "sys.argv = sys.argv[1:]\n"
            "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        )
        command = [*command[:6], "-c", program, str(ROOT / "src"), *command[6:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (130, "") == (done.returncode, done.stderr), done.stdout
        assert "cancelled" == parse_command_file(output.read_text(encoding="utf-8"))["status"]


class TestSignals:
    """SIGINT and SIGTERM, of which Python as PID 1 would ignore the second."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_first_cancels_and_the_rest_pass(self, number):
        """The run is ending already."""
        signals.cancel()
        with pytest.raises(Cancelled):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        signals.let_pass()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_one_that_came_early_is_remembered(self, number):
        """During the imports nobody could have made a status of it; it cancels once."""
        signals.remember()
        os.kill(os.getpid(), number)
        with pytest.raises(Cancelled):
            signals.cancel()
        signals.cancel()
        signals.let_pass()

    @pytest.mark.parametrize("delay", [0, 0.02])
    def test_one_that_python_drops_comes_again(self, delay):
        """What is raised within a destructor is lost: an import has such moments. It cancels all the same."""

        class Dying:
            def __del__(self):
                time.sleep(delay)
                os.kill(os.getpid(), signal.SIGINT)

        def run():
            Dying()
            time.sleep(30)

        signals.cancel()
        with pytest.raises(Cancelled):
            run()
        signals.let_pass()

    def test_none_cuts_the_report_short(self):
        """What there is to tell is told."""
        signals.cancel()
        signals.let_pass()
        os.kill(os.getpid(), signal.SIGINT)

    def test_in_a_thread(self):
        """Python allows no handlers there; then there are none."""
        caught: list[BaseException] = []

        def call(function: Callable[[], None]) -> None:
            try:
                function()
            except BaseException as error:  # noqa: BLE001 - reported to the test
                caught.append(error)

        for function in (signals.remember, signals.cancel, signals.let_pass):
            thread = threading.Thread(target=call, args=(function,))
            thread.start()
            thread.join()
        assert [] == caught


def test_the_process_ends_at_once_and_loses_nothing() -> None:
    """What was printed is out, the exit code is the run's, nothing is taken down; a closed stream is no error."""
    code = (
        "import sys, atexit\n"
        "from baseten_deploy.main import leave\n"
        "atexit.register(print, 'taken down')\n"
        "print('last line')\n"
        "print('a warning', file=sys.stderr)\n"
        "if len(sys.argv) > 1:\n"
        "    sys.stdout.close()\n"
        "leave(3)\n"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    for arguments in ([], ["closed"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={"PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (3, "last line\n", "a warning\n") == (done.returncode, done.stdout, done.stderr)
