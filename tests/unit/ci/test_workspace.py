"""Where the job's files are."""

import errno
import os

import pytest

from baseten_deploy.ci.workspace import find_truss, find_workspace
from baseten_deploy.errors import InvalidInput


class TestWorkspace:
    """What bounds that which is packed."""

    @pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "WORKSPACE"])
    def test_of_a_ci_system(self, tmp_path, variable):
        """Wherever the Truss is said to be."""
        for truss in (".", "models/a", "../elsewhere", "/etc"):
            assert tmp_path.resolve() == find_workspace({variable: str(tmp_path)}, truss)

    def test_is_resolved(self, tmp_path):
        """Symlinks on the way do not count."""
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        assert (tmp_path / "real").resolve() == find_workspace({"GITHUB_WORKSPACE": str(tmp_path / "link")}, ".")

    def test_in_a_shell(self, tmp_path, monkeypatch):
        """The current directory; a Truss elsewhere is its own workspace, because somebody typed it."""
        (tmp_path / "here/truss").mkdir(parents=True)
        (tmp_path / "there").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        assert (tmp_path / "here").resolve() == find_workspace({}, "truss")
        assert (tmp_path / "there").resolve() == find_workspace({}, "../there")
        assert (tmp_path / "there").resolve() == find_workspace({}, str(tmp_path / "there"))

    def test_without_a_current_directory(self, tmp_path, monkeypatch):
        """Somebody removed it."""
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(InvalidInput, match="The current directory is gone"):
            find_workspace({}, ".")


def problem_of(workspace, truss=".", *, on_github=True):
    """What is wrong with a place."""
    with pytest.raises(InvalidInput) as caught:
        find_truss(workspace, truss, on_github=on_github)
    (problem,) = caught.value.problems
    return problem


class TestPlace:
    """Whether there is something to deploy from."""

    def test_a_directory_in_it(self, tmp_path):
        """Whether it is there is for others to say: they know what is near."""
        root = tmp_path.resolve()
        (root / "a").mkdir()
        (root / "file").touch()
        for name in ("a", "./a/../a/", "missing", "file", "file/below", "."):
            assert (root / os.path.normpath(name)).resolve() == find_truss(root, name, on_github=True)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda _: None, "There is no workspace: {} does not exist"),
            (lambda path: path.touch(), "There is no workspace: {} is a file"),
            (lambda path: path.mkdir(), "The workspace is empty"),
            (lambda path: path.symlink_to(path), "The workspace {} cannot be read: Too many levels of symbolic links"),
        ],
        ids=["missing", "a file", "empty", "a loop"],
    )
    def test_no_workspace(self, tmp_path, make, message):
        """Nothing was checked out: the remedy has the lines of YAML, elsewhere what is set there."""
        workspace = tmp_path.resolve() / "workspace"
        make(workspace)
        problem = problem_of(workspace)
        assert message.format(workspace) == problem.message
        assert problem.remedy.endswith("\n  steps:\n    - uses: actions/checkout@v6")
        elsewhere = problem_of(workspace, on_github=False).remedy
        assert "`WORKSPACE`" in elsewhere
        assert "uses:" not in elsewhere

    @pytest.mark.parametrize("truss", ["..", "/etc", "../" * 1000, "link"])
    def test_outside(self, tmp_path, truss):
        """Nothing else is packed; the message is not as long as the path."""
        (tmp_path / "link").symlink_to("/usr")
        problem = problem_of(tmp_path.resolve(), truss)
        assert "is outside of the workspace" in problem.message
        assert len(problem.message) < 400

    @pytest.mark.parametrize("truss", ["x" * 5000, "x/" * 5000, "a/" + "y" * 300])
    def test_what_no_system_takes(self, tmp_path, truss):
        """A path of thousands of letters is none."""
        (tmp_path / "a").mkdir()
        problem = problem_of(tmp_path.resolve(), truss)
        assert f"`truss-directory`: is no path: it has {len(truss)} characters" in problem.message
        assert len(problem.message) < 300

    @pytest.mark.parametrize("what", ["workspace", "truss"])
    def test_unreadable(self, tmp_path, monkeypatch, what):
        """Rights are another thing than a missing checkout. Tests may run as root, whom no mode stops."""
        (tmp_path / "a").mkdir()

        def refuse(*_arguments, **_options):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(*((os, "scandir") if what == "workspace" else (type(tmp_path), "stat")), refuse)
        problem = problem_of(tmp_path, "a")
        assert "cannot be read" in problem.message
        assert "owner and mode" in problem.remedy
