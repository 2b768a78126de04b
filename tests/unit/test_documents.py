"""What users read agrees with itself and with the product: links, commands, YAML that is copied, versions, numbers.

Whole runs of what stands there are `tests/integration/test_documents.py`; tables and messages are `test_contract`.
"""

import re
import shlex
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from baseten_deploy.checks.file import read_checks
from baseten_deploy.inputs.command_line import with_options
from baseten_deploy.inputs.settings import read_settings, variable_of
from baseten_deploy.inputs.table import BY_NAME
from baseten_sandbox.state.entities import INSTANCE_TYPES, REGIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WORKFLOWS = [*sorted((ROOT / "examples" / "workflows").glob("*.yml")), *sorted((ROOT / ".github").rglob("*.yml"))]
OURS = "OWNER/baseten-deploy@"


def name(path):
    """A file as it is called."""
    return path.relative_to(ROOT).as_posix()


def blocks(*languages):
    """Every block of code in one of these languages: the page it stands on, and its text without its indentation."""
    for page in PAGES:
        for found in re.finditer(
            r"^( *)```(\w*)\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            if found[2] in languages:
                yield name(page), re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)


def anchors(page):
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestLinks:
    """Of one page to another."""

    @pytest.mark.parametrize("page", PAGES, ids=name)
    def test_lead_somewhere(self, page):
        """To a file that is there, and to one of its headings."""
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"\]\((?!https?:)([^)\s]*)\)|src=\"(?!https?:)([^\"]*)\"", text)
        wrong = []
        for target in (one or other for one, other in found):
            file, _, anchor = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                wrong.append(target)
        assert [] == wrong

    @pytest.mark.parametrize("page", PAGES, ids=name)
    def test_files_in_words_are_there(self, page):
        """A path in backticks that begins with one of our folders."""
        text = page.read_text(encoding="utf-8")
        named = re.findall(
            r"`((?:src|tests|unit|integration|examples|docs|scripts|benchmarks|schemas)/[\w./-]+)`", text
        )
        places = (ROOT, ROOT / "tests")
        assert [] == [path for path in named if not any((place / path).exists() for place in places)]


# What stands in a block and is no command of this project: another tool's, whose words are its own.
_FOREIGN = ("nemo", "curl", "printf", "export", ".", "gh", "skopeo")


def commands():
    """Every command of every block of commands, without prompt and comment; continued lines are one."""
    for page, text in blocks("console", ""):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            for separator in ("&&", "|"):
                words = [word if word != separator else "\n" for word in words]
            for command in " ".join(map(shlex.quote, words)).split(shlex.quote("\n")):
                if command.strip():
                    yield page, shlex.split(command)


class TestCommands:
    """Somebody who follows them gets to where they lead."""

    @pytest.mark.parametrize(("page", "words"), [pytest.param(*each, id=" ".join(each[1])[:60]) for each in commands()])
    def test_are_ones(self, page, words):
        """Targets, modules, options, markers and files are there; a command of another kind has to be added here."""
        program, *rest = words
        program = re.sub(r"^.*bin/", "", program)
        match program:
            case "make":
                makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
                for word in rest:
                    variable, given, _ = word.partition("=")
                    assert re.search(rf"^{variable} [?:]?=" if given else rf"^{word}:", makefile, re.MULTILINE), word
            case "python" | "python3" if rest[0] == "-m":
                assert find_spec(rest[1]), rest[1]
                if rest[1] == "pytest":
                    assert f'"{rest[rest.index("-m", 1) + 1]}: ' in (ROOT / "pyproject.toml").read_text()
            case "python" | "python3" if rest[0].endswith(".py"):
                assert (ROOT / rest[0]).is_file()
                with_options(rest[1:], {})
            case "python" | "python3":
                assert "-c" == rest[0]
                compile(rest[1], page, "exec")
            case "pip":
                assert ["install", "--no-deps", "--require-hashes", "-r"] == rest[:4]
                assert rest[4] == "without-isal.txt" or (ROOT / rest[4]).is_file()
            case _:
                assert program in _FOREIGN

    def test_of_the_first_screen(self):
        """Whoever opens the README sees how to try it before anything else."""
        first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:20]
        assert {"make demo", "make test"} <= {" ".join(line.split()[1:3]) for line in first if line.startswith("$")}

    def test_requirements_without_isal(self):
        """docs/network.md: a program that cuts one package out, and leaves every other with its hashes."""
        [program] = [words[2] for page, words in commands() if "isal" in str(words) and "-c" in words]
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        whole = (ROOT / "requirements.txt").read_text(encoding="utf-8")
        packages = re.findall(r"^([a-z0-9-]+)==", whole, re.MULTILINE)
        assert [each for each in packages if each != "isal"] == re.findall(
            r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE
        )
        assert whole.count("--hash") > done.stdout.count("--hash") > 100


