"""Which inputs go together, and which values no run can use: pure checks of the settings, all reported at once."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from .errors import Problem
from .settings import CONTENT_DIGEST_LABEL, DEPLOY_KEY_LABEL, Aftermath, Mode, Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DEPLOYMENT_NAME = re.compile(r"[0-9a-zA-Z_.-]+")

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


def check(settings: Settings) -> list[Problem]:
    """What is wrong with inputs that are fine each by itself: formats, and what is refused together."""
    return [*_malformed(settings), *_refused_together(settings), *_missing(settings), *not_available_yet(settings)]


def _malformed(settings: Settings) -> list[Problem]:
    problems = []
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
        ("nemo-url", settings.nemo_url),
        ("s3-endpoint-url", settings.s3_endpoint_url),
    ):
        if url and (message := _url_problem(url)):
            problems.append(Problem(f"`{name}`: {message}", "Write an https URL such as `https://host/path`."))
    problems += [
        Problem(f"`deployment-settings`: `{name}` has an input of its own", f"Set the input `{other}` instead.")
        for name, other in _PAYLOAD_FIELDS_WITH_AN_INPUT.items()
        if name in (settings.deployment_settings or {})
    ]
    config = (settings.deployment_settings or {}).get("config", {})
    if not isinstance(config, dict):
        problems.append(Problem("`deployment-settings`: `config` must be an object", "Write the config's keys in it."))
    return problems


def _url_problem(url: str) -> str:
    """Why a base URL is refused, or `""`. Keys travel to it, so it is https unless the host is loopback."""
    try:
        parts = urlsplit(url.replace("{model_id}", "model"))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{url!r} is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return f"{url!r} is not an http(s) URL"
    if parts.username or parts.password:
        return "must not carry a user name or password"
    if parts.query or parts.fragment:
        return f"{url!r} is a base URL and must not have a query or a fragment"
    if parts.scheme == "http" and host not in LOOPBACK and not host.startswith("127."):
        return f"{url!r} is not https: credentials would travel in clear"
    return ""


def _refused_together(settings: Settings) -> list[Problem]:
    s = settings
    promotes = bool(s.promote_to) or s.mode is Mode.PROMOTE
    rules: list[tuple[bool, str, str]] = [
        (s.development and bool(s.environment), "development", "environment"),
        (s.development and bool(s.promote_to), "development", "promote-to"),
        (s.development and bool(s.deployment_name), "development", "deployment-name"),
        (bool(s.promote_to) and not s.wait, "promote-to", "wait: false"),
        (s.rollback_on_failure and not s.wait, "rollback-on-failure", "wait: false"),
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


def _missing(settings: Settings) -> list[Problem]:
    problems = []
    if not settings.baseten_api_key:
        problems.append(
            Problem(
                "`baseten-api-key`: is missing or empty",
                "Add the key as a secret and pass it: `baseten-api-key: ${{ secrets.BASETEN_API_KEY }}`. Runs from "
                "forks and Dependabot get no secrets.",
            )
        )
    has_model = bool(settings.model_id or settings.model_name)
    needs = {
        Mode.PROMOTE: {
            "deployment-id": bool(settings.deployment_id),
            "model-id` or `model-name": has_model,
            "environment": bool(settings.environment),
        },
        Mode.CLEANUP: {
            "model-id` or `model-name": has_model,
            "cleanup-labels": bool(settings.cleanup_labels),
        },
    }.get(settings.mode, {})
    problems += [
        Problem(f"`mode: {settings.mode}` needs `{name}`", f"Set `{name}`.")
        for name, given in needs.items()
        if not given
    ]
    return problems


# Inputs whose feature is not built yet: refused, so that nobody believes that they took effect.
_NOT_YET: dict[str, Callable[[Settings], bool]] = {
    "mode": lambda s: s.mode is not Mode.DEPLOY,
    "environment": lambda s: bool(s.environment),
    "create-environment": lambda s: s.create_environment,
    "environment-settings": lambda s: s.environment_settings is not None,
    "skip-unchanged": lambda s: s.skip_unchanged,
    "regional-environment": lambda s: s.regional_environment,
    "promote-to": lambda s: bool(s.promote_to),
    "rollback-on-failure": lambda s: s.rollback_on_failure,
    "on-cancel": lambda s: s.on_cancel is not Aftermath.KEEP,
    "nemo-url": lambda s: bool(s.nemo_url),
    "github-token": lambda s: bool(s.github_token),
    "fail-without-credentials": lambda s: s.fail_without_credentials,
}


def not_available_yet(settings: Settings) -> list[Problem]:
    """A problem for each input that was set and does nothing in this version."""
    return [
        Problem(f"`{name}`: this version of the action cannot do that yet", f"Remove `{name}`.")
        for name, is_set in _NOT_YET.items()
        if is_set(settings)
    ]


def find_warnings(settings: Settings) -> list[Problem]:
    """Inputs that have no effect on this run; none is ignored without a word."""
    s = settings
    idle: list[tuple[bool, str, str]] = [
        (s.mode is not Mode.CLEANUP and s.cleanup_labels is not None, "cleanup-labels", "only `mode: cleanup` uses it"),
        (s.mode is not Mode.CLEANUP and s.keep_latest > 0, "keep-latest", "only `mode: cleanup` uses it"),
        (s.mode is not Mode.PROMOTE and bool(s.deployment_id), "deployment-id", "only `mode: promote` uses it"),
        (
            s.create_environment and not (s.environment or s.promote_to),
            "create-environment",
            "neither `environment` nor `promote-to` is set",
        ),
        (
            s.cleanup and not s.wait,
            "cleanup",
            "with `wait: false` it stops a deployment that is still being built",
        ),
        (s.predict_expect is not None and not (s.predict and s.wait), "predict-expect", "no smoke test runs"),
    ]
    if s.library_listing:
        unused = {
            "development": s.development,
            "deployment-name": bool(s.deployment_name),
            "labels": s.labels is not None,
            "deployment-settings": s.deployment_settings is not None,
            "disable-archive-download": s.disable_archive_download,
        }
        idle += [(is_set, name, "a library listing brings its own deployment") for name, is_set in unused.items()]
    warnings = [
        Problem(f"`{name}` has no effect: {why}", f"Remove `{name}`.") for is_idle, name, why in idle if is_idle
    ]
    warnings += [
        Problem(f"`labels`: `{name}` is set by the action itself", "Use another label name.")
        for name in (DEPLOY_KEY_LABEL, CONTENT_DIGEST_LABEL)
        if name in (s.labels or {})
    ]
    return warnings
