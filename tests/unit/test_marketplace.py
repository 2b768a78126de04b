"""What GitHub's Marketplace asks of an action before it lists it, and what a reader sees there first.

Spec: docs.github.com, "Publishing actions in GitHub Marketplace" and "Metadata syntax".
"""

import re
from pathlib import Path

import pytest
import yaml

from runner import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLOURS = {"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"}
# Some of Feather 4.28, which has no rocket and of which GitHub leaves out a dozen.
ICONS = {"upload-cloud", "cloud", "check-circle", "package", "play-circle", "send", "server", "zap"}
# Names of GitHub's own and of the Marketplace's categories may not be taken.
TAKEN = {
    "actions",
    "deployment",
    "deploy",
    "security",
    "testing",
    "utilities",
    "github",
    "api management",
    "code quality",
}


def test_the_name_can_be_taken():
    """Short, no owner's or category's name, and nothing of GitHub's: it is the address of the page."""
    name = ACTION["name"]
    assert name.lower() not in TAKEN
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _-]{2,49}", name)
    assert "github" not in name.lower()


def test_the_branding_is_one_that_github_knows():
    """An icon of Feather's and a colour of the closed list."""
    assert ACTION["branding"]["color"] in COLOURS
    assert ACTION["branding"]["icon"] in ICONS


def test_the_description_fits_a_card():
    """It is cut at 125 characters in lists."""
    assert 20 <= len(ACTION["description"]) <= 125
    assert "author" in ACTION


def test_there_is_one_action_at_the_root():
    """With one name of the two; actions in folders are used by their path and are not listed."""
    assert ["action.yml"] == [path.name for path in ROOT.glob("action.y*ml")]


def test_every_input_and_output_is_described():
    """The page shows them as a table."""
    for kind in ("inputs", "outputs"):
        assert [] == [name for name, spec in ACTION[kind].items() if not spec["description"].strip()]


def test_the_first_screen_says_what_it_is_and_how_to_use_it():
    """Title and a paragraph in the first lines, and a workflow that can be copied within fifty."""
    lines = README.splitlines()
    assert lines[0].startswith("# ")
    assert any(len(line) > 60 and not line.startswith(("#", "[", "<", "!")) for line in lines[1:8])
    first = "\n".join(lines[:50])
    assert re.search(r"^```ya?ml\n.*?uses: \S+/baseten-deploy@", first, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "action.yml"])
def test_the_pinned_form_comes_first(name):
    """What people copy first does not move: a version or a commit. `@v1` may stand beside it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    used = re.findall(r"uses: OWNER/baseten-deploy@([^\s`]+)", text)
    assert used
    assert re.fullmatch(r"v\d+\.\d+\.\d+|[0-9a-f]{40}|COMMIT", used[0])


def test_pictures_are_addressed_as_the_marketplace_finds_them():
    """Relative addresses work there too, as long as the file is in the repository."""
    for address in re.findall(r'<img src="([^"]+)"|!\[[^\]]*\]\(([^)]+)\)', README):
        path = "".join(address)
        assert path.startswith("https://") or Path(ROOT, path).is_file(), path


def test_links_of_the_policies_lead_somewhere():
    """SECURITY.md, the policy of versions and the page about the image name files that are there."""
    for name in ("SECURITY.md", "docs/versions.md", "docs/image.md", "docs/security.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"


def test_the_policy_names_what_the_action_promises():
    """The labels that are fixed are those that the code puts on deployments."""
    policy = (ROOT / "docs" / "versions.md").read_text(encoding="utf-8")
    source = "\n".join(path.read_text() for path in (ROOT / "src" / "baseten_deploy").rglob("*.py"))
    for label in ("deploy-key", "content-digest", "git-sha", "git-ref", "github-repository", "github-run", "github-pr"):
        assert f"`{label}`" in policy
        assert f'"{label}"' in source
