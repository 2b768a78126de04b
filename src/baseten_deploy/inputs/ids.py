"""The shapes of what the service names: ids, and environments. Decided here for inputs and for answers alike. Pure.

An id goes into paths and host names, so whatever has another shape is none: `..` would lead to another call. Spec: an
environment's name as the API documents it for `POST /v1/models/{id}/environments`.
"""

import re

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression

from .settings import Settings, suggestion

ID = expression(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
ENVIRONMENT = expression(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_TEAM_CHARACTERS = 200
_SHOWN_CHARACTERS = 80
_PAGE = "Copy it from {what}'s page, whose address has it: up to 64 letters, digits, `_` and `-`."
_ENVIRONMENT_REMEDY = "Use up to 40 small letters, digits and `-`, with a letter or a digit at either end."


def check_names(settings: Settings) -> list[Problem]:
    """What is wrong with the inputs that name something of the service."""
    problems = []
    for name, value, what, instead in (
        ("model-id", settings.model_id, "the model", " A model's name goes into `model-name`."),
        ("chain-id", settings.chain_id, "the Chain", " A Chain's name goes into `model-name`."),
        ("deployment-id", settings.deployment_id, "the deployment", " Its name goes into `deployment-name`."),
    ):
        if value and not ID.fullmatch(value):
            remedy = _PAGE.format(what=what) + instead
            problems.append(Problem(f"`{name}`: {_shown(value)} is not the id of a {what.split()[1]}", remedy))
    for name, value in (("environment", settings.environment), ("promote-to", settings.promote_to)):
        if value and not ENVIRONMENT.fullmatch(value):
            near = re.sub(r"[^a-z0-9-]+", "-", value.lower()).strip("-")[:40].strip("-")
            meant = suggestion(near, [near], " Did you mean `{}`?") if near else ""
            message = f"`{name}`: {_shown(value)} is not the name of an environment"
            problems.append(Problem(message, _ENVIRONMENT_REMEDY + meant))
    if settings.team and not (settings.team.isprintable() and len(settings.team) <= _TEAM_CHARACTERS):
        message = f"`team`: {_shown(settings.team)} is neither the name nor the id of a team"
        problems.append(Problem(message, "Write it as the workspace's settings show it, in one line."))
    return problems


def _shown(value: str) -> str:
    shown = value if len(value) <= _SHOWN_CHARACTERS else value[: _SHOWN_CHARACTERS - 3] + "..."
    return ascii(shown) if not shown.isprintable() else repr(shown)
