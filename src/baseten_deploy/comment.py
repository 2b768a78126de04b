"""One comment per model on the pull request, edited in place: found by a hidden marker, created when there is none.

It says what the step summary says. The runner's masks do not cover comments, so the text is redacted here. Whatever
goes wrong is a warning: a comment never fails a run. Spec: GitHub's REST API for issue comments.
"""

from collections.abc import Callable
from urllib.parse import quote

import httpx

from baseten_deploy.ci.event import Origin
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.errors import Problem
from baseten_deploy.report.markdown import code, cut, link
from baseten_deploy.run import Run
from baseten_deploy.service.http import Http, HttpError, make_client

API_URL = "https://api.github.com"
# GitHub refuses a longer one.
BODY_CHARACTERS = 65536
PAGE = 100
# GitHub ends a conversation at 2500 comments.
PAGES = 30
SECONDS = 30.0

_SUMMARY = "The summary of the run says the same. Run again to have the comment, too."
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def leave(run: Run, markdown: str, connect: Callable[[], httpx.Client] | None = None) -> None:
    """Write the comment of this run's model, when there are a token and a pull request. Raises nothing."""
    token, number = run.settings.github_token, run.origin.pull_request
    if not (token and number and run.origin.repository and run.runner.on_github):
        return
    model = run.settings.model_id or run.outputs.get("model-name") or run.settings.model_name
    if not model:
        run.say("No pull-request comment: the run ended before the name of the model was known")
        return
    redact = run.redactor.redact
    body = compose(redact(markdown), marker(redact(model)), footer(run.origin))
    try:
        with connect() if connect else make_client(run.way) as client:
            http = connection(run.origin, token, client, run.clock, run.redactor)
            said = upsert(http, run.origin.repository, number, marker(redact(model)), body)
    except HttpError as error:
        _report(run, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run itself has ended well or badly without it
        message = f"The pull-request comment could not be written: {type(error).__name__}"
        run.warn(Problem(message, "The summary of the run says the same; please report this."))
    else:
        run.say(f"Pull-request comment {said}")


def marker(model: str) -> str:
    """The first line of the comment, which nobody sees. A model's name can neither end it nor look like another's."""
    return f"<!-- baseten-deploy: {quote(model, safe='').replace('--', '%2D%2D')} -->"


def compose(markdown: str, first: str, last: str) -> str:
    """The comment's body: marker, text and last line, the text cut to what GitHub takes."""
    room = BODY_CHARACTERS - len(first) - len(last) - 3
    return f"{first}\n{cut(markdown.rstrip(), room, '*Cut here: the summary of the run has it all.*')}\n\n{last}"


def footer(origin: Origin) -> str:
    """Which commit and run this is about."""
    commit = f"Commit {code(origin.sha[:7])}" if origin.sha else ""
    return " · ".join(filter(None, (commit, link("the run", origin.run_page) if origin.run_page else "")))


def connection(origin: Origin, token: str, client: httpx.Client, clock: Clock, redactor: Redactor) -> Http:
    """GitHub's API as this job sees it: github.com's, or that of an Enterprise server."""
    return Http(
        origin.github_api_url or API_URL,
        {"Authorization": f"Bearer {token}", **_HEADERS},
        client=client,
        clock=clock,
        redact=redactor.redact_foreign,
        deadline=clock.now() + SECONDS,
    )


def upsert(http: Http, repository: str, number: str, first: str, body: str) -> str:
    """Edit our comment that begins with the line `first`, or create it; the answer is what was done. `HttpError`."""
    base = f"/repos/{quote(repository)}/issues"
    comments = f"{base}/{quote(number, safe='')}/comments"
    for found in find(http, comments, first):
        try:
            http.request("PATCH", f"{base}/comments/{found}", body={"body": body}, retry=True)
        except HttpError as error:
            if error.status not in (403, 404):  # somebody else's after all, or deleted meanwhile
                raise
        else:
            return "updated"
    http.request("POST", comments, body={"body": body}, retry=False)  # a second try could make a second comment
    return "created"


def find(http: Http, comments: str, first: str) -> list[int]:
    """The ids of our comments that begin with the line `first`, the oldest first.

    The marker is no secret: a bot's comment with it is taken for ours, and a person's when the token is that person's.
    """
    found: dict[int, str] = {}  # and the person who wrote it
    for page in range(1, PAGES + 1):
        rows = http.get_list(comments, params={"per_page": PAGE, "page": page})
        for row in rows:
            if isinstance(row, dict) and isinstance(row.get("id"), int) and _begins(row.get("body"), first):
                found[row["id"]] = _person(row.get("user"))
        if len(rows) < PAGE:
            break
    me = _login(http) if any(found.values()) else ""
    return [number for number, person in found.items() if not person or person == me]


def _begins(body: object, first: str) -> bool:
    return isinstance(body, str) and body.lstrip().partition("\n")[0].rstrip() == first


def _person(author: object) -> str:
    """The login of an author that is a person, `""` for a bot and for what is not told."""
    if not isinstance(author, dict) or author.get("type") != "User":
        return ""
    return str(author.get("login") or "somebody")


def _login(http: Http) -> str:
    """Whose the token is; `""` for a workflow's own, which is no person's."""
    try:
        return str(http.request("GET", "/user", retry=True).get("login") or "")
    except HttpError:
        return ""


def _report(run: Run, error: HttpError) -> None:
    if error.status == 403 and run.origin.secretless:
        run.say(
            f"No pull-request comment: the token of a run from a fork or of Dependabot only reads ({error.message})"
        )
        return
    remedy = error.remedy
    if not remedy and error.status in (401, 403, 404):
        remedy = "Give the job `permissions: pull-requests: write`, and pass `github-token: ${{ github.token }}`."
    run.warn(Problem(f"The pull-request comment could not be written: {error.message}", remedy or _SUMMARY))
