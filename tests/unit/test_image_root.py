"""`scripts/image_root.py` decides what is in the image; the image itself is judged by `-m real_image`."""

import ctypes
import importlib.util
import marshal
import os
import shutil
import struct
import sys
import sysconfig
from importlib.util import cache_from_source
from pathlib import Path

import pytest
import yaml._yaml
from hypothesis import given
from hypothesis import strategies as st

import image_root
from baseten_deploy import start_file
from baseten_deploy.start_file import StartFile
from runner import ROOT


def test_a_shared_object_still_loads_without_its_sections(tmp_path):
    """PyYAML's, as its wheel has it, becomes smaller, and Python imports the rest."""
    whole = Path(yaml._yaml.__file__).read_bytes()
    part = image_root.loaded_part(whole)
    copy = tmp_path / Path(yaml._yaml.__file__).name
    copy.write_bytes(part)
    assert len(part) < len(whole)
    assert ctypes.CDLL(str(copy)).PyInit__yaml is not None


def test_cutting_twice_is_cutting_once():
    """What was cut has nothing left to cut."""
    part = image_root.loaded_part(Path(yaml._yaml.__file__).read_bytes())
    assert image_root.loaded_part(part) == part


@given(st.binary(max_size=200))
def test_what_is_no_elf_file_is_left_alone(content):
    """Text, scripts for the linker, objects of other machines."""
    assert image_root.loaded_part(b"/* " + content) == b"/* " + content


@pytest.mark.parametrize(("bits", "order"), [(1, 1), (2, 2), (1, 2)], ids=["32 bits", "big-endian", "both"])
def test_other_kinds_of_elf_are_left_alone(bits, order):
    """Their headers are laid out otherwise."""
    content = b"\x7fELF" + bytes([bits, order]) + bytes(100)
    assert image_root.loaded_part(content) == content


def test_program_headers_at_the_end_are_kept():
    """`auditwheel` moves them behind everything else: they are what the loader goes by."""
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<QQ", header, 32, 200, 300)  # program headers at 200, sections at 300
    struct.pack_into("<HHHHH", header, 54, 56, 1, 64, 3, 2)
    entry = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 100, 100, 4096)
    elf = bytes(header).ljust(200, b"\x90") + entry + b"sections and symbols" * 20
    part = image_root.loaded_part(elf)
    assert part[200:] == entry
    assert (0, 0, 0) == (*struct.unpack_from("<Q", part, 40), *struct.unpack_from("<HH", part, 60))


def tree(top: Path, *names: str) -> None:
    """Make files below `top`."""
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)


def test_what_no_run_reads_is_left_out(tmp_path):
    """Tests, stubs, other services; the code, its data, licences and metadata stay."""
    stay = {
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "boto3/session.py",
        "regex/_main.py",
        "regex-1.dist-info/METADATA",
        "regex-1.dist-info/licenses/LICENSE.txt",
        "certifi/cacert.pem",
    }
    gone = {
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/cacert.pem",
        "boto3/data/ec2/2016-11-15/resources-1.json",
        "boto3/examples/s3.rst",
        "regex/tests/test_regex.py",
        "regex/__init__.pyi",
        "regex-1.dist-info/RECORD",
        "h11/_tests/test_io.py",
        "tests/test_core.py",
        "bin/httpx",
    }
    tree(tmp_path, *stay, *gone)
    image_root.prune(tmp_path)
    assert stay == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}


def test_imports_are_found_wherever_they_stand(tmp_path):
    """At the top, in a function, for types; relative ones are ours and found by walking."""
    (tmp_path / "baseten_deploy").mkdir()
    (tmp_path / "other.py").write_text("import not_ours\n")
    (tmp_path / "baseten_deploy" / "one.py").write_text(
        "import json\nfrom a.b import c\nfrom . import near\n\ndef f():\n    import regex\n    from d import e\n"
    )
    assert {"json", "a.b", "regex", "d"} == image_root.imported_names(tmp_path)


