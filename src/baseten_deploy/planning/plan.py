"""`mode: plan`: finds out what a deploy run would do, by reading and by one dry run. Changes nothing.

Also its offline half, for runs that get no API key. What is not known is said in the plan and never ends the run; only
a refusal of the dry run does, after the plan was shown. How the facts read is `page`.
"""

from dataclasses import replace

from baseten_deploy.archive.digest import content_digest, file_digest
from baseten_deploy.background import in_background
from baseten_deploy.checks.check import Suite
from baseten_deploy.cost import pricing
from baseten_deploy.cost.pricing import Pricing
from baseten_deploy.deployment.assembly import Draft, draft_deployment, find_environments
from baseten_deploy.deployment.payload import deployment_name
from baseten_deploy.deployment.prerequisites import Prerequisites
from baseten_deploy.deployment.push import prepare
from baseten_deploy.errors import DeployError, Problem, RegistrationFailed, Rejected
from baseten_deploy.nemo.entity import DeployedModel, wanted_registration
from baseten_deploy.nemo.registration import open_registry
from baseten_deploy.nemo.upsert import RegistrationPlan, plan_registration
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination, find_by_name, find_team, in_team
from baseten_deploy.service.model_urls import openai_url
from baseten_deploy.truss.credentials import secrets_in
from baseten_deploy.truss.directory import Truss, place_of

from .diff import FileChange, config_diff, file_changes, same_config
from .live_archive import Unreadable, read_archive
from .live_config import Incomparable, comparable
from .live_deployment import Live, find_live, find_production, unchanged
from .page import Comparison, Plan, describe


def plan_push(run: Run, truss: Truss, suite: Suite | None = None) -> None:
    """Plan the deployment of a Truss. Raises what the dry run raised, and what keeps a run from getting so far."""
    prices = Pricing(run, pricing.PATIENCE_OF_A_PLAN)
    draft = draft_deployment(run, truss)
    with run.phase("Plan"):
        checking = in_background(lambda: prepare(run, truss, draft.destination, draft.payload, dry_run=True))
        needs = Prerequisites(run, truss, draft.destination)
        naming = in_background(lambda: _default_team(run, draft.destination))
        comparison, skips = _compare(run, draft)
        registration = _plan_registration(run, draft.destination, draft.digest)
        refusal: DeployError | None = None
        try:
            checking.result()
        except DeployError as error:
            refusal = error
        cost = prices.estimates(draft.payload["config"], draft.targets, draft.payload)
        too_dear = pricing.refusals(run, cost)
        touched = bool(comparison and comparison.touches_resources)
        place = place_of(truss, "resources")
        doubts = needs.missing(pricing.PATIENCE_OF_A_PLAN)
        doubts += pricing.idle_resources(cost, place, touched=touched)
        for problem in doubts:
            run.warn(problem)
        plan = Plan(
            settings=run.settings,
            name=draft.destination.name,
            deployment_name=str(draft.payload.get("deployment_name") or ""),
            destination=draft.destination,
            default_team=naming.result(),
            targets=draft.targets,
            comparison=comparison,
            verdict=refusal.problems if refusal else (),
            cost=cost,
            too_dear=too_dear,
            doubts=doubts,
            skips=skips,
            files=truss.files,
            digest=draft.digest,
            dropped=truss.dropped,
            warnings=[warning for warning in run.warnings if warning not in doubts],
            registration=registration,
        )
        _show(run, plan, suite)
    if too_dear:
        raise Rejected([*(refusal.problems if refusal else ()), *too_dear])
    if refusal:
        raise refusal


def plan_listing(run: Run, suite: Suite | None = None) -> None:
    """Plan a model from a library listing, which has neither an archive nor a dry run."""
    settings = run.settings
    with run.phase("Plan"):
        team = find_team(run.api, settings.team)
        name = settings.model_name or settings.library_listing
        new = in_team(name, None, team)
        found = find_by_name(run.api, name, team) if settings.model_name else new
        run.outputs.set("model-name", name)
        problems = pricing.unknown_refusal(settings.max_hourly_cost, pricing.LISTING)
        if found.model:
            problems = [Problem(f"A model {name!r} exists already", "Choose another `model-name`."), *problems]
        refusal = Rejected(problems) if problems else None
        plan = Plan(
            settings=settings,
            name=name,
            destination=found,
            default_team=_default_team(run, found),
            targets=find_environments(run, new),
            verdict=refusal.problems if refusal else None,
            warnings=run.warnings,
            registration=_plan_registration(run, new, ""),
        )
        _show(run, plan, suite)
    if refusal:
        raise refusal


def plan_offline(run: Run, truss: Truss | None, suite: Suite | None = None) -> None:
    """What can be said of a Truss (or, without one, a library listing) without the service. Sends nothing."""
    settings = run.settings
    run.runner.notice(
        Problem(
            "There is no API key: GitHub gives no secrets to a run from a fork or of Dependabot",
            "The Truss is checked as far as that goes without one, and nothing is sent. "
            "`fail-without-credentials: true` makes such a run fail.",
        )
    )
    with run.phase("Plan"):
        digest = content_digest(truss.files) if truss else ""
        if digest:
            run.outputs.set("content-digest", digest)
        plan = Plan(
            settings=settings,
            name=run.outputs.get("model-name") or settings.model_id or settings.model_name or settings.library_listing,
            deployment_name=deployment_name(settings, run.origin),
            files=truss.files if truss else (),
            digest=digest,
            dropped=truss.dropped if truss else (),
            warnings=run.warnings,
        )
        _show(run, plan, suite)


