"""Interprets a workflow file as far as the examples need it: jobs in order of `needs`, matrices, `if`, expressions.

The steps that use this action are run by the emulated runner with the inputs that stand in the file; what the file does
not say (where the sandbox is) is added. Steps of other actions are left out: the workspace is checked out already.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner import Result

OURS = "OWNER/baseten-deploy@"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class Interpreter:
    """Runs the jobs of a workflow. `run` gets the evaluated `with:` of each step of ours."""

    run: Callable[[Mapping[str, str]], Result]
    github: Mapping[str, Any]
    secrets: Mapping[str, str]
    results: list[Result] = field(default_factory=list)
    inputs: list[Mapping[str, str]] = field(default_factory=list)

    def workflow(self, path: Path) -> None:
        """Run all jobs; a job whose `needs` failed, or whose `if` is false, is not run."""
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        outputs: dict[str, Any] = {}
        while waiting := [name for name in jobs if name not in outputs]:
            name = next(name for name in waiting if set(_needs(jobs[name])) <= set(outputs))
            outputs[name] = self._job(jobs[name], {need: outputs[need] for need in _needs(jobs[name])})

    def _job(self, job: Mapping[str, Any], needs: Mapping[str, Any]) -> Mapping[str, Any]:
        outputs: Mapping[str, Any] = {}
        skipped = {"result": "skipped", "outputs": {}}
        before = {"github": self.github, "needs": needs}
        if any(need["result"] != "success" for need in needs.values()) or not _condition(job.get("if"), before):
            return skipped
        for matrix in _combinations(job.get("strategy", {}).get("matrix", {}), before):
            context = {"github": self.github, "secrets": self.secrets, "needs": needs, "matrix": matrix, "steps": {}}
            succeeded = all(self._step(step, context) for step in job["steps"])
            values = {name: evaluate(text, context) for name, text in job.get("outputs", {}).items()}
            outputs = {"result": "success" if succeeded else "failure", "outputs": values}
        return outputs

    def _step(self, step: Mapping[str, Any], context: dict[str, Any]) -> bool:
        if not step.get("uses", "").startswith(OURS):
            return True
        inputs = {name: evaluate(_text(value), context) for name, value in step["with"].items()}
        self.inputs.append(inputs)
        result = self.run(inputs)
        self.results.append(result)
        if "id" in step:
            context["steps"][step["id"]] = {"outputs": result.outputs}
        return result.outcome == "success"


def evaluate(text: str, context: Mapping[str, Any]) -> str:
    """Replace every `${{ a.b.c }}`. Raises `KeyError` for what the context does not have."""
    return _EXPRESSION.sub(lambda match: _text(_look_up(match[1], context)), text)


def _look_up(path: str, context: Mapping[str, Any]) -> Any:
    if path.startswith("'"):
        return path.strip("'")
    value: Any = context
    for name in path.split("."):
        value = value[name]
    return value


def _condition(text: str | None, context: Mapping[str, Any]) -> bool:
    """Whether all of what `&&` joins holds: comparisons of a path with another one, or with a text in quotes."""
    return text is None or all(_holds(part.strip(), context) for part in text.split("&&"))


def _holds(text: str, context: Mapping[str, Any]) -> bool:
    left, operator, right = re.split(r" (==|!=) ", text)
    other = right[1:-1] if right.startswith("'") else _look_up(right, context)
    return bool((_look_up(left, context) == other) is (operator == "=="))


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


def _combinations(matrix: Mapping[str, list[Any]] | str, context: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if isinstance(matrix, str):
        path = re.fullmatch(r"\$\{\{ fromJSON\((.*)\) \}\}", matrix)
        assert path
        yield from json.loads(_look_up(path[1], context))["include"]
        return
    yield from (dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values()))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
