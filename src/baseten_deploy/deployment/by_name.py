"""The one deployment of a name, for `mode: promote`. Names are not unique: which one is meant is never guessed."""

from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.remedies import failing_as

LISTED = 10


def find_by_name(run: Run, model: Model, name: str) -> Deployment:
    """The deployment of that name. Raises `InvalidInput` when there is none, or more than one."""
    with failing_as(Rejected, f"Looking up the deployment {name!r}"):
        deployments = run.api.deployments(model.id)
    found = sorted((row for row in deployments if row.name == name), key=lambda row: row.created_at, reverse=True)
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(
            f"`deployment-name`: {len(found)} deployments of the model {model.name!r} are named {name!r}: "
            f"{_rows(found)}",
            "Set `deployment-id` to the one that is meant, instead of `deployment-name`.",
        )
    names = [row.name for row in deployments if row.name]
    near = suggestion(name, names, "Did you mean `{}`? ")
    known = ", ".join(dict.fromkeys(reversed(names[-LISTED:]))) or "none"
    raise InvalidInput(
        f"`deployment-name`: the model {model.name!r} ({model.id}) has no deployment named {name!r}",
        f"{near}The newest names: {known}. Or set `deployment-id`.",
    )


def _rows(found: list[Deployment]) -> str:
    rows = [f"{row.id} ({row.status}, {row.created_at})" for row in found[:LISTED]]
    return ", ".join([*rows, f"and {len(found) - LISTED} more"] if len(found) > LISTED else rows)
