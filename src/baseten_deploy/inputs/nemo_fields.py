"""What the NeMo Platform accepts in the fields of a model entity and of a provider: tables, and the check of a value.

Pure. Spec: `CreateModelEntityRequest` and `UpsertModelProviderRequest` in the service's `/openapi.json` (0.3.0), and
the rules that only its store knows, found by asking it; `tests/integration/test_nemo_real.py` holds the tables against
the real service. It ignores a key that it does not know; here that is a mistake, since nobody means to be ignored.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .settings import suggestion

# The create call documents `^[\w\-.]+$`, the store behind it enforces `^[a-z](?!.*--)[a-z0-9\-@.+_]{1,62}(?<!-)$` for
# the names of entities, providers, workspaces and secrets: both together. Use with `fullmatch`.
NAME = expression(r"[a-z](?!.*--)[a-z0-9._-]{1,62}(?<!-)")
NAME_RULE = (
    "2 to 63 characters: a lower-case letter first, then lower-case letters, digits, `.`, `_` and `-`; no `--`, no `-` "
    "at the end"
)
_SHOWN_CHARACTERS = 60


class Kind(Enum):
    """A type, as the service reads it: a number or a flag may come as its text."""

    TEXT = "a text"
    INTEGER = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    URL = "a URL"
    LIST = "a list"
    OBJECT = "an object"


@dataclass(frozen=True)
class Field:
    """What one field may hold. `fields` None is an object with keys of the user's own; `items` is for its values too.

    `open` lets an object have further keys next to those of `fields`.
    """

    kind: Kind
    required: bool = False
    nullable: bool = True
    longest: int | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    items: "Field | None" = None
    fields: Mapping[str, "Field"] | None = field(default=None, repr=False)
    open: bool = False


def _text(longest: int | None = None, **rules: Any) -> Field:
    return Field(Kind.TEXT, longest=longest, **rules)


def _must(kind: Kind) -> Field:
    return Field(kind, required=True, nullable=False)


_TEXTS = Field(Kind.LIST, items=Field(Kind.TEXT, nullable=False))
_HEADERS = Field(Kind.OBJECT, items=Field(Kind.TEXT, nullable=False))
_ANY_OBJECT = Field(Kind.OBJECT)
_INTEGER = Field(Kind.INTEGER)
_COUNT = Field(Kind.INTEGER, low=1)
_DEFAULT_INTEGER = Field(Kind.INTEGER, nullable=False)
_PROJECT = _text(255, pattern=r"[\w\-./]+")

SPEC: Mapping[str, Field] = {
    "context_size": _INTEGER,
    "num_virtual_tokens": _INTEGER,
    "is_chat": Field(Kind.FLAG),
    "is_embedding_model": Field(Kind.FLAG, nullable=False),
    "checkpoint_model_name": _must(Kind.TEXT),
    "family": _must(Kind.TEXT),
    "num_layers": _must(Kind.INTEGER),
    "hidden_size": _must(Kind.INTEGER),
    "num_attention_heads": _must(Kind.INTEGER),
    "num_kv_heads": _must(Kind.INTEGER),
    "ffn_hidden_size": _must(Kind.INTEGER),
    "vocab_size": _must(Kind.INTEGER),
    "tied_embeddings": _must(Kind.FLAG),
    "gated_mlp": _must(Kind.FLAG),
    "base_num_parameters": _must(Kind.INTEGER),
    "precision": _must(Kind.TEXT),
    "moe_config": Field(
        Kind.OBJECT,
        fields={
            "num_experts": _must(Kind.INTEGER),
            "num_experts_per_tok": _must(Kind.INTEGER),
            "num_expert_layers": _must(Kind.INTEGER),
            "expert_ffn_size": _INTEGER,
            "num_shared_experts": _DEFAULT_INTEGER,
        },
    ),
    "mamba_config": Field(
        Kind.OBJECT,
        fields={
            "is_hybrid": _must(Kind.FLAG),
            "num_mamba_layers": _must(Kind.INTEGER),
            "num_attention_layers": _DEFAULT_INTEGER,
            "num_mlp_layers": _DEFAULT_INTEGER,
            "state_size": _DEFAULT_INTEGER,
            "conv_kernel": _DEFAULT_INTEGER,
        },
    ),
    "sliding_window_config": Field(Kind.OBJECT, fields={"window_size": _must(Kind.INTEGER)}),
    "linear_layers": Field(
        Kind.LIST,
        items=Field(
            Kind.OBJECT,
            nullable=False,
            fields={
                "name": _must(Kind.TEXT),
                "in_features": _must(Kind.INTEGER),
                "out_features": _must(Kind.INTEGER),
            },
        ),
    ),
    "chat_template": _text(),
    "tool_call_config": Field(
        Kind.OBJECT,
        fields={"tool_call_parser": _text(255), "tool_call_plugin": _text(255), "auto_tool_choice": Field(Kind.FLAG)},
    ),
    "minimum_gpus_all_weights": _INTEGER,
    "minimum_gpus_lora": _INTEGER,
}

PROMPT: Mapping[str, Field] = {
    "system_prompt": _text(),
    "icl_few_shot_examples": _text(),
    "inference_params": Field(
        Kind.OBJECT,
        open=True,
        fields={
            "model": _text(),
            "temperature": Field(Kind.NUMBER, low=0, high=2),
            "max_tokens": _COUNT,
            "max_completion_tokens": _COUNT,
            "top_p": Field(Kind.NUMBER, low=0, high=1),
            "stop": _TEXTS,
        },
    ),
    "system_prompt_template": _text(),
}

# `name` has an input of its own; `api_endpoint.api_key` exists and is never sent: the service shows it to all readers.
ENTITY: Mapping[str, Field] = {
    "project": _PROJECT,
    "description": _text(1000),
    "spec": Field(Kind.OBJECT, fields=SPEC),
    "finetuning_type": _text(
        choices=(
            *("lora_merged", "all_weights", "last_layer", "top_layers", "gradual_unfreezing", "bias_only"),
            *("attention_only", "lora", "qlora", "adalora", "dora", "lora_plus", "prompt_tuning", "prefix_tuning"),
            *("p_tuning", "p_tuning_v2", "soft_prompt", "ppo", "dpo", "cdpo", "ipo", "orpo", "kto", "rrhf", "grpo"),
        )
    ),
    "fileset": _text(),
    "base_model": _text(),
    "api_endpoint": Field(Kind.OBJECT, fields={"url": Field(Kind.URL), "model_id": _text(), "format": _text()}),
    "backend_format": _text(choices=("OPENAI_CHAT", "ANTHROPIC_MESSAGES")),
    "prompt": Field(Kind.OBJECT, fields=PROMPT),
    "custom_fields": _ANY_OBJECT,
    "ownership": _ANY_OBJECT,
    "model_providers": _TEXTS,
    "trust_remote_code": Field(Kind.FLAG, nullable=False),
}

PROVIDER: Mapping[str, Field] = {
    "project": _PROJECT,
    "description": _text(1000),
    "host_url": Field(Kind.URL, nullable=False, longest=2048),
    "api_key_secret_name": _text(255),
    "enabled_models": _TEXTS,
    "default_extra_body": _ANY_OBJECT,
    "default_extra_headers": _HEADERS,
    "required_extra_body": _ANY_OBJECT,
    "required_extra_headers": _HEADERS,
    "model_deployment_id": _text(255),
    "status": _text(choices=("UNKNOWN", "CREATED", "PENDING", "READY", "ERROR", "DELETING", "DELETED", "LOST")),
    "status_message": _text(1000),
    "auth_header_format": _text(1024),
}


def check_fields(values: Mapping[str, Any], fields: Mapping[str, Field], of: str, path: str = "") -> list[Problem]:
    """Every problem of an object's keys and values. `of` is the input that has it, `path` where in it, from the top."""
    problems = []
    for key, value in values.items():
        name = f"{path}.{key}" if path else key
        if key in fields:
            problems += check_value(value, fields[key], of, name)
        else:
            known = ", ".join(f"`{word}`" for word in fields)
            near = suggestion(key, list(fields), "Did you mean `{}`? ")
            problems.append(Problem(f"`{of}`: there is no `{name}`", f"{near}Known: {known}."))
    missing = [key for key, rule in fields.items() if rule.required and key not in values]
    if missing:
        listed = ", ".join(f"`{key}`" for key in missing)
        problems.append(Problem(f"`{of}`: `{path}` lacks {listed}", f"Add what is missing, or leave `{path}` out."))
    return problems


