"""Which inputs go together, and which values no run can use: pure checks of the settings, all reported at once."""

from collections.abc import Sequence

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression

from .base_urls import url_problem
from .chain import check_chain, check_no_chain, needs_of_chain
from .echoes import without_echoes
from .environment_settings import CHAIN_SHAPE, SHAPE, check_environment_settings, check_promotion_settings
from .ids import check_names
from .settings import CONTENT_DIGEST_LABEL, DEPLOY_KEY_LABEL, TRIGGER_LABEL, Aftermath, Mode, Settings
from .watch_limits import check_watch_limits, job_warnings

DEPLOYMENT_NAME = expression(r"[0-9a-zA-Z_.-]+")

# Fields of the deployment payload that have an input of their own, which knows what else goes with them.
_PAYLOAD_FIELDS_WITH_AN_INPUT = {
    "raw_config": "config",
    "environment_name": "environment",
    "create_environment_if_missing": "create-environment",
    "preserve_env_instance_type": "preserve-env-instance-type",
    "deploy_timeout_minutes": "deploy-timeout-minutes",
    "deployment_name": "deployment-name",
    "labels": "labels",
    "is_development": "development",
}


def check(settings: Settings, *, secretless: bool = False, unread: Sequence[Problem] = ()) -> list[Problem]:
    """What is wrong with inputs that are fine each by itself: formats, and what is refused together.

    `secretless`: GitHub gives this run no secrets, so that it may lack the API key (see `is_offline`). `unread` are the
    problems of reading the inputs: what goes together with one that could not be read is not known yet.
    """
    return [
        *_malformed(settings),
        *without_echoes(_refused_together(settings), unread),
        *(check_chain(settings) if settings.is_chain else check_no_chain(settings)),
        *without_echoes(_missing(settings, needs_key=needs_key(settings, secretless=secretless)), unread),
    ]


def needs_key(settings: Settings, *, secretless: bool) -> bool:
    """Whether a run cannot do without a key. `mode: discover` can: then all that it finds counts as changed."""
    if settings.mode is Mode.DISCOVER:
        return secretless and settings.fail_without_credentials
    return not is_offline(settings, secretless=secretless)


def is_offline(settings: Settings, *, secretless: bool) -> bool:
    """Whether this is a fork's or Dependabot's run without a key that is to do the half that needs none.

    Of a clean-up that is nothing.
    """
    may_be = settings.mode in (Mode.DEPLOY, Mode.PLAN, Mode.CLEANUP) and not settings.fail_without_credentials
    return secretless and may_be and not settings.baseten_api_key


def _malformed(settings: Settings) -> list[Problem]:
    problems = check_names(settings)
    if settings.deployment_name and not DEPLOYMENT_NAME.fullmatch(settings.deployment_name):
        problems.append(
            Problem(
                f"`deployment-name`: {settings.deployment_name!r} has a character that is not allowed",
                "Use letters, digits, `_`, `.` and `-` only.",
            )
        )
    if settings.library_listing and not all(settings.library_parts):
        problems.append(
            Problem(
                f"`library-listing`: {settings.library_listing!r} is not `lab/listing-id`",
                "Write the lab and the listing's id with one `/` between them.",
            )
        )
    key = settings.baseten_api_key
    if not (key.isascii() and key.isprintable() and " " not in key):
        problems.append(
            Problem(
                "`baseten-api-key`: has a space, a line break or a character that no API key has",
                "Store the key in the secret again, without quotes and without a line break.",
            )
        )
    for name, url in (
        ("api-url", settings.api_url),
        ("inference-url", settings.inference_url),
        ("app-url", settings.app_url),
        ("nemo-url", settings.nemo_url),
        ("s3-endpoint-url", settings.s3_endpoint_url),
    ):
        if url and (message := url_problem(url)):
            problems.append(Problem(f"`{name}`: {message}", "Write an https URL such as `https://host/path`."))
    problems += [
        Problem(f"`deployment-settings`: `{name}` has an input of its own", f"Set the input `{other}` instead.")
        for name, other in _PAYLOAD_FIELDS_WITH_AN_INPUT.items()
        if name in (settings.deployment_settings or {})
    ]
    if settings.nemo_url:
        from .nemo import check_registration  # noqa: PLC0415 - most runs start faster without it

        problems += check_registration(settings)
    shape = CHAIN_SHAPE if settings.is_chain else SHAPE
    problems += check_environment_settings(settings.environment_settings or {}, shape)
    problems += check_promotion_settings(settings.promotion_settings or {})
    problems += check_watch_limits(settings.watch_limits or {})
    if (
        settings.environment
        and settings.preserve_env_instance_type
        and "instance_type_id" in (settings.deployment_settings or {})
    ):
        problems.append(
            Problem(
                "`deployment-settings`: `instance_type_id` contradicts keeping the environment's instance type",
                "Set `preserve-env-instance-type: false` too.",
            )
        )
    config = (settings.deployment_settings or {}).get("config", {})
    if not isinstance(config, dict):
        problems.append(Problem("`deployment-settings`: `config` must be an object", "Write the config's keys in it."))
    return problems


