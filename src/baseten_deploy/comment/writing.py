"""Leaves the comment of a run. It says what the step summary says.

The runner's masks do not cover comments, so the text is redacted here. Whatever goes wrong is a warning: a comment
never fails a run, and never holds it up.
"""

from collections.abc import Callable

import httpx

from baseten_deploy.background import in_background
from baseten_deploy.ci.origin import Origin
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.report.markdown import code, cut, link
from baseten_deploy.run import Run
from baseten_deploy.service.http import Http, HttpError, make_client

from .conversation import Conversation
from .marker import Key, Marker, key_of, run_number
from .refusals import broken, is_by_design, late, refused, why_none

API_URL = "https://api.github.com"
# GitHub refuses a longer one.
BODY_CHARACTERS = 65536
SECONDS = 30.0

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def leave(run: Run, markdown: str, connect: Callable[[], httpx.Client] | None = None) -> None:
    """Write the comment of this run, when there is a token. Ends within `SECONDS`. Raises nothing but `Cancelled`."""
    if not run.settings.github_token:
        return
    if problem := why_none(run.origin, on_github=run.runner.on_github):
        run.runner.notice(problem)
        return
    ours = marker_of(run)
    if not (ours.key.model or ours.key.directory):
        run.say("No pull-request comment: the run ended before the name of the model was known")
        return
    # In a thread: whatever the other side does, this one is left behind after its time, or with a signal.
    done = in_background(lambda: _write(run, ours, markdown, connect or (lambda: make_client(run.way))))
    try:
        said = done.result(timeout=SECONDS)
    except TimeoutError:
        run.warn(late(SECONDS))
    except HttpError as error:
        tell = run.runner.notice if is_by_design(error, run.origin) else run.warn
        tell(refused(error, run.origin))
    except Exception as error:  # noqa: BLE001 - whatever it is, the run itself has ended well or badly without it
        run.warn(broken(error))
    else:
        run.say(f"Pull-request comment {said}")


def marker_of(run: Run) -> Marker:
    """Whose comment this run's is."""
    model = run.settings.model_id or run.outputs.get("model-name") or run.settings.model_name
    key, redact = key_of(run.settings, run.workspace, model), run.redactor.redact
    key = Key(redact(key.directory), redact(key.model), redact(key.target or ""))
    return Marker(key, run_number(run.origin.run_id, run.origin.run_attempt))


def _write(run: Run, ours: Marker, markdown: str, connect: Callable[[], httpx.Client]) -> str:
    """Say it, and answer what was done. Raises `HttpError`."""
    text, last = run.redactor.redact(markdown), footer(run.origin)
    deadline = run.clock.now() + SECONDS
    with connect() as client:
        http = connection(run.origin, run.settings.github_token, client, run.clock, run.redactor, deadline)
        talk = Conversation(http, run.origin.repository, run.origin.pull_request, run.clock, deadline)
        return talk.put(ours, lambda key: compose(text, str(Marker(key, ours.run)), last))


def compose(markdown: str, first: str, last: str) -> str:
    """The comment's body: marker, text and last line, the text cut to what GitHub takes."""
    room = BODY_CHARACTERS - len(first) - len(last) - 3
    return f"{first}\n{cut(markdown.rstrip(), room, '*Cut here: the summary of the run has it all.*')}\n\n{last}"


def footer(origin: Origin) -> str:
    """Which commit and run this is about."""
    commit = f"Commit {code(origin.sha[:7])}" if origin.sha else ""
    return " · ".join(filter(None, (commit, link("the run", origin.run_page) if origin.run_page else "")))


def connection(
    origin: Origin, token: str, client: httpx.Client, clock: Clock, redactor: Redactor, deadline: float
) -> Http:
    """GitHub's API as this job sees it: github.com's, or that of an Enterprise server."""
    return Http(
        origin.github_api_url or API_URL,
        {"Authorization": f"Bearer {token}", **_HEADERS},
        client=client,
        clock=clock,
        redact=redactor.redact_foreign,
        deadline=deadline,
    )
