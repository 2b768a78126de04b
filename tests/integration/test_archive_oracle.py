"""The archive against the real truss package: the same files with the same content, and the same lists of facts."""

import io
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pathspec import PathSpec
from pathspec.patterns import GitWildMatchPattern

from baseten_deploy.archive.stream import ArchiveStream
from baseten_deploy.errors import InvalidInput
from baseten_deploy.truss import content_checks
from baseten_deploy.truss.config_checks import ACCELERATORS
from baseten_deploy.truss.config_file import RAW_CONFIG_BYTES, read_config
from baseten_deploy.truss.directory import read_truss
from baseten_deploy.truss.ignore_rules import DEFAULT_PATTERNS, IgnoreRules, read_rules
from baseten_deploy.truss.packing_list import PackedFile, PackingList

pytest.importorskip("truss", reason="compares with the real truss package, which is not installed")
import truss
from truss_oracle import Entry, archived_by_truss, entries, uploaded_by_truss

CONFIG = "model_name: hello\n"
MODEL = "class Model:\n    def predict(self, x):\n        return x\n"
RUN = "#!/bin/sh\n"  # files with this content are made executable


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write `files`; a value `-> x` is a symlink to x."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
            continue
        path.write_text(content, encoding="utf-8")
        path.chmod(0o755 if content == RUN else 0o644)
    return directory.resolve()


def packed(files: tuple[PackedFile, ...]) -> dict[str, Entry]:
    """The archive as this action packs it."""
    return entries(io.BytesIO(ArchiveStream(files, threads=2).read()))


TRUSSES: dict[str, dict[str, str]] = {
    "minimal": {},
    "default rules": {
        "lib/a.py": "a",
        "model/lib/b.py": "b",
        "model/x.so": "c",
        "build/d": "d",
        "data/weights.bin": "f",
        ".env": "g",
        "__pycache__/h.pyc": "h",
        "docs/_build/i": "i",
        "sub/docs/_build/j": "j",
        "share/python-wheels/k": "k",
        "debug.log": "l",
        "Build/m": "m",
    },
    "own rules": {
        ".truss_ignore": "# comment\n\n  *.csv  \ndata/*\n!data/keep.txt\n/root.txt\n**/cache\nsub/only/\n",
        "a.csv": "",
        "data/keep.txt": "k",
        "data/drop.txt": "d",
        "root.txt": "r",
        "sub/root.txt": "s",
        "sub/cache/x": "x",
        "sub/only/y": "y",
        "sub/only.txt": "z",
        "lib/x.so": "so",
        ".git/config": "[core]\n",
        ".env": "A=1\n",
    },
    "empty rules": {".truss_ignore": "", "lib/a.py": "a", "x.so": "b", "a.log": "c"},
    "rules that end with a carriage return": {".truss_ignore": "*.csv\r\n*.txt\r", "a.csv": "a", "b.txt": "b"},
    "executables": {"bin/start": RUN, "bin/data": "x"},
    "foreign names": {"é/ü.txt": "a", "a b/c d.txt": "b", "x" * 120 + ".txt": "c", "d" * 90 + "/" + "e" * 90: "d"},
    "symlinks to files": {"real.txt": "r", "data/link.txt": "-> ../real.txt", "start": RUN, "run": "-> start"},
    "ignored symlinks": {
        ".truss_ignore": "out\nto-directory/\nbroken\n",
        "out": "-> /etc/hostname",
        "to-directory": "-> model",
        "broken": "-> nowhere",
    },
    "requirements": {
        "config.yaml": "model_name: x\nrequirements_file: ./requirements.txt\n",
        "requirements.txt": "torch\n",
    },
    "a server of its own": {
        "config.yaml": yaml.safe_dump(
            {
                "model_name": "x",
                "base_image": {"image": "vllm/vllm-openai:latest"},
                "docker_server": {
                    "start_command": "run",
                    "server_port": 8000,
                    "predict_endpoint": "/p",
                    "readiness_endpoint": "/r",
                    "liveness_endpoint": "/l",
                },
            }
        ),
    },
}


