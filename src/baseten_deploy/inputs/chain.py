"""What a run about a Chain may be asked for: what Chains lack is refused by name, what they need is asked for. Pure.

Spec: the Chain calls of the management API (no labels, no development slot, no settings of one promotion, no metrics),
and what `truss chains push` takes.
"""

from baseten_deploy.errors import Problem

from .settings import Mode, Settings, read_settings
from .table import BY_NAME

SUFFIX = ".py"
_ELSEWHERE = "An environment of a Chain has `environment-settings`."
_CODE = "Write it into the Chain's Python file."

# What a Chain lacks: the input, and what to do instead. Those of later versions are here too.
_LACKS = {
    "config": _CODE,
    "library-listing": "A listing becomes a model: give no `.py` file.",
    "model-id": "Set `chain-id` instead.",
    "labels": "A Chain's deployments have none.",
    "redeploy-trigger": "A Chain's deployments have no labels, which would carry it.",
    "development": "Use `truss chains push --watch` for development.",
    "skip-unchanged": "A Chain's deployments have no content digest, so nothing is known to be unchanged.",
    "deployment-settings": _CODE,
    "preserve-env-instance-type": f"The service keeps each chainlet's instance type. {_ELSEWHERE}",
    "deploy-retries": "The service tries only models again.",
    "promotion-settings": f"They hold for models only. {_ELSEWHERE}",
    "watch-minutes": "The service has no metrics of a Chain.",
    "watch-limits": "The service has no metrics of a Chain.",
    "max-hourly-cost": "What a Chain costs is not known before it is deployed.",
    "cleanup-labels": "A Chain's deployments have no labels; set `keep-latest` alone.",
    "nemo-url": "The NeMo Platform registers models.",
}


def check_chain(settings: Settings) -> list[Problem]:
    """The problems of a run about a Chain, but for those of values and of inputs that no run takes together."""
    untouched, _ = read_settings({})
    fields = {name: name.replace("-", "_") for name in _LACKS if name in BY_NAME}
    problems = [
        Problem(f"`{name}`: a Chain does not have that", f"Remove `{name}`. {_LACKS[name]}")
        for name, field in fields.items()
        if getattr(settings, field) != getattr(untouched, field)
    ]
    if settings.mode is Mode.DISCOVER:
        problems.append(
            Problem("`mode: discover` finds Trusses, no Chains", "Set `truss-directory` to the directory to search.")
        )
    if settings.chain_id and settings.team:
        problems.append(Problem("`chain-id` and `team` cannot go together", "Remove `chain-id` or `team`."))
    if settings.mode in (Mode.DEPLOY, Mode.PLAN) and not settings.truss_directory.endswith(SUFFIX):
        problems.append(
            Problem(
                f"`mode: {settings.mode}` of a Chain needs the file with its entry point",
                "Set `truss-directory` to that `.py` file.",
            )
        )
    if settings.mode is Mode.PROMOTE and settings.deployment_name and not settings.deployment_id:
        problems.append(
            Problem(
                "`deployment-name`: the service does not tell the names of a Chain's deployments",
                "Set `deployment-id` instead.",
            )
        )
    if quoted := _unspeakable(settings):
        problems.append(quoted)
    return problems


def needs_of_chain(settings: Settings) -> dict[str, bool]:
    """What `mode` cannot do without, and whether each is given."""
    named = {"chain-id` or `model-name": bool(settings.chain_id or settings.model_name)}
    into = {"environment": bool(settings.environment)}
    return {
        Mode.PROMOTE: {"deployment-id": bool(settings.deployment_id or settings.deployment_name), **named, **into},
        Mode.ROLLBACK: {**named, **into},
        Mode.CLEANUP: {**named, "keep-latest": settings.keep_latest > 0},
    }.get(settings.mode, {})


def route_of(settings: Settings) -> str:
    """Where a deployment answers: a model at `predict`, a Chain at `run_remote`."""
    return "run_remote" if settings.is_chain else "predict"


def check_no_chain(settings: Settings) -> list[Problem]:
    """What only a Chain has, in a run about a model."""
    if not settings.chain_entrypoint:
        return []
    return [
        Problem(
            "`chain-entrypoint` names a class in a Chain's file, and this run deploys a Truss directory",
            "Set `truss-directory` to the `.py` file, or remove `chain-entrypoint`.",
        )
    ]


def _unspeakable(settings: Settings) -> Problem | None:
    """`truss` writes the name into a query as it is."""
    if any(each in settings.model_name for each in '"\\\n'):
        return Problem(
            f"`model-name`: {settings.model_name!r} has a character that a Chain's name cannot have",
            'Leave `"`, `\\` and line breaks out.',
        )
    return None
