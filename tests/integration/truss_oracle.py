"""What the real `truss push` would upload for a directory: the oracle of `test_archive_oracle`. Needs truss."""

import contextlib
import io
import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from truss.local.local_config_handler import LocalConfigHandler
    from truss.remote.baseten.core import archive_dir
    from truss.truss_handle.truss_handle import TrussHandle


@dataclass(frozen=True)
class Entry:
    """A file of an archive."""

    content: bytes
    executable: bool


def uploaded_by_truss(directory: Path, config: str = "") -> dict[str, Entry]:
    """The steps of `BasetenRemote._prepare_push` from a directory to the archive. Raises what they raise."""
    with _quiet(), _home():
        handle = TrussHandle(directory, config_path=directory / config if config else None)
        if handle.is_scattered():
            handle = TrussHandle(handle.gather())
        handle.spec.config.validate_forbid_extra()
        override = handle.spec.config_path.read_bytes() if config else None
        with archive_dir(handle.truss_dir, config_yaml_override=override) as archive:
            return entries(archive.file, handle.truss_dir)


def archived_by_truss(directory: Path) -> dict[str, Entry]:
    """The archive alone, for a directory that need not be a Truss."""
    with _quiet(), archive_dir(directory) as archive:
        return entries(archive.file, directory)


def entries(archive: IO[bytes], directory: Path | None = None) -> dict[str, Entry]:
    """The files of a tar. A symlink, which truss packs as one, counts as what it leads to in `directory`."""
    found = {}
    with tarfile.open(fileobj=archive) as tar:
        for member in tar:
            if member.issym():
                assert directory is not None
                target = directory / member.name
                found[member.name] = Entry(target.read_bytes(), bool(target.stat().st_mode & 0o100))
                continue
            content = tar.extractfile(member)  # of a hard link: what it is a link to
            assert content is not None, member.name
            found[member.name] = Entry(content.read(), bool(member.mode & 0o100))
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _home() -> Iterator[None]:
    """A home directory of its own for the copies that truss makes."""
    original = LocalConfigHandler.TRUSS_CONFIG_DIR
    with tempfile.TemporaryDirectory() as home:
        LocalConfigHandler.TRUSS_CONFIG_DIR = Path(home)
        try:
            yield
        finally:
            LocalConfigHandler.TRUSS_CONFIG_DIR = original