def _refused_together(settings: Settings) -> list[Problem]:
    s = settings
    promotes = bool(s.promote_to) or s.mode is Mode.PROMOTE
    # The service ends a push into an environment with a promotion too.
    any_promotion = promotes or s.mode is Mode.ROLLBACK or bool(s.environment)
    rules: list[tuple[bool, str, str]] = [
        (s.development and bool(s.environment), "development", "environment"),
        (s.development and bool(s.promote_to), "development", "promote-to"),
        (s.development and bool(s.deployment_name), "development", "deployment-name"),
        (bool(s.promote_to) and not s.wait, "promote-to", "wait: false"),
        (s.rollback_on_failure and not s.wait, "rollback-on-failure", "wait: false"),
        (s.watch_minutes > 0 and not s.wait, "watch-minutes", "wait: false"),
        (bool(s.checks) and not s.predict, "checks", "predict: false"),
        (bool(s.library_listing) and bool(s.environment), "library-listing", "environment"),
        (bool(s.library_listing) and bool(s.model_id), "library-listing", "model-id"),
        (bool(s.library_listing) and bool(s.config), "library-listing", "config"),
        (bool(s.model_id) and bool(s.team), "model-id", "team"),
    ]
    problems = [
        Problem(f"`{one}` and `{other}` cannot go together", f"Remove `{one}` or `{other}`.")
        for broken, one, other in rules
        if broken
    ]
    if s.rollback_on_failure and not promotes:
        problems.append(
            Problem(
                "`rollback-on-failure` needs a promotion to roll back",
                "Set `promote-to`, or use `mode: promote`.",
            )
        )
    if s.watch_limits is not None and not s.watch_minutes:
        problems.append(
            Problem("`watch-limits` needs a watch", "Set `watch-minutes` too, for example `watch-minutes: 10`.")
        )
    problems += [
        Problem(f"`{name}` needs a promotion", "Set `promote-to` or `environment`, or use `mode: promote`.")
        for name, given in (
            ("promotion-settings", s.promotion_settings is not None),
            ("scale-down-previous", not s.scale_down_previous),
        )
        if given and not any_promotion
    ]
    if s.regional_environment and not (s.environment or s.promote_to):
        problems.append(
            Problem(
                "`regional-environment` needs an environment: the regional host is the environment's",
                "Set `environment` too, or leave `regional-environment` out.",
            )
        )
    if s.environment_settings is not None and not (s.environment or s.promote_to):
        problems.append(
            Problem("`environment-settings` needs an environment to apply to", "Set `environment` or `promote-to` too.")
        )
    return problems


def _missing(settings: Settings, *, needs_key: bool) -> list[Problem]:
    problems = []
    if needs_key and not settings.baseten_api_key:
        problems.append(
            Problem(
                "`baseten-api-key`: is missing or empty",
                "Store the key as a secret of the repository, and pass "
                "`baseten-api-key: ${{ secrets.BASETEN_API_KEY }}`; elsewhere set `baseten-api-key`. Runs from forks "
                "and Dependabot get no secrets.",
            )
        )
    has_model = bool(settings.model_id or settings.model_name)
    of_model = {
        Mode.PROMOTE: {
            "deployment-id` or `deployment-name": bool(settings.deployment_id or settings.deployment_name),
            "model-id` or `model-name": has_model,
            "environment": bool(settings.environment),
        },
        Mode.ROLLBACK: {
            "model-id` or `model-name": has_model,
            "environment": bool(settings.environment),
        },
        Mode.CLEANUP: {
            "model-id` or `model-name": has_model,
            "cleanup-labels": bool(settings.cleanup_labels),
        },
    }.get(settings.mode, {})
    needs = needs_of_chain(settings) if settings.is_chain else of_model
    problems += [
        Problem(f"`mode: {settings.mode}` needs `{name}`", f"Set `{name}`.")
        for name, given in needs.items()
        if not given
    ]
    return problems