def steps(document):
    """Every step of ours in a piece of YAML, whatever of a workflow it is."""
    if isinstance(document, dict):
        if str(document.get("uses", "")).startswith(OURS):
            yield document
        document = list(document.values())
    for part in document if isinstance(document, list) else ():
        yield from steps(part)


def inputs_of(text):
    """The inputs in a block of YAML: of each step of ours in it, or of the block when nothing else stands there."""
    document = yaml.safe_load(text)
    yield from (step["with"] for step in steps(document))
    if isinstance(document, dict) and document.keys() <= BY_NAME.keys() and document.keys() != {"checks"}:
        yield document


def settings_of(inputs):
    """The settings that these inputs are, and what is wrong with them."""
    texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in inputs.items()}
    return read_settings({variable_of(key): value for key, value in texts.items()})


class TestYaml:
    """What is copied."""

    @pytest.mark.parametrize(
        ("page", "inputs"), [(page, inputs) for page, text in blocks("yaml") for inputs in inputs_of(text)]
    )
    def test_inputs_are_ones(self, page, inputs):
        """All are known, and can be read."""
        assert set(inputs) <= set(BY_NAME), page
        assert [] == settings_of(inputs)[1]

    @pytest.mark.parametrize(
        "text",
        [text for _, text in blocks("yaml") if isinstance((yaml.safe_load(text) or {}), dict) and "checks:\n" in text],
    )
    def test_checks_are_ones(self, tmp_path, text):
        """A checks file that is copied from the page is taken as it is."""
        (tmp_path / "checks.yaml").write_text(text)
        (tmp_path / "hello.wav").write_bytes(b"RIFF")
        suite, problems = read_checks("checks.yaml", "", truss=tmp_path, workspace=tmp_path, timeout=300.0)
        assert [] == problems
        assert suite.checks

    def test_places_and_machines_exist(self):
        """The region and the instance type of the recipe are ones that the service has."""
        given = [settings_of(inputs)[0].deployment_settings for _, text in blocks("yaml") for inputs in inputs_of(text)]
        [settings] = filter(None, given)
        assert settings["region"] in REGIONS
        assert settings["instance_type_id"] in INSTANCE_TYPES


def test_one_version_of_each_action():
    """In all workflows, ours and those to copy, and on all pages: a commit, with its version behind it."""
    seen = defaultdict(set)
    for path in (*PAGES, *WORKFLOWS):
        for action, rest in re.findall(
            r"uses: ([\w.-]+/[\w./-]+)@(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            if not f"{action}@".startswith((OURS, OURS.replace("@", "/"), "basetenlabs/")):
                seen[action].add(rest.strip())
    assert set() != set(seen)
    assert {} == {action: found for action, found in seen.items() if len(found) > 1}
    assert [] == [
        rest for found in seen.values() for rest in found if not re.fullmatch(r"[0-9a-f]{40} # v[\d.]+", rest)
    ]


class TestNumbers:
    """They stand where they were measured, and are repeated as they are there."""

    MEASURED = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split("<!-- ")[1]
    README = (ROOT / "README.md").read_text(encoding="utf-8")

    def rows(self, cells):
        """The rows of the table with so many columns."""
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in self.MEASURED.splitlines()]
        return [row for row in rows if len(row) == cells]

    def shares(self):
        """By Truss and setting: the time of this action against `truss push`."""
        return {(row[0], row[1]): row[8] for row in self.rows(10) if row[2] == "this action"}

    def goal(self, beginning):
        """What was reached of a goal, in each setting that it was measured in."""
        return [reached for goal, _, reached in self.rows(3) if goal.startswith(beginning)]

    def test_of_the_readme(self):
        """The range of all rows, and what was reached of the goals."""
        speed = " ".join(re.search(r"\*\*Speed\.\*\*(.*?)\n\n", self.README, re.DOTALL)[1].split())
        shares, first = self.shares().values(), self.goal("start to first request")
        assert f"takes {min(shares)} to {max(shares)} of the time of `truss push`" in speed
        assert f"the first request is out in {min(first)} to {max(first)} of it" in speed
        bytes_of = {row[2]: float(row[7]) for row in self.rows(10) if row[:2] == ["60 MB code", "unlimited"]}
        assert f"60 MB of code are {bytes_of['this action'] / bytes_of['truss push']:.2f} of its bytes" in speed
        limit = int(re.search(r"memory stays below (\d+) MB", speed)[1])
        assert int(self.goal("peak memory")[0].split()[0]) < limit

    def test_of_the_table_of_goals(self):
        """It says what the table below it does: nobody wrote into one of them."""
        for (truss, setting), share in self.shares().items():
            assert [share] == self.goal(f"start to commit, {truss}, {setting}, against `truss`")
