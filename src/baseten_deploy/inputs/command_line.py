"""The same inputs as command-line options, for GitLab CI, Jenkins and a shell."""

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from baseten_deploy import __version__
from baseten_deploy.errors import InvalidInput, Problem

from .declaration import Kind
from .settings import suggestion, variable_of
from .table import BY_NAME, INPUTS

_DESCRIPTION = """\
Put a Truss into production on Baseten, and prove that it got there: validate, upload, deploy, wait until it is live,
smoke-test it. Exit code 0 when it is live, 1 when it is not (the status says why), 130 when cancelled.
"""

_EPILOG = """\
Every option can also be given as an environment variable INPUT_<NAME>, as GitHub does it: INPUT_TRUSS-DIRECTORY. Keep
secrets off the command line, where every process can read them: the API key is also taken from BASETEN_API_KEY. A value
that begins with "-" needs the form --name=value; a flag without a value means true, and --name=false turns it off.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        remedy = "`--help` lists all options. Write `--name=value` when the value begins with `-`."
        raise InvalidInput(f"Command line: {message}", remedy)


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=40)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)  # names keep their hyphens


def make_parser() -> argparse.ArgumentParser:
    """The parser, made from the same table as `action.yml`."""
    parser = _Parser(
        prog="baseten-deploy",
        usage="baseten-deploy [--name value | --name=value]...",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        add_help=False,
    )
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(spec.group for spec in INPUTS)}
    for spec in INPUTS:
        default = f" [{spec.default}]" if spec.default else ""
        flag: dict[str, Any] = {"nargs": "?", "const": "true"} if spec.kind is Kind.FLAG else {}
        groups[spec.group].add_argument(
            f"--{spec.name}",
            dest=spec.name,
            metavar=_metavar(spec.kind),
            help=(_described(spec.description, spec.choices) + default).replace("%", "%%"),
            **flag,
        )
    other = parser.add_argument_group("Other")
    other.add_argument("-h", "--help", action="help", help="show this text")
    other.add_argument("--version", action="version", version=__version__, help="show the version")
    return parser


def _metavar(kind: Kind) -> str:
    return {Kind.FLAG: "BOOL", Kind.CHOICE: "WORD", Kind.INTEGER: "N", Kind.NUMBER: "X", Kind.OBJECT: "YAML"}.get(
        kind, kind.name
    )


def _described(description: str, choices: Sequence[str]) -> str:
    """With the values of a closed list, unless the text names them."""
    if all(f"`{choice}`" in description for choice in choices):
        return description
    return f"{description}: {', '.join(choices)}"


def with_options(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the options laid over it as the `INPUT_*` variables that GitHub would set.

    Raises `InvalidInput` for what is no option, with the nearest one. No value is repeated: it may be a secret behind a
    misspelt name.
    """
    options, rest = make_parser().parse_known_args(list(arguments))
    problems = []
    belongs_to_option = False
    for word in rest:
        if word.startswith("-"):
            problems.append(_unknown(word.partition("=")[0]))
        elif not belongs_to_option:
            remedy = "Every value needs its option: `--truss-directory my-truss`. `--help` lists all options."
            problems.append(Problem("Command line: there is a value without an option", remedy))
        belongs_to_option = word.startswith("-") and "=" not in word
    if problems:
        raise InvalidInput(problems)
    return {**environment, **{variable_of(name): value for name, value in vars(options).items()}}


def _unknown(option: str) -> Problem:
    name = option.lstrip("-")
    negated = BY_NAME.get(name.removeprefix("no-"))
    if negated and negated.kind is Kind.FLAG:
        near = f"Write `--{negated.name}=false`. "
    else:
        near = suggestion(name.replace("_", "-"), list(BY_NAME), "Did you mean `--{}`? ")
    return Problem(f"Command line: there is no option `{option}`", f"{near}`--help` lists all options.")
