"""What differs between two configs, two lists of files, two sets of settings. Pure; how it is shown is `page`."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

import yaml

from baseten_deploy.ci.redaction import PLACEHOLDER
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.truss.packed_file import PackedFile

from .text_diff import text_diff

# libyaml where there is one (10 times faster).
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_MISSING: Any = object()
# A key or password in a URL is a secret, whatever the key in the config is called.
_USERINFO = expression(r"(?<=://)[^/\s@]+(?=@)")
_SECRETS = "secrets"
# Keys under which people write secrets against all advice. One that ends in `name` says where a secret is.
_SECRET_KEY = expression(
    r"secret|token(?!iz)|password|passwd|api_?key|access_?key|private_?key|credential", re.IGNORECASE
)
_NAME_KEY = expression(r"name$", re.IGNORECASE)


@dataclass(frozen=True)
class ArchivedFile:
    """A file of an archive: its content's `size` in bytes and `sha256` (hex), `""` for a link that leads nowhere.

    `content` is kept of what may be a small text, `None` of everything else.
    """

    name: str
    size: int
    sha256: str
    executable: bool = False
    content: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class FileChange:
    """A file that differs. Sizes are in bytes; `None` where it is not there. Equal sizes: content or mode differ.

    `lines` are a unified diff of a small text; none of anything else.
    """

    name: str
    before: int | None
    after: int | None
    mode_only: bool = False
    lines: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class SettingChange:
    """A setting by its dotted name, with YAML values; `before` is `""` where there is none."""

    name: str
    before: str
    after: str


def file_changes(
    live: Mapping[str, ArchivedFile],
    ours: Iterable[PackedFile],
    sha256: Callable[[PackedFile], str],
    read: Callable[[PackedFile], bytes | None] = lambda _: None,
) -> tuple[FileChange, ...]:
    """What differs between a live archive and our files, by name. `sha256` is asked only where sizes are equal.

    `read` gives the content of a small file, for its diff.
    """
    changes = []
    names = set()
    for file in ours:
        names.add(file.name)
        before = live.get(file.name)
        if before is None:
            changes.append(FileChange(file.name, None, file.size))
        elif before.size != file.size or before.sha256 != sha256(file):
            lines = text_diff(file.name, before.content, read(file)) if before.content is not None else ()
            changes.append(FileChange(file.name, before.size, file.size, lines=lines))
        elif before.executable != bool(file.mode & 0o100):
            changes.append(FileChange(file.name, before.size, file.size, mode_only=True))
    changes += [FileChange(file.name, file.size, None) for name, file in live.items() if name not in names]
    return tuple(sorted(changes, key=lambda change: change.name))


def same_config(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether two configs say the same; `1`, `1.0`, `true` and `"1"` are four different things."""
    return normalised(before) == normalised(after)


def config_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines of a unified diff of both as YAML with sorted keys, `without_secrets`; none when they show the same."""
    old, new = (normalised(without_secrets(config)).rstrip("\n").split("\n") for config in (before, after))
    return tuple(difflib.unified_diff(old, new, "live", "this run", lineterm=""))


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> int:
    """How many values differ, at any depth, of what may be shown; a list is one value."""
    old, new = (dict(_leaves(without_secrets(config))) for config in (before, after))
    return sum(
        name not in old or name not in new or normalised(old[name]) != normalised(new[name]) for name in old | new
    )


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def normalised(value: Any) -> str:
    """`value` as YAML, the same for the same content: keys sorted, no aliases, texts in lines, nothing folded."""
    return str(
        yaml.dump(value, Dumper=_Plain, sort_keys=True, allow_unicode=True, default_flow_style=False, width=2**31 - 1)
    )


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with what people put into it against all advice taken out.

    That is: values of `secrets`, which should be null, because the service fills them in; texts at or below a key that
    looks like a secret's, at any depth; logins in URLs. Numbers stay: `max_tokens` is no secret.
    """
    shown = {key: _shown(value, secret=_is_secret(key)) for key, value in config.items()}
    secrets = config.get(_SECRETS)
    if isinstance(secrets, Mapping):
        shown[_SECRETS] = {name: PLACEHOLDER if value else value for name, value in secrets.items()}
    elif secrets:
        shown[_SECRETS] = PLACEHOLDER
    return shown


def setting_changes(before: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> Iterator[SettingChange]:
    """What applying `wanted` changes; a wanted null asks for the default, whatever it is, and changes nothing here."""
    for key, value in wanted.items():
        name = f"{path}.{key}" if path else key
        old = before.get(key, _MISSING)
        if isinstance(value, Mapping):
            yield from setting_changes(old if isinstance(old, Mapping) else {}, value, name)
        elif value is not None and old != value:
            yield SettingChange(name, "" if old in (_MISSING, None) else _scalar(old), _scalar(value))


def _scalar(value: Any) -> str:
    return normalised(value).removesuffix("...\n").strip()


def _is_secret(key: str, *, within_secret: bool = False) -> bool:
    return not _NAME_KEY.search(key) and (within_secret or bool(_SECRET_KEY.search(key)))


def _shown(value: Any, *, secret: bool) -> Any:
    if isinstance(value, str):
        return PLACEHOLDER if secret and value else _USERINFO.sub(PLACEHOLDER, value)
    if isinstance(value, Mapping):
        return {key: _shown(item, secret=_is_secret(key, within_secret=secret)) for key, item in value.items()}
    return [_shown(item, secret=secret) for item in value] if isinstance(value, list) else value


class _Plain(_Dumper):  # type: ignore[misc] # one of two classes
    """Writes no aliases, and texts of several lines as such: a diff of one long line says nothing."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    text = text.encode("utf-8", "backslashreplace").decode()  # JSON can have half a character, YAML cannot
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _represent_text)
