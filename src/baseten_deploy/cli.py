"""The same inputs as command-line options, for GitLab CI, Jenkins and a shell."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from . import __version__
from .errors import InvalidInput, Problem
from .inputs import BY_NAME, INPUTS, Kind
from .settings import PREFIX, suggestion

_DESCRIPTION = """\
Put a Truss into production on Baseten, and prove that it got there: validate, upload, deploy, wait until it is live,
smoke-test it. Exit code 0 when it is live, 1 when it is not (the status says why), 130 when cancelled.
"""

_EPILOG = """\
Every option can also be given as an environment variable INPUT_<NAME>, as GitHub does it: INPUT_TRUSS-DIRECTORY. Keep
the API key off the command line, where every process can read it: set BASETEN_API_KEY.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"Command line: {message}", "`--help` lists all options.")


def make_parser() -> argparse.ArgumentParser:
    """The parser, made from the same table as `action.yml`."""
    parser = _Parser(
        prog="baseten-deploy",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=__version__)
    groups = {name: parser.add_argument_group(name.lower()) for name in dict.fromkeys(spec.group for spec in INPUTS)}
    for spec in INPUTS:
        default = f" [{spec.default}]" if spec.default else ""
        flag: dict[str, Any] = {"nargs": "?", "const": "true"} if spec.kind is Kind.FLAG else {}
        groups[spec.group].add_argument(
            f"--{spec.name}",
            dest=spec.name,
            metavar="{" + ",".join(spec.choices) + "}" if spec.choices else spec.kind.name,
            help=(spec.description + default).replace("`", "").replace("%", "%%"),
            **flag,
        )
    return parser


def with_options(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the options laid over it as the `INPUT_*` variables that GitHub would set.

    Raises `InvalidInput` for what is no option, with the nearest one.
    """
    options, rest = make_parser().parse_known_args(list(arguments))
    problems = []
    for word in rest:
        name = word.partition("=")[0].lstrip("-")
        near = suggestion(name, list(BY_NAME), "Did you mean `--{}`? ") if word.startswith("-") else ""
        problems.append(Problem(f"Command line: there is no option {word!r}", f"{near}`--help` lists all options."))
    if problems:
        raise InvalidInput(problems)
    return {**environment, **{PREFIX + name.upper(): value for name, value in vars(options).items()}}
