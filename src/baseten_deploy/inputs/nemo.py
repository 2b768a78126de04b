"""What the `nemo-*` inputs may say, checked before anything is deployed. Pure.

The limits of single fields are `nemo_fields`; what goes with what, and what must never be sent, is here. Whether the
workspace, a project, fileset or secret exists is for `nemo.upsert` to find out.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from baseten_deploy.errors import Problem

from .nemo_fields import ENTITY, NAME, NAME_RULE, PROVIDER, check_fields, shown
from .settings import Settings

# Baseten does not take the platform's default, `Bearer`, for every key.
AUTH_HEADER_FORMAT = "Authorization: Api-Key {{ auth_secret }}"
NO_KEY = (
    "The platform shows it in clear to everybody who may read the entity. Store the key there as a secret, and name "
    "that secret: `nemo-provider: {name: ..., api_key_secret_name: ...}`."
)

_INPUT_OF_ITS_OWN = {"name": "nemo-model-name", "workspace": "nemo-workspace"}


def check_registration(settings: Settings) -> list[Problem]:
    """Every problem with the `nemo-*` inputs that the platform would find only after the deployment.

    Whether workspace, project, fileset and secret exist is for `nemo.upsert` to find out.
    """
    problems = []
    if not NAME.fullmatch(settings.nemo_workspace):
        problems.append(
            Problem(
                f"`nemo-workspace`: {shown(settings.nemo_workspace)} cannot be a workspace",
                f"Write the name of one that exists: {NAME_RULE}.",
            )
        )
    if settings.nemo_model_name:
        problems += check_name(settings.nemo_model_name, "`nemo-model-name`")
    token = settings.nemo_token
    if not (token.isascii() and token.isprintable() and " " not in token):
        problems.append(
            Problem(
                "`nemo-token`: has a space, a line break or a character that no token has",
                "Store the token in the secret again: alone, without `Bearer`, quotes or a line break.",
            )
        )
    secrets = [secret for secret in (settings.baseten_api_key, token, settings.github_token) if len(secret) > 3]
    for of, given in (("nemo-entity", settings.nemo_entity), ("nemo-provider", settings.nemo_provider)):
        problems += _check_secrets(given or {}, of, secrets)
    return problems + _check_entity(settings.nemo_entity or {}) + _check_provider(settings.nemo_provider)


def check_name(name: str, place: str) -> list[Problem]:
    """A problem when the platform would refuse the name of an entity or a provider; with one that it takes."""
    if NAME.fullmatch(name):
        return []
    slug = default_entity_name(name)
    return [Problem(f"{place}: {shown(name)} is not a name that the platform takes", f"Write `{slug}`: {NAME_RULE}.")]


def default_entity_name(model_name: str) -> str:
    """The entity's name from the Baseten model's: always one that the platform takes (`nemo_fields.NAME`)."""
    plain = unicodedata.normalize("NFKD", model_name.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9._]+", "-", plain).strip("-")
    name = words.lstrip("._-")
    if len(name) < 2 or not name[0].isalpha():
        name = f"model-{name}"
    return name[:63].rstrip("-")


def _check_entity(entity: Mapping[str, Any]) -> list[Problem]:
    of = "nemo-entity"
    problems = _check_keys_elsewhere(entity, of, _INPUT_OF_ITS_OWN)
    problems += check_fields(_pruned(entity, _INPUT_OF_ITS_OWN), ENTITY, of)
    problems += _check_reference(entity.get("fileset"), of, "fileset")
    prompt = entity.get("prompt")
    parameters = prompt.get("inference_params") if isinstance(prompt, Mapping) else None
    limits = ("max_tokens", "max_completion_tokens")
    if isinstance(parameters, Mapping) and all(parameters.get(limit) for limit in limits):
        problems.append(
            Problem(
                f"`{of}`: `prompt.inference_params` has both `max_tokens` and `max_completion_tokens`",
                "Keep the one that the model understands.",
            )
        )
    return problems


def _check_provider(provider: Mapping[str, Any] | None) -> list[Problem]:
    if provider is None:
        return []
    of = "nemo-provider"
    given = _pruned(provider, ("name", "workspace"))
    problems = _check_keys_elsewhere(provider, of, {"workspace": "nemo-workspace"})
    if not isinstance(provider.get("name"), str):
        problems.append(Problem(f"`{of}`: lacks the provider's `name`", "Write `{name: baseten, ...}`."))
    else:
        problems += check_name(provider["name"], f"`{of}`: `name`")
    secret = given.get("api_key_secret_name")
    if isinstance(secret, str) and len(secret) <= 255 and not NAME.fullmatch(secret):
        # Without the text, which may be the key itself.
        problems.append(
            Problem(
                f"`{of}`: `api_key_secret_name` is not the name of a secret",
                "Name a secret of the platform's workspace that holds the key; never put the key itself here. Its name "
                f"has {NAME_RULE}.",
            )
        )
    problems += check_fields(given, PROVIDER, of)
    problems += _check_reference(given.get("model_deployment_id"), of, "model_deployment_id")
    problems += _check_auth_header_format(given.get("auth_header_format"))
    for field in ("default_extra_headers", "required_extra_headers"):
        headers = given.get(field)
        for header in headers if isinstance(headers, Mapping) else ():
            if header.lower() in ("authorization", "cookie"):
                problems.append(
                    Problem(
                        f"`{of}`: `{field}` must not have `{header}`",
                        "Name the secret in `api_key_secret_name` and say how it is sent in `auth_header_format`.",
                    )
                )
    return problems


def _check_auth_header_format(text: Any) -> list[Problem]:
    """The platform wants a Jinja template that renders to `Name: value` with the secret in it once."""
    if not isinstance(text, str):
        return []
    places = re.findall(r"\{\{.*?\}\}", text)
    if "{%" not in text and len(places) == 1 and re.search(r"\bauth_secret\b", places[0]):
        name, separator, value = text.partition(": ")
        if separator and name.strip() and value.strip() and "{{" not in name:
            return []
    return [
        Problem(
            "`nemo-provider`: `auth_header_format` is not a header with the secret in it once",
            f"Leave it out for Baseten's, or write one such as `{AUTH_HEADER_FORMAT}`.",
        )
    ]


def _check_reference(value: Any, of: str, name: str) -> list[Problem]:
    if not isinstance(value, str):
        return []
    parts = value.split("/")
    if len(parts) <= 2 and all(part.strip() for part in parts):
        return []
    return [Problem(f"`{of}`: `{name}` {shown(value)} is no reference", "Write `name` or `workspace/name`.")]


def _check_keys_elsewhere(values: Mapping[str, Any], of: str, elsewhere: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(f"`{of}`: `{key}` has an input of its own", f"Set the input `{input_name}` instead.")
        for key, input_name in elsewhere.items()
        if key in values
    ]


def _pruned(value: Any, keys: Collection[str] = ()) -> Any:
    """`value` without those keys of its own, and without the keys that `_check_secrets` refuses at any depth."""
    if isinstance(value, Mapping):
        return {key: _pruned(item) for key, item in value.items() if key not in keys and not _is_key_name(key)}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def _check_secrets(value: Any, of: str, secrets: list[str]) -> list[Problem]:
    """A problem for each field, however deep, that is called an API key or holds a secret of this run."""
    problems = []
    for path, key, text in _texts(value):
        if _is_key_name(key):
            problems.append(Problem(f"`{of}`: `{path}` must not be sent", f"Remove it. {NO_KEY}"))
        elif any(secret in text for secret in secrets):
            problems.append(Problem(f"`{of}`: `{path}` holds a secret of this run", f"Remove it. {NO_KEY}"))
    return problems


def _texts(value: Any, path: str = "", key: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, last key and text of every value; an object's own text is `""`, so that its key is seen too."""
    if isinstance(value, Mapping):
        if path:
            yield path, key, ""
        for name, item in value.items():
            yield from _texts(item, f"{path}.{name}" if path else name, name)
    elif isinstance(value, list):
        yield path, key, ""
        for number, item in enumerate(value):
            yield from _texts(item, f"{path}[{number}]", "")
    else:
        yield path, key, value if isinstance(value, str) else ""


def _is_key_name(key: str) -> bool:
    return re.sub(r"[^a-z]", "", key.lower()) == "apikey"
