"""The interface is written down once, and everything that repeats it says the same: action.yml, tables, image, pins."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import generate
from baseten_deploy.ci.outputs import OUTPUTS
from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.table import INPUTS
from baseten_deploy.status import Status

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
PINS = {
    name: dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-truss.txt")
}


def rows(name: str) -> dict[str, list[str]]:
    """Read the rows of a generated table, by name, from wherever it stands in the documentation."""
    found: dict[str, list[str]] = {}
    for path in generate.targets():
        text = path.read_text(encoding="utf-8")
        for block in re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL):
            for line in block.splitlines():
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                if cells[0].startswith("`"):
                    found[cells[0].strip("`")] = [cell.replace("\\|", "|") for cell in cells[1:]]
    return found


class TestActionYml:
    """What GitHub reads."""

    def test_has_every_input(self):
        """The same inputs in the same order with the same defaults; GitHub does not enforce `required`, so none is."""
        expected = [(spec.name, {"default": spec.default}) for spec in INPUTS]
        actual = [
            (name, {key: value for key, value in spec.items() if key != "description"})
            for name, spec in ACTION["inputs"].items()
        ]
        assert expected == actual

    def test_describes_every_input(self):
        """Each description says what the table says, and names the values of a closed list."""
        for spec in INPUTS:
            description = ACTION["inputs"][spec.name]["description"]
            assert (
                description[0].lower() + description[1:]
                == generate.sentence(spec)[0].lower() + (generate.sentence(spec)[1:])
            )
            assert spec.description[1:] in description
            assert all(f"`{choice}`" in description for choice in spec.choices)

    def test_each_description_stands_alone(self):
        """It is read by hovering, without the one above it: it refers to none, and is more than a name."""
        for name, spec in ACTION["inputs"].items():
            description = spec["description"]
            assert not re.search(
                r"(?i)\b(the same|that environment|of them|retire them|the former|as above)\b", description
            ), name
            assert len(description.split()) > 4, name
            assert "${{" not in description, name  # GitHub would take it for an expression

    def test_the_status_lists_its_values(self):
        """All of the closed list."""
        assert [*Status] == re.findall(r"`(\w+)`", ACTION["outputs"]["status"]["description"])

    def test_has_every_output(self):
        """The same outputs in the same order, with their descriptions."""
        assert list(OUTPUTS) == list(ACTION["outputs"])
        for name, description in OUTPUTS.items():
            assert description[1:] in ACTION["outputs"][name]["description"]

    def test_runs_the_dockerfile(self):
        """A Docker action built from this repository, with what the Marketplace asks for."""
        assert {"using": "docker", "image": "Dockerfile"}.items() <= ACTION["runs"].items()
        assert {"name", "description", "author", "branding"} <= ACTION.keys()


class TestInputs:
    """The table of inputs by itself."""

    def test_names_are_unique_and_plain(self):
        """So that each has one `INPUT_` variable and one command-line option."""
        names = [spec.name for spec in INPUTS]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in names)

    @pytest.mark.parametrize("spec", INPUTS, ids=lambda spec: spec.name)
    def test_default_fits_the_kind(self, spec):
        """A default can be read as its kind, and a closed list is given exactly for a choice."""
        assert bool(spec.choices) == (spec.kind is Kind.CHOICE)
        match spec.kind:
            case Kind.CHOICE:
                assert spec.default in spec.choices
            case Kind.FLAG:
                assert spec.default in {"true", "false"}
            case Kind.INTEGER | Kind.NUMBER if spec.default:
                assert float(spec.default) >= 0
            case Kind.SECRET | Kind.OBJECT | Kind.JSON:
                assert spec.default == ""


class TestDocumentation:
    """The tables a user reads."""

    def test_lists_every_input(self):
        """Name, default, values and meaning."""
        expected = {
            spec.name: [
                f"`{spec.default}`" if spec.default else "",
                ", ".join(f"`{choice}`" for choice in spec.choices) or str(spec.kind),
                spec.description,
            ]
            for spec in INPUTS
        }
        assert expected == rows("inputs")

    def test_lists_every_output(self):
        """Name and meaning."""
        assert {name: [description] for name, description in OUTPUTS.items()} == rows("outputs")

    def test_generated_blocks_are_up_to_date(self, capsys):
        """`make generate` would change nothing."""
        assert generate.main(["--check"]) == 0, capsys.readouterr().out

    def test_statuses_are_the_closed_list(self):
        """Exit code 0 for those that did what was asked, 130 when cancelled, else 1 (README.md, "Outputs")."""
        expected = {"success": 0, "planned": 0, "skipped": 0, "cancelled": 130}
        assert {status.value: expected.get(status.value, 1) for status in Status} == {
            status.value: status.exit_code for status in Status
        }


HOLE = "\0"  # stands for what a message gets filled in


@cache
def printed_texts() -> str:
    """Every text in the action's sources that is no docstring, with named constants filled in; a line or more each."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "src" / "baseten_deploy").rglob("*.py")]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def piece(node: ast.expr) -> str:
        if isinstance(node, ast.FormattedValue):
            return constants.get(node.value.id, HOLE) if isinstance(node.value, ast.Name) else HOLE
        return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

    nodes = [node for tree in trees for node in ast.walk(tree)]
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    return "\n".join(
        "".join(map(piece, node.values)) if isinstance(node, ast.JoinedStr) else piece(node)
        for node in nodes
        if isinstance(node, ast.JoinedStr | ast.Constant) and node not in docstrings
    )


