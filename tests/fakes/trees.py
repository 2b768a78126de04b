"""Files for tests: a tree is a mapping of names to contents."""

from collections.abc import Mapping
from pathlib import Path

MINIMAL_TRUSS = {"config.yaml": "model_name: hello\n", "model/model.py": "class Model: ...\n"}


def write_tree(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write `files` below `directory`, and return it resolved. A name that ends with a slash is an empty directory."""
    for name, content in files.items():
        path = directory / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory.resolve()
