"""How the settings of a Chain's environment go out, and what becomes of what it served before. Pure.

A promotion of a Chain carries no settings, and a push none either: all of them are set by calls of their own, once the
environment serves what it should, or when it is created. So a run that fails before leaves them as they were.

Spec: `PromoteToChainEnvironmentRequest`, `CreateChainEnvironmentRequest` and `UpdateChainEnvironmentRequest` of the
management API.
"""

from typing import Any

from baseten_deploy.inputs.settings import Settings
from baseten_deploy.service.answers import Environment

GROUPS = ("promotion_settings", "chainlet_settings")


def of_promotion(settings: Settings, before: Environment | None) -> dict[str, Any]:
    """Further fields of a promotion's request.

    With `rollback-on-failure` what was served before has to come back at once. One that is scaled to zero wakes up by
    itself; one that is deactivated cannot be activated by a call, so where the environment deactivates it, that waits.
    """
    keep = settings.rollback_on_failure and _strategy(before) == "DEACTIVATE"
    return {"scale_down_previous_deployment": settings.scale_down_previous and not keep}


def of_roll_back(settings: Settings) -> dict[str, Any]:
    """Further fields of the promotion back."""
    return {"scale_down_previous_deployment": settings.scale_down_previous}


def left_to_do(settings: Settings, environment: Environment | None) -> str:
    """What is to become of the replaced deployment after the checks, because `of_promotion` had it kept."""
    waits = settings.rollback_on_failure and settings.scale_down_previous and _strategy(environment) == "DEACTIVATE"
    return "DEACTIVATE" if waits else "KEEP"


def _strategy(environment: Environment | None) -> str:
    own = (environment.settings.get("promotion_settings") or {}) if environment else {}
    return str(own.get("promotion_cleanup_strategy") or "SCALE_TO_ZERO")
