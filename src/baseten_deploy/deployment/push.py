"""From a draft to a deployment: dry run, prepare, upload, commit. The part of the run that makes something."""

from contextlib import closing
from typing import Any

from baseten_deploy.archive import deflate
from baseten_deploy.archive.stream import Archives
from baseten_deploy.environment.target import ensure_target
from baseten_deploy.errors import CommitFailed, CommitUnseen, DeployError, Rejected
from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.run import Run
from baseten_deploy.service.answers import UploadTarget
from baseten_deploy.service.model_lookup import Destination, find_team, in_team, resolve
from baseten_deploy.service.remedies import failing_as
from baseten_deploy.storage.progress import UploadProgress, last_line
from baseten_deploy.storage.upload import Uploaded, upload
from baseten_deploy.truss.directory import Truss
from baseten_deploy.truss.refused_key import at_key

from . import on_failure
from .assembly import Draft, find_environments
from .creation import Committed, NameTakenError, archive_source, commit
from .payload import prepare_body
from .sent import Sent

_MADE_MEANWHILE = "Another job created the model {!r} meanwhile; adding a deployment to it"


def push(run: Run, draft: Draft) -> Committed:
    """Make exactly one deployment. Raises the `DeployError` of the step that failed."""
    with closing(Archives(draft.truss.files, draft.ready)) as archives:  # packed while the service is asked
        return validate_and_commit(run, draft, archives)


def validate_and_commit(run: Run, draft: Draft, archives: Archives) -> Committed:
    """As `push`, with the archives of the draft's files."""
    payload = draft.payload
    with run.phase("Validate"):
        destination = draft.destination
        try:
            prepare(run, draft.truss, destination, payload, dry_run=True)
        except Rejected as refused:
            destination = _made_meanwhile(run, destination, refused)
            prepare(run, draft.truss, destination, payload, dry_run=True)
        run.say("The service accepts the payload (dry run)")
    if draft.targets and destination.model:
        with run.phase("Environment"):
            targets = draft.targets if draft.destination.model else find_environments(run, destination)
            for target in targets:
                ensure_target(run, destination.model.id, target)
    while True:
        try:
            with run.phase("Upload"):
                uploaded = upload_archive(run, draft.truss, archives, destination, payload)
        except Rejected as refused:
            destination = _made_meanwhile(run, destination, refused)
            continue
        with run.phase("Commit"):
            s3_key = uploaded.target.key if uploaded else ""
            source = archive_source(destination, payload, s3_key, locked=run.settings.disable_archive_download)
            on_failure.remember(run, Sent(destination, payload["labels"][DEPLOY_KEY_LABEL]))
            try:
                return commit_once(run, destination, source)
            except NameTakenError:
                run.say(_MADE_MEANWHILE.format(destination.name))
                destination = resolve(run.api, run.settings, destination.name)


def commit_once(run: Run, destination: Destination, source: dict[str, Any]) -> Committed:
    """Commit, and note what that made: nothing where that was checked, unknown where it could not be."""
    run.ledger.sends(run.settings.environment, new_model=destination.model is None)
    try:
        return commit(run.api, destination, source, run.clock, run.say)
    except CommitUnseen:
        raise
    except (DeployError, NameTakenError):
        run.ledger.made_nothing()
        raise


def _made_meanwhile(run: Run, destination: Destination, refused: Rejected) -> Destination:
    """Where to go when a new model was refused because another job has made it since the look-up; else the refusal."""
    if destination.model:
        raise refused
    found = resolve(run.api, run.settings, destination.name)
    if found.model is None:
        raise refused
    run.say(_MADE_MEANWHILE.format(destination.name))
    return found


def prepare(
    run: Run, truss: Truss, destination: Destination, payload: dict[str, Any], *, dry_run: bool
) -> UploadTarget | None:
    """Have the payload validated; unless it is a dry run, get and mask upload credentials.

    A refusal that names a key of the config has its line and column.
    """
    run.allow_retries()
    body = prepare_body(destination, payload, dry_run=dry_run)
    what = "The dry run" if dry_run else "Preparing the upload"
    unanswered = "The dry run could not be made" if dry_run else "The upload could not be prepared"
    remedy = "Correct what it names, in `config.yaml` or the inputs."
    try:
        with failing_as(Rejected, f"{what} was refused", remedy, unanswered=unanswered):
            target = run.api.prepare(body)
    except Rejected as refused:
        raise Rejected(at_key(each, truss.config_file, truss.positions) for each in refused.problems) from refused
    if target:
        credentials = target.credentials
        for secret in (credentials.secret_access_key, credentials.session_token, credentials.access_key_id):
            run.runner.mask(secret)
    return target


def upload_archive(
    run: Run, truss: Truss, archives: Archives, destination: Destination, payload: dict[str, Any]
) -> Uploaded | None:
    """Upload the archive; `None` when the service needs none."""
    target = prepare(run, truss, destination, payload, dry_run=False)
    if target is None:
        run.say("This model format needs no archive; nothing is uploaded")
        return None

    def renew() -> UploadTarget:
        renewed = prepare(run, truss, destination, payload, dry_run=False)
        if renewed is None:
            raise Rejected("Preparing the upload again: the service issued no credentials", "Run again.")
        return renewed

    if (slow := deflate.missing()) is not None:
        run.warn(slow)
    progress = UploadProgress(run.say, run.clock)
    uploaded = upload(
        lambda: progress.of(archives.open()),
        target,
        renew=renew,
        largest=largest_archive(truss),
        endpoint_url=run.settings.s3_endpoint_url,
        progress=progress,
        way=run.way,
        redact=run.redactor.redact_foreign,
        clock=run.clock,
    )
    run.outputs.set("archive-bytes", uploaded.size)
    run.outputs.set("archive-sha256", uploaded.sha256)
    run.say(f"{last_line(uploaded.size, uploaded.seconds)}, SHA-256 {uploaded.sha256}")
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
        team = find_team(run.api, settings.team)
        source = {"kind": "library_listing", "lab_display_name": lab, "user_defined_listing_id": listing}
        if settings.model_name:
            source["deployed_model_name"] = settings.model_name
        destination = in_team(settings.model_name or settings.library_listing, None, team)
        try:
            return commit_once(run, destination, source)
        except NameTakenError:
            raise CommitFailed(
                f"A model {settings.model_name!r} exists already", "Choose another `model-name`."
            ) from None