def check_value(value: Any, rule: Field, of: str, name: str) -> list[Problem]:
    """What is wrong with a value: its type, or a limit of it."""

    def problem(what: str, remedy: str) -> list[Problem]:
        return [Problem(f"`{of}`: `{name}` {what}", remedy)]

    if value is None:
        return [] if rule.nullable else problem("must not be null", f"Write {rule.kind.value}, or leave it out.")
    if not _is(value, rule.kind):
        return problem(f"must be {rule.kind.value}, not {shown(value)}", f"Write {rule.kind.value}.")
    if rule.kind is Kind.OBJECT:
        return list(_inside_object(value, rule, of, name))
    if rule.kind is Kind.LIST:
        items = rule.items
        return [one for i, item in enumerate(value) if items for one in check_value(item, items, of, f"{name}[{i}]")]
    return [Problem(f"`{of}`: `{name}` {what}", remedy) for what, remedy in _limits(value, rule)]


def _limits(value: Any, rule: Field) -> Iterator[tuple[str, str]]:
    """What is wrong with a text or number of the right type, and what to do about it."""
    if rule.kind is Kind.URL and (why := url_problem(value)):
        yield why, "Write a URL such as `https://host/path`."
    if rule.choices and value not in rule.choices:
        near = suggestion(value, list(rule.choices), " Did you mean `{}`?")
        listed = ", ".join(f"`{choice}`" for choice in rule.choices)
        yield f"{shown(value)} is not one of its values", f"Write one of {listed}.{near}"
    if rule.longest is not None and len(value) > rule.longest:
        yield f"has {len(value)} characters, at most {rule.longest} are allowed", "Shorten it."
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield f"{shown(value)} has a character that is not allowed", f"It must match `^{rule.pattern}$`."
    if rule.low is not None:
        number = float(value) if isinstance(value, str) else value
        high = float("inf") if rule.high is None else rule.high
        limits = f"at least {rule.low:g}" if rule.high is None else f"from {rule.low:g} to {rule.high:g}"
        if not rule.low <= number <= high:
            yield f"must be {limits}, not {shown(value)}", f"Write a number {limits}."


