"""What to do about it when a NeMo Platform refuses, fails or does not answer. Pure.

Spec: the service's answers (nemo-platform 0.3.0). Without authentication a missing workspace is 422; with it the token
gets 403 for whatever it may not see, also for a workspace that does not exist.
"""

from baseten_deploy.errors import RegistrationFailed
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.retry import Fault

from .api import Registry, is_no_route

MAKE_WORKSPACE = "Create the workspace on the platform, or correct `nemo-workspace`."
STORE_KEY = (
    "Create the secret in that workspace, with the Baseten API key as its value, or correct `api_key_secret_name` in "
    "`nemo-provider`."
)
_AGAIN = "The deployment stays. Run again later: registering twice is harmless."


def explain(registry: Registry, error: HttpError, doing: str, of: str = "nemo-entity") -> RegistrationFailed:
    """The error for people: what was being done, what the platform said, what to do. `of` is the input it was about."""
    said = registry.said(error)
    return RegistrationFailed(f"{doing}: {said}", _remedy(registry, error, said, of))


def _remedy(registry: Registry, error: HttpError, said: str, of: str) -> str:
    fault, status = error.failure.fault, error.status
    if error.remedy and fault is not Fault.BAD_ANSWER and not 300 <= status < 400:  # something stands in between
        return f"{error.remedy} {_AGAIN}"
    if fault in (Fault.NOT_SENT, Fault.BARRED):
        return f"Check `nemo-url`, and that this runner can reach it (DNS, proxy, firewall, certificate). {_AGAIN}"
    if fault is Fault.NO_ANSWER:
        return f"The platform is slow or restarts. {_AGAIN}"
    if fault is Fault.BAD_ANSWER or 300 <= status < 400 or status == 405 or is_no_route(error):
        return (
            "Check that `nemo-url` is the base URL of the platform's API as the runner reaches it: without `/apis`, "
            "and neither its web pages, nor a login page, nor an address that redirects."
        ) + (f" {error.remedy}" if error.remedy else "")
    if status == 401:
        return _unauthorized(registry)
    if status == 403:
        return _forbidden(registry, said, of)
    if status in (404, 409):
        return "Another run or person works on it at the same time. Run again."
    if status == 429:
        return f"The platform's rate limit is used up. {_AGAIN}"
    if status >= 500:
        return f"The platform has trouble; its log says more. {_AGAIN}"
    return _refused(registry, said, of)


def _unauthorized(registry: Registry) -> str:
    if registry.authenticated:
        return "The platform does not accept `nemo-token`: it is wrong or has expired. Give it a fresh one."
    return "The platform wants authentication. Pass a token: `nemo-token: ${{ secrets.NEMO_TOKEN }}`."


def _forbidden(registry: Registry, said: str, of: str) -> str:
    if "trust_remote_code" in said:
        return (
            "Remove `trust_remote_code` from `nemo-entity`, or have an administrator grant the token's principal "
            "`models.trust-remote-code.set`."
        )
    if "tool_call_plugin" in said:
        return "Remove `spec.tool_call_config.tool_call_plugin` from `nemo-entity`, or have an administrator allow it."
    if "Access denied to" in said:
        return f"Grant the token's principal access to what it names, or correct `{of}`."
    if not registry.authenticated:
        return "Pass a token that may write there: `nemo-token: ${{ secrets.NEMO_TOKEN }}`."
    return (
        f"Give the token's principal the role Editor in the workspace {registry.workspace!r}, and the token the scopes "
        "`models:read` and `models:write`. A workspace that does not exist is answered the same way: check "
        "`nemo-workspace`."
    )


def _refused(registry: Registry, said: str, of: str) -> str:
    if f"Workspace '{registry.workspace}'" in said:
        return MAKE_WORKSPACE
    if "Project '" in said:
        return f"Create the project in that workspace, or correct `project` in `{of}`."
    if "Secret '" in said:
        return STORE_KEY
    if "Fileset " in said:
        return f"Create the fileset, with a file in it, or correct `fileset` in `{of}`."
    return f"Correct in `{of}` what it names."