def test_every_import_of_the_action_can_be_loaded(monkeypatch):
    """What the build imports is there, and what it finds to compile has our modules, the packages' and Python's own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    image_root.load_everything(ROOT / "src")
    names = {path.name for _, path in image_root.loaded_modules()}
    assert {"pipeline.py", "cookiejar.py", "argparse.py", "constructor.py"} <= names


def test_bytecode_knows_its_place_in_the_image_and_no_time(tmp_path):
    """Unchecked: the flags of PEP 552; and a traceback names the path that the file has in the image."""
    source = tmp_path / "code" / "app" / "src" / "module.py"
    source.parent.mkdir(parents=True)
    source.write_text("def f():\n    return 1\n")
    image = image_root.Image(tmp_path / "root", tmp_path / "code", ["/app/src", "/usr/local/lib/python3/site-packages"])
    image.compile(source)
    written = Path(cache_from_source(source)).read_bytes()
    assert written[4:8] == b"\x01\0\0\0"
    assert b"/app/src/module.py" in written
    assert str(tmp_path).encode() not in written


def test_a_file_has_one_place_in_the_image(tmp_path):
    """Among the code, among the packages, in the standard library of the base; or none, as the build's own files."""
    image = image_root.Image(tmp_path / "root", tmp_path / "code", ["/app/src", "/usr/local/lib/python3/site-packages"])
    places = {
        "code/app/src/a.py": ("code", "/app/src/a.py"),
        "root/usr/local/lib/python3/site-packages/b.py": ("root", "/usr/local/lib/python3/site-packages/b.py"),
        "/usr/local/lib/python3/c.py": ("root", "/usr/local/lib/python3/c.py"),
    }
    for path, (top, at) in places.items():
        assert (tmp_path / top, Path(at)) == image.place(tmp_path / path)
    assert image.place(Path("/build/image_root.py")) is None


def test_expressions_are_noted_from_the_first_import_on():
    """Those of ours that no import compiles, those of packages, and those of the standard library that pytest has."""
    noted = image_root.noted_expressions(ROOT / "src", Path(sysconfig.get_path("purelib")))
    texts = {text for text, _ in noted}
    assert {"refs/pull/([0-9]+)/(merge|head)", r"^(?:\s*(\w+)\s*\.)?\s*(\w+)"} <= texts
    assert any(text.startswith("(?:(?P<scheme>") for text in texts if isinstance(text, str))


def test_times_and_modes_are_the_same_whoever_checked_out(tmp_path):
    """A file that names its interpreter, a directory and nothing else is executable; links have a time too."""
    tree(tmp_path, "app/entrypoint.py", "app/src/module.py")
    (tmp_path / "app" / "entrypoint.py").write_text("#!/usr/bin/env python3\n")
    (tmp_path / "app" / "src" / "module.py").chmod(0o777)
    (tmp_path / "link").symlink_to("/app/entrypoint.py")
    image_root.same_each_time(tmp_path, 1_000_000_000)
    paths = [tmp_path, *tmp_path.rglob("*")]
    assert {1_000_000_000} == {int(os.lstat(path).st_mtime) for path in paths}
    modes = {str(path.relative_to(tmp_path)): oct(path.lstat().st_mode & 0o777) for path in paths}
    assert ("0o755", "0o755", "0o644") == (modes["app"], modes["app/entrypoint.py"], modes["app/src/module.py"])


def test_all_of_it_together(tmp_path, monkeypatch):
    """Two trees as the Dockerfile makes them, each with what is loaded of it in one file."""
    packages = Path(f"{tmp_path}/packages{sys.path[-1]}")
    installed = Path(sysconfig.get_path("purelib"))
    for name in ("yaml", "h11"):
        shutil.copytree(installed / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("botocore", "boto3"):
        (packages / name / "data").mkdir(parents=True)
    code = tmp_path / "code"
    package = code / "app" / "src" / "baseten_deploy"
    shutil.copytree(ROOT / "src" / "baseten_deploy", package, ignore=shutil.ignore_patterns("__pycache__"))
    files = {"yaml.loader": packages / "yaml" / "loader.py", "baseten_deploy.pipeline": package / "pipeline.py"}
    specs = [(importlib.util.spec_from_file_location(name, path), path) for name, path in files.items()]
    monkeypatch.setattr(image_root, "load_everything", lambda _source: None)
    monkeypatch.setattr(image_root, "noted_expressions", lambda *_: [("a+", 0)])
    monkeypatch.setattr(image_root, "loaded_modules", lambda: iter(specs))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "946684800")
    path = [*sys.path]
    monkeypatch.setattr(sys, "path", path)
    assert 0 == image_root.main([str(tmp_path / "packages"), str(code)])
    name = start_file.name_of(["/app/src", *path[3:]])
    of_packages, of_code = (StartFile(str(at / "__pycache__" / name)) for at in (packages, package))
    module = of_packages.current("yaml.loader")
    assert (f"{path[-1]}/yaml/loader.py", False, -1) == (module[0], module[2], module[4])
    assert b"class Loader" not in of_packages.code("yaml.loader")
    assert f"{path[-1]}/yaml/loader.py" == marshal.loads(of_packages.code("yaml.loader")).co_filename
    assert (["baseten_deploy.pipeline"], [(True, "a+", 0)]) == (list(of_code.modules), list(of_code.programs))
    assert not Path(cache_from_source(package / "pipeline.py")).exists()
    assert Path(cache_from_source(package / "start_file.py")).is_file()
    assert "/app/post_entrypoint.py" == str((code / "usr" / "local" / "bin" / "post_entrypoint.py").readlink())
    assert {946684800} == {int(os.lstat(path).st_mtime) for path in code.rglob("*")}
    assert not (packages / "h11" / "_tests").exists()
