"""`external_package_dirs`: what is inlined, and what is refused."""

from pathlib import Path

import pytest
from trees import MINIMAL_TRUSS, write_tree

from baseten_deploy.errors import InvalidInput
from baseten_deploy.truss.directory import Truss, read_truss

CONFIG = "# mine\nmodel_name: hello\nexternal_package_dirs:\n  - ../shared\nresources: {}\n"
FILES = {f"truss/{name}": content for name, content in MINIMAL_TRUSS.items()} | {"truss/config.yaml": CONFIG}


def read(workspace: Path, **files: str) -> Truss:
    """The Truss `truss` of a workspace with the basic files and `files`, whose `__` are slashes."""
    root = write_tree(workspace, FILES | {name.replace("__", "/"): content for name, content in files.items()})
    return read_truss(root / "truss", root)


def problems(workspace: Path, files: dict[str, str]) -> list[tuple[str, str, int]]:
    """Message, file and line of the problems of such a Truss."""
    root = write_tree(workspace, FILES | files)
    with pytest.raises(InvalidInput) as caught:
        read_truss(root / "truss", root)
    return [(problem.message, problem.file, problem.line) for problem in caught.value.problems]


def names(truss: Truss) -> list[str]:
    """Names in the archive."""
    return [file.name for file in truss.files]


def config_of(truss: Truss) -> bytes:
    """The archived config."""
    (content,) = [file.source for file in truss.files if file.name == "config.yaml"]
    assert isinstance(content, bytes)
    return content


def test_contents_are_bundled(tmp_path: Path) -> None:
    """The directory's content, not the directory; the archived config lacks the key and is otherwise as written."""
    write_tree(tmp_path, {"shared/pkg/a.py": "", "shared/pkg/sub/b.py": "", "shared/module.py": ""})
    truss = read(tmp_path)
    expected = ["config.yaml", "model/model.py", "packages/module.py", "packages/pkg/a.py", "packages/pkg/sub/b.py"]
    assert expected == names(truss)
    assert config_of(truss) == b"# mine\nmodel_name: hello\nresources: {}\n"
    assert CONFIG == truss.raw_config
    assert ["../shared"] == truss.config["external_package_dirs"]


def test_another_bundled_directory(tmp_path: Path) -> None:
    """`bundled_packages_dir` says where; it may be the Truss itself."""
    write_tree(tmp_path, {"shared/module.py": ""})
    for written, name in (("./vendor/py", "vendor/py/module.py"), (".", "module.py")):
        write_tree(tmp_path, FILES | {"truss/config.yaml": f"{CONFIG}bundled_packages_dir: {written}\n"})
        assert name in names(read_truss(tmp_path.resolve() / "truss", tmp_path.resolve()))


def test_several_directories_are_merged(tmp_path: Path) -> None:
    """With each other and with what is bundled already; the same directory twice is no clash."""
    files = {
        "truss/config.yaml": "model_name: x\nexternal_package_dirs: [../one, ../two, ../one/]\n",
        "truss/packages/pkg/a.py": "",
        "one/pkg/b.py": "",
        "two/pkg/c.py": "",
    }
    root = write_tree(tmp_path, FILES | files)
    assert ["packages/pkg/a.py", "packages/pkg/b.py", "packages/pkg/c.py"] == names(read_truss(root / "truss", root))[
        2:
    ]


def test_clashes_are_refused(tmp_path: Path) -> None:
    """`truss push` takes one of them, whichever comes last."""
    files = {
        "truss/packages/pkg/a.py": "",
        "shared/pkg/a.py": "",
        "truss/packages/b": "",
        "shared/b/c.py": "",
        "shared/b/d.py": "",
    }
    assert [
        (
            "`packages/pkg/a.py` is in the archive twice: from `shared/pkg/a.py` and from `truss/packages/pkg/a.py`",
            "truss/packages/pkg/a.py",
            0,
        ),
        (
            "`packages/b` is in the archive twice: from `shared/b/c.py` and from `truss/packages/b`",
            "truss/packages/b",
            0,
        ),
    ] == sorted(problems(tmp_path, files), reverse=True)


def test_default_rules_apply_to_copies(tmp_path: Path) -> None:
    """As `truss push` copies: default rules within the Truss and each package, then the Truss's own for everything."""
    files = {
        "truss/.truss_ignore": "*.csv\n",
        "truss/lib/a.py": "",
        "shared/lib/kept.py": "",
        "shared/pkg/lib/dropped.py": "",
        "shared/pkg/data.csv": "",
        "shared/top.so": "",
        "shared/pkg/below.so": "",
    }
    root = write_tree(tmp_path, FILES | files)
    truss = read_truss(root / "truss", root)
    assert [".truss_ignore", "config.yaml", "model/model.py", "packages/lib/kept.py", "packages/top.so"] == names(truss)
    assert ("lib/", "packages/pkg/below.so", "packages/pkg/data.csv", "packages/pkg/lib/") == truss.dropped


