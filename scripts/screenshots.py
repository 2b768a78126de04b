"""`make screenshots`: run the action against the sandbox and photograph its step summaries as GitHub draws them.

Needs npm, Chromium and a font with emoji, which nothing else here does. marked, GitHub's style sheet and Mermaid draw
the Markdown, in a time zone that is no whole hours from UTC: the timeline must count from zero everywhere.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from baseten_sandbox import Sandbox
from runner import ROOT, Result, Runner, pull_request

IMAGES = ROOT / "docs" / "images"
PACKAGES = ("marked@18.2.1", "mermaid@12.3.0", "github-markdown-css@5.9.0")
TIME_ZONE = "Asia/Kolkata"
WIDTH = 1000
PAGE = """<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="node_modules/github-markdown-css/github-markdown-light.css">
<style>body { margin: 16px; font-family: sans-serif }</style>
<script src="node_modules/marked/lib/marked.umd.js"></script>
<script src="node_modules/mermaid/dist/mermaid.min.js"></script>
<article class="markdown-body"></article>
<script>
  const article = document.querySelector("article");
  article.innerHTML = marked.parse(MARKDOWN, {gfm: true});
  for (const code of article.querySelectorAll("code.language-mermaid")) {
    const chart = document.createElement("div");
    chart.className = "mermaid";
    chart.textContent = code.textContent;
    code.parentElement.replaceWith(chart);
  }
  const folded = [...article.querySelectorAll("details:not([open])")];
  folded.forEach(each => each.open = true);  // Mermaid measures what it draws
  mermaid.initialize({startOnLoad: false});
  mermaid.run().finally(() => {
    folded.forEach(each => each.open = false);
    document.title = "height " + Math.ceil(document.documentElement.getBoundingClientRect().height);
  });
</script>
"""


class Stage:
    """A checkout of examples/hello-truss on a pull request, and a sandbox to deploy it to."""

    def __init__(self, directory: Path, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.runner = Runner(directory, event=pull_request())
        self.truss = self.runner.workspace / "hello-truss"
        shutil.copytree(ROOT / "examples/hello-truss", self.truss, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, **inputs: str) -> Result:
        """Run the action; inputs are keyword arguments with underscores."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return self.runner.run({**self.sandbox.inputs, "truss-directory": "hello-truss", **given})

    def edit(self) -> None:
        """Make a change that a reviewer would want to see."""
        config, model = self.truss / "config.yaml", self.truss / "model/model.py"
        config.write_text(config.read_text() + "\nenvironment_variables:\n  GREETING: Good evening\n")
        model.write_text(model.read_text().replace('"Hello"', '"Good evening"'))
        (self.truss / "lib").mkdir()
        (self.truss / "lib/helper.py").write_text("HELP = True\n")


def success(stage: Stage) -> Result:
    """Promoted into production after its smoke test."""
    stage.run(environment="production")
    stage.edit()
    return stage.run(promote_to="production")


def plan(stage: Stage) -> Result:
    """A pull request against what production serves."""
    stage.run(environment="production")
    stage.edit()
    return stage.run(mode="plan", environment="production")


def failed_build(stage: Stage) -> Result:
    """The errors of the build log first."""
    stage.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    return stage.run(on_failure="deactivate")


def failed_smoke_test(stage: Stage) -> Result:
    """What it answered, and what was wanted."""
    return stage.run(predict_expect='{"greeting": "Good evening"}')


def invalid(stage: Stage) -> Result:
    """All mistakes together, each at its place."""
    config = stage.truss / "config.yaml"
    config.write_text(config.read_text() + "requirments: []\nrequirements_file: missing.txt\n")
    return stage.run(predict_payload="{", wait="yes")


def cleanup(stage: Stage) -> Result:
    """Old deployments of a pull request."""
    for _ in range(2):
        stage.run(labels="{team: core}", wait="false")
    stage.run(labels="{team: core}", environment="production")
    return stage.run(mode="cleanup", model_name="hello-truss", cleanup_labels="{team: core}", truss_directory=".")


SCENES: tuple[Callable[[Stage], Result], ...] = (success, plan, failed_build, failed_smoke_test, invalid, cleanup)


@contextmanager
def studio() -> Iterator[Path]:
    """A directory with what draws a page."""
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-screenshots-") as name:
        npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", name, *PACKAGES)
        subprocess.run(npm, check=True)  # noqa: S603
        yield Path(name)


def photograph(studio: Path, markdown: str, image: Path) -> None:
    """Draw the Markdown as a page, as high as it is."""
    page = studio / "page.html"
    page.write_text(PAGE.replace("MARKDOWN", json.dumps(markdown).replace("</", "<\\/")), encoding="utf-8")
    dom = browse(page, 800, "--dump-dom")
    height = re.search(r"<title>height (\d+)</title>", dom)
    assert height, "the page was not drawn"
    browse(page, int(height[1]) + 32, f"--screenshot={image}")


def browse(page: Path, height: int, *arguments: str) -> str:
    """Open a page in headless Chromium, and give what it prints."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "chromium")
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    size = ("--virtual-time-budget=20000", f"--window-size={WIDTH},{height}", "--hide-scrollbars")
    command = (chromium, "--headless", "--no-sandbox", "--disable-gpu", *quiet, *size, *arguments, page.as_uri())
    environment = os.environ | {"TZ": TIME_ZONE}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def main(only: list[str]) -> int:
    """Photograph all scenes, or those that are named."""
    with studio() as place:
        for scene in SCENES:
            name = scene.__name__.replace("_", "-")
            if only and name not in only:
                continue
            with tempfile.TemporaryDirectory() as directory, Sandbox() as sandbox:
                result = scene(Stage(Path(directory), sandbox))
            image = IMAGES / f"summary-{name}.png"
            photograph(place, result.summary, image)
            print(f"{image.relative_to(ROOT)}: {result.outputs['status']}, {scene.__doc__}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
