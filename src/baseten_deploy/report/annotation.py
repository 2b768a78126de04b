"""The red line on a run's page: what is wrong, the first error of the log, what to do, and where the log is. Pure."""

from dataclasses import replace

from baseten_deploy.errors import Problem

from .facts import Facts

LINE_CHARACTERS = 500


def annotated(problem: Problem, facts: Facts) -> Problem:
    """The first problem of a run as its annotation says it; one that has an excerpt of its own keeps that."""
    if not facts.logs or facts.account.deployment is None:
        return problem
    error = facts.first_error[:LINE_CHARACTERS]
    excerpt = problem.excerpt or (error if error not in problem.message else "")
    return replace(problem, excerpt=excerpt, remedy="\n".join(filter(None, (problem.remedy, f"Logs: {facts.logs}"))))
