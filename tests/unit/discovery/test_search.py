"""Which directories of a repository are Trusses: by their keys, without what git ignores and what is hidden."""

import os

import pytest
from trees import MINIMAL_TRUSS, MODEL, write_tree

from baseten_deploy.discovery.search import find_trusses, top_keys

TRUSS = "model_name: m\nresources: {cpu: '1'}\n"


def found(tmp_path, files, top="."):
    """The Trusses, relative to the workspace."""
    workspace = write_tree(tmp_path, files)
    return [path.relative_to(workspace).as_posix() for path in find_trusses((workspace / top).resolve(), workspace)]


def tree(*directories, **more):
    """A repository with a Truss in each directory, and other files."""
    trusses = {f"{directory}/{name}": text for directory in directories for name, text in MINIMAL_TRUSS.items()}
    return {**trusses, **more}


class TestWhere:
    """Which directories are looked into."""

    def test_at_and_below(self, tmp_path):
        """The top counts, and what is below a Truss; sorted."""
        files = {**tree("b/deep/er", "a"), **MINIMAL_TRUSS}
        assert [".", "a", "b/deep/er"] == found(tmp_path, files)

    def test_below_a_directory(self, tmp_path):
        """Only there."""
        assert ["b/c"] == found(tmp_path, tree("a", "b/c"), "b")

    def test_hidden_directories(self, tmp_path):
        """Hold what tools keep."""
        assert ["a"] == found(tmp_path, tree("a", ".venv/m", ".git/m", "a/.cache/m"))

    def test_links(self, tmp_path):
        """A link to a directory is the same Truss again, or somebody else's."""
        workspace = write_tree(tmp_path, tree("a"))
        (workspace / "link").symlink_to(workspace / "a")
        (workspace / "loop").symlink_to(workspace)
        assert [workspace / "a"] == find_trusses(workspace, workspace)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
    def test_what_cannot_be_listed(self, tmp_path):
        """Is left out."""
        workspace = write_tree(tmp_path, tree("a", "b"))
        (workspace / "b").chmod(0)
        assert [workspace / "a"] == find_trusses(workspace, workspace)


class TestGit:
    """Git's ignore rules: gitignore(5)."""

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            ("build/", ["a", "a/lib", "x"]),
            ("build\nlib", ["a", "x"]),
            ("/lib", ["a", "a/lib", "build/a", "x"]),
            ("a/lib/", ["a", "build/a", "x"]),
            ("**/a", ["x"]),
            ("*\n!/a\n!/a/**", ["a", "a/lib"]),
            ("config.yaml", []),
            ("# a\n\n\\#a\n", ["a", "a/lib", "build/a", "x"]),
            ("x/*\n!x/config.yaml", ["a", "a/lib", "build/a", "x"]),
            ("[", ["a", "a/lib", "build/a", "x"]),
            ("*a*a*a*a*a*a*a*a*a*a*a*b", ["a", "a/lib", "build/a", "x"]),
        ],
    )
    def test_of_the_top(self, tmp_path, rules, expected):
        """The last line that matches counts; what is no pattern is none."""
        files = tree("a", "a/lib", "build/a", "x")
        assert expected == found(tmp_path, {**files, ".gitignore": rules})

    @pytest.mark.parametrize(
        ("inner", "expected"), [("lib/", []), ("!lib/", ["a/lib"]), ("/other", []), ("\n# nothing", [])]
    )
    def test_the_deeper_file_decides(self, tmp_path, inner, expected):
        """When it says anything; its patterns are relative to it."""
        files = {**tree("a/lib"), ".gitignore": "lib/", "a/.gitignore": inner}
        assert expected == found(tmp_path, files)

    def test_below_an_ignored_directory(self, tmp_path):
        """Nothing is taken back there."""
        files = {**tree("a/lib/m"), ".gitignore": "a/", "a/.gitignore": "!lib"}
        assert [] == found(tmp_path, files)

    def test_above_the_directory_that_is_searched(self, tmp_path):
        """The rules of the repository hold there too."""
        files = {**tree("models/a", "models/old"), ".gitignore": "old/", "models/.gitignore": ""}
        assert ["models/a"] == found(tmp_path, files, "models")

    def test_exclude(self, tmp_path):
        """`.git/info/exclude` is read as well."""
        assert ["a"] == found(tmp_path, {**tree("a", "b"), ".git/info/exclude": "/b\n"})

    def test_a_link_out(self, tmp_path):
        """An ignore file that leads out of the workspace is not followed."""
        write_tree(tmp_path, {"outside": "a/\n"})
        workspace = write_tree(tmp_path / "w", tree("a"))
        (workspace / ".gitignore").symlink_to(tmp_path / "outside")
        assert [workspace / "a"] == find_trusses(workspace, workspace)


class TestWhat:
    """What is in a `config.yaml` that makes it a Truss's."""

    @pytest.mark.parametrize(
        "config",
        [
            "model_name: m\n",
            TRUSS,
            "base_image: {image: i}\ndocker_server: {start_command: x}\n",
            "trt_llm: {build: {}}\n",
            "model_name: m\nresourcs: {}\nruntime: {}\n",  # misspelled
            '"model_name": m\n"resources": {}\n',
            '{"model_name": "m", "resources": {}}',
            "\ufeffmodel_name: m\n",
            "model_name: m\r\nresources: {}\r\n",
            "model_name: m\nresources:\n  cpu: [\n",  # broken further down: named, not lost
        ],
    )
    def test_of_a_truss(self, tmp_path, config):
        """Without a model class beside it."""
        assert ["a"] == found(tmp_path, {"a/config.yaml": config})

    @pytest.mark.parametrize(
        "config",
        [
            "",
            "# nothing\n",
            "- a\n- b\n",
            "defaults: [model]\nmodel_name: resnet\nlr: 0.1\nepochs: 3\n",  # Hydra
            "site_name: docs\ntheme: {}\n",
            "image: x\nreplicas: 2\nresources: {}\nsecrets: {}\n",  # Helm
            "description: a thing\nrequirements: []\n",
            '{"model_name": ',
            "  model_name: m\n",
        ],
    )
    def test_of_another_tool(self, tmp_path, config):
        """Is none."""
        assert [] == found(tmp_path, {"a/config.yaml": config})

    def test_with_a_model_class(self, tmp_path):
        """It makes a Truss of whatever has a name, or mostly keys of a Truss."""
        hydra = "model_name: resnet\nlr: 0.1\nepochs: 3\n"
        files = {
            "a/config.yaml": hydra,
            "a/model/model.py": MODEL,
            "b/config.yaml": "python_version: py311\n",
            "b/model/model.py": MODEL,
            "c/config.yaml": "lr: 0.1\n",
            "c/model/model.py": MODEL,
        }
        assert ["a", "b"] == found(tmp_path, files)

    def test_one_that_is_too_large(self, tmp_path):
        """Counts when a model class is beside it, so that what is wrong with it is said."""
        large = "a: 1\n" * 3_000_000
        assert ["a"] == found(tmp_path, {"a/config.yaml": large, "a/model/model.py": MODEL, "b/config.yaml": large})


def test_keys_at_the_top():
    """Of the lines that begin with one: lists, blocks and comments are below."""
    text = "a: 1\n'b': 2\n\"c\": {d: 1}\n  e: 2\n# f: 3\n- g: 4\nhttp://x\nh:\n  i: |\n    j: 1\n"
    assert ["a", "b", "c", "h"] == top_keys(text)
