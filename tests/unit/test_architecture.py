"""The house is as CONTRIBUTING.md draws it. The direction of imports is import-linter's to judge, in `make lint`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import architecture

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "baseten_deploy"
PACKAGES = sorted(path.parent for path in (ROOT / "src").rglob("__init__.py"))
MODULES = sorted((ROOT / "src").rglob("*.py"))


def texts(path: Path) -> Iterator[str]:
    """The text constants of a module that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("package", PACKAGES[1:], ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_package_says_what_is_in_it_and_hands_nothing_on(package):
    """A docstring, and nothing else; the packages at the top have a version and the sandbox's interface."""
    if package.parent == ROOT / "src":
        return
    body = ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body
    assert [ast.Expr] == [type(node) for node in body]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_module_is_one_noun_of_readable_size(module):
    """At most 350 lines, and no drawer for what has no place."""
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 350
    assert not re.search(r"utils?|helpers?|common|misc", module.stem)


def test_only_ci_reads_the_variables_of_github():
    """Whatever a run knows of GitHub it has from there."""
    readers = {
        path.relative_to(SOURCES).parts[0]
        for path in SOURCES.rglob("*.py")
        if any(re.fullmatch(r"(GITHUB|RUNNER)_[A-Z_]+", text) for text in texts(path))
    }
    assert {"ci"} == readers


def test_unit_tests_stand_where_their_modules_stand():
    """A folder for each package, and in it only tests of modules that exist (or of a part of one)."""
    for folder in (path for path in (ROOT / "tests" / "unit").iterdir() if path.is_dir() and path.name[0] not in "._"):
        modules = {path.stem for path in (SOURCES / folder.name).glob("*.py")}
        tests = [path.stem.removeprefix("test_") for path in folder.glob("test_*.py")]
        assert [] == [name for name in tests if not any(name.startswith(module) for module in modules)]


class TestMap:
    """What `make generate` draws."""

    def test_every_package_is_on_it(self):
        """The contract is exhaustive, and so is the picture."""
        drawn = {name for layer in architecture.layers(ROOT) for name in layer}
        assert {path.name for path in PACKAGES if path.parent == SOURCES} <= drawn

    def test_the_way_of_a_run(self):
        """In the order in which things happen, whatever the file says first."""
        files = [step.path for step in architecture.way(ROOT)]
        expected = [
            "deployment.truss_input",
            "deployment.assembly",
            "deployment.push",
            "deployment.wait",
            "checks.smoke_test",
            "gate",
            "nemo.registration",
            "deployment.retirement",
        ]
        assert expected == [file for file in files if file in expected]

    def test_sentences(self):
        """The first one of a docstring, on one line."""
        assert "Where the job's files are: nothing outside of it is packed" == architecture.sentence(
            ROOT, "ci.workspace"
        )
