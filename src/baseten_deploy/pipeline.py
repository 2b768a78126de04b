"""The run, step by step, in the order of the map in CONTRIBUTING.md. What is hard in a step is a module of its own.

What comes before the first request is imported here, the rest when its turn comes: the service is being asked by then.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from baseten_deploy.background import in_background
from baseten_deploy.deployment.announcement import announce
from baseten_deploy.deployment.assembly import Draft, draft_deployment, served_before
from baseten_deploy.deployment.creation import Committed
from baseten_deploy.deployment.truss_input import begin, read_source
from baseten_deploy.errors import DeployError, PredictFailed
from baseten_deploy.inputs.combinations import is_offline
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.report.account import State
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.remedies import failing_as
from baseten_deploy.status import Status

if TYPE_CHECKING:
    from concurrent.futures import Future

    from baseten_deploy.chain.push import ChainDraft
    from baseten_deploy.checks.check import Suite
    from baseten_deploy.checks.proof import Proof
    from baseten_deploy.environment.target import Target
    from baseten_deploy.planning.forecast import Forecast, Limit


def go(run: Run) -> Status:
    """Do what `mode` says. Raises `DeployError` with the status that a run ends in that fails."""
    if is_offline(run.settings, secretless=run.origin.secretless):
        return retire_offline(run) if run.settings.mode is Mode.CLEANUP else plan_offline(run)
    try:
        return by_mode(run)
    except DeployError:
        from baseten_deploy.environment.last_look import look_again

        look_again(run)
        raise


def by_mode(run: Run) -> Status:
    """What each `mode` does."""
    modes = {
        Mode.DEPLOY: deploy,
        Mode.PLAN: plan,
        Mode.PROMOTE: promote,
        Mode.ROLLBACK: rollback,
        Mode.CLEANUP: retire,
        Mode.DISCOVER: discover,
    }
    return modes[run.settings.mode](run)


def deploy(run: Run) -> Status:
    """Put the Truss of this run into production."""
    suite = read_checks(run)
    chain = draft_chain(run)
    truss = None if chain else read_source(run)
    limit = None
    if run.settings.max_hourly_cost is not None:  # the prices are there by the time that they are needed
        from baseten_deploy.planning.forecast import Limit

        limit = Limit(run)
    draft = draft_deployment(run, truss) if truss else None
    if draft and is_live_already(run, draft):
        return Status.SKIPPED

    from baseten_deploy.deployment import on_failure

    settings, forecast = run.settings, foresee(run, draft, limit)
    with on_failure.of_commit(run, announce):
        committed = make(run, draft, chain)

    from baseten_deploy import gate
    from baseten_deploy.chain import page
    from baseten_deploy.checks.smoke_test import ask
    from baseten_deploy.deployment import retirement, startup
    from baseten_deploy.deployment.wait import wait
    from baseten_deploy.environment import settings as environment_settings
    from baseten_deploy.environment.ours import Ours
    from baseten_deploy.environment.target import target_of_promotion
    from baseten_deploy.watch.following import Watch

    payload = smoke_test_payload(run, truss.config if truss else {})
    ours = Ours(committed.deployment)
    before = served_before(chain or draft)
    proof = prepare_checks(run, suite, committed, payload, before) if settings.wait else None
    watch = Watch(run, committed.model, ours).before(draft.pushed_into if draft else None)
    with on_failure.of_deployment(run, committed.model, ours), page.chainlets_shown(run, committed):
        if forecast:
            forecast.result().tell()
        if settings.wait:
            with startup.told(run, committed.model, ours, before):
                wait(run, committed.model, ours, settings.environment, watch.during)
            ask(run, run.outputs.get("predict-url"), payload, settings.environment)
            if proof:
                where = settings.environment or "the deployment"
                proof.hold(where, run.outputs.get("predict-url"), committed.deployment.id)
        else:
            run.ledger.saw(committed.deployment.status, State.GOES_ON)
            run.say("Not waiting (`wait: false`)")
        stays = bool(settings.promote_to) or watch.hold(settings.environment)
        if settings.environment and stays:
            environment_settings.finish(
                run, committed.model.id, settings.environment, environment_settings.AFTER_A_PUSH
            )
        for name in filter(None, (run.first_into, settings.promote_to)):
            target = target_of_promotion(run, committed.model.id, name)
            gate.promote(run, committed.model, ours, target, payload, proof=proof)
    register(run, committed.model, committed.deployment)
    if settings.cleanup:
        retirement.clean_up(run, committed.model, committed.deployment.id)
    return Status.SUCCESS


def draft_chain(run: Run) -> "ChainDraft | None":
    """The Chain of this run, if it is one, read and looked up, with nothing changed yet."""
    if not run.settings.is_chain:
        return None
    from baseten_deploy.chain.push import draft_of_run

    return draft_of_run(run)


def make(run: Run, draft: Draft | None, chain: "ChainDraft | None") -> Committed:
    """Make the one deployment, of a Chain, of a Truss or (with neither) of a library listing; and tell it at once.

    What comes next is loaded here: the service builds meanwhile, and a cancel still finds what was made.
    """
    if chain:
        from baseten_deploy.chain.push import push_chain

        pushed = push_chain(run, chain)
    else:
        from baseten_deploy.deployment import push

        pushed = push.push(run, draft) if draft else push.create_from_listing(run)
    announce(run, pushed)
    import_module("baseten_deploy.gate")
    return pushed


def plan(run: Run) -> Status:
    """`mode: plan`: say what `deploy` would do; read, send one dry run, and change nothing."""
    from baseten_deploy.planning import plan

    suite = read_checks(run)
    if run.settings.is_chain:
        from baseten_deploy.planning.chain_plan import plan_chain

        plan_chain(run, suite)
    elif truss := read_source(run):
        plan.plan_push(run, truss, suite)
    else:
        plan.plan_listing(run, suite)
    return Status.PLANNED


def plan_offline(run: Run) -> Status:
    """A run that gets no API key, such as a fork's, does the half that needs none. Sends nothing."""
    from baseten_deploy.planning import plan

    suite = read_checks(run)
    if run.settings.is_chain:
        from baseten_deploy.planning.chain_plan import plan_chain_offline

        plan_chain_offline(run, suite)
        return Status.SKIPPED
    plan.plan_offline(run, read_source(run), suite)
    return Status.SKIPPED


