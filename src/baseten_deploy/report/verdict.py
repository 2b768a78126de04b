"""The heading and the verdict of a page: what happened, what the target serves now, and what to do next. Pure.

Written from the account, and from the status only as far as that tells more; nothing is said that the run did not see.
The verdict has at most three lines: what serves now; then of a red run the first error, what to do and where the logs
are; of a green one endpoint and logs; of one that did not wait, or did nothing, that and why.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping

from baseten_deploy.errors import Problem
from baseten_deploy.status import Status

from .account import Account, Deployment, Known, Serving, State, Switch, Target
from .amounts import count
from .facts import Facts
from .markdown import begun, code, link, texts

# What is longer is said whole in the alert below.
ERROR_CHARACTERS = 160
REMEDY_CHARACTERS = 200


def heading(facts: Facts) -> str:
    """What happened, and to what: model and target. Without the marks of a heading."""
    account = facts.account
    said = _what(facts)
    name = code(account.model_name or facts.outputs.get("model-name", "") or account.model_id)
    if not name and account.mode in ("deploy", "plan") and account.directory != ".":
        name = code(account.directory)  # of a Truss that cannot be read
    where = code(account.target) or ("the development slot" if account.development and name else "")
    to_what = " → ".join(filter(None, (name, where)))
    return f"{said}: {to_what}" if to_what else said


def verdict(facts: Facts) -> tuple[str, ...]:
    """At most three lines of Markdown."""
    lines = [serves_now(facts.account, facts.status)]
    if facts.status.exit_code:
        lines += _red(facts)
    else:
        lines += _green(facts)
    return tuple(line for line in lines if line)


# Headings


def _what(facts: Facts) -> str:
    special = _OF.get(facts.status)
    return special(facts) if special else f"❌ {facts.status.value.replace('_', ' ').capitalize()}"


def _success(facts: Facts) -> str:
    account = facts.account
    did = {
        "promote": ("✅ Promoted", "⏳ Promotion begun, not waited for"),
        "rollback": ("✅ Rolled back, as asked for", "⏳ Roll-back begun, not waited for"),
        "cleanup": ("✅ Cleaned up", "✅ Cleaned up"),
        "discover": ("✅ Trusses found", "✅ Trusses found"),
    }.get(account.mode)
    if did:
        return did[0] if account.waits else did[1]
    if not account.waits:
        return "⏳ Pushed, not waited for"
    if account.deployment and account.deployment.became:
        return f"✅ Live and checked, then {account.deployment.became}"
    if account.target:
        return "✅ Deployed"
    return "✅ Live, in no environment" if _nowhere(account) else "✅ Live"


def _skipped(facts: Facts) -> str:
    if facts.account.why.startswith(LIVE_ALREADY):
        return "⏭️ Unchanged, nothing was deployed"
    if facts.account.mode in ("deploy", "plan"):
        return "⏭️ Checked without an API key, nothing was sent"
    return "⏭️ Skipped, nothing was sent"


def _refused(facts: Facts) -> str:
    return f"❌ Refused before the upload{_unchanged(facts.account)}"


def _auth_failed(facts: Facts) -> str:
    return f"❌ The API key was refused{_unchanged(facts.account)}"


def _upload_failed(facts: Facts) -> str:
    return f"❌ The upload failed, no deployment was made{_environments_made(facts.account)}"


def _commit_failed(facts: Facts) -> str:
    if facts.account.made is Known.UNKNOWN:
        return "❌ It is not known whether a deployment was made"
    return f"❌ The commit failed, no deployment was made{_environments_made(facts.account)}"


def _deploy_failed(facts: Facts) -> str:
    deployment = facts.account.deployment
    if deployment and deployment.status in ("BUILD_FAILED", "BUILD_STOPPED"):
        return "❌ The build failed" if deployment.status == "BUILD_FAILED" else "❌ The build was stopped"
    return "❌ The deployment did not become live"


def _deploy_timeout(facts: Facts) -> str:
    deployment = facts.account.deployment
    if deployment and deployment.state is State.UNSEEN:
        return "❌ The deployment's state is not known"
    if deployment and deployment.state is State.LIVE:
        return "❌ Live, but its environment did not serve it in time"
    return "❌ Not live in time"


def _predict_failed(facts: Facts) -> str:
    account = facts.account
    what = "A check failed" if _checks_failed(facts) else "The smoke test failed"
    if account.serves_ours:
        return f"❌ Served, but {what[0].lower()}{what[1:]}"
    return f"❌ {what}, nothing was promoted" if account.target else f"❌ {what}"


def _watch_failed(facts: Facts) -> str:
    served = "Served" if facts.account.serves_ours else "Live"
    return f"❌ {served}, but the watch failed"


def _promotion_failed(facts: Facts) -> str:
    account = facts.account
    answered = account.answers[-1] if account.answers else None
    if account.serves_ours and answered and not answered.good:
        return f"❌ {_name(account.serves_ours)} serves a deployment that fails its smoke test"
    return "❌ The roll-back failed" if account.mode == "rollback" else "❌ The promotion failed"


def _registration_failed(facts: Facts) -> str:
    return "❌ Live, but not registered" if _is_live(facts.account) else "❌ Not registered"


def _cleanup_failed(facts: Facts) -> str:
    return (
        "❌ Not everything could be retired"
        if facts.account.mode == "cleanup"
        else "❌ Live, but not deactivated again"
    )


def _cancelled(facts: Facts) -> str:
    account = facts.account
    if account.made is Known.UNKNOWN:
        return "⚠️ Cancelled, and it is not known whether a deployment was made"
    return f"⚠️ Cancelled{_unchanged(account)}"


# By a status's text: also of one that a later version adds.
_OF: Mapping[str, Callable[[Facts], str]] = {
    Status.SUCCESS: _success,
    Status.PLANNED: lambda _: "📝 Planned, nothing was changed",
    Status.SKIPPED: _skipped,
    Status.INVALID: lambda facts: f"❌ Invalid input{_unchanged(facts.account)}",
    Status.AUTH_FAILED: _auth_failed,
    Status.REJECTED: _refused,
    Status.UPLOAD_FAILED: _upload_failed,
    Status.COMMIT_FAILED: _commit_failed,
    Status.DEPLOY_FAILED: _deploy_failed,
    Status.DEPLOY_TIMEOUT: _deploy_timeout,
    Status.PREDICT_FAILED: _predict_failed,
    "watch_failed": _watch_failed,
    Status.PROMOTION_FAILED: _promotion_failed,
    Status.ROLLED_BACK: lambda _: "❌ Rolled back",
    Status.REGISTRATION_FAILED: _registration_failed,
    Status.CLEANUP_FAILED: _cleanup_failed,
    Status.CANCELLED: _cancelled,
    Status.INTERNAL_ERROR: lambda _: "💥 A bug of this action",
}

# How `skip-unchanged` begins what it says.
LIVE_ALREADY = "this content is live already"


def _unchanged(account: Account) -> str:
    if account.changed_nothing:
        return ", nothing was changed"
    return _environments_made(account)


def _environments_made(account: Account) -> str:
    made = [_name(each) for each in account.targets if each.created]
    if not made:
        return ""
    words = "the environment" if len(made) == 1 else "the environments"
    return f", but {words} {' and '.join(made)} {'was' if len(made) == 1 else 'were'} created"


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


def _nowhere(account: Account) -> bool:
    return bool(account.deployment and not account.deployment.environment and not account.development)


def _is_live(account: Account) -> bool:
    return bool(account.deployment and account.deployment.answers)


def _checks_failed(facts: Facts) -> bool:
    return facts.outputs.get("checks-failed", "0") not in ("", "0")


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
_AFTERWARDS = re.compile(r"\. It was: |\. '[^']+' serves the previous ")


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
