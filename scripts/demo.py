"""`make demo`: deployments of examples/hello-truss to the sandbox, run and shown as GitHub's runner does it.

The first creates a model, the second adds a changed deployment to it, the third fails a check and is not promoted. Then
the second goes into production, and a fourth that fails under traffic is watched there and taken back.
Everything is on loopback and in a temporary directory; nothing needs an account. `--unfold` (`make demo
DEMO_ARGS=--unfold`) shows what the log folds away.
"""

import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from baseten_sandbox import Sandbox
from runner import ROOT, Result, Runner, Step
from workflow_commands import SHOWN_AS, Line
from workflow_events import HEAD_SHA, push

STYLES = {"error": "bold red", "warning": "yellow", "notice": "blue"}
WIDTH = 118


class LogView:
    """The log as GitHub shows it: groups folded, `add-mask` and the brackets around foreign text left out."""

    def __init__(self, console: Console, *, unfold: bool) -> None:
        self._console = console
        self._unfold = unfold
        self._folded: int | None = None  # lines of the group that is open

    def show(self, line: Line) -> None:
        """Print one entry."""
        match line.tag:
            case "group":
                self._end_group()
                self._console.print(Text(f"▸ {line.text}", style="bold"))
                self._folded = 0
            case "endgroup":
                self._end_group()
            case "stop-commands" | "resume-commands" | "debug":
                pass
            case tag:
                if self._folded is not None:
                    self._folded += 1
                    if not self._unfold and tag not in STYLES:
                        return
                text = SHOWN_AS.get(tag, "").replace("##[", "").replace("]", ": ") + line.text
                indent = "  " if self._folded is not None else ""
                for part in text.split("\n"):
                    self._console.print(Text(indent + part, style=STYLES.get(tag, "")))

    def _end_group(self) -> None:
        if self._folded and not self._unfold:
            self._console.print(Text(f"  … {self._folded} line{'s'[: self._folded - 1]} folded", style="dim"))
        self._folded = None


def follow(step: Step, view: LogView) -> Result:
    """Show a step's log while it runs."""
    shown = 0
    while True:
        running = step.running
        for line in step.log.lines[shown:]:
            shown += 1
            view.show(line)
        if not running:
            result = step.wait()
            for line in result.log.lines[shown:]:
                view.show(line)
            return result
        time.sleep(0.05)


def show_result(console: Console, result: Result) -> None:
    """Print the outputs and the rendered summary of a step."""
    names = max(map(len, result.outputs), default=0)
    table = Table(title="Outputs", title_justify="left", show_header=False)
    table.add_column(width=names, style="bold")
    table.add_column(width=console.width - names - 7, no_wrap=True, overflow="ellipsis")  # 7: borders and padding
    for name, value in result.outputs.items():
        table.add_row(name, Text(value.replace("\n", "⏎")))
    console.print(table)
    console.print(Text("Summary", style="italic"))
    console.print(Markdown(for_terminal(result.summary)))


def for_terminal(markdown: str) -> str:
    """GitHub renders some HTML in Markdown, and charts; a terminal does not."""
    markdown = re.sub(r"^```+mermaid\n(.*?)^```+$", _tasks, markdown, flags=re.DOTALL | re.MULTILINE)
    markdown = re.sub(r"<br\s*/?>", " · ", markdown)
    markdown = re.sub(r"<summary>(.*?)</summary>", r"\n**\1**\n", markdown, flags=re.DOTALL)
    return re.sub(r"</?[a-z]+[^<>`]*>", "", markdown)


def _tasks(chart: re.Match[str]) -> str:
    """The tasks of a gantt chart, which have their durations in their names, as a list."""
    tasks = re.findall(r"^(.+?) :.*,.*$", chart[1], re.MULTILINE)
    return "".join(f"- {task}\n" for task in tasks) or "(a chart, on GitHub)\n"


def greets(greeting: str) -> dict[str, str]:
    """The smoke test of a model that greets so: the sandbox runs no model, and is told in the payload what it says."""
    answer = {"greeting": f"{greeting}, world!"}
    return {
        "predict-payload": json.dumps({"name": "world", "sandbox": {"body": answer}}),
        "predict-expect": json.dumps(answer),
    }


