"""How an input is declared. All of them are in `table`; how the text of one is read, is `settings`."""

from enum import StrEnum

from baseten_deploy.records import dataclass


class Kind(StrEnum):
    """How the text of an input is read."""

    TEXT = "text"
    SECRET = "masked text"  # noqa: S105 - as TEXT, and masked before anything else happens
    FLAG = "true or false"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "YAML or JSON object"
    JSON = "JSON"


@dataclass(frozen=True)
class Input:
    """One input. `default` is the text that an empty value stands for; `""` means that there is none."""

    name: str
    default: str
    kind: Kind
    group: str
    description: str
    choices: tuple[str, ...] = ()


def group(title: str, *rows: tuple[str, str, Kind, str] | tuple[str, str, Kind, str, tuple[str, ...]]) -> list[Input]:
    """The inputs below one heading of the README; each row has name, default, kind, description and maybe choices."""
    return [Input(row[0], row[1], row[2], title, row[3], row[4] if len(row) == 5 else ()) for row in rows]