def find_warnings(settings: Settings) -> list[Problem]:
    """Inputs that have no effect on this run; none is ignored without a word."""
    s = settings
    idle: dict[str, dict[str, bool]] = {}  # by reason: the inputs, and whether each is set
    if s.mode is not Mode.CLEANUP:
        idle["only `mode: cleanup` uses it"] = {
            "cleanup-labels": s.cleanup_labels is not None,
            "keep-latest": s.keep_latest > 0,
            "retire": s.retire is not Aftermath.DEACTIVATE,
        }
    if s.mode not in (Mode.PROMOTE, Mode.ROLLBACK):
        idle["only `mode: promote` and `mode: rollback` use it"] = {"deployment-id": bool(s.deployment_id)}
    payload = {
        "development": s.development,
        # In `mode: promote` it says which deployment is promoted.
        "deployment-name": bool(s.deployment_name) and (s.mode is not Mode.PROMOTE or bool(s.deployment_id)),
        "labels": s.labels is not None,
        "deployment-settings": s.deployment_settings is not None,
        "disable-archive-download": s.disable_archive_download,
    }
    if s.mode in (Mode.PROMOTE, Mode.ROLLBACK, Mode.CLEANUP):
        idle[f"`mode: {s.mode}` deploys nothing"] = payload | {
            "library-listing": bool(s.library_listing),
            "config": bool(s.config),
            "promote-to": bool(s.promote_to),
            "skip-unchanged": s.skip_unchanged,
            "redeploy-trigger": bool(s.redeploy_trigger),
            "max-hourly-cost": s.max_hourly_cost is not None,
            "cleanup": s.cleanup,
            "deploy-retries": s.deploy_retries > 0,
        }
    elif s.mode is Mode.DISCOVER:
        idle["`mode: discover` only looks"] = payload | {
            "config": bool(s.config),
            "model-name": bool(s.model_name),
            "model-id": bool(s.model_id),
            "library-listing": bool(s.library_listing),
            "skip-unchanged": s.skip_unchanged,
            "max-hourly-cost": s.max_hourly_cost is not None,
            "cleanup": s.cleanup,
        }
    elif s.library_listing:
        idle["a library listing brings its own deployment"] = payload | {
            "skip-unchanged": s.skip_unchanged,
            "redeploy-trigger": bool(s.redeploy_trigger),
        }
    if not (s.environment or s.promote_to):
        idle["neither `environment` nor `promote-to` is set"] = {"create-environment": s.create_environment}
    unseen = s.mode is Mode.DEPLOY and not s.wait
    idle["`wait: false` does not see whether it comes up"] = {"deploy-retries": unseen and s.deploy_retries > 0}
    if not (s.predict and (s.wait or s.mode in (Mode.PROMOTE, Mode.ROLLBACK))) or s.mode is Mode.CLEANUP:
        idle["no smoke test runs"] = {
            "predict-payload": s.predict_payload is not None,
            "predict-expect": s.predict_expect is not None,
            "checks": bool(s.checks) and s.predict,
        }
    live = s.mode not in (Mode.CLEANUP, Mode.DISCOVER)
    idle[f"`mode: {s.mode}` brings nothing up"] = {
        "watch-minutes": not live and s.watch_minutes > 0,
        "watch-limits": not live and s.watch_limits is not None,
    }
    idle["`checks` is not set"] = {"checks-report": bool(s.checks_report) and not s.checks}
    if not s.nemo_url:
        idle["`nemo-url` is not set"] = {
            "nemo-token": bool(s.nemo_token),
            "nemo-model-name": bool(s.nemo_model_name),
            "nemo-entity": s.nemo_entity is not None,
            "nemo-provider": s.nemo_provider is not None,
        }
    warnings = [
        Problem(f"`{name}` has no effect: {why}", f"Remove `{name}`.")
        for why, names in idle.items()
        for name, is_set in names.items()
        if is_set
    ]
    warnings += job_warnings(s)
    if s.cleanup and not s.wait:
        warnings.append(
            Problem(
                "`cleanup` with `wait: false` stops a deployment that is still being built",
                "Remove `wait: false`, or `cleanup`.",
            )
        )
    warnings += [
        Problem(f"`labels`: `{name}` is set by the action itself", "Use another label name.")
        for name in (DEPLOY_KEY_LABEL, CONTENT_DIGEST_LABEL, *((TRIGGER_LABEL,) if s.redeploy_trigger else ()))
        if name in (s.labels or {})
    ]
    return warnings