def test_an_ignored_bundled_directory(tmp_path: Path) -> None:
    """Then nothing of the packages is in the archive."""
    root = write_tree(tmp_path, FILES | {"truss/.truss_ignore": "packages\n", "shared/pkg/a.py": ""})
    truss = read_truss(root / "truss", root)
    assert [".truss_ignore", "config.yaml", "model/model.py"] == names(truss)
    assert ("packages/",) == truss.dropped


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("../missing", "`external_package_dirs`: `../missing` does not exist"),
        ("../file.py", "`external_package_dirs`: `../file.py` is not a directory"),
        ("../../outside", "`external_package_dirs`: `../../outside` is outside of the workspace"),
        ("/etc", "`external_package_dirs`: `/etc` is outside of the workspace"),
        ("../link", "`external_package_dirs`: `../link` is outside of the workspace"),
        ("../.git", "`external_package_dirs`: `../.git` is in `.git`, where CI checkouts keep a token"),
    ],
)
def test_directories_that_are_refused(tmp_path: Path, entry: str, message: str) -> None:
    """Each at its line of the config."""
    workspace = tmp_path / "workspace"
    write_tree(
        tmp_path, {"outside/a.py": "", "workspace/file.py": "", "workspace/.git/config": "", "workspace/ok/x.py": ""}
    )
    (workspace / "link").symlink_to("../outside")
    config = f"model_name: x\nexternal_package_dirs:\n  - ../ok\n  - {entry}\n"
    assert [(message, "truss/config.yaml", 4)] == problems(workspace, {"truss/config.yaml": config})


@pytest.mark.parametrize("value", ["../shared", "[1]", "{a: b}"])
def test_something_else_than_a_list(tmp_path: Path, value: str) -> None:
    """A single path is a common mistake."""
    config = f"model_name: x\nexternal_package_dirs: {value}\n"
    assert [("`external_package_dirs` is not a list of paths", "truss/config.yaml", 2)] == problems(
        tmp_path, {"truss/config.yaml": config}
    )


@pytest.mark.parametrize("value", ["..", "../x", "/x", "a/../../x", "1"])
def test_a_bundled_directory_elsewhere(tmp_path: Path, value: str) -> None:
    """Nothing may be unpacked outside of the Truss."""
    config = f"{CONFIG}bundled_packages_dir: {value}\n"
    files = {"truss/config.yaml": config, "shared/a.py": ""}
    assert [("`bundled_packages_dir` is not a path in the Truss", "truss/config.yaml", 6)] == problems(tmp_path, files)


def test_the_workspace_as_a_package_directory_does_not_ship_its_token(tmp_path: Path) -> None:
    """A `.truss_ignore` without `.git` would put the checkout's `.git/config` into the archive."""
    files = {
        "truss/config.yaml": "model_name: x\nexternal_package_dirs: ['..']\n",
        "truss/.truss_ignore": "",
        ".git/config": "token",
    }
    assert [("A Git directory, where CI checkouts keep a token", ".git", 0)] == problems(tmp_path, files)


def test_symlinks_in_packages(tmp_path: Path) -> None:
    """Into any of the packages and into the Truss, not elsewhere."""
    root = write_tree(
        tmp_path,
        FILES
        | {
            "truss/config.yaml": "model_name: x\nexternal_package_dirs: [../shared, ../two]\n",
            "shared/a.py": "a",
            "two/b.py": "b",
            "elsewhere": "c",
        },
    )
    (root / "shared/to-two.py").symlink_to("../two/b.py")
    (root / "shared/to-truss.py").symlink_to("../truss/model/model.py")
    assert {"packages/to-two.py", "packages/to-truss.py"} < set(names(read_truss(root / "truss", root)))
    (root / "shared/out.py").symlink_to("../elsewhere")
    assert [("A symlink to `../elsewhere`, which is outside of the Truss", "shared/out.py", 0)] == problems(
        tmp_path, {"truss/config.yaml": "model_name: x\nexternal_package_dirs: [../shared, ../two]\n"}
    )


def test_an_empty_list_changes_nothing(tmp_path: Path) -> None:
    """The config is archived from disk, and the default rules apply once."""
    config = "model_name: x\nexternal_package_dirs: []\n"
    root = write_tree(tmp_path, FILES | {"truss/config.yaml": config, "truss/.truss_ignore": "", "truss/lib/a.py": ""})
    truss = read_truss(root / "truss", root)
    assert "lib/a.py" in names(truss)
    assert [root / "truss/config.yaml"] == [file.source for file in truss.files if file.name == "config.yaml"]
