"""One file of the archive, as it was listed: where its content is, and what of it was read on the way.

A checkout may have hundreds of thousands of them, so it is small: text instead of `Path` objects, made when asked for,
and the directory's path shared by all of its files.
"""

import os
from pathlib import Path

EXECUTABLE = 0o755
PLAIN = 0o644
_AS_IT_IS = (str, bytes)  # a union of them would be made anew for each file


class PackedFile:
    """One file of the archive: `name` in it (with `/`), content, `mode` (0o755 or 0o644), `size` in bytes.

    `mtime_ns` is the source's at the time of the scan, to notice a change until it is packed; 0 for bytes. `beginning`
    is what was read of it then: all of it when it is small, nothing where nobody needs it. It is no part of what a file
    is. Not to be changed.
    """

    __slots__ = ("_place", "beginning", "mode", "mtime_ns", "name", "size")

    def __init__(
        self, name: str, source: Path | str | bytes, mode: int, size: int, mtime_ns: int = 0, beginning: bytes = b""
    ) -> None:
        """Make it. A `source` that ends with a slash is the directory, in which the file has the end of its name."""
        self.name = name
        self.mode = mode
        self.size = size
        self.mtime_ns = mtime_ns
        self.beginning = beginning
        self._place: str | bytes = source if isinstance(source, _AS_IT_IS) else os.fspath(source)

    @classmethod
    def of_bytes(cls, name: str, content: bytes) -> "PackedFile":
        """A plain file whose content is in memory."""
        return cls(name, content, PLAIN, len(content))

    @property
    def source(self) -> Path | bytes:
        """The content, or where it is."""
        return self._place if isinstance(self._place, bytes) else Path(self.path)

    @property
    def path(self) -> str:
        """Where the content is, `""` when it is in memory."""
        place = self._place
        if isinstance(place, bytes):
            return ""
        return place + self.name[self.name.rfind("/") + 1 :] if place.endswith("/") else place

    @property
    def content(self) -> bytes | None:
        """All of it where that is in memory already, `None` where it is to be read."""
        if isinstance(self._place, bytes):
            return self._place
        return self.beginning if len(self.beginning) == self.size else None

    def __eq__(self, other: object) -> bool:
        """Whether name, source, mode, size and time are the same."""
        return isinstance(other, PackedFile) and self._facts() == other._facts()

    def __hash__(self) -> int:
        """By the same."""
        return hash(self._facts())

    def __repr__(self) -> str:
        """Nothing of its content."""
        where = f"{len(self._place)} bytes" if isinstance(self._place, bytes) else self.path
        return f"PackedFile({self.name!r}, {where!r}, {self.mode:#o}, {self.size}, {self.mtime_ns})"

    def _facts(self) -> tuple[object, ...]:
        source = self._place if isinstance(self._place, bytes) else self.path
        return self.name, source, self.mode, self.size, self.mtime_ns
