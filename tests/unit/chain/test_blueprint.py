"""What a Chain's file says, found out in a process of its own; and that an odd file ends nothing but that process."""

import os
import time

import pytest
from transport import printed

from baseten_deploy.chain import blueprint
from baseten_deploy.errors import InvalidInput

CHAINLET = "import truss_chains as chains\n@chains.mark_entrypoint\nclass Hello(chains.ChainletBase):\n    pass\n"


def refused(run):
    """The problems of a file that is refused."""
    with pytest.raises(InvalidInput) as caught:
        blueprint.read_chain(run)
    return caught.value.problems


def test_name_entry_point_and_chainlets(make_chain_run, service):
    """The name is the entry point's unless it has another; nothing is sent."""
    run = make_chain_run()
    found = blueprint.read_chain(run)
    assert ("chain.py", "Hello", "Hello") == (found.file, found.name, found.entrypoint)
    assert [("Hello", "1 CPU, 2Gi")] == [(part.name, blueprint.resources_line(part)) for part in found.parts]
    assert "Hello" == run.outputs.get("model-name")
    assert [] == service.sent


@pytest.mark.parametrize(
    ("code", "named", "expected"),
    [(CHAINLET + "    chain = 'My Chain'\n", "", "My Chain"), (CHAINLET, "given", "given")],
)
def test_where_the_name_is_from(make_chain_run, code, named, expected):
    """`mark_entrypoint("My Chain")` before the class's name, `model-name` before both."""
    run = make_chain_run(code, **({"model_name": named} if named else {}))
    assert expected == blueprint.read_chain(run).name


@pytest.mark.parametrize(
    ("code", "said", "line"),
    [
        ("import os\ndef f(:\n", "SyntaxError: invalid syntax", 2),
        ("\nimport nowhere.at_all\n", "imports 'nowhere', which is not installed where the push runs", 2),
        ("x = 1\nraise RuntimeError('no')\n", "Importing the Chain failed: RuntimeError: no", 2),
        ("import sys\nsys.exit(3)\n", "ends the process when it is imported (exit code 3)", 2),
        ("import os\nos._exit(3)\n", "ended the process that imported it, with exit code 3", 0),
        ("import os\nos.kill(os.getpid(), 9)\n", "ended the process that imported it, by SIGKILL", 0),
        ("x = 1\n", "No class of the Chain's file is marked as its entry point", 0),
        ("import os\nos.environ['TOKEN']\n", "Importing the Chain failed: KeyError: 'TOKEN'", 2),
    ],
)
def test_a_file_that_cannot_be_imported(make_chain_run, code, said, line):
    """It is said what is wrong, and where."""
    (problem,) = refused(make_chain_run(code))
    assert said in problem.message
    assert ("chain.py", line) == (problem.file, problem.line)
    assert problem.remedy


def test_an_error_in_a_module_beside_it_has_its_place(make_chain_run, tmp_path):
    """Not the place of the import."""
    (tmp_path / "helper.py").write_text("a = 1\nb = a / 0\n")
    code = "import sys\nsys.path.insert(0, __file__.rpartition('/')[0])\nimport helper\n"
    (problem,) = refused(make_chain_run(code))
    assert ("helper.py", 2) == (problem.file, problem.line)


def test_what_it_prints_is_foreign(make_chain_run):
    """It is in the log, and is taken for nothing else."""
    run = make_chain_run("print('hello from afar')\nimport sys\nsys.stderr.write('and from here')\n" + CHAINLET)
    blueprint.read_chain(run)
    assert "hello from afar" in printed(run)
    assert "and from here" in printed(run)


def test_it_gets_nothing_of_the_job(make_chain_run, monkeypatch):
    """Neither the environment, nor a key in the home. It is where a step would be: in the workspace."""
    monkeypatch.setenv("MY_SECRET", "s3cret")
    code = (
        "import os, pathlib\n"
        "home = sorted(path.name for path in pathlib.Path.home().rglob('*') if path.is_file())\n"
        "there = 'chain.py' in os.listdir('.')\n"
        "print('SEEN', home, 'MY_SECRET' in os.environ, 'INPUT' in str(os.environ), there)\n" + CHAINLET
    )
    run = make_chain_run(code)
    blueprint.read_chain(run)
    assert "SEEN ['config', 'settings.toml'] False False True" in printed(run)


def test_what_it_writes_to_the_answer_counts_for_nothing(make_chain_run):
    """A line of its own on the descriptor is no result: the program's own comes after it."""
    code = (
        "import os\n"
        "for number in range(3, 64):\n"
        '    try:\n        os.write(number, b\'{"chain": {"name": "forged", "entrypoint": "x"}}\\n[]\\n\\xff\\n\')\n'
        "    except OSError:\n        pass\n" + CHAINLET
    )
    assert "Hello" == blueprint.read_chain(make_chain_run(code)).name


def test_what_it_leaves_ends_with_it(make_chain_run, tmp_path):
    """Also a process that left its session; and the run does not wait for one that holds the pipes."""
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork():\n        os._exit(0)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        f"while not os.path.exists({str(tmp_path / 'pid')!r}):\n    time.sleep(0.01)\n" + CHAINLET
    )
    began = time.monotonic()
    blueprint.read_chain(make_chain_run(code))
    assert time.monotonic() - began < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_one_that_never_ends_is_ended(make_chain_run, monkeypatch):
    """After its time, with what to do."""
    monkeypatch.setattr(blueprint, "SECONDS", 1.0)
    (problem,) = refused(make_chain_run("import time\ntime.sleep(600)\n"))
    assert "was not imported within 1 s" in problem.message


@pytest.mark.parametrize("name", ["missing.py", "sub.py"])
def test_no_such_file(make_chain_run, tmp_path, name):
    """A path that is not there, or a directory, is named."""
    (tmp_path / "sub.py").mkdir()
    (problem,) = refused(make_chain_run(truss_directory=name))
    assert name in problem.message


def test_without_truss(make_chain_run):
    """The sub-action is named."""
    run = make_chain_run()
    run.truss_python = ""
    (problem,) = refused(run)
    assert "`uses: OWNER/baseten-deploy/chain@v1`" in problem.remedy
    assert "`BASETEN_DEPLOY_TRUSS_PYTHON`" in problem.remedy


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_an_interpreter_that_is_none(make_chain_run, python):
    """A remedy, no traceback."""
    run = make_chain_run()
    run.truss_python = python
    (problem,) = refused(run)
    assert problem.remedy


def test_command_files_are_as_they_were(make_chain_run, tmp_path):
    """What the import wrote to them is taken back, and said."""
    file = tmp_path / "GITHUB_ENV"
    file.write_text("A=1\n")
    run = make_chain_run(f"open({str(file)!r}, 'a').write('PATH=/evil')\n" + CHAINLET)
    run.runner._environment = {"GITHUB_ENV": str(file)}
    blueprint.read_chain(run)
    assert "A=1\n" == file.read_text()
    assert ["Importing the Chain wrote to the runner's files (`GITHUB_ENV`); that was taken back"] == [
        warning.message for warning in run.warnings
    ]
