"""The secrets of the teams: their names, for a model to ask for. Their values are kept nowhere here."""

from .entities import Secret, Team
from .store import Store, new_id


class Secrets:
    """What is there, and what a test or a rehearsal adds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, team_id: str | None = None) -> Secret:
        """A secret of a team, by default of the default team, as another user might add it."""
        with self._store.lock:
            made = Secret(new_id(7), name, self._store.team(team_id).id)
            self._store.secrets[made.id] = made
            return made

    def of(self, team_id: str | None = None) -> list[tuple[Secret, Team]]:
        """The secrets of a team, or of the organization, each with its team, oldest first."""
        with self._store.lock:
            found = [each for each in self._store.secrets.values() if team_id in {None, each.team_id}]
            return [(each, self._store.teams[each.team_id]) for each in found]