def _show(run: Run, plan: Plan, suite: Suite | None) -> None:
    if suite:
        from baseten_deploy.checks.table import described  # noqa: PLC0415 - most runs have none

        plan = replace(plan, checks=run.redactor.redact(described(suite)))
    markdown = describe(plan, run.redactor.redact)
    run.outputs.set("plan", markdown)
    if plan.changes is not None:
        run.outputs.set("changes", plan.changes)
    if run.runner.on_github:  # elsewhere all outputs are printed at the end
        run.runner.foreign(markdown)


def _default_team(run: Run, destination: Destination) -> str:
    """The name of the team that a new model goes into when none is given; `""` for unknown. Worth one try only."""
    if destination.model or destination.team_id:
        return ""
    try:
        names = [team.name for team in run.api.teams(retry=False) if team.default]
    except HttpError:
        return ""
    return names[0] if len(names) == 1 else ""


def _compare(run: Run, draft: Draft) -> tuple[Comparison | None, bool]:
    """With what is live where the run goes to, else with the model's production; and what `skip-unchanged` would do."""
    model = draft.destination.model
    if model is None:
        return None, False
    try:
        places = find_live(run, draft.destination, draft.targets)
        live = places[0] if places[0].deployment else find_production(run.api, model)
    except HttpError as error:
        why = f"what is live could not be looked up ({error.message})"
        return Comparison(Live("unknown"), why_no_files=why), False
    if live.deployment is None:
        return Comparison(live, why_no_files="nothing is live yet"), False
    reading = in_background(lambda: _live_files(run, draft, model, live))
    same, lines, why_no_config, touches = _live_config(run, draft, model, live)
    files, why_no_files = reading.result()
    trigger = run.settings.trigger
    comparison = Comparison(
        live,
        everywhere=live is places[0]
        and live.stays(draft.digest, trigger)
        and all(each.has(draft.digest, trigger) for each in places[1:]),
        triggers=any(each.deployment and each.triggered(trigger) for each in places),
        same_config=same,
        config_lines=lines,
        why_no_config=why_no_config,
        touches_resources=touches,
        files=files,
        why_no_files=why_no_files,
    )
    return comparison, unchanged(places, draft.digest, trigger) is not None


def _live_config(run: Run, draft: Draft, model: Model, live: Live) -> tuple[bool | None, tuple[str, ...], str, bool]:
    """Whether the config is the same, how it differs, why that is not known; and whether its `resources` differ."""
    assert live.deployment is not None
    after = draft.payload["config"]
    try:
        stored = run.api.stored_config(model.id, live.deployment.id)
        before = comparable(stored, after, by_this_action=bool(live.digest))
        for secret in secrets_in(before):
            run.redactor.add(secret)
        touches = before.get("resources") != after.get("resources")
        return same_config(before, after), config_diff(before, after), "", touches
    except HttpError as error:
        return None, (), f"the service does not answer with its config ({error.message})", False
    except Incomparable as error:
        return None, (), str(error), False
    except (ValueError, RecursionError):  # a thousand levels: JSON can have what YAML cannot
        return None, (), "its config cannot be shown", False


def _live_files(run: Run, draft: Draft, model: Model, live: Live) -> tuple[tuple[FileChange, ...] | None, str]:
    """How the files differ, or why that is not known. The same digest needs no download."""
    assert live.deployment is not None
    if live.digest == draft.digest:
        return (), ""
    try:
        url = run.api.download_url(model.id, live.deployment.id)
        run.redactor.add(url)
        return file_changes(read_archive(run.client, url), draft.truss.files, file_digest), ""
    except HttpError as error:
        return None, f"the service does not hand out its archive ({error.message})"
    except Unreadable as error:
        return None, f"its archive could not be read: {error}"


def _plan_registration(run: Run, destination: Destination, digest: str) -> RegistrationPlan | None:
    """What would be registered, and what would keep it from that, as warnings; `None` when nothing would."""
    settings = run.settings
    if not settings.nemo_url:
        return None
    environment = settings.promote_to or settings.environment
    model_id = destination.model.id if destination.model else ""
    url = openai_url(settings.inference_url, model_id, environment=environment, regional=settings.regional_environment)
    model = DeployedModel(
        model_id=model_id,
        model_name=destination.name,
        deployment_id="",
        endpoint_url=url if model_id and environment else "",
        environment=environment,
        git_sha=run.origin.sha,
        content_digest=digest,
    )
    try:
        plan = plan_registration(open_registry(run), model, wanted_registration(settings, destination.name))
    except RegistrationFailed as error:
        for problem in error.problems:
            run.warn(problem)
        return None
    for problem in plan.problems:
        run.warn(problem)
    return plan
