"""Tells a NeMo Platform about the deployed model: creates or updates the model entity, then puts the provider.

A create is never sent twice blindly: where a failure leaves open whether the platform acted, the entity is looked up
first. What is sent is `entity`, the calls are `api`, what to do about a failure is `remedies`.
"""

from collections.abc import Callable, Iterable

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import duration
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.retry import Tries

from .api import Registry
from .entity import DeployedModel, JsonObject, Registration, create_body, provider_body, update_body, update_warnings
from .remedies import MAKE_WORKSPACE, STORE_KEY, explain

Warn = Callable[[Problem], None]
Say = Callable[[str], None]

# All calls of one registration, or of one plan, with their retries, in seconds.
SECONDS = 180.0
# How long an accepted entity may take to show up, in seconds between the looks.
LOOKS = (1.0, 2.0, 4.0)
# The platform has given up on a provider in one of these, and a put keeps them; `CREATED` makes it look again.
_GIVEN_UP = ("ERROR", "LOST")


@dataclass(frozen=True)
class Registered:
    """What the platform has now: `entity` and `provider` as `workspace/name`, `provider` `""` when none was wanted."""

    entity: str
    created: bool
    provider: str = ""


@dataclass(frozen=True)
class RegistrationPlan:
    """What a registration would do. `None` of an `*_exists` is unknown: the token may not look.

    `body` is what the create call would send, `problems` are what would make the registration fail.
    """

    entity: str
    workspace_exists: bool | None
    entity_exists: bool | None
    body: JsonObject
    provider: str = ""
    provider_exists: bool | None = None
    problems: tuple[Problem, ...] = ()


def register_model(
    registry: Registry,
    model: DeployedModel,
    registration: Registration,
    *,
    say: Say,
    warn: Warn,
    registered: Callable[[str], None],
) -> Registered:
    """Create the entity or update the one that is there, then put the provider if one is wanted.

    `registered` gets the entity's `workspace/name` as soon as it is there, so that it is known whatever comes after.
    Raises `RegistrationFailed`; doing all of it again later is harmless.
    """
    registry.http.deadline = registry.clock.now() + SECONDS
    reference = registration.reference
    entity, created = _create_or_update(registry, model, registration, say, warn)
    say(f"{'Created' if created else 'Updated'} the model entity {reference}")
    registered(reference)
    if registration.provider is None:
        return Registered(reference, created)
    _put_provider(registry, model, registration, warn)
    _link_provider(registry, registration, entity)
    say(f"Put the provider {registration.provider_reference}")
    return Registered(reference, created, registration.provider_reference)


def plan_registration(registry: Registry, model: DeployedModel, registration: Registration) -> RegistrationPlan:
    """What `register` would do, found out by reading alone. What only a deployment tells may be `""` in `model`.

    Raises `RegistrationFailed` when the platform cannot be asked at all.
    """
    registry.http.deadline = registry.clock.now() + SECONDS

    def exists(find: Callable[[], JsonObject | None]) -> bool | None:
        try:
            return find() is not None
        except HttpError as error:
            if error.status == 403:
                return None
            raise explain(registry, error, f"Looking at the NeMo workspace {registration.workspace!r}") from error

    problems = []
    workspace = exists(registry.find_workspace)
    if workspace is False:
        problems.append(Problem(f"The NeMo workspace {registration.workspace!r} does not exist", MAKE_WORKSPACE))
    secret = (registration.provider or {}).get("api_key_secret_name")
    if secret and workspace is not False and exists(lambda: registry.find_secret(secret)) is False:
        problems.append(Problem(f"The NeMo workspace {registration.workspace!r} has no secret {secret!r}", STORE_KEY))
    provider = registration.provider_name
    return RegistrationPlan(
        entity=registration.reference,
        workspace_exists=workspace,
        entity_exists=workspace is not False and exists(lambda: registry.find_entity(registration.name)),
        body=create_body(model, registration),
        provider=registration.provider_reference,
        provider_exists=bool(provider) and workspace is not False and exists(lambda: registry.find_provider(provider)),
        problems=tuple(problems),
    )


def _create_or_update(
    registry: Registry, model: DeployedModel, registration: Registration, say: Say, warn: Warn
) -> tuple[JsonObject, bool]:
    """The entity as it is now, and whether this run created it."""
    doing = f"Registering the model entity {registration.reference}"
    body = create_body(model, registration)
    tries = Tries(registry.clock, registry.http.deadline)
    while True:
        try:
            return registry.create_entity(body), True
        except HttpError as error:
            failure = error.failure
            if failure.ambiguous:
                say(f"Creating the entity failed ({registry.said(error)}); checking whether it took effect")
            if failure.ambiguous or error.status == 409:
                found = _look(registry, registration, error, LOOKS if failure.ambiguous else (0.0,))
                if found:
                    ours = failure.ambiguous and found.get("custom_fields") == body["custom_fields"]
                    # After a create that took effect, too: the same content once more changes nothing.
                    return _update(registry, model, registration, found, warn), ours
            if not tries.again(failure, lambda seconds: say(f"Sending it again in {duration(seconds)}")):
                raise explain(registry, error, doing) from error


def _look(
    registry: Registry, registration: Registration, cause: HttpError, pauses: Iterable[float]
) -> JsonObject | None:
    """The entity if it is there, looked for after each of the pauses (seconds)."""
    for pause in pauses:
        registry.clock.sleep(pause)
        try:
            found = registry.find_entity(registration.name)
        except HttpError as error:
            doing = f"Registering the model entity {registration.reference}: {registry.said(cause)}. Looking it up"
            raise explain(registry, error, doing) from error
        if found:
            return found
    return None


def _update(
    registry: Registry, model: DeployedModel, registration: Registration, existing: JsonObject, warn: Warn
) -> JsonObject:
    for warning in update_warnings(existing, model, registration):
        warn(warning)
    body = update_body(create_body(model, registration), existing, registration)
    try:
        return registry.update_entity(registration.name, body)
    except HttpError as error:
        raise explain(registry, error, f"Updating the model entity {registration.reference}") from error


def _put_provider(registry: Registry, model: DeployedModel, registration: Registration, warn: Warn) -> None:
    name = registration.provider_name
    body = provider_body(model, registration)
    if "api_key_secret_name" not in body:
        warn(
            Problem(
                f"The provider `{registration.provider_reference}` names no secret: the gateway calls it without a key",
                "Set `api_key_secret_name` in `nemo-provider` to a secret of the platform that holds a Baseten key.",
            )
        )
    try:
        answer = registry.put_provider(name, body)
        if answer.get("status") in _GIVEN_UP and "status" not in body:
            registry.put_provider(name, {**body, "status": "CREATED", "status_message": "Registered again"})
    except HttpError as error:
        doing = f"Registering the provider {registration.provider_reference}"
        raise explain(registry, error, doing, "nemo-provider") from error


def _link_provider(registry: Registry, registration: Registration, entity: JsonObject) -> None:
    """Name the provider in the entity, next to those that are there, unless `nemo-entity` says which they are."""
    provider = registration.provider_reference
    linked = entity.get("model_providers") or []
    if provider in linked or registration.entity.get("model_providers") is not None:
        return
    try:
        registry.update_entity(registration.name, {"model_providers": [*linked, provider]})
    except HttpError as error:
        doing = f"Naming the provider {provider} in the model entity {registration.reference}"
        raise explain(registry, error, doing) from error