@pytest.mark.parametrize("name", TRUSSES)
def test_the_same_archive(tmp_path: Path, name: str) -> None:
    """Names, contents and exec bits of a Truss are those that `truss push` uploads."""
    root = write(tmp_path, {"config.yaml": CONFIG, "model/model.py": MODEL, **TRUSSES[name]})
    assert uploaded_by_truss(root) == packed(read_truss(root, root).files)


@pytest.mark.parametrize("config", ["prod.yaml", "configs/prod.yaml"])
@pytest.mark.parametrize("rules", ["*.csv\n", "prod.yaml\n", "config.yaml\nconfigs\n"])
def test_the_same_archive_with_another_config(tmp_path: Path, config: str, rules: str) -> None:
    """It becomes `config.yaml`, and also stays what it is."""
    files = {
        "config.yaml": CONFIG,
        "model/model.py": MODEL,
        config: "# prod\nmodel_name: prod\n",
        ".truss_ignore": rules,
    }
    root = write(tmp_path, files)
    assert uploaded_by_truss(root, config) == packed(read_truss(root, root, config).files)


PACKAGES: dict[str, dict[str, str]] = {
    "plain": {"shared/pkg/a.py": "a", "shared/b.py": "b", "shared/run": RUN},
    "default rules within packages": {
        "shared/lib/a.py": "a",
        "shared/pkg/lib/b.py": "b",
        "shared/pkg/c.so": "c",
        "shared/d.so": "d",
        "truss/lib/e.py": "e",
    },
    "own rules on top": {
        "truss/.truss_ignore": "*.csv\npackages/pkg/drop\n",
        "shared/lib/a.py": "a",
        "shared/pkg/lib/b.py": "b",
        "shared/pkg/c.csv": "c",
        "shared/pkg/drop/d.py": "d",
        "shared/d.so": "d",
        "truss/lib/e.py": "e",
        "truss/x.so": "f",
    },
    "merged": {"shared/pkg/a.py": "a", "truss/packages/pkg/b.py": "b", "truss/packages/c.py": "c"},
    "ignored as a whole": {"truss/.truss_ignore": "packages/\n", "shared/pkg/a.py": "a"},
    "bundled elsewhere": {
        "truss/config.yaml": "model_name: x\nexternal_package_dirs: [../shared]\nbundled_packages_dir: vendor/py\n",
        "truss/vendor/py/b.py": "b",
        "shared/pkg/a.py": "a",
    },
    "two of them": {
        "truss/config.yaml": "model_name: x\nexternal_package_dirs: [../shared, ../more]\n",
        "shared/pkg/a.py": "a",
        "more/pkg/b.py": "b",
    },
}


@pytest.mark.parametrize("name", PACKAGES)
def test_the_same_archive_with_external_packages(tmp_path: Path, name: str) -> None:
    """The same files; only `config.yaml`, which truss writes anew with all defaults, differs in form."""
    files = {
        "truss/config.yaml": "model_name: hello\nexternal_package_dirs:\n  - ../shared\n",
        "truss/model/model.py": MODEL,
        **PACKAGES[name],
    }
    root = write(tmp_path, files)
    theirs = uploaded_by_truss(root / "truss")
    ours = packed(read_truss(root / "truss", root).files)
    their_config, our_config = (yaml.safe_load(archive.pop("config.yaml").content) for archive in (theirs, ours))
    assert theirs == ours
    assert [] == their_config.pop("external_package_dirs")
    assert our_config.items() <= their_config.items()


NAMES = (
    "lib",
    "build",
    "a",
    "ab",
    "b.py",
    "x.so",
    "data.csv",
    ".env",
    ".git",
    "docs",
    "_build",
    "é",
    "a b",
    "[x]",
    "env",
    "a.log",
    "!a",
    "#a",
    "*",
    "-",
)
SEGMENTS = st.one_of(
    st.sampled_from(
        (*NAMES, "**", "?", "a*", "*.so", "[ab]", "[!a]*", "[x", "\\*", "\\!a", "\\[x]", "a\\ ", "*b*", "")
    ),
    st.text(st.sampled_from("ab*?[]!/\\.- "), max_size=4),
)
PATTERNS = st.builds(
    lambda before, parts, after: before + "/".join(parts) + after,
    st.sampled_from(("", "/", "!", "!/", "\\", " ", "#")),
    st.lists(SEGMENTS, min_size=1, max_size=3),
    st.sampled_from(("", "", "/", "/*", "/**", " ", "\\")),
)
TREES = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join), min_size=1, max_size=12)


