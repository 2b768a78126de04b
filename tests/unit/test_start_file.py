"""The start file: what a run keeps for the next one, and that it is nothing else than what Python finds by itself."""

import json
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from baseten_deploy.start_file import StartFile

ROOT = Path(__file__).parents[2]
# A start as `entrypoint.py` makes it, an end as `leave` does, and what a module was loaded by.
START = """
import sys
sys.path.insert(0, sys.argv[1])
from baseten_deploy import launch
launch.prepare()
{between}
import baseten_deploy.errors, baseten_deploy.status, json, logging, ssl, yaml
from baseten_deploy import start_file
specs = {name: getattr(module, "__spec__", None) for name, module in sys.modules.items()}
found = {name: type(spec.loader).__name__ for name, spec in specs.items() if spec}
print(json.dumps([found, len(start_file.compiled), start_file.lacks_much()]))
names = ("__name__", "__file__", "__cached__", "__package__", "__path__", "__doc__")
parts = ("name", "origin", "cached", "has_location", "submodule_search_locations", "parent")
attributes = {
    name: repr([getattr(sys.modules[name], each, None) for each in names] + [getattr(spec, each) for each in parts])
    for name, spec in specs.items() if spec
}
print(json.dumps(attributes))
launch.keep()
"""
KEPT = "_Loader"


@pytest.fixture
def source(tmp_path):
    """A copy of a part of the action's package, without bytecode."""
    package = tmp_path / "src" / "baseten_deploy"
    package.mkdir(parents=True)
    for name in (
        "__init__",
        "launch",
        "start_file",
        "start_file_writer",
        "signals",
        "errors",
        "records",
        "status",
        "expressions",
    ):
        shutil.copy(ROOT / "src" / "baseten_deploy" / f"{name}.py", package)
    return tmp_path / "src"


def start(source, *options, between="", **environment):
    """Start and end; who loaded each module, how many expressions were compiled, whether much was missing."""
    return started(source, *options, between=between, **environment)[0]


def started(source, *options, between="", **environment):
    """The same, and what all modules say of themselves."""
    program = START.replace("{between}", between)
    command = [sys.executable, "-I", *options, "-c", program, str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()[-2:]]


def start_files(source):
    """The start files beside the action's bytecode."""
    return sorted((source / "baseten_deploy" / "__pycache__").glob("start-*"))


def test_the_second_start_takes_it_from_there(source):
    """Modules of ours, of packages and of Python, shared objects, and expressions: all that the first one loaded."""
    loaders, compiled, lacks = start(source)
    assert ("SourceFileLoader", True) == (loaders["baseten_deploy.errors"], lacks)
    assert compiled > 20
    (kept,) = start_files(source)
    loaders, compiled, lacks = start(source)
    assert {KEPT} == {loaders[name] for name in ("baseten_deploy.errors", "yaml", "yaml.reader", "logging", "ssl")}
    assert "ExtensionFileLoader" == loaders["_ssl"]
    assert (0, False) == (compiled, lacks)
    assert [kept] == start_files(source)


def test_modules_are_what_they_are_without(source):
    """All that a module and its specification say of it, but for who loaded it; also of packages and shared objects."""
    (loaders, *_), without = started(source)
    (kept_loaders, *_), kept = started(source)
    assert loaders != kept_loaders
    assert without == kept
    assert "yaml._yaml" in kept


def test_a_source_that_changed_is_read(source):
    """By its time or its size, as bytecode is; the rest stays as it is, and too little changed to write all again."""
    start(source)
    before = start_files(source)[0].read_bytes()
    status = source / "baseten_deploy" / "status.py"
    status.write_text(status.read_text() + "\nNEW = 1\n")
    between = "import baseten_deploy.status; assert baseten_deploy.status.NEW"
    loaders, _, lacks = start(source, between=between)
    assert ("SourceFileLoader", KEPT, False) == (
        *(loaders[f"baseten_deploy.{name}"] for name in ("status", "errors")),
        lacks,
    )
    assert before == start_files(source)[0].read_bytes()


def test_what_more_runs_load_is_added(source):
    """A run that loads much that the one before did not: both are kept then."""
    start(source)
    assert start(source, between="import sqlite3, unittest.mock, xmlrpc.client, asyncio")[2]
    loaders, _, lacks = start(source, between="import asyncio")
    assert (KEPT, KEPT, False) == (loaders["asyncio.tasks"], loaders["baseten_deploy.errors"], lacks)


