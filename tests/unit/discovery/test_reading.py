"""Reading many Trusses: each with what a comparison needs, or with what is wrong."""

import os
import shutil
from pathlib import Path

import pytest
from transport import make_run, printed
from trees import MODEL, write_tree

from baseten_deploy.discovery.reading import read_all


@pytest.fixture
def read(make_settings, tmp_path):
    """Read the Trusses of a tree; gives them and the run."""

    def of(files):
        workspace = write_tree(tmp_path, files)
        run = make_run(make_settings(mode="discover"), lambda _: None)
        run.workspace = workspace
        folders = {(workspace / name).parent for name in files if name.endswith("config.yaml")}
        return read_all(run, [*folders]), run

    return of


def truss(directory, name="m", more=""):
    """The files of one."""
    return {f"{directory}/config.yaml": f"model_name: {name}\n{more}", f"{directory}/model/model.py": MODEL}


def test_what_a_comparison_needs(read):
    """Sorted by directory."""
    (a, b), _ = read({**truss("b", "two"), **truss("a", "one")})
    assert [("a", "one"), ("b", "two")] == [(a.directory, a.name), (b.directory, b.name)]
    assert (64, "one", ("a/config.yaml", 1, 1)) == (len(a.digest), a.config["model_name"], a.place)
    assert a.digest != b.digest


def test_what_is_wrong(read):
    """Each Truss with its problems, at file and line; the others are read all the same."""
    files = {**truss("a"), **truss("b", "", "python_version: 3\n"), "c/config.yaml": "model_name: m\nresources: [\n"}
    (a, b, c), _ = read(files)
    assert () == a.problems
    assert [("b/config.yaml", 2)] == [(each.file, each.line) for each in b.problems]
    assert ["c/config.yaml"] == [each.file for each in c.problems]


def test_without_a_name(read):
    """Nothing can be made of it."""
    (only,), _ = read(truss("a", "''"))
    assert ["The model has no name: the config has no `model_name`"] == [each.message for each in only.problems]
    assert "a/config.yaml" == only.problems[0].file


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (b"caf\xe9", "is not UTF-8"),
        (b"models/\xff\xfe", "is not UTF-8"),
        (b"b/\xc3(/b", "is not UTF-8"),
        (b" b", "begins or ends with white space"),
        (b"models/b\n", "begins or ends with white space"),
    ],
)
def test_a_name_that_nothing_can_carry(read, tmp_path, name, wrong):
    """Such a directory is in no matrix, for an input would name another: it is told, and the others are read."""
    _, run = read(truss("a"))
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    shutil.copytree(tmp_path / "a", path)
    good, odd = sorted(read_all(run, [tmp_path / "a", path]), key=lambda each: len(each.problems))
    assert ("a", ()) == (good.directory, good.problems)
    assert f"{wrong}, so no job of a matrix can be given it" in odd.problems[0].message
    assert odd.problems[0].message.encode()


def test_two_of_one_name(read):
    """Each but the first is wrong, at its line: one model would be deployed from two directories."""
    trusses, _ = read({**truss("a"), **truss("b"), **truss("c"), **truss("d", "other")})
    assert ["a", "d"] == [each.directory for each in trusses if not each.problems]
    assert [
        ("b/config.yaml", 1, "`b` and `a` are both called 'm'"),
        ("c/config.yaml", 1, "`c` and `a` are both called 'm'"),
    ] == [(p.file, p.line, p.message) for each in trusses for p in each.problems]


def test_warnings_are_told(read):
    """At their line, and a credential is not shown."""
    _, run = read(truss("a", more="environment_variables: {HF_TOKEN: hf_abcdefghijklmnopqrstuvwxyz0123456789}\n"))
    assert run.warnings
    assert "hf_abcdefghijklmnopqrstuvwxyz0123456789" not in printed(run)
