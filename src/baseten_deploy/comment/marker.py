"""The hidden first line of our comments: which Truss, model and target it is about, and which run wrote it. Pure."""

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from baseten_deploy.expressions import expression
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.records import dataclass

_LINE = expression(r"<!-- baseten-deploy: (\S+(?: \S+)*) -->")
_PAIR = expression(r"([a-z]+)=(\S*)")
# The modes that are about a Truss in a directory.
_OF_A_TRUSS = frozenset({"deploy", "plan", "discover"})
FOLDED = "<!-- baseten-deploy: folded=true -->"


@dataclass(frozen=True)
class Key:
    """What a comment is about. `""` is not known: a Truss that cannot be read has no model, a promotion no directory.

    `target` is the environment in the end, `development`, or `""` for none; `None` is not known: once there was one
    comment for all targets.
    """

    directory: str
    model: str
    target: str | None

    def may_be(self, other: "Key") -> bool:
        """Whether both are about one thing, as far as it is known of both."""
        return (
            (self.target == other.target or None in (self.target, other.target))
            and (self.directory == other.directory or not (self.directory and other.directory))
            and (self.model == other.model or not (self.model and other.model))
        )

    def filled(self, other: "Key") -> "Key":
        """What is known here, and what only the other one knows."""
        return replace(self, directory=self.directory or other.directory, model=self.model or other.model)


@dataclass(frozen=True)
class Marker:
    """A comment's key, and the run that wrote it: number and attempt, both grow."""

    key: Key
    run: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        """The line. No value can end it, hold a blank or look like another's."""
        pairs = {"directory": self.key.directory, "model": self.key.model, "target": self.key.target or ""}
        told = " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items())
        return f"<!-- baseten-deploy: {told} run={self.run[0]}.{self.run[1]} -->"


def read_marker(body: object) -> Marker | None:
    """The marker of a comment's body, `None` when it begins with none. A quote of ours does not begin with it."""
    if not isinstance(body, str):
        return None
    found = _LINE.fullmatch(body.lstrip().partition("\n")[0].rstrip())
    if not found:
        return None
    if "=" not in found[1]:  # of before there were targets: only the model
        return Marker(Key("", unquote(found[1]), None)) if " " not in found[1] else None
    pairs = dict(_PAIR.findall(found[1]))
    if not pairs.keys() >= {"directory", "model", "target"}:
        return None
    key = Key(*(unquote(pairs[name]) for name in ("directory", "model", "target")))
    return Marker(key, run_number(*pairs.get("run", "").partition(".")[::2]))


def run_number(run: str, attempt: str) -> tuple[int, int]:
    """A run's number and attempt, for comparison; what is no number is before all."""
    run, attempt = (text if text.isascii() and text.isdigit() and len(text) <= 20 else "0" for text in (run, attempt))
    return int(run), int(attempt)


def key_of(settings: Settings, workspace: Path, model: str) -> Key:
    """What a run with these inputs is about, whether it came as far as to read its Truss or not."""
    return Key(_directory(settings, workspace), model, _target(settings))


def _directory(settings: Settings, workspace: Path) -> str:
    """The Truss's directory as everybody would write it, with the other config file when one is used."""
    if settings.library_listing or settings.mode.value not in _OF_A_TRUSS:
        return ""
    path = os.path.normpath(workspace / settings.truss_directory)
    name = os.path.relpath(path, workspace) if Path(path).is_relative_to(workspace) else path
    return f"{name}:{settings.config}" if settings.config else name


def _target(settings: Settings) -> str:
    if settings.mode.value == "discover":
        return "discover"
    return settings.promote_to or settings.environment or ("development" if settings.development else "")


def _quoted(value: str) -> str:
    return quote(value, safe="/:", errors="replace").replace("--", "%2D%2D")
