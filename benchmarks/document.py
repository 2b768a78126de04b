"""Puts what was measured into `docs/benchmarks.md`, between two marks; what is around them is written by people."""

from pathlib import Path

BEGIN = "<!-- measured: written by `python -m benchmarks --write`, not by hand -->"
END = "<!-- end of what was measured -->"


def write(file: Path, text: str) -> None:
    """Replace what stands between the marks. Raises `ValueError` when they are not there."""
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{file} has no marks")
    file.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
