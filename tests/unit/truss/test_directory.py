"""Reading a Truss: where it is, which config counts, and all problems at once."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import MINIMAL_TRUSS, write_tree

from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.truss.directory import Truss, read_truss


def truss_of(workspace: Path, files: Mapping[str, str | bytes], config: str = "") -> Truss:
    """A minimal Truss with `files`, in the directory `truss` of a workspace."""
    root = write_tree(workspace, {f"truss/{name}": content for name, content in {**MINIMAL_TRUSS, **files}.items()})
    return read_truss(root / "truss", root, config)


def problems_of(workspace: Path, directory: str, config: str = "") -> tuple[Problem, ...]:
    """The problems with a directory of a workspace."""
    root = workspace.resolve()
    with pytest.raises(InvalidInput) as caught:
        read_truss(root / directory if directory != "." else root, root, config)
    return caught.value.problems


def test_a_minimal_truss(tmp_path: Path) -> None:
    """Everything that a deployment needs, and no warnings."""
    truss = truss_of(tmp_path, {})
    root = tmp_path.resolve()
    assert ("truss/config.yaml", {"model_name": "hello"}, "model_name: hello\n") == (
        truss.config_file,
        truss.config,
        truss.raw_config,
    )
    assert {("model_name",): (1, 1)} == truss.positions
    assert ["config.yaml", "model/model.py"] == [file.name for file in truss.files]
    assert [root / "truss/config.yaml", root / "truss/model/model.py"] == [file.source for file in truss.files]
    assert ((), ()) == (truss.dropped, truss.warnings)


def test_the_workspace_can_be_the_truss(tmp_path: Path) -> None:
    """As in a repository with one model."""
    root = write_tree(tmp_path, {**MINIMAL_TRUSS, ".git/config": "token", ".github/workflows/ci.yaml": ""})
    truss = read_truss(root, root)
    assert truss.config_file == "config.yaml"
    assert [".github/workflows/ci.yaml", "config.yaml", "model/model.py"] == [file.name for file in truss.files]


def test_another_config(tmp_path: Path) -> None:
    """Its content is packed as `config.yaml`; it stays where it is, and is what annotations name."""
    files = {"config.yaml": "model_name: [broken", "configs/prod.yaml": "# prod\nmodel_name: prod\n"}
    truss = truss_of(tmp_path, files, "configs/prod.yaml")
    assert ("truss/configs/prod.yaml", {"model_name": "prod"}) == (truss.config_file, truss.config)
    assert truss.raw_config == "# prod\nmodel_name: prod\n"
    assert {"config.yaml": b"# prod\nmodel_name: prod\n", "configs/prod.yaml": None} == {
        file.name: file.source if isinstance(file.source, bytes) else None
        for file in truss.files
        if "model.py" not in file.name
    }


def test_another_config_relative_to_the_workspace(tmp_path: Path) -> None:
    """As `truss push --config` takes it, and so the workflow of action-truss-push."""
    truss = truss_of(tmp_path, {"prod.yaml": "model_name: prod\n"}, "truss/prod.yaml")
    assert truss.config_file == "truss/prod.yaml"


def test_another_config_needs_no_config_yaml(tmp_path: Path) -> None:
    """Neither one on disk, nor one that is not ignored."""
    root = write_tree(tmp_path, {"model/model.py": "", "prod.yaml": "model_name: x\n", ".truss_ignore": "*.yaml\n"})
    (root / "config.yaml").symlink_to("/etc/passwd")
    truss = read_truss(root, root, "prod.yaml")
    assert [".truss_ignore", "config.yaml", "model/model.py"] == [file.name for file in truss.files]


@pytest.mark.parametrize(
    ("config", "message", "remedy"),
    [
        ("staging.yaml", "`config`: there is no `staging.yaml` in `truss`", "There are `config.yaml`, `prod.yml`."),
        (
            "../other.yaml",
            "`config`: `../other.yaml` is outside of the Truss",
            "Name another config file in the Truss directory.",
        ),
        (
            "/etc/passwd",
            "`config`: `/etc/passwd` is outside of the Truss",
            "Name another config file in the Truss directory.",
        ),
    ],
)
def test_another_config_that_is_not_there(tmp_path: Path, config: str, message: str, remedy: str) -> None:
    """With the files to choose from."""
    write_tree(tmp_path, {"truss/config.yaml": "", "truss/prod.yml": "", "other.yaml": ""})
    assert (Problem(message, remedy),) == problems_of(tmp_path, "truss", config)


@pytest.mark.parametrize(
    ("files", "directory", "message", "remedy"),
    [
        ({}, "truss", "The workspace is empty", "Run `actions/checkout` in a step before this one, in the same job."),
        (
            {"models/a/config.yaml": ""},
            "truss",
            "`truss-directory`: there is no directory `truss`",
            "Did you mean `truss-directory: models/a`?",
        ),
        (
            {"a/config.yaml": "", "b/c/config.yaml": "", "README.md": ""},
            ".",
            "`truss-directory`: `.` has no `config.yaml`",
            "Did you mean one of `a`, `b/c`?",
        ),
        (
            {"truss/config.yaml": "", "truss/model/model.py": ""},
            "truss/model",
            "`truss-directory`: `truss/model` has no `config.yaml`",
            "Did you mean `truss-directory: truss`?",
        ),
        (
            {"README.md": "", "build/config.yaml": "", "a/b/c/d/config.yaml": ""},
            ".",
            "`truss-directory`: `.` has no `config.yaml`",
            "A Truss is a directory with a `config.yaml`; the path is relative to the workspace.",
        ),
        (
            {"truss/config.yaml": ""},
            "truss/config.yaml",
            "`truss-directory`: `truss/config.yaml` is a file",
            "Give the directory that has `config.yaml`; another config file in it goes into the input `config`.",
        ),
        (
            {"chain.py": ""},
            "chain.py",
            "`truss-directory`: `chain.py` is a Python file, no Truss directory",
            "For a Chain write it without a slash at its end; for a model, give the directory that has `config.yaml`.",
        ),
    ],
)
def test_a_directory_that_is_no_truss(
    tmp_path: Path, files: dict[str, str], directory: str, message: str, remedy: str
) -> None:
    """Each mistake has its own answer, with what was probably meant."""
    write_tree(tmp_path, files)
    assert (Problem(message, remedy),) == problems_of(tmp_path, directory)


def test_config_yml(tmp_path: Path) -> None:
    """A frequent mistake, which `truss push` refuses as well."""
    write_tree(tmp_path, {"truss/config.yml": ""})
    assert (
        Problem(
            "`truss-directory`: `truss` has no `config.yaml`",
            "Rename `config.yml` to `config.yaml`, or set the input `config: config.yml`.",
            "truss/config.yml",
        ),
    ) == problems_of(tmp_path, "truss")


def test_a_directory_outside_of_the_workspace(tmp_path: Path) -> None:
    """Nothing outside of the workspace is packed."""
    root = write_tree(tmp_path, {"truss/config.yaml": "", "workspace/": ""})
    with pytest.raises(InvalidInput, match="outside of the workspace"):
        read_truss(root / "truss", root / "workspace")


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    """Of the config, with lines, and of the files."""
    root = write_tree(
        tmp_path,
        {
            "truss/config.yaml": (
                "model_name: 1\nrequirements_file: r.txt\nresources:\n  accelerator: a10g\n"
                "external_package_dirs: [../none]\n"
            )
        },
    )
    (root / "truss/out").symlink_to("/etc/passwd")
    os.mkfifo(root / "truss/fifo")
    assert [
        ("truss/config.yaml", 1),
        ("truss/config.yaml", 2),
        ("truss/config.yaml", 0),
        ("truss/config.yaml", 4),
        ("truss/config.yaml", 5),
        ("truss/fifo", 0),
        ("truss/out", 0),
    ] == [(problem.file, problem.line) for problem in problems_of(tmp_path, "truss")]


def test_a_broken_config_does_not_hide_problems_of_files(tmp_path: Path) -> None:
    """Nor does a broken `.truss_ignore` hide those of the config."""
    root = write_tree(tmp_path, {"config.yaml": "a: 1\na: 2\n"})
    (root / "out").symlink_to("/etc/passwd")
    assert [("config.yaml", 2), ("out", 0)] == [(each.file, each.line) for each in problems_of(tmp_path, ".")]
    write_tree(tmp_path, {".truss_ignore": b"\xff"})
    assert [("config.yaml", 2), (".truss_ignore", 0)] == [(each.file, each.line) for each in problems_of(tmp_path, ".")]


def test_a_config_that_leads_elsewhere_is_one_problem(tmp_path: Path) -> None:
    """Though it is both the config and a file."""
    root = write_tree(tmp_path, {"model/model.py": ""})
    (root / "config.yaml").symlink_to("/etc/passwd")
    (problem,) = problems_of(tmp_path, ".")
    assert ("A symlink to `/etc/passwd`, which is outside of the Truss", "config.yaml") == (
        problem.message,
        problem.file,
    )


@pytest.mark.parametrize("pattern", ["*.yaml", "config.yaml", "*"])
def test_an_ignored_config_is_an_error(tmp_path: Path, pattern: str) -> None:
    """`truss push` uploads an archive without it, and the build fails."""
    write_tree(tmp_path, {f"truss/{name}": content for name, content in MINIMAL_TRUSS.items()})
    write_tree(tmp_path, {"truss/.truss_ignore": f"{pattern}\n!model\n!*.py\n"})
    problem = problems_of(tmp_path, "truss")[-1]
    assert problem.message.startswith(f"`.truss_ignore`: `{pattern}` ignores `config.yaml`")
    assert problem.file == "truss/.truss_ignore"


def test_warnings_and_what_was_dropped(tmp_path: Path) -> None:
    """One warning of a kind; the plan can list everything."""
    truss = truss_of(tmp_path, {"lib/a.py": "", "x.so": "", "config.yaml": "model_name: x\nfoo: 1\n"})
    assert ("lib/", "x.so") == truss.dropped
    assert ["`foo` is", "The default"] == [" ".join(each.message.split()[:2]) for each in truss.warnings]
