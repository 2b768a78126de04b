"""Where the job's files are."""

import pytest

from baseten_deploy.ci.workspace import find_workspace


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
