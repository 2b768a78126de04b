"""The secrets of the workspace that a config names, and where it names each. Pure.

They are named by the keys of `secrets` and of `build.secret_to_path_mapping`, and by the values of every
`...secret_name`: of `model_cache`, `weights` and their `auth`, `base_image.docker_auth`, checkpoints. What `truss`
fills in where a config says nothing is not named by the config.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from baseten_deploy.strict_yaml import Path

from .placeholder_forms import placeholder_in

_BY_KEY = (("secrets",), ("build", "secret_to_path_mapping"))
_SUFFIX = "secret_name"
# What a user may write anything into.
_FREE = frozenset({"model_metadata", "environment_variables", "secrets", "arguments", "config", "patch_kwargs"})


def named_secrets(config: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """Each secret's name, once, with the path of where it is first named. Placeholders are names of nothing."""
    found: dict[str, Path] = {}
    for place in _BY_KEY:
        mapping: Any = config
        for key in place:
            mapping = mapping.get(key) if isinstance(mapping, Mapping) else None
        if isinstance(mapping, Mapping):
            for name in mapping:
                found.setdefault(name, (*place, name))
    for name, path in _by_value(config, ()):
        found.setdefault(name, path)
    return [(name, path) for name, path in found.items() if name.strip() and not placeholder_in(name)]


def _by_value(value: Any, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _by_value(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and str(key).endswith(_SUFFIX):
                yield item, (*path, key)
            elif key not in _FREE:
                yield from _by_value(item, (*path, key))