@settings(max_examples=400)
@given(names=TREES, patterns=st.none() | st.lists(PATTERNS, max_size=6))
@example(names=["lib/a", "a/lib", "x.so/b.py"], patterns=None)
@example(names=["a"], patterns=["[#- ]"])
@example(names=["a", "ab"], patterns=["[[:alpha:]]b"])
@example(names=["a/b.py", "a/ab"], patterns=["a", "!a/b.py"])
@example(names=["a/b.py", "a/ab"], patterns=["a/*", "!a/b.py"])
def test_the_same_files_under_any_rules(names: list[str], patterns: list[str] | None) -> None:
    """For any tree and any `.truss_ignore`; rules that end truss with an exception are an error here too."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory).resolve()
        for name in names:
            path = root / name
            if not any(each.is_file() for each in (path, *path.parents)) and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(name, encoding="utf-8")
        if patterns is not None:
            (root / ".truss_ignore").write_text("\n".join(patterns), encoding="utf-8")
        try:
            rules = read_rules(root)
        except InvalidInput:
            with pytest.raises((ValueError, re.error)):
                archived_by_truss(root)
            return
        packing = PackingList(rules, root)
        packing.add_tree(root, [root])
        assert [] == packing.problems
        assert archived_by_truss(root) == packed(packing.files)


@settings(max_examples=300)
@given(
    name=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join), patterns=st.lists(PATTERNS, max_size=4)
)
def test_single_decisions(name: str, patterns: list[str]) -> None:
    """A directory is ignored when truss prunes it, a file when truss filters it: both ask for one path alone."""
    lines = tuple(line for line in map(str.strip, patterns) if line and not line.startswith("#"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            spec = PathSpec.from_lines(GitWildMatchPattern, lines)
        except (ValueError, re.error):
            return
    rules = IgnoreRules(custom=True, patterns=lines)
    assert spec.match_file(name) == rules.ignores_file(name)
    assert (spec.match_file(name) or spec.match_file(f"{name}/")) == rules.ignores_directory(name)


def test_the_default_rules_are_those_of_truss() -> None:
    """Line by line, in order."""
    from truss.util.path import load_trussignore_patterns  # noqa: PLC0415

    assert tuple(load_trussignore_patterns()) == DEFAULT_PATTERNS


def test_accelerators_are_those_of_truss() -> None:
    """By name."""
    from truss.base.truss_config import Accelerator  # noqa: PLC0415

    assert tuple(each.value for each in Accelerator) == ACCELERATORS


def test_the_limit_of_the_raw_config_is_that_of_truss() -> None:
    """In bytes."""
    from truss.remote.baseten.remote import RAW_CONFIG_MAX_BYTES  # noqa: PLC0415

    assert RAW_CONFIG_MAX_BYTES == RAW_CONFIG_BYTES


SHIPPED = sorted(path.parent for path in Path(truss.__file__).parent.rglob("config.yaml"))


@pytest.mark.parametrize("directory", SHIPPED, ids=lambda path: path.name)
def test_no_false_alarm(directory: Path) -> None:
    """Every Truss that the package ships, for its own tests and as templates, runs: nothing is said of its content."""
    root = directory.resolve()
    try:
        config = read_config(root / "config.yaml", [root], root)
    except InvalidInput:
        return  # of another kind of tool, or wrong on purpose
    packing = PackingList(read_rules(root), root)
    packing.add_tree(root, [root])
    found = content_checks.check(packing, config, root)
    assert ((), ()) == (found.errors, found.warnings)


def test_there_are_trusses_to_judge() -> None:
    """Else the test above says nothing."""
    assert len(SHIPPED) > 10
