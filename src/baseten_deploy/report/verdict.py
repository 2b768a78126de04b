"""The verdict of a page: what the target serves now, and what to do next. Pure.

Written from the account, and from the status only as far as that tells more; nothing is said that the run did not see.
The verdict has at most three lines: what serves now; then of a red run the first error, what to do and where the logs
are; of a green one endpoint and logs; of one that did not wait, or did nothing, that and why.
"""

from collections import Counter

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.status import Status

from .account import Account, Deployment, Known, Serving, State, Switch, Target
from .amounts import count
from .facts import Facts
from .markdown import begun, code, link, texts

# What is longer is said whole in the alert below.
ERROR_CHARACTERS = 160
REMEDY_CHARACTERS = 200


def verdict(facts: Facts) -> tuple[str, ...]:
    """At most three lines of Markdown."""
    lines = [serves_now(facts.account, facts.status)]
    if facts.status.exit_code:
        lines += _red(facts)
    else:
        lines += _green(facts)
    return tuple(line for line in lines if line)


# What serves now


def serves_now(account: Account, status: Status = Status.SUCCESS) -> str:
    """What the target serves now, and what is known of this run's deployment."""
    target, deployment = account.final, account.deployment
    if account.mode == "cleanup":
        return _retired(account)
    if account.mode == "discover":
        return account.said
    if target is None:
        return _without_target(account)
    parts = [_of_target(target, account, status)]
    if deployment and not (target.now.known and account.is_ours(target.now.deployment_id)):
        parts.append(_of_deployment(deployment, account))
    elif account.made is Known.UNKNOWN:
        parts.append("Whether a new deployment was made is not known.")
    others = [each for each in account.targets if each is not target and account.is_ours(each.now.deployment_id)]
    parts += [f"{_name(each)} serves {code(each.now.deployment_id)}." for each in others]
    return " ".join(parts)


def _retired(account: Account) -> str:
    """How many deployments were retired, and how many stay."""
    words = Counter(what for _, what in account.retired)
    parts = [f"{count(number, 'deployment')} {what}" for what, number in sorted(words.items())]
    if account.kept:
        parts.append(f"{account.kept} kept")
    return f"{', '.join(parts)}." if parts else ""


def _of_target(target: Target, account: Account, status: Status) -> str:
    name, now, before = _name(target), target.now, target.before
    if not now.known:
        was = f" It served {_id(before)} when this run began." if before.known else ""
        return f"What {name} serves now is not known.{was}"
    serves = _id(now)
    if now.deployment_id and account.is_ours(now.deployment_id):
        if target.switch is Switch.UNTOUCHED:
            return f"{name} serves {serves}{'' if account.why else ', as it did before'}."
        replaced = before.deployment_id if before.deployment_id != now.deployment_id else ""
        instead = f" instead of {code(replaced)}" if replaced else ""
        return f"{name} serves {serves} now{instead}."
    if target.switch is Switch.BACK:
        return f"{name} serves {serves} again, as before this run."
    if now != before:
        return f"{name} serves {serves} now; when this run began it served {_id(before)}."
    if target.created and not now.deployment_id:
        return f"{name} was created and serves nothing yet."
    if target.switch is Switch.ASKED and _may_come(account, status):
        return f"{name} still serves {serves}, as last seen."
    return f"{name} is untouched, still serves {serves}."


def _may_come(account: Account, status: Status) -> bool:
    """Whether what was asked for may still happen after the run."""
    deployment = account.deployment
    if deployment and (deployment.state is State.FAILED or deployment.became):
        return False
    return status is not Status.PROMOTION_FAILED


def _without_target(account: Account) -> str:
    deployment = account.deployment
    if account.target and deployment is None:
        return f"{code(account.target)} was not touched." if account.made is not Known.UNKNOWN else ""
    if deployment is None:
        return "" if account.made is not Known.UNKNOWN else "Whether a deployment was made is not known."
    if account.development:
        return f"The development slot holds {code(deployment.id)}, which {_state(deployment)}."
    return _of_deployment(deployment, account)


def _of_deployment(deployment: Deployment, account: Account) -> str:
    new = "new " if account.made is Known.YES else ""
    where = ""
    if not account.target and not deployment.became:
        in_one = f"in {code(deployment.environment)}" if deployment.environment else "in no environment"
        where = f", {in_one}" if deployment.environment or deployment.state is not State.UNSEEN else ""
    return f"The {new}deployment {code(deployment.id)} {_state(deployment)}{where}."


def _state(deployment: Deployment) -> str:
    status = f" ({code(deployment.status)})" if deployment.status else ""
    if deployment.became:
        failed = f"failed{status} and " if deployment.state is State.FAILED else ""
        return f"{failed}was {deployment.became}"
    return {
        State.LIVE: f"is live{status}",
        State.FAILED: f"failed{status}",
        State.GOES_ON: f"is {code(deployment.status)} and goes on",
        State.UNSEEN: f"was last seen as {code(deployment.status)}" if deployment.status else "was not looked at",
    }[deployment.state]


def _id(serving: Serving) -> str:
    return code(serving.deployment_id) if serving.deployment_id else "nothing"


def _name(target: Target) -> str:
    return code(target.name)


# What next


def _green(facts: Facts) -> list[str]:
    account = facts.account
    lines = []
    if account.why:
        lines.append(f"Nothing was done: {texts(account.why)}.")
    elif account.mode in ("deploy", "promote", "rollback") and not account.waits and account.deployment:
        lines.append("Not waited for (`wait: false`): whether it becomes live, and answers, was not seen.")
    return [*lines, links(facts)]


def _red(facts: Facts) -> list[str]:
    if not facts.errors:
        return [links(facts)]
    problem = facts.errors[0]
    more = f" (and {len(facts.errors) - 1} more)" if len(facts.errors) > 1 else ""
    error = code(shortened(facts.first_error, ERROR_CHARACTERS)) if facts.first_error else _message(problem)
    remedy = begun(texts(shortened(problem.remedy, REMEDY_CHARACTERS)))
    logs = link("Logs", facts.logs) if facts.logs else ""
    return [f"**Error:** {error}{more}", " · ".join(filter(None, (remedy, logs)))]


# What follows in a message, and stands elsewhere on the page: what was answered, and what serves now.
_AFTERWARDS = expression(r"\. It was: |\. '[^']+' serves the previous ")


def _message(problem: Problem) -> str:
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    said = texts(shortened(_AFTERWARDS.split(problem.message, maxsplit=1)[0], ERROR_CHARACTERS))
    return f"{code(place)}: {said}" if place else said


def shortened(text: str, limit: int) -> str:
    """`text` on one line, cut at `limit` characters, between words where there are any."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit + 1].rpartition(" ")[0]
    return f"{cut if len(cut) > limit // 2 else line[:limit]} …"


def links(facts: Facts) -> str:
    """Endpoint and logs, as far as there are any."""
    found = ((link("Endpoint", facts.endpoint), facts.endpoint), (link("Logs", facts.logs), facts.logs))
    return " · ".join(text for text, address in found if address)
