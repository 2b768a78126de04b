"""The heading of a page: what happened, and to what. Pure.

Written from the account, and from the status only as far as that tells more; nothing is said that the run did not see.
"""

from collections.abc import Callable, Mapping

from baseten_deploy.status import Status

from .account import Account, Known, State, Switch, Target
from .facts import Facts
from .markdown import code


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


def _what(facts: Facts) -> str:
    special = _OF.get(facts.status)
    return special(facts) if special else f"❌ {facts.status.value.replace('_', ' ').capitalize()}"


def _success(facts: Facts) -> str:
    account = facts.account
    if account.mode == "cleanup":
        return "✅ Nothing to clean up" if account.why else "✅ Cleaned up"
    if account.mode == "discover":
        return "✅ No Truss found" if account.why else "✅ Trusses found"
    did = {
        "promote": ("✅ Promoted", "⏳ Promotion begun, not waited for"),
        "rollback": ("✅ Rolled back, as asked for", "⏳ Roll-back begun, not waited for"),
    }.get(account.mode)
    if did:
        return f"{did[0]}{_overtaken(account)}" if account.waits else did[1]
    if not account.waits:
        return "⏳ Pushed, not waited for"
    if account.deployment and account.deployment.became:
        return f"✅ Live and checked, then {account.deployment.became}"
    if account.target:
        return f"✅ Deployed{_overtaken(account)}"
    return "✅ Live, in no environment" if _nowhere(account) else "✅ Live"


def _skipped(facts: Facts) -> str:
    if facts.account.deployment:  # found to be live already
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
    if facts.unseen:
        what = "The checks were not answered" if _checks_failed(facts) else "The smoke test was not answered"
    else:
        what = "A check failed" if _checks_failed(facts) else "The smoke test failed"
    if account.serves_ours:
        return f"❌ Served, but {what[0].lower()}{what[1:]}"
    return f"❌ {what}, nothing was promoted" if account.target else f"❌ {what}"


def _watch_failed(facts: Facts) -> str:
    served = "Served" if facts.account.serves_ours else "Live"
    return f"❌ {served}, but {'it could not be watched' if facts.unseen else 'the watch failed'}"


def _promotion_failed(facts: Facts) -> str:
    account = facts.account
    what = "roll-back" if account.mode == "rollback" else "promotion"
    answered = account.answers[-1] if account.answers else None
    if account.serves_ours and answered and not answered.good:
        return f"❌ {_name(account.serves_ours)} serves a deployment that fails its smoke test"
    return f"❌ It is not known what became of the {what}" if facts.unseen else f"❌ The {what} failed"


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
    Status.WATCH_FAILED: _watch_failed,
    Status.PROMOTION_FAILED: _promotion_failed,
    Status.ROLLED_BACK: lambda _: "❌ Rolled back",
    Status.REGISTRATION_FAILED: _registration_failed,
    Status.CLEANUP_FAILED: _cleanup_failed,
    Status.CANCELLED: _cancelled,
    Status.INTERNAL_ERROR: lambda _: "💥 A bug of this action",
}


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


def _overtaken(account: Account) -> str:
    """That somebody else's newer deployment is served by the end of the watch; the verdict says which."""
    target = account.final
    if target is None or not target.now.known or account.is_ours(target.now.deployment_id):
        return ""
    return ", and overtaken by a newer deployment" if target.switch is Switch.DONE else ""


def _nowhere(account: Account) -> bool:
    return bool(account.deployment and not account.deployment.environment and not account.development)


def _is_live(account: Account) -> bool:
    return bool(account.deployment and account.deployment.answers)


def _checks_failed(facts: Facts) -> bool:
    return facts.outputs.get("checks-failed", "0") not in ("", "0")


def _name(target: Target) -> str:
    return code(target.name)