def deploy(console: Console, runner: Runner, title: str, inputs: dict[str, str], *, unfold: bool) -> Result:
    """Run the action once and show it all."""
    console.print("")
    console.print(Rule(title, align="left"))
    console.print(Text("uses: ./\nwith:", style="dim"))
    for name, value in inputs.items():
        console.print(Text(f"  {name}: {'***' if name.endswith('-key') else value}", style="dim"))
    result = follow(runner.start(inputs), LogView(console, unfold=unfold))
    console.print(Text(f"Step: {result.outcome}, exit code {result.exit_code}, {result.seconds:.1f} s\n", style="dim"))
    show_result(console, result)
    return result


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit code."""
    unknown = set(arguments) - {"--unfold"}
    if unknown:
        print(__doc__)
        return 2
    unfold = "--unfold" in arguments
    console = Console(width=min(WIDTH, Console().width) if sys.stdout.isatty() else WIDTH, highlight=False)
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-demo-") as directory, Sandbox(speed=4) as sandbox:
        runner = Runner(Path(directory))
        truss = runner.workspace / "hello-truss"
        shutil.copytree(ROOT / "examples" / "hello-truss", truss, ignore=shutil.ignore_patterns("__pycache__"))
        console.print(
            f"The sandbox plays Baseten's service at {sandbox.api_url}, and its S3 at {sandbox.s3_endpoint_url}. "
            "It does not run the model: it answers what `sandbox` in a payload says, here what the model would, and "
            "else an echo."
        )
        if not unfold:
            console.print("The log is folded, as on GitHub; `make demo DEMO_ARGS=--unfold` shows all of it.")
        inputs = {**sandbox.inputs, "truss-directory": "hello-truss"}
        first = deploy(console, runner, "1. A new model", inputs | greets("Hello"), unfold=unfold)
        if first.outcome != "success":
            return 1
        model = truss / "model" / "model.py"
        model.write_text(model.read_text().replace('"Hello"', '"Good evening"'))
        runner.event = push(sha=HEAD_SHA)
        inputs |= greets("Good evening")
        second = deploy(console, runner, "2. A changed Truss, into the same model", inputs, unfold=unfold)
        checks = truss / "checks.yaml"
        checks.write_text(
            checks.read_text().replace('"Hello, world!"', '"Good evening, world!"').replace("x: hello", "x: bye")
        )
        gated = inputs | {"checks": checks.name, "promote-to": "production"}
        third = deploy(console, runner, "3. A check fails, so nothing is promoted", gated, unfold=unfold)
        served = sandbox.state.environment(second.outputs["model-id"], "production").current
        held_back = served is None
        taken_back = watch(console, runner, sandbox, inputs, second, unfold=unfold)
    return verdict(console, first, second, third, held_back=held_back, taken_back=taken_back)


def watch(
    console: Console, runner: Runner, sandbox: Sandbox, inputs: dict[str, str], second: Result, *, unfold: bool
) -> bool:
    """Promote what works, then something whose errors grow under traffic; whether that was taken back."""
    model = second.outputs["model-id"]
    promotion = {
        **sandbox.inputs,
        "mode": "promote",
        "model-id": model,
        "deployment-id": second.outputs["deployment-id"],
        "environment": "production",
    }
    deploy(console, runner, "4. The second goes into production", promotion, unfold=unfold)
    code = runner.workspace / "hello-truss" / "model" / "model.py"
    code.write_text(code.read_text() + "\n# Works when it is asked once.\n")
    sandbox.state.plans.add_traffic("leak")  # what the metrics of the next deployment will tell of
    watched = inputs | {"promote-to": "production", "rollback-on-failure": "true", "watch-minutes": "0.04"}
    title = "5. Its errors grow under traffic: production is watched, and gets back what it served"
    last = deploy(console, runner, title, watched, unfold=unfold)
    serves = sandbox.state.environment(model, "production").current
    return (
        last.outputs.get("status") == "rolled_back" and serves is not None and serves.id == promotion["deployment-id"]
    )


def verdict(
    console: Console, first: Result, second: Result, third: Result, *, held_back: bool, taken_back: bool
) -> int:
    """Say whether it went as announced; the demo is a test, too."""
    new = (first.outcome, first.outputs.get("model-created")) == ("success", "true")
    same = second.outputs.get("model-id") == first.outputs.get("model-id")
    changed = second.outputs.get("content-digest") != first.outputs.get("content-digest")
    added = (second.outcome, second.outputs.get("model-created")) == ("success", "false")
    failed = (third.outputs.get("status"), third.outputs.get("checks-failed")) == ("predict_failed", "1")
    if new and same and changed and added and failed and held_back and taken_back:
        said = (
            "\nTwo deployments of one model, live and smoke-tested; a third that a check held back, and a fourth that "
            "was taken back under traffic, as they should."
        )
        console.print(Text(said, style="bold green"))
        return 0
    console.print(Text("\nThis is not what the demo should show: see the log above.", style="bold red"))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