def promote(run: Run) -> Status:
    """`mode: promote`: bring an existing deployment into an environment, after it passed its checks."""
    from baseten_deploy.deployment.existing import existing_deployment, existing_model
    from baseten_deploy.environment.target import ensure_target, find_target

    suite = read_checks(run)
    begin(run)
    with run.phase("Look up"):
        model = existing_model(run)
        deployment = existing_deployment(run, model)
        target = find_target(run, model.id, run.settings.environment)
    with run.phase("Environment"):
        ensure_target(run, model.id, target)
    return bring_in(run, model, deployment, target, suite)


def rollback(run: Run) -> Status:
    """`mode: rollback`: bring an environment back to what it served before, after that passed its checks."""
    from baseten_deploy.deployment.existing import existing_deployment, existing_model
    from baseten_deploy.environment.history import find_previous
    from baseten_deploy.environment.target import existing_target

    suite = read_checks(run)
    begin(run)
    with run.phase("Look up"):
        model = existing_model(run)
        target = existing_target(run, model.id, run.settings.environment)
        named = run.settings.deployment_id
        deployment = existing_deployment(run, model) if named else find_previous(run, model, target.now)
        serves = f"serves {target.previous_id}" if target.previous_id else "serves nothing"
        run.say(f"{target.name} {serves} and is rolled back to {deployment.id} ({deployment.name})")
    return bring_in(run, model, deployment, target, suite)


def bring_in(run: Run, model: Model, deployment: Deployment, target: "Target", suite: "Suite | None") -> Status:
    """Check an existing deployment, activated if it rests, and promote it into an environment."""
    from baseten_deploy import gate
    from baseten_deploy.chain import page
    from baseten_deploy.checks.smoke_test import ask
    from baseten_deploy.deployment import on_failure, startup
    from baseten_deploy.deployment.activation import bring_up
    from baseten_deploy.deployment.wait import wait
    from baseten_deploy.environment.ours import Ours

    found = Committed(model, deployment, created_model=False)
    announce(run, found, made=False)
    if target.previous_id:
        run.outputs.set("previous-deployment-id", target.previous_id)
    has_config = run.settings.predict and not run.settings.is_chain
    payload = stored_payload(run, model, deployment) if has_config else smoke_test_payload(run, {})
    if rests := deployment.status in ("INACTIVE", "DEACTIVATING"):
        run.ledger.saw(deployment.status, State.FAILED)
        end = run.clock.now() + run.settings.wait_timeout_seconds
        with run.phase("Activate"), startup.told(run, model, Ours(deployment), target.previous_id, made=False):
            deployment = bring_up(run, model, deployment.id, end=end)
    ours = Ours(deployment)
    with on_failure.of_promotion(run, model, ours, activated=rests), page.chainlets_shown(run, found):
        wait(run, model, ours)
        ask(run, run.outputs.get("predict-url"), payload)
        proof = prepare_checks(run, suite, found, payload, target.previous_id)
        if proof:
            proof.hold("the deployment", run.outputs.get("predict-url"), deployment.id)
        gate.promote(run, model, ours, target, payload, proof=proof)
    register(run, model, deployment)
    return Status.SUCCESS


