"""Requirements files that the image build cannot read: not UTF-8, as PowerShell and old editors write them."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression

from .config_file import ConfigFile
from .first_bytes import read_first
from .packed_file import PackedFile
from .packing_list import shown

# What nobody names in the config is read all the same by some build commands.
_USUAL = "requirements.txt"
_BYTES = 1024 * 1024
_MOST = 20
_INCLUDED = expression(r"^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]+([^\s#]+)", re.MULTILINE)


def check(config: ConfigFile, files: Mapping[str, PackedFile], workspace: Path) -> list[Problem]:
    """Warnings about the requirements file of a config, and what it includes. `files` are those of the archive."""
    named = config.value.get("requirements_file")
    pending = [posixpath.normpath(named)] if isinstance(named, str) and named else []
    pending.append(_USUAL)
    seen: dict[str, Problem | None] = {}
    while pending and len(seen) < _MOST:
        name = pending.pop(0)
        if name in seen or name not in files:
            continue
        content = read_first(files[name].source, _BYTES)
        seen[name] = _problem(content, shown(files[name], workspace))
        included = _INCLUDED.findall(content.decode(errors="replace"))
        pending += [posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in included]
    return [problem for problem in seen.values() if problem]


def _problem(content: bytes, name: str) -> Problem | None:
    what, line = "", 1
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "UTF-16"
    elif b"\0" in content:
        what = "UTF-16 without a byte-order mark"
    else:
        try:
            content.decode()
        except UnicodeDecodeError as error:
            what, line = "not UTF-8, perhaps Latin-1", content.count(b"\n", 0, error.start) + 1
    if not what:
        return None
    message = f"`{name}` is {what}: the image build cannot read it"
    return Problem(message, "Save it as UTF-8; in PowerShell: `pip freeze | Out-File -Encoding utf8 FILE`.", name, line)
