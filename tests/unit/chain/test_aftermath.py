"""What somebody does to the runner's command files is taken back, and what the run itself does stays."""

import pytest

from baseten_deploy.chain.aftermath import command_files_kept


@pytest.fixture
def files(tmp_path):
    """Two command files with something in them."""
    paths = {name: tmp_path / name for name in ("OUTPUT", "STATE")}
    for path in paths.values():
        path.write_text("before=1\n")
    return paths


def append(path, text):
    """As a step writes."""
    with path.open("a") as file:
        file.write(text)


HARMS = {
    "written to": lambda path: append(path, "status=forged\n"),
    "emptied": lambda path: path.write_text(""),
    "removed": lambda path: path.unlink(),
    "another file": lambda path: (path.unlink(), path.symlink_to("/dev/null")),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_others_do_is_taken_back(files, harm):
    """And it is told of which."""
    with command_files_kept({name: str(path) for name, path in files.items()}) as kept:
        HARMS[harm](files["OUTPUT"])
    assert {"OUTPUT"} == kept.changed
    assert ["before=1\n"] * 2 == [path.read_text() for path in files.values()]
    assert not files["OUTPUT"].is_symlink()


def test_what_the_run_does_stays(files):
    """And is no change of somebody's; what others do before and after it is."""
    with command_files_kept({name: str(path) for name, path in files.items()}) as kept:
        append(files["STATE"], "deployment=forged\n")
        with kept.own_change("STATE"):
            append(files["STATE"], "deployment=ours\n")
        append(files["STATE"], "deployment=forged\n")
    assert "before=1\ndeployment=ours\n" == files["STATE"].read_text()
    assert {"STATE"} == kept.changed


def test_an_own_change_alone_is_no_change(files):
    """Nobody is told that somebody wrote to it."""
    with command_files_kept({name: str(path) for name, path in files.items()}) as kept, kept.own_change("STATE"):
        append(files["STATE"], "deployment=ours\n")
    assert set() == kept.changed
    assert "before=1\ndeployment=ours\n" == files["STATE"].read_text()


def test_a_file_that_is_not_there(files):
    """Outside of GitHub there may be none, or a name of none."""
    files["STATE"].unlink()
    with command_files_kept({"STATE": str(files["STATE"]), "ENV": ""}) as kept, kept.own_change("STATE"):
        pass
    assert set() == kept.changed