def retire(run: Run) -> Status:
    """`mode: cleanup`: retire old deployments by their labels."""
    from baseten_deploy.deployment.existing import model_if_any
    from baseten_deploy.deployment.retirement import retire_old

    begin(run)
    if model := model_if_any(run):
        retire_old(run, model)
    return Status.SUCCESS


def retire_offline(run: Run) -> Status:
    """`mode: cleanup` of a run that gets no API key: it can retire nothing, and has deployed nothing either."""
    from baseten_deploy.deployment.retirement import skip_without_key

    begin(run)
    skip_without_key(run)
    return Status.SKIPPED


def discover(run: Run) -> Status:
    """`mode: discover`: find the repository's Trusses, and which of them differ from what is live."""
    from baseten_deploy.discovery.discover import discover_trusses

    begin(run)
    discover_trusses(run)
    return Status.SUCCESS


def foresee(run: Run, draft: Draft | None, limit: "Limit | None") -> "Future[Forecast] | None":
    """What is known of a deploy before it is made, asked beside the dry run; of a library listing nothing is.

    Raises `Rejected` when it can cost more than `max-hourly-cost`, or nobody knows what.
    """
    if draft is None:
        return limit.refuse_listing() if limit else None

    def work() -> "Forecast":
        from baseten_deploy.planning.forecast import Forecast

        return Forecast(run, draft, limit)

    forecast = in_background(work)
    if limit:
        forecast.result()
    return forecast


def read_checks(run: Run) -> "Suite | None":
    """The checks of the inputs, `None` for none; what is wrong with them joins the other problems of the inputs."""
    if not run.settings.checks:
        return None
    from baseten_deploy.checks.proof import read_suite

    return read_suite(run)


def prepare_checks(
    run: Run, suite: "Suite | None", committed: Committed, payload: Any, served_before: str
) -> "Proof | None":
    """The checks of a deployment; `served_before` is the id of what its target serves until this run changes that."""
    if suite is None:
        return None
    from baseten_deploy.checks.proof import Proof, live_side

    live = live_side(run, committed.model.id, served_before, committed.deployment.id)
    return Proof(run, suite, committed.model.id, payload, live)


def is_live_already(run: Run, draft: Draft) -> bool:
    """`skip-unchanged`: whether this content is what is live where the run goes to; then the outputs name it."""
    if not run.settings.skip_unchanged or draft.destination.model is None:
        return False
    from baseten_deploy.planning.skip import is_live

    return is_live(run, draft, draft.destination.model)


def register(run: Run, model: Model, deployment: Deployment) -> None:
    """Register what is live in the NeMo Platform, when the inputs name one."""
    if run.settings.nemo_url:
        from baseten_deploy.nemo import registration

        registration.register(run, model, deployment)


def smoke_test_payload(run: Run, config: dict[str, Any]) -> Any:
    """`predict-payload`, else the config's example input, else `None`: nothing is known to ask. Notes the transport."""
    from baseten_deploy.checks.payload import payload_and_transport

    payload, run.transport = payload_and_transport(run.settings, config)
    return payload


def stored_payload(run: Run, model: Model, deployment: Deployment) -> Any:
    """As `smoke_test_payload`, with the config that the deployment was built from."""
    from baseten_deploy.planning.live_config import parsed

    try:
        with failing_as(PredictFailed, "Reading the config of the deployment for its example input"):
            config = parsed(run.api.stored_config(model.id, deployment.id))
    except DeployError:
        if run.settings.predict_payload is None:
            raise
        config = {}  # it has a predict route, as most have
    return smoke_test_payload(run, config)
