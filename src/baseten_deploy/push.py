"""From a Truss to a deployment: resolve, dry run, prepare, upload, commit. The part of the run that makes something."""

from dataclasses import dataclass
from typing import Any

from . import aftermath, environments
from . import commit as committing
from . import upload as uploading
from .amounts import duration, size
from .api import failing_as
from .archive import ArchiveStream, content_digest
from .commit import Committed, NameTakenError, archive_source
from .config_key import at_key
from .errors import CommitFailed, Problem, Rejected
from .payload import deployment_payload, merged, new_deploy_key
from .resolve import Destination, find_team, resolve
from .run import Run, in_background
from .settings import DEPLOY_KEY_LABEL
from .truss import Truss
from .upload import Target, Uploaded
from .upload_progress import UploadProgress


@dataclass(frozen=True)
class Draft:
    """A deployment that is about to be made: of what, where, into which environments, and what is sent for it."""

    truss: Truss
    digest: str
    destination: Destination
    targets: list[environments.Target]
    payload: dict[str, Any]


def draft_deployment(run: Run, truss: Truss) -> Draft:
    """Look up where the Truss goes, and put together what is sent. Changes nothing."""
    with run.phase("Look up"):
        name = run.settings.model_name or str(truss.config.get("model_name") or "").strip()
        resolving = in_background(lambda: resolve(run.api, run.settings, name))
        digest = content_digest(truss.files)
        run.outputs.set("content-digest", digest)
        destination = resolving.result()
        show_destination(run, destination)
        targets = find_environments(run, destination)
        payload = deployment_payload(
            run.settings, truss, run.checkout, deploy_key=new_deploy_key(run.checkout), content_digest=digest
        )
        if run.settings.environment and not destination.model:
            payload = merged(settings_of_first_push(run), payload)
    return Draft(truss, digest, destination, targets, payload)


def push(run: Run, draft: Draft) -> Committed:
    """Make exactly one deployment. Raises the `DeployError` of the step that failed."""
    destination, targets, payload = draft.destination, draft.targets, draft.payload
    with run.phase("Validate"):
        prepare(run, draft.truss, destination, payload, dry_run=True)
        run.say("The service accepts the payload (dry run)")
    if targets and destination.model:
        with run.phase("Environment"):
            for target in targets:
                environments.ensure(run, destination.model.id, target)
    while True:
        with run.phase("Upload"):
            uploaded = upload(run, draft.truss, destination, payload)
        with run.phase("Commit"):
            s3_key = uploaded.target.key if uploaded else ""
            source = archive_source(destination, payload, s3_key, locked=run.settings.disable_archive_download)
            aftermath.remember_commit(run, destination, payload["labels"][DEPLOY_KEY_LABEL])
            try:
                return committing.commit(run.api, destination, source, run.clock, run.say)
            except NameTakenError:
                run.say(f"Another job created the model {destination.name!r} meanwhile; adding a deployment to it")
                destination = resolve(run.api, run.settings, destination.name)


def find_environments(run: Run, destination: Destination) -> list[environments.Target]:
    """The environments that this run goes into, looked up before anything is made; writes what `environment` serves."""
    model_id = destination.model.id if destination.model else ""
    names = list(dict.fromkeys(filter(None, (run.settings.environment, run.settings.promote_to))))
    targets = [environments.find(run, model_id, name) for name in names]
    if targets and targets[-1].previous_id:
        run.outputs.set("previous-deployment-id", targets[-1].previous_id)
    return targets


def settings_of_first_push(run: Run) -> dict[str, Any]:
    """`environment-settings` as part of the payload: before its first push a model has no environment to update.

    The environment keeps the autoscaling settings; what is set for promotions holds for this one.
    """
    settings = run.settings.environment_settings or {}
    if "promotion_settings" in settings:
        run.warn(
            Problem(
                "`environment-settings`: the model is new, so `promotion_settings` hold for this promotion only",
                "The next run with the same settings makes them the environment's own.",
            )
        )
    names = {"autoscaling_settings": "autoscaling_settings", "promotion_settings": "promotion_settings_override"}
    return {names[key]: value for key, value in settings.items()}


