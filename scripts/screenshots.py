"""`make screenshots`: run the action against the sandbox and photograph its pages as GitHub draws them.

Every ending (`scenes`), on a phone and on a desk, light and dark, into `build/screenshots`; what the documentation
shows also into `docs/images`. Needs npm, Chromium and a font with emoji, which nothing else here does. marked, GitHub's
style sheet and Mermaid draw the Markdown, in a time zone that is no whole hours from UTC: the timeline must count from
zero everywhere. A table or a line of words that is wider than the page is said, and makes the command fail.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner import ROOT
from scenes import SCENES, name_of, play

PICTURES = ROOT / "build" / "screenshots"
IMAGES = ROOT / "docs" / "images"
SHOWN = ("success", "plan", "failed-build", "failed-smoke-test", "invalid", "cleanup", "failed-in-production")
PACKAGES = ("marked@18.2.1", "mermaid@12.3.0", "github-markdown-css@5.9.0")
TIME_ZONE = "Asia/Kolkata"
WIDTHS = (390, 1000)
SCHEMES = {"light": "#ffffff", "dark": "#0d1117"}
PAGE = """<!doctype html><meta charset="utf-8">
<link rel="stylesheet" href="node_modules/github-markdown-css/github-markdown-SCHEME.css">
<style>
  body { margin: 0; background: BACKGROUND }
  article { padding: 16px; width: WIDTHpx; box-sizing: border-box }
</style>
<script src="node_modules/marked/lib/marked.umd.js"></script>
<script src="node_modules/mermaid/dist/mermaid.min.js"></script>
<article class="markdown-body"></article>
<script>
  const article = document.querySelector("article");
  article.innerHTML = marked.parse(MARKDOWN, {gfm: true});
  for (const quote of article.querySelectorAll("blockquote")) {
    const first = quote.querySelector("p");
    const found = first && /^\\s*\\[!(CAUTION|WARNING|NOTE)\\]\\s*/.exec(first.innerHTML);
    if (!found) continue;
    const kind = found[1].toLowerCase();
    const alert = document.createElement("div");
    alert.className = "markdown-alert markdown-alert-" + kind;
    first.innerHTML = first.innerHTML.slice(found[0].length);
    const name = kind[0].toUpperCase() + kind.slice(1);
    alert.innerHTML = '<p class="markdown-alert-title">' + name + "</p>" + quote.innerHTML;
    quote.replaceWith(alert);
  }
  for (const code of article.querySelectorAll("code.language-diff")) {
    code.innerHTML = code.innerHTML.split("\\n").map(line =>
      line[0] === "+" ? '<span class="pl-mi1">' + line + "</span>" :
      line[0] === "-" ? '<span class="pl-md">' + line + "</span>" : line).join("\\n");
  }
  for (const code of article.querySelectorAll("code.language-mermaid")) {
    const chart = document.createElement("div");
    chart.className = "mermaid";
    chart.textContent = code.textContent;
    code.parentElement.replaceWith(chart);
  }
  const folded = [...article.querySelectorAll("details:not([open])")];
  const broad = () => [...article.querySelectorAll("table, p, summary, h2, .markdown-alert")]
    .filter(each => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
    .map(each => each.tagName + ": " + each.textContent.trim().replace(/\\s+/g, " ").slice(0, 60));
  folded.forEach(each => each.open = true);  // Mermaid measures what it draws
  mermaid.initialize({startOnLoad: false, theme: "SCHEME" === "dark" ? "dark" : "default"});
  mermaid.run().finally(() => {
    const found = broad();
    if (!UNFOLD) folded.forEach(each => each.open = false);
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    document.title = JSON.stringify({height, found});
  });
</script>
"""


@contextmanager
def studio() -> Iterator[Path]:
    """A directory with what draws a page."""
    with tempfile.TemporaryDirectory(prefix="baseten-deploy-screenshots-") as name:
        npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", name, *PACKAGES)
        subprocess.run(npm, check=True)  # noqa: S603
        yield Path(name)


def photograph(studio: Path, markdown: str, image: Path, width: int, scheme: str) -> list[str]:
    """Draw the Markdown as a page, as high as it is; gives what is broader than the page."""
    values = {
        "MARKDOWN": json.dumps(markdown).replace("</", "<\\/"),
        "SCHEME": scheme,
        "BACKGROUND": SCHEMES[scheme],
        "WIDTH": str(width),
        "UNFOLD": "true" if os.environ.get("UNFOLD") else "false",
    }
    page = studio / "page.html"
    page.write_text(re.sub("|".join(values), lambda name: values[name[0]], PAGE), encoding="utf-8")
    title = re.search(r"<title>(.*?)</title>", browse(page, width, 800, "--dump-dom"))
    assert title, "the page was not drawn"
    measured = json.loads(title[1].replace("&amp;", "&"))
    browse(page, width, measured["height"], f"--screenshot={image}")
    return list(measured["found"])


def browse(page: Path, width: int, height: int, *arguments: str) -> str:
    """Open a page in headless Chromium, and give what it prints."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "chromium")
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    size = ("--virtual-time-budget=20000", f"--window-size={width},{height}", "--hide-scrollbars")
    command = (chromium, "--headless", "--no-sandbox", "--disable-gpu", *quiet, *size, *arguments, page.as_uri())
    environment = os.environ | {"TZ": TIME_ZONE}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def main(only: list[str]) -> int:
    """Photograph all scenes, or those that are named; 1 when something does not fit."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    broad = False
    with studio() as place:
        for scene in SCENES:
            name = name_of(scene)
            if only and name not in only:
                continue
            result = play(scene)
            print(f"{name}: {result.outputs['status']}, {scene.__doc__}")
            for width in WIDTHS:
                for scheme in SCHEMES:
                    image = PICTURES / f"{name}-{width}-{scheme}.png"
                    for found in photograph(place, result.summary, image, width, scheme):
                        broad = True
                        print(f"  broader than {width} px: {found}")
            if name in SHOWN:
                shutil.copyfile(PICTURES / f"{name}-1000-light.png", IMAGES / f"summary-{name}.png")
    return int(broad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