def quoted_messages() -> list[str]:
    """Every message in the first column of the table "By message" of docs/troubleshooting.md."""
    table = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").partition("## By message")[2]
    cells = [re.split(r"(?<!\\)\|", line)[1] for line in table.splitlines() if line.startswith("|")]
    return [found[1] for cell in cells for found in re.findall(r"(?<!`)(`+)(?!`) ?(.+?) ?(?<!`)\1(?!`)", cell)]


def as_pattern(quote: str) -> str:
    """A quote's `...` is anything; a number or a word in capitals may be what the message gets filled in."""
    words = re.split(r"(\.\.\.|\d+|[A-Z][A-Z_]{2,})", quote)
    words[::2] = map(re.escape, words[::2])
    words[1::2] = (".*" if word == "..." else f"(?:{word}|{HOLE})" for word in words[1::2])
    return "".join(words)


class TestTroubleshooting:
    """The page that is searched for the words of a message."""

    def test_quotes_what_is_printed(self):
        """Every quoted message stands in the sources, in these words."""
        quotes, texts = quoted_messages(), printed_texts()
        assert len(quotes) > 50
        assert [] == [quote for quote in quotes if not re.search(as_pattern(quote), texts)]

    @pytest.mark.parametrize(
        "quote", ["The dry runs was refused", "ended as built", "has no config.yaml", "Ended as FAILED"]
    )
    def test_a_wrong_quote_is_found_out(self, quote):
        """Another word, another case, a lost backtick."""
        assert not re.search(as_pattern(quote), printed_texts())


class TestGenerator:
    """`scripts/generate.py` by itself."""

    def test_writes_only_between_the_markers(self):
        """What is written by hand stays, what stood in the block goes, and twice is as good as once."""
        before = "# Title\n<!-- outputs -->\nold\n<!-- /outputs -->\nby hand, <!-- inputs --> in a sentence\n"
        once = generate.regenerated(before, ".md")
        assert once.startswith("# Title\n<!-- outputs -->\n| output | meaning |\n")
        assert once.endswith("\n<!-- /outputs -->\nby hand, <!-- inputs --> in a sentence\n")
        assert "old" not in once
        assert once == generate.regenerated(once, ".md")

    def test_refuses_an_unknown_option(self, capsys):
        """And says how it is used."""
        assert generate.main(["--chekc"]) == 2
        assert "--check" in capsys.readouterr().out


def dependencies(name: str) -> set[str]:
    """Name what an installed distribution requires here, without its extras."""
    requirements = map(Requirement, metadata.requires(name) or [])
    return {
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }


class TestPins:
    """requirements.txt is all that the image installs, and pip resolves nothing there."""

    @pytest.mark.parametrize("name", PINS)
    def test_every_pin_has_hashes(self, name):
        """Each requirement is exact and hashed, and no index, link or path of a machine got in."""
        text = (ROOT / name).read_text(encoding="utf-8")
        for requirement in re.findall(r"^[^ #\n].*(?:\n .*)*", text, re.MULTILINE):
            assert re.match(r"[a-z0-9-]+==\S+( ; .*)? \\\n", requirement), requirement
            assert "--hash=sha256:" in requirement
        assert not re.search(r"^-|://|@|/", re.sub(r"#.*", "", text), re.MULTILINE)

    @pytest.mark.parametrize("name", PINS)
    def test_the_versions_are_those_of_the_image(self, name):
        """All tests run with what the image has."""
        assert PINS["requirements.txt"].items() <= PINS[name].items()

    def test_nothing_is_missing(self):
        """Everything that is imported is pinned, and so is everything that the pinned packages require.

        actions-toolkit is the exception: see pyproject.toml.
        """
        pinned = set(PINS["requirements.txt"])
        required = set().union(*(dependencies(name) for name in pinned - {"actions-toolkit"}))
        assert required - pinned == set()
        package = ROOT / "src" / "baseten_deploy"
        # What runs where truss is, in an environment of its own: requirements-chain.txt.
        elsewhere = {package / "chain" / "truss_program.py"}
        sources = [ROOT / "entrypoint.py", *(set(package.rglob("*.py")) - elsewhere)]
        imported = set().union(*map(third_party_imports, sources))
        owners = metadata.packages_distributions()
        assert {canonicalize_name(owner) for module in imported for owner in owners[module]} <= pinned

    def test_only_the_parts_of_actions_toolkit_without_dependencies_are_imported(self):
        """Its other modules import PyGithub and requests, which the image does not have."""
        package = Path(str(metadata.distribution("actions-toolkit").locate_file("actions_toolkit")))
        for module in ("command", "file_command", "utils"):
            assert third_party_imports(package / f"{module}.py") <= {"actions_toolkit"}
        used = set()
        for path in (ROOT / "src" / "baseten_deploy").rglob("*.py"):
            used |= set(re.findall(r"^\s*(?:from|import) (actions_toolkit\S*)", path.read_text(), re.MULTILINE))
        assert used <= {f"actions_toolkit.{module}" for module in ("command", "file_command", "utils")}

    def test_pins_match_pyproject(self):
        """A dependency that was added or raised in pyproject.toml is pinned: else `make requirements` was forgotten."""
        document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        project, groups = document["project"], document["dependency-groups"]
        for text in project["dependencies"]:
            requirement = Requirement(text)
            version = PINS["requirements.txt"][canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), text
        for text in (*project["optional-dependencies"]["sandbox"], *groups["dev"]):
            requirement = Requirement(text)
            version = PINS["requirements-dev.txt"][canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), text


def third_party_imports(path: Path) -> set[str]:
    """Name the top-level modules that a source file imports and that are neither Python's nor ours."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"baseten_deploy"}


class TestDockerfile:
    """What cannot be seen from inside the image."""

    TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    def test_base_is_exact(self):
        """A version with its patch number, on each FROM that is no stage of this file."""
        stages = re.findall(r"^FROM \S+ AS (\S+)", self.TEXT, re.MULTILINE)
        bases = [name for name in re.findall(r"^FROM (\S+)", self.TEXT, re.MULTILINE) if name not in stages]
        assert bases
        assert all(re.match(r"python:3\.\d+\.\d+-slim", base) for base in bases)

    def test_chains_have_a_target_of_their_own(self):
        """What is built without a target is the action without `truss`."""
        stages = re.split(r"^FROM ", self.TEXT, flags=re.MULTILINE)[1:]
        assert "action\n" == stages[-1]
        (chain,) = [stage for stage in stages if stage.startswith("action AS chain\n")]
        (truss,) = [stage for stage in stages if stage.partition("\n")[0].endswith(" AS truss")]
        assert "COPY --from=truss /chain/ /\n" in chain
        assert "--require-hashes" in truss
        assert "ENV BASETEN_DEPLOY_TRUSS_PYTHON=/opt/truss/bin/python" in chain
        text = (ROOT / "requirements-chain.txt").read_text(encoding="utf-8")
        (version,) = re.findall(r"^truss==(\S+)", text, re.MULTILINE)
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        assert [f"truss=={version}"] == groups["chain"]
        assert f"truss=={version}" in (ROOT / "requirements-truss.txt").read_text(encoding="utf-8")

    def test_the_sub_action_has_the_same_interface(self):
        """Inputs, outputs and the post step of both action.yml files are the same."""
        chain = yaml.safe_load((ROOT / "chain" / "action.yml").read_text(encoding="utf-8"))
        assert (ACTION["inputs"], ACTION["outputs"]) == (chain["inputs"], chain["outputs"])
        own = {key: value for key, value in ACTION["runs"].items() if key != "image"}
        assert own == {key: value for key, value in chain["runs"].items() if key != "image"}

    def test_entry_point_needs_no_shell_and_no_path(self):
        """Exec form with absolute paths, isolated, as root."""
        entry = re.search(r"^ENTRYPOINT (.*)$", self.TEXT, re.MULTILINE)
        assert entry
        words = yaml.safe_load(entry.group(1))
        assert words[0].startswith("/")
        assert "-I" in words
        assert words[-1] == "/app/entrypoint.py"
        assert not re.search(r"^(USER|CMD|SHELL)", self.TEXT, re.MULTILINE)
