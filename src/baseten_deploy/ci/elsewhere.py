"""What a problem says where no workflow file is: options and variables instead of `with:` and `${{ }}`. Pure."""

import re
from dataclasses import replace

from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import variable_of
from baseten_deploy.inputs.table import BY_NAME, Kind

# A secret is no option: it would be in the shell's history and in the list of processes.
_VARIABLES = {"baseten-api-key": "BASETEN_API_KEY"}
_INPUT = re.compile(r"`(?:the input )?([a-z][a-z0-9-]*)(?:: ([^`]*))?`")
_THE_INPUT = re.compile(r"\bthe inputs? (?=`--)")


def in_words_of_a_shell(problem: Problem) -> Problem:
    """`problem` with a remedy for somebody who typed a command or runs another CI system than GitHub's."""
    return replace(problem, remedy=_told(problem.remedy)) if "`" in problem.remedy else problem


def option(name: str, value: str = "") -> str:
    """How an input is given there: `--model-name m`, or the variable `INPUT_NEMO-TOKEN` for what is secret."""
    if BY_NAME[name].kind is Kind.SECRET:
        return f"the environment variable `{_VARIABLES.get(name) or variable_of(name)}`"
    return f"`--{name} {value}`" if value else f"`--{name}`"


def _told(text: str) -> str:
    """Each input that is named in `text`, as it is given outside of a workflow file."""

    def told(found: re.Match[str]) -> str:
        name, value = found[1], found[2] or ""
        return option(name, "" if "${{" in value else value) if name in BY_NAME else found[0]

    return _THE_INPUT.sub("", _INPUT.sub(told, text))
