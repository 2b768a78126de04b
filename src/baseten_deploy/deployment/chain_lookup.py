"""Which Chain is meant: by its id, or by its name in one team or in all. As `service.model_lookup` for models."""

from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Model, Team
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination, find_team
from baseten_deploy.service.remedies import failing_as


def find_chain(run: Run, name: str) -> Destination:
    """Where the Chain `name` goes; with `chain-id` to that one, whatever its file calls it.

    Raises `InvalidInput` for a team or id that is not there, and for a name that several teams have; `AuthFailed`;
    `Rejected` when the service cannot be asked.
    """
    if run.settings.chain_id:
        return _by_id(run, run.settings.chain_id)
    team = find_team(run.api, run.settings.team)
    with failing_as(Rejected, f"Looking up the Chain {name!r}"):
        chains = run.api.models_named(name, team.id if team else "")
    if len(chains) > 1:
        where = ", ".join(f"{chain.id} (team {chain.team or 'unknown'})" for chain in chains)
        raise InvalidInput(
            f"{len(chains)} Chains are called {name!r}: {where}", "Say which one with `team` or `chain-id`."
        )
    found = chains[0] if chains else None
    return Destination(name, found, team.id, team.name) if team else Destination(name, found)


def chain_if_any(run: Run) -> Model | None:
    """The Chain of the inputs, `None` where there is none of that name; its outputs are out."""
    chain = find_chain(run, run.settings.model_name).model
    if chain:
        run.outputs.set("chain-id", chain.id)
        run.outputs.set("model-name", chain.name)
    return chain


def existing_chain(run: Run) -> Model:
    """The Chain of the inputs, which must exist."""
    if chain := chain_if_any(run):
        return chain
    raise InvalidInput(
        f"`model-name`: there is no Chain {run.settings.model_name!r} that this API key can see",
        "Correct the name, or set `team` or `chain-id`.",
    )


def team_of(run: Run, destination: Destination) -> str:
    """The id of the team to push into, `""` where it is for the service to say.

    `truss` finds a Chain by its name within a team, so a Chain that exists needs its own.
    """
    if destination.team_id:
        return destination.team_id
    with failing_as(Rejected, "Looking up the teams"):
        teams = run.api.teams()
    if destination.model:
        found = [team for team in teams if team.name == destination.model.team]
        return found[0].id if len(found) == 1 else ""
    return _only(teams)


def _only(teams: list[Team]) -> str:
    """The team that a new Chain goes into: the only one, or the default one."""
    found = teams if len(teams) == 1 else [team for team in teams if team.default]
    return found[0].id if len(found) == 1 else ""


def _by_id(run: Run, chain_id: str) -> Destination:
    with failing_as(Rejected, f"Looking up the Chain {chain_id!r}"):
        try:
            chain = run.api.model(chain_id)
        except HttpError as error:
            if error.status != 404:
                raise
            raise InvalidInput(
                f"`chain-id`: there is no Chain {chain_id!r} that this API key can see",
                "Copy the id from the Chain's page, and check that the key belongs to the same workspace.",
            ) from None
    expected = run.settings.model_name
    if expected and expected != chain.name:
        raise InvalidInput(
            f"`chain-id`: the Chain {chain_id} is called {chain.name!r}, not {expected!r} as `model-name` says",
            "Remove `model-name`, or correct the one that is wrong.",
        )
    return Destination(chain.name, chain)