def test_it_is_of_one_path_and_one_python(source, tmp_path):
    """Whoever starts with another path, or with other options, has another; of more than four the oldest goes."""
    start(source)
    first = start_files(source)
    for number in range(5):
        more = f"sys.path.append({str(tmp_path / str(number))!r})"
        program = START.replace("launch.prepare()", f"{more}; launch.prepare()", 1).replace("{between}", "")
        command = [sys.executable, "-I", *(["-O"] if number == 4 else []), "-c", program, str(source)]
        assert b"SourceFileLoader" in subprocess.run(command, capture_output=True, check=True, env={}).stdout
    assert 4 == len(start_files(source))
    assert not set(first) & set(start_files(source))


def test_nothing_is_written_where_python_writes_no_bytecode(source):
    """With `-B` there is none, and nothing is lost without one."""
    loaders, compiled, _ = start(source, "-B")
    assert ("SourceFileLoader", 0) == (loaders["yaml"], compiled)
    assert not (source / "baseten_deploy" / "__pycache__").exists()


def test_nothing_is_written_along_a_path_of_the_moment(source, tmp_path):
    """`PYTHONPATH` is what developers and tests set; where Python does not look at it, it does not matter."""
    program = START.replace("{between}", "")
    for options, written in (((), 0), (("-I",), 1)):
        command = [sys.executable, *options, "-c", program, str(source)]
        subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=True)
        assert written == len(start_files(source))


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"BDSF\x02\0\0\0N\xff", b"BDSF\x09\0\0\0N"])
def test_one_that_cannot_be_read_is_none(source, content):
    """Cut off, or something else: the run starts without, and writes a new one."""
    start(source)
    (kept,) = start_files(source)
    kept.write_bytes(content)
    assert "SourceFileLoader" == start(source)[0]["yaml"]
    assert KEPT == start(source)[0]["yaml"]


def test_code_that_is_cut_off_is_read_from_its_source(source):
    """The head says what is in it; what is not there any more, Python finds by itself."""
    start(source)
    (kept,) = start_files(source)
    os.truncate(kept, kept.stat().st_size // 2)
    loaders, *_ = start(source)
    assert KEPT == loaders["baseten_deploy.errors"]


def test_a_directory_that_cannot_be_written_is_left_alone(source):
    """No word of it: nothing that a user could do about it, and nothing that a run lacks."""
    (source / "baseten_deploy" / "__pycache__").write_text("in the way")
    assert "SourceFileLoader" == start(source)[0]["yaml"]
    assert "in the way" == (source / "baseten_deploy" / "__pycache__").read_text()


def test_what_python_keeps_otherwise_is_left_to_it(source):
    """Bytecode that goes by the source's hash, or none at all: that is no reason to write the file anew each time."""
    names = ("errors", "records", "status")
    for name in names:
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(source / "baseten_deploy" / f"{name}.py"), invalidation_mode=unchecked)
    start(source)
    loaders, *_ = start(source)
    assert {"SourceFileLoader"} == {loaders[f"baseten_deploy.{name}"] for name in names}
    known = StartFile(str(start_files(source)[0]))
    assert [True, False] == [known.knows(f"baseten_deploy.{name}") for name in ("errors", "nothing")]


EQUAL = """
import re
if "made of inputs":
    def later():
        re.compile("hunter2 [of] a run")
    later()
from baseten_deploy import start_file
before = dict(start_file.files[0].programs) if start_file.files else {}
anew = __import__("inspect").unwrap(re._compiler.compile)
def told(made):
    return made.pattern, made.flags, made.groups, dict(made.groupindex), type(made.pattern)
for (is_text, expression, flags) in before:
    kept, made = re._compiler.compile(expression, flags), anew(expression, flags)
    assert kept == made and told(kept) == told(made), expression
print(len(before))
"""


def test_an_expression_is_what_re_makes_of_it(source):
    """Equal as Python compares them, which is by their programs; and none is there that a run made of its inputs."""
    start(source, between=EQUAL)
    start(source, between=EQUAL)
    (kept,) = start_files(source)
    content = kept.read_bytes()
    assert b"hunter2" not in content
    assert b"[0-9][0-9][0-9][0-9]" in content