def show_destination(run: Run, destination: Destination) -> None:
    """Say and write where the deployment goes, as far as it is known before the commit."""
    run.outputs.set("model-name", destination.name)
    if destination.model:
        run.outputs.set("model-id", destination.model.id)
        run.say(f"New deployment of the model {destination.name!r} ({destination.model.id})")
    else:
        run.say(f"New model {destination.name!r}")


def prepare(
    run: Run, truss: Truss, destination: Destination, payload: dict[str, Any], *, dry_run: bool
) -> Target | None:
    """Have the payload validated; unless it is a dry run, get and mask upload credentials.

    A refusal that names a key of the config has its line and column.
    """
    run.allow_retries()
    body: dict[str, Any] = {"deployment": payload, "dry_run": dry_run}
    if destination.model:
        body["model_id"] = destination.model.id
    else:
        body["name"] = destination.name
        if destination.team_id:
            body["team_id"] = destination.team_id
    what = "The dry run" if dry_run else "Preparing the upload"
    try:
        with failing_as(Rejected, f"{what} was refused", "Correct what it names, in `config.yaml` or the inputs."):
            target = run.api.prepare(body)
    except Rejected as refused:
        raise Rejected(at_key(each, truss.config_file, truss.positions) for each in refused.problems) from refused
    if target:
        credentials = target.credentials
        for secret in (credentials.secret_access_key, credentials.session_token, credentials.access_key_id):
            run.workflow.mask(secret)
    return target


def upload(run: Run, truss: Truss, destination: Destination, payload: dict[str, Any]) -> Uploaded | None:
    """Pack and upload the archive; `None` when the service needs none."""
    target = prepare(run, truss, destination, payload, dry_run=False)
    if target is None:
        run.say("This model format needs no archive; nothing is uploaded")
        return None

    def renew() -> Target:
        renewed = prepare(run, truss, destination, payload, dry_run=False)
        if renewed is None:
            raise Rejected("Preparing the upload again: the service issued no credentials", "Run again.")
        return renewed

    progress = UploadProgress(run.say, run.clock)
    uploaded = uploading.upload(
        lambda: progress.of(ArchiveStream(truss.files)),
        target,
        renew=renew,
        largest=largest_archive(truss),
        endpoint_url=run.settings.s3_endpoint_url,
        progress=progress,
        clock=run.clock,
    )
    run.outputs.set("archive-bytes", uploaded.size)
    run.outputs.set("archive-sha256", uploaded.sha256)
    run.say(f"Uploaded {size(uploaded.size)} in {duration(uploaded.seconds)}, SHA-256 {uploaded.sha256}")
    return uploaded


def largest_archive(truss: Truss) -> int:
    """An upper bound of the archive's size in bytes: content that does not compress, and headers."""
    content = sum(file.size for file in truss.files)
    return content + content // 1000 + 4096 * (len(truss.files) + 16)


def create_from_listing(run: Run) -> Committed:
    """Create a model from a library listing: there is no archive, and so nothing to prepare."""
    settings = run.settings
    lab, listing = settings.library_parts
    with run.phase("Create from the library"):
        team_id = find_team(run.api, settings.team) if settings.team else ""
        source = {"kind": "library_listing", "lab_display_name": lab, "user_defined_listing_id": listing}
        if settings.model_name:
            source["deployed_model_name"] = settings.model_name
        destination = Destination(settings.model_name or settings.library_listing, None, team_id)
        try:
            return committing.commit(run.api, destination, source, run.clock, run.say)
        except NameTakenError:
            raise CommitFailed(
                f"A model {settings.model_name!r} exists already", "Choose another `model-name`."
            ) from None
