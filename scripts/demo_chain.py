"""`make demo-chain`: examples/hello-chain pushed to the sandbox by the real `truss`, shown as GitHub's runner does it.

The plan, a first deployment, and a second one into a new environment. Everything is on loopback and in a temporary
directory; nothing needs an account. `--unfold` shows what the log folds away.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from baseten_sandbox import Sandbox
from demo import WIDTH, deploy
from runner import ROOT, Result, Runner, read_action

TRUSS = "BASETEN_DEPLOY_TRUSS_PYTHON"


def main(arguments: list[str]) -> int:
    """Run the demo; returns the exit code."""
    if set(arguments) - {"--unfold"} or not os.environ.get(TRUSS):
        print(__doc__)
        return 2
    unfold = "--unfold" in arguments
    console = Console(width=min(WIDTH, Console().width) if sys.stdout.isatty() else WIDTH, highlight=False)
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-demo-") as directory, Sandbox() as sandbox:
        action = read_action(ROOT / "chain" / "action.yml")
        runner = Runner(Path(directory), action=action, environment={TRUSS: os.environ[TRUSS]})
        shutil.copytree(ROOT / "examples" / "hello-chain", runner.workspace / "hello-chain")
        console.print(f"The sandbox plays Baseten's service at {sandbox.api_url}; `truss` pushes there.")
        inputs = {
            **sandbox.chain_inputs,
            "truss-directory": "hello-chain/hello.py",
            "predict-payload": '{"max_value": 6}',
            "predict-expect": '{"echo": {"max_value": 6}}',  # the sandbox runs no chainlets: it echoes
        }
        plan = deploy(console, runner, "1. What would happen", inputs | {"mode": "plan"}, unfold=unfold)
        first = deploy(console, runner, "2. A new Chain", inputs, unfold=unfold)
        into = inputs | {"promote-to": "staging", "create-environment": "true"}
        second = deploy(console, runner, "3. Another deployment, into a new environment", into, unfold=unfold)
    return verdict(console, plan, first, second)


def verdict(console: Console, plan: Result, first: Result, second: Result) -> int:
    """Say whether it went as announced; the demo is a test, too."""
    planned = plan.outputs.get("status") == "planned"
    new = (first.outcome, first.outputs.get("model-created")) == ("success", "true")
    same = bool(first.outputs.get("chain-id")) and first.outputs["chain-id"] == second.outputs.get("chain-id")
    served = second.outcome == "success" and second.outputs["promoted-deployment-id"] == second.outputs["deployment-id"]
    if planned and new and same and served:
        console.print(Text("\nA Chain with two deployments; `staging` serves the second one.", style="bold green"))
        return 0
    console.print(Text("\nThis is not what the demo should show: see the log above.", style="bold red"))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
