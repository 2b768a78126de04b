"""The compressor with and without ISA-L: the same content, and never an import error."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trees import write_tree

from baseten_deploy.archive import deflate

SOURCE = Path(__file__).resolve().parents[3] / "src"
# A machine for which there is no wheel of it: the import fails, everywhere.
PACK = """
import sys, json
from pathlib import Path
if sys.argv[2] == "without":
    sys.modules["isal"] = None
import baseten_deploy.main, baseten_deploy.pipeline, baseten_deploy.deployment.push, baseten_deploy.planning.plan
from baseten_deploy.archive import deflate
from baseten_deploy.archive.digest import content_digest
from baseten_deploy.archive.stream import ArchiveStream
from baseten_deploy.planning import live_archive
from baseten_deploy.truss.ignore_rules import IgnoreRules
from baseten_deploy.truss.packing_list import PackingList
import io
directory = Path(sys.argv[1])
packing = PackingList(IgnoreRules(custom=True, patterns=()), directory)
packing.add_tree(directory, [directory])
archive = ArchiveStream(packing.files)
data = archive.read()
Path(sys.argv[3]).write_bytes(data)
meter = live_archive._Meter(live_archive.Bounds(), lambda: 0.0)
read = live_archive._read(io.BufferedReader(io.BytesIO(data)), meter)
print(json.dumps({"sha256": archive.sha256, "digest": content_digest(packing.files), "read": sorted(read),
                  "missing": str(deflate.missing() or ""), "isal": bool(sys.modules.get("isal"))}))
"""


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
@example(b"", b"")
@example(b"a", b"")
@example(b"", b"a")
def test_checksums_are_combined(first, second):
    """As zlib does it, which Python does not hand on."""
    assert zlib.crc32(first + second) == deflate.combine(zlib.crc32(first), zlib.crc32(second), len(second))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**42))
def test_checksums_are_combined_as_isal_does(first, second, size):
    """Of any length, also one that no test could make."""
    assert deflate.crc32_combine(first, second, size) == deflate.combine(first, second, size)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One Truss, packed by processes with and without ISA-L: what each says, and the archive's path."""
    directory = tmp_path_factory.mktemp("packed")
    noise = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(80_000))
    files = {"config.yaml": "model_name: m\n", "data/text.txt": "text " * 1_000_000, "noise.bin": noise, "empty": ""}
    write_tree(directory / "truss", files)
    said = {}
    for how in ("with", "without"):
        archive = directory / f"{how}.tgz"
        done = subprocess.run(
            [sys.executable, "-c", PACK, str(directory / "truss"), how, str(archive)],
            env={"PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "" == done.stderr
        said[how] = {**json.loads(done.stdout), "data": archive.read_bytes()}
    return said


def test_it_is_said_what_its_lack_costs(packed):
    """And nothing where it is there."""
    assert ("", True) == (packed["with"]["missing"], packed["with"]["isal"])
    assert False is packed["without"]["isal"]
    assert "packed with zlib: about 40 MB/s instead of 400" in packed["without"]["missing"]


def test_the_content_is_the_same(packed):
    """Compressible or not, over several blocks; so is the digest that decides whether anything changed."""
    unpacked = []
    for how in ("with", "without"):
        said = packed[how]
        assert hashlib.sha256(said["data"]).hexdigest() == said["sha256"]
        tar = gzip.decompress(said["data"])
        with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
            names = sorted(opened.getnames())
        assert ["config.yaml", "data/text.txt", "empty", "noise.bin"] == names == said["read"]
        unpacked.append(tar)
    assert unpacked[0] == unpacked[1]
    assert packed["with"]["digest"] == packed["without"]["digest"]