def _inside_object(value: Mapping[str, Any], rule: Field, of: str, name: str) -> Iterator[Problem]:
    if rule.fields is not None:
        known = {key: item for key, item in value.items() if key in rule.fields} if rule.open else value
        yield from check_fields(known, rule.fields, of, name)
    for key, item in value.items():
        if rule.items:
            yield from check_value(item, rule.items, of, f"{name}.{key}")


def _is(value: Any, kind: Kind) -> bool:
    """Whether the service takes the value for one of that kind."""
    if kind in (Kind.TEXT, Kind.URL):
        return isinstance(value, str)
    if kind is Kind.LIST:
        return isinstance(value, list)
    if kind is Kind.OBJECT:
        return isinstance(value, Mapping)
    if kind is Kind.FLAG:
        text = str(value).lower() if isinstance(value, str | bool | int) else ""
        return text in ("true", "false", "1", "0", "yes", "no", "y", "n", "on", "off", "t", "f")
    if isinstance(value, str):
        return bool(re.fullmatch(r"[+-]?\d+(\.0+)?" if kind is Kind.INTEGER else r"[+-]?(\d+\.?\d*|\.\d+)", value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind is Kind.NUMBER or isinstance(value, int) or value.is_integer()


def url_problem(url: str) -> str:
    """Why a URL is refused, or `""`: it is shown to every reader, and so must not carry a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if not parts.scheme or (parts.scheme in ("http", "https") and not host) or re.search(r"\s", url):
        return f"{shown(url)} is not a URL"
    if parts.username or parts.password:
        return "must not carry a user name or password"
    return ""


def shown(value: Any) -> str:
    """A value for a message: quoted, and cut."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
