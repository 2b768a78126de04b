"""Whether a deploy changes what serves, for the output `changes`, and where settings have drifted. Pure.

What is not known counts as changed: a job that is skipped for it would never be run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from baseten_deploy.environment.target import Target
from baseten_deploy.inputs.environment_settings import applied

from .diff import SettingChange, setting_changes


def setting_drift(targets: Sequence[Target], wanted: Mapping[str, Any] | None) -> list[tuple[str, SettingChange]]:
    """What `environment-settings` would change, with the environment's name.

    What is in force already, in another order or with an id of the service's, is no change.
    """
    return [
        (target.name, change)
        for target in targets
        for group, value in (wanted or {}).items()
        if not (target.before and applied({group: value}, target.before.settings))
        for change in setting_changes(target.before.settings if target.before else {}, {group: value})
    ]


def drifted(targets: Sequence[Target], wanted: Mapping[str, Any] | None) -> bool:
    """Whether `environment-settings` are given and not in force in every environment that the run goes into."""
    return bool(wanted) and any(not (each.before and applied(wanted, each.before.settings)) for each in targets)
