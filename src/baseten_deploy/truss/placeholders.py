"""Placeholders that nothing fills in, in names, secrets and images: `${X}`, `{{ x }}`, `<x>`, `%X%`, `TODO`.

Neither this action nor the service replaces anything in a config: a model gets the very name `${MODEL_NAME}`. Pure, and
every finding is a warning. Elsewhere such text may be meant: an example input is a template often enough.
"""

from collections.abc import Iterator
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.strict_yaml import Path

from .config_file import ConfigFile
from .placeholder_forms import WHAT_TO_DO, placeholder_in

# The keys whose values are names of something that must exist, at any depth.
_NAMES = frozenset(
    {
        "model_name",
        "image",
        "python_version",
        "accelerator",
        "instance_type",
        "secret_name",
        "auth_secret_name",
        "runtime_secret_name",
        "aws_access_key_id_secret_name",
        "aws_secret_access_key_secret_name",
        "registry",
        "repo_id",
        "repo",
        "revision",
        "training_job_id",
    }
)
_FREE = frozenset({"model_metadata", "environment_variables", "arguments", "config", "patch_kwargs"})


def find_problems(config: ConfigFile) -> list[Problem]:
    """Warnings about names, secrets and image references that hold a placeholder."""
    return [_problem(config, path, found) for path, found in _walk(config.value, ())]


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))
    elif isinstance(value, dict):
        is_secret = path[-1:] in {("secrets",), ("secret_to_path_mapping",)}
        for key, item in value.items():
            inner = (*path, key)
            found = placeholder_in(key) if is_secret else ""
            if isinstance(item, str) and (is_secret or key in _NAMES):
                found = found or placeholder_in(item)
            if found:
                yield inner, found
            elif key not in _FREE:
                yield from _walk(item, inner)


def _problem(config: ConfigFile, path: Path, found: str) -> Problem:
    remedy = f"{WHAT_TO_DO}."
    if path == ("model_name",):
        remedy = f"{WHAT_TO_DO}; a name can come from the input `model-name`."
    elif path[0] == "secrets":
        remedy = (
            "Write the secret's name with `null`, for example `hf_access_token: null`: the value is kept in the "
            "workspace's secrets and is not filled in from here."
        )
    else:
        remedy = f"{WHAT_TO_DO}; or set the key with the input `deployment-settings`, in its `config`."
    where = ".".join(str(part) for part in path)
    return config.problem(f"`{where}` holds the placeholder `{found}`", remedy, *path)
