"""What a problem says where no workflow file is: options and variables instead of `with:` and `${{ }}`. Pure.

A remedy that differs there says both, for GitHub first: `Set A of an action; elsewhere run B.` A sentence that is about
GitHub alone is left out where another one is left.
"""

import re
from dataclasses import replace

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.inputs.declaration import Kind
from baseten_deploy.inputs.settings import variable_of
from baseten_deploy.inputs.table import BY_NAME

# A secret is no option: it would be in the shell's history and in the list of processes.
_VARIABLES = {"baseten-api-key": "BASETEN_API_KEY"}
_INPUT = expression(r"`(?:the input )?([a-z][a-z0-9-]*)(?:: ([^`]*))?`")
_THE_INPUT = expression(r"\bthe inputs? (?=`--)")
_SENTENCE = expression(r"(?<=[.:]) (?=[A-Z`])")
_ELSEWHERE = "; elsewhere "
_OF_GITHUB = expression(r"\bDependabot\b|\bforks?\b|\bworkflow\b|`actions/|\bthe job's own\b")


def in_words_of_a_shell(problem: Problem) -> Problem:
    """`problem` with a remedy for somebody who typed a command or runs another CI system than GitHub's."""
    about = re.match(r"`([a-z][a-z0-9-]*)`", problem.message)
    values = BY_NAME[about[1]].choices if about and about[1] in BY_NAME else ()
    return replace(problem, remedy=_told(_sentences(problem.remedy), values))


def option(name: str, value: str = "") -> str:
    """How an input is given there: `--model-name m`, or the variable `INPUT_NEMO-TOKEN` for what is secret."""
    if BY_NAME[name].kind is Kind.SECRET:
        return f"the environment variable `{_VARIABLES.get(name) or variable_of(name)}`"
    return f"`--{name} {value}`" if value else f"`--{name}`"


def _sentences(text: str) -> str:
    """Without what is about GitHub alone, and what of two ways goes elsewhere."""
    told = []
    for sentence in _SENTENCE.split(text):
        _, both, rest = sentence.partition(_ELSEWHERE)
        if both:
            told.append(rest[:1].upper() + rest[1:])
        elif not _OF_GITHUB.search(sentence):
            told.append(sentence)
    return " ".join(told) or text


def _told(text: str, values: tuple[str, ...]) -> str:
    """Each input that is named in `text`, as it is given outside of a workflow file; `values` are none."""

    def told(found: re.Match[str]) -> str:
        name, value = found[1], found[2] or ""
        if name in values:
            return found[0]
        return option(name, "" if "${{" in value else value) if name in BY_NAME else found[0]

    return _THE_INPUT.sub("", _INPUT.sub(told, text))
