"""Requests read strictly: the official SDK's models, with unknown fields refused at every level.

The SDK's unions end in `dict[str, Any]`, so that a client survives what it does not know. Here that would hide a
mistake: a value that only fits the `dict` is refused. Rules that go beyond types are `rules`'.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from baseten.client.managementapi import (
    CreateModelDeploymentRequest,
    CreateModelRequest,
    DeploymentArchiveSource,
    LibraryListingSource,
    ModelArchiveSource,
)
from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Request

from baseten_sandbox.errors import Refused, malformed

if TYPE_CHECKING:
    from werkzeug.datastructures import MultiDict

M = TypeVar("M", bound=BaseModel)

_REPEATED = {
    "metrics",
    "outcomes",
    "includes",
    "excludes",
    "event_type_groups",
    "environment_names",
    "deployment_ids",
    "sources",
    "user_ids",
}


def body(model: type[M], data: bytes) -> M:
    """The JSON body `data` as `model`; 422 when it is anything else."""
    try:
        read = model.model_validate_json(data, strict=True, extra="forbid")
    except ValidationError as error:
        raise _refusal(error) from error
    _refuse_fallbacks(read, "")
    return read


def query(model: type[M], args: "MultiDict[str, str]") -> M:
    """The query string as `model`; 422 for a parameter that is not documented or out of range."""
    values = {name: args.getlist(name) if name in _REPEATED else args[name] for name in args}
    try:
        return model.model_validate(values, extra="forbid")
    except ValidationError as error:
        raise _refusal(error) from error


def model_source(data: bytes) -> LibraryListingSource | ModelArchiveSource:
    """The source of `POST /v1/models`, by its `kind`."""
    source = _source(CreateModelRequest, data)
    if source.get("kind") == "library_listing":
        return body(LibraryListingSource, json.dumps(source).encode())
    return body(ModelArchiveSource, json.dumps(source).encode())


def deployment_source(data: bytes) -> DeploymentArchiveSource:
    """The source of `POST /v1/models/{id}/deployments`."""
    return body(DeploymentArchiveSource, json.dumps(_source(CreateModelDeploymentRequest, data)).encode())


def no_query(request: Request) -> None:
    """Refuse query parameters; this call has none."""
    if request.args:
        raise malformed(f"query: {', '.join(request.args)}: not a parameter of this call")


def no_body(request: Request) -> None:
    """Refuse a body that says anything; this call has none."""
    if request.get_data().strip() not in {b"", b"{}", b"null"}:
        raise malformed("body: this call has none")


def _source(request: type[BaseModel], data: bytes) -> dict[str, Any]:
    try:
        request.model_validate_json(data, extra="forbid")
    except ValidationError as error:
        raise _refusal(error) from error
    source: dict[str, Any] = json.loads(data)["source"]
    if not isinstance(source.get("kind"), str):
        raise malformed("source.kind: required")
    return source


def _refusal(error: ValidationError) -> Refused:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return malformed("; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in found))


def _refuse_fallbacks(model: BaseModel, path: str) -> None:
    """Refuse a `dict` that stands where the SDK has models to choose from."""
    for name, value in model:
        choices = tuple(_models_in(type(model).model_fields[name].annotation))
        several = isinstance(value, list)
        for number, item in enumerate(value if several else [value]):
            place = f"{path}{name}.{number}" if several else f"{path}{name}"
            if isinstance(item, BaseModel):
                _refuse_fallbacks(item, f"{place}.")
            elif isinstance(item, dict) and choices:
                raise malformed(f"{place}: {'; or '.join(_why_not(choice, item) for choice in choices)}")


def _why_not(choice: type[BaseModel], item: dict[str, Any]) -> str:
    try:
        body(choice, json.dumps(item).encode())
    except Refused as refused:
        return f"no {choice.__name__} ({refused.message})"
    return f"no {choice.__name__}"


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
