"""What the tests upload, and to where. A process that only uploads needs no S3 of its own: `s3_faults`."""

import hashlib
from collections.abc import Iterator
from typing import Any

from baseten_deploy.clock import Clock
from baseten_deploy.service.answers import Credentials, UploadTarget

BUCKET = "uploads"
KEY = "models/archive.tgz"


class Archive:
    """A stream of `total` bytes that are no two parts the same, given in pieces of at most `piece` bytes."""

    def __init__(self, total: int, *, piece: int = 1 << 20, fail_at: int | None = None, problem: Any = None) -> None:
        self._left = self._pieces(total, piece)
        self._fail_at = fail_at
        self._problem = problem
        self._rest = b""
        self._hash = hashlib.sha256()
        self.bytes_read = 0
        self.closed = 0

    @staticmethod
    def _pieces(total: int, piece: int) -> Iterator[bytes]:
        block = bytes(range(256)) * (piece // 256 + 1)
        for start in range(0, total, piece):
            yield (start.to_bytes(8, "big") + block)[: min(piece, total - start)]

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        if self._fail_at is not None and self.bytes_read >= self._fail_at:
            raise self._problem
        if not self._rest:
            self._rest = next(self._left, b"")
        cut = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:cut], self._rest[cut:]
        self._hash.update(data)
        self.bytes_read += len(data)
        return data

    def close(self) -> None:
        """Count."""
        self.closed += 1

    @property
    def sha256(self) -> str:
        """Hex digest of what was read."""
        return self._hash.hexdigest()


class Immediately(Clock):
    """A clock with the luck that every pause is zero seconds."""

    def chance(self) -> float:
        """No jitter."""
        return 0.0


def target(number: int = 1) -> UploadTarget:
    """A target with the number-th credentials."""
    secret = f"{number}secret+/Key" * 3
    return UploadTarget(
        BUCKET, KEY, "us-west-2", Credentials(f"ASIA{number}EXAMPLE", secret, f"{number}token/+==" * 20)
    )
