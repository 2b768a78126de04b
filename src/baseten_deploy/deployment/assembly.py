"""A deployment that is about to be made: looked up and put together, with nothing changed yet."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from baseten_deploy.background import in_background
from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.model_lookup import Destination, resolve
from baseten_deploy.truss.directory import Truss

from .payload import deployment_payload, new_deploy_key

if TYPE_CHECKING:
    from baseten_deploy.archive.packing import Packed
    from baseten_deploy.environment.target import Target


@dataclass(frozen=True)
class Draft:
    """A deployment that is about to be made: of what, where, into which environments, and what is sent for it.

    `ready` are the first blocks of its archive, where they were packed for the digest; whoever sends them takes them.
    """

    truss: Truss
    digest: str
    destination: Destination
    targets: "list[Target]"
    payload: dict[str, Any]
    ready: "deque[Packed]" = field(default_factory=deque, repr=False, compare=False)

    @property
    def pushed_into(self) -> Environment | None:
        """What it is pushed into, as that is before; `None` for no environment, or one that does not exist yet."""
        name = self.payload.get("environment_name")
        return next((target.before for target in self.targets if target.name == name), None)


class Drafted(Protocol):
    """What a run is about to make, of whatever kind: where it goes."""

    @property
    def destination(self) -> Destination:
        """The model or Chain."""

    @property
    def targets(self) -> "list[Target]":
        """The environments."""


def served_before(draft: Drafted | None) -> str:
    """The id of what serves where a deployment goes, before that changes: of production where no target is named."""
    if draft is None:
        return ""
    if draft.targets:
        return draft.targets[-1].previous_id
    return draft.destination.model.production_deployment_id if draft.destination.model else ""


def draft_deployment(run: Run, truss: Truss) -> Draft:
    """Look up where the Truss goes, and put together what is sent. Changes nothing."""
    with run.phase("Look up"):
        name = run.settings.model_name or str(truss.config.get("model_name") or "").strip()
        resolving = in_background(lambda: resolve(run.api, run.settings, name))
        ahead = _preloading() if run.settings.mode is Mode.DEPLOY else _nothing
        # Not sooner: neither the first request nor the reading is to wait for the imports.
        digest, ready = _read(run, truss, lambda: resolving.add_done_callback(lambda _: ahead()))
        run.outputs.set("content-digest", digest)
        ahead()
        destination = resolving.result()
        show_destination(run, destination)
        targets = find_environments(run, destination)
        payload = deployment_payload(
            run.settings, truss, run.origin, deploy_key=new_deploy_key(run.origin), content_digest=digest
        )
        if run.settings.environment:
            from baseten_deploy.environment.settings import of_push  # noqa: PLC0415 - few runs need it at once

            # `deployment-settings`, already in the payload, have the last word
            payload = merged(of_push(run.settings, targets[0].before), payload)
    return Draft(truss, digest, destination, targets, payload, ready)


def _read(run: Run, truss: Truss, calm: Callable[[], None]) -> "tuple[str, deque[Packed]]":
    """The content digest; with the beginning of the archive where it will most likely be sent."""
    from baseten_deploy.archive.digest import content_digest, digest_and_pack  # noqa: PLC0415 - the request is sent first

    if run.settings.mode is not Mode.DEPLOY or run.settings.skip_unchanged:
        return content_digest(truss.files, calm=calm), deque()
    first = digest_and_pack(truss.files, calm=calm)
    return first.digest, deque(first.ready)


def _preloading() -> Callable[[], None]:
    """What starts loading boto3 when it is called for the first time, from whichever thread."""
    once = threading.Lock()

    def start() -> None:
        if once.acquire(blocking=False):
            from baseten_deploy.storage import upload  # noqa: PLC0415

            in_background(upload.preload)

    return start


def _nothing() -> None:
    """Do nothing."""


def find_environments(run: Run, destination: Destination) -> "list[Target]":
    """The environments that this run goes into, looked up before anything is made; writes what `environment` serves."""
    model_id = destination.model.id if destination.model else ""
    names = list(dict.fromkeys(filter(None, (run.settings.environment, run.settings.promote_to))))
    if not names:
        return []
    from baseten_deploy.environment.target import find_target  # noqa: PLC0415 - few runs need it at once

    targets = [find_target(run, model_id, name) for name in names]
    if targets[-1].previous_id:
        run.outputs.set("previous-deployment-id", targets[-1].previous_id)
    return targets


def show_destination(run: Run, destination: Destination) -> None:
    """Say and write where the deployment goes, as far as it is known before the commit."""
    run.outputs.set("model-name", destination.name)
    run.ledger.model(destination.name, destination.model.id if destination.model else "")
    if destination.model:
        run.outputs.set("model-id", destination.model.id)
        run.say(f"New deployment of the model {destination.name!r} ({destination.model.id})")
    else:
        run.say(f"New model {destination.name!r}")
