"""The smoke test: one real request to the deployed model, and whether its answer is what was expected.

A gateway that is not ready yet (408, 425, 429, 502, 503, 504, 520 to 530, no connection) is asked again until the
time is up, a connection that breaks some times; an error of the model itself is not. Which URL is asked is decided in
`pipeline` and `gate`; how URLs are made is `service.model_urls`.
"""

import json
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

import httpx

from baseten_deploy.ci.foreign_text import without_controls
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.errors import PredictFailed, PredictUnseen
from baseten_deploy.inputs.expectation import Expectation
from baseten_deploy.network.deadline import bounded
from baseten_deploy.network.interception import recognise
from baseten_deploy.network.transport import LOCATION, NotReached
from baseten_deploy.records import dataclass
from baseten_deploy.report.markdown import escape, texts
from baseten_deploy.run import Run
from baseten_deploy.service.error_answer import error_text
from baseten_deploy.service.http import CONNECT_SECONDS, ERROR_BYTES, Encoded, plain_chunks
from baseten_deploy.service.model_urls import own_route
from baseten_deploy.service.retry import ATTEMPTS, Failure, Fault, Tries, parse_hint

from .content import read_content
from .payload import UNSET

if TYPE_CHECKING:
    from .pace import Pace

# Answers of the way to the model rather than of the model.
NOT_READY = frozenset({408, 425, 429, 502, 503, 504, *range(520, 531)})
ANSWER_BYTES = 16 * 1024 * 1024
SHOWN_CHARACTERS = 600
# What the model writes about a request is in its log this long after.
LOG_SECONDS = 2.0
RESPONSE_CHARACTERS = 4096  # of the output
UNKNOWN = "Whether the model answers as it should is unknown, and nothing is undone because of it"
# A pattern has at least so long, also when the answer came in the last moment.
_SEARCH_SECONDS = 1.0


@dataclass(frozen=True)
class Prediction:
    """The answer's text (of a stream: its joined content), how fast it came, and the number of stream events.

    `shown` is what people see of it: of bytes their size, type and digest.
    """

    text: str
    pace: "Pace"
    events: int = 0
    shown: str = ""

    @property
    def seconds(self) -> float:
        """From the request to the last byte."""
        return self.pace.seconds


class _NotReady(Exception):
    """Ask again; `broke` says that a connection was there."""

    def __init__(self, message: str, failure: Failure, *, broke: bool = False, remedy: str = "") -> None:
        self.message = message
        self.failure = failure
        self.broke = broke
        self.remedy = remedy
        super().__init__(message)


def ask(run: Run, url: str, payload: Any, where: str = "") -> None:
    """Smoke-test what answers at `url`, if a payload is known and there is a route to send it to.

    `where` is the environment that is asked there, `""` for the deployment itself.
    """
    run.ledger.can_be_asked(
        "" if run.transport.unaskable else own_route(url, run.transport.path) if run.transport.path else url,
        "" if payload is None else json.dumps(payload, ensure_ascii=False),
    )
    if said := _why_not(run, payload):
        run.say(f"No smoke test: {said}" if run.settings.predict else said)
        return
    if run.transport.path:
        url = own_route(url, run.transport.path)

    last = ""

    def seen(shown: str) -> None:
        nonlocal last
        last = run.redactor.redact(without_controls(shown))[:RESPONSE_CHARACTERS]

    def answered(prediction: Prediction) -> None:
        run.outputs.set("predict-seconds", f"{prediction.seconds:.3f}")
        paced = prediction.pace.words
        run.notes.append(f"Smoke test of {escape(where or 'the deployment')}: {paced}.")
        if last:
            run.say(f"Answered in {paced}:")
            run.runner.foreign(last)
        else:
            run.say(f"Answered in {paced}, with an empty body")

    try:
        with run.phase("Smoke test"):
            run.say(f"POST {url}")
            smoke_test(
                url,
                run.settings.baseten_api_key,
                payload,
                run.settings.predict_expect,
                seconds=run.settings.predict_timeout,
                client=run.client,
                clock=run.clock,
                redactor=run.redactor,
                answered=answered,
                seen=seen,
            )
    except PredictFailed:
        run.ledger.answered(where, last, good=False)
        if run.log:  # it may have the traceback of what the model raised
            run.clock.sleep(LOG_SECONDS)
            run.log.poll()
        raise
    run.ledger.answered(where, last, good=True)


def _why_not(run: Run, payload: Any) -> str:
    """Why there is no smoke test, `""` when there is one; what a user may want to change is noted for the summary."""
    if not run.settings.predict:
        return "No smoke test (`predict: false`)"
    if payload is None and run.settings.is_chain:
        run.notes.append("No smoke test: set `predict-payload`; a Chain has no example of its own.")
        return "`predict-payload` is not set"
    if payload is None:
        run.notes.append(
            "No smoke test: set `predict-payload`, or `model_metadata.example_model_input` in `config.yaml`."
        )
        return UNSET
    if run.transport.unaskable:
        run.notes.append(f"No smoke test: {texts(run.transport.unaskable)}.")
    return run.transport.unaskable


def smoke_test(
    url: str,
    api_key: str,
    payload: Any,
    expectation: Expectation | None,
    *,
    seconds: float,
    client: httpx.Client,
    clock: Clock,
    redactor: Redactor,
    answered: Callable[[Prediction], None],
    seen: Callable[[str], None] = lambda _: None,
) -> Prediction:
    """Call the model and compare. `answered` gets the prediction before it is judged, so that it is reported anyway.

    `seen` gets what any answer says, an error's too; secrets are still in it. Raises `PredictFailed`.
    """
    deadline = clock.now() + seconds
    tries, broken = Tries(clock, deadline, most=inf), 0
    while True:
        left = deadline - clock.now()
        try:
            prediction, whole = _call(url, api_key, payload, left, client, clock, redactor, seen)
            break
        except TimeoutError as error:
            raise PredictFailed(
                f"The smoke test got no answer within {seconds:g} s",
                "Raise `predict-timeout`, or send a smaller `predict-payload`.",
            ) from error
        except _NotReady as error:
            broken += error.broke
            if broken >= ATTEMPTS:
                raise PredictFailed(error.message, "The model may have crashed on the request; see its log.") from error
            if not tries.again(error.failure):
                # What never reached the model says nothing about it.
                kind, unknown = (PredictFailed, "") if error.broke else (PredictUnseen, f". {UNKNOWN}")
                raise kind(
                    f"The smoke test got no answer within {seconds:g} s: {error.message}{unknown}",
                    error.remedy
                    or "The deployment is live, but its endpoint does not answer. Raise `predict-timeout` if the model "
                    "scales up from zero, or check `inference-url`.",
                ) from error
    answered(prediction)
    if expectation and not whole:
        raise PredictFailed(
            f"The smoke test's answer is longer than {ANSWER_BYTES // 2**20} MiB, and cannot be compared with "
            "`predict-expect`",
            "Send a `predict-payload` with a smaller answer, or leave `predict-expect` out.",
        )
    left = max(clock.real(deadline - clock.now()), _SEARCH_SECONDS)
    if expectation and (reason := expectation.mismatch(prediction.text, left)):
        shown = redactor.redact(prediction.shown)  # before anything is cut: half a secret is not found any more
        if not expectation.pattern:  # which says nothing of what is there
            reason = expectation.mismatch(redactor.redact(prediction.text)) or "it differs in a secret"
        raise PredictFailed(
            f"The smoke test's answer is not what `predict-expect` says: {reason}. It was: "
            f"{cut(shown, SHOWN_CHARACTERS)}",
            "Correct the model, or `predict-expect` if the answer is right.",
        )
    return prediction


def _call(
    url: str,
    api_key: str,
    payload: Any,
    seconds: float,
    client: httpx.Client,
    clock: Clock,
    redactor: Redactor,
    seen: Callable[[str], None],
) -> tuple[Prediction, bool]:
    """One call; the prediction, and whether it is all of the answer."""
    start = clock.now()
    patience = max(clock.real(seconds), 0.1)
    timeout = bounded(patience, connect=clock.real(CONNECT_SECONDS))
    headers = {"Authorization": f"Api-Key {api_key}", "Content-Type": "application/json"}
    body = json.dumps(payload).encode()  # ASCII: any text can be sent
    try:
        with client.stream("POST", url, content=body, headers=headers, timeout=timeout) as response:
            data, marks, complete = _read(response, start, start + seconds, clock)
            took = clock.now() - start
    except NotReached as error:
        raise _unreached(error, redactor) from error
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise _NotReady(f"no connection ({redactor.redact(str(error))})", Failure(Fault.NOT_SENT)) from error
    except httpx.TimeoutException as error:
        raise TimeoutError from error
    except httpx.InvalidURL as error:
        raise PredictUnseen(f"The smoke test has no URL to ask: {error}", "Correct `inference-url`.") from error
    except httpx.HTTPError as error:
        message = f"The smoke test's connection broke: {redactor.redact(str(error))}"
        raise _NotReady(message, Failure(Fault.NO_ANSWER), broke=True) from error
    streamed = isinstance(payload, dict) and payload.get("stream") is True
    answer = read_content(
        data,
        response.headers.get("Content-Type", ""),
        whole=complete,
        streamed=streamed and response.is_success,
    )
    if not response.is_success:
        seen(answer.shown or f"{response.status_code} {response.reason_phrase}, with an empty body")
        _refuse(response, answer.shown, redactor, clock.epoch_millis() / 1000)
    seen(answer.shown)
    if answer.error:
        said = cut(redactor.redact(answer.error), SHOWN_CHARACTERS)
        raise PredictFailed(f"The smoke test's stream {said}", "See the model's log.")
    from .pace import pace_of  # noqa: PLC0415 - with the answer there: nothing waits for it

    pace = pace_of(data, marks, took, is_stream=answer.events > 0)
    return Prediction(answer.text, pace, answer.events, answer.shown), complete


def _unreached(error: NotReached, redactor: Redactor) -> Exception:
    message, remedy = redactor.redact(error.obstacle.message), error.obstacle.remedy
    if error.obstacle.final:  # another try changes nothing
        return PredictUnseen(f"The smoke test got no answer: {message}. {UNKNOWN}", remedy)
    return _NotReady(message, Failure(Fault.NOT_SENT), remedy=remedy)


def _read(
    response: httpx.Response, start: float, deadline: float, clock: Clock
) -> tuple[bytes, tuple[tuple[int, float], ...], bool]:
    """The body, when each piece of it was there, and whether it is all of it."""
    limit = ANSWER_BYTES if response.is_success else ERROR_BYTES
    data, marks = bytearray(), []
    try:
        chunks = plain_chunks(response)
    except Encoded as error:
        raise PredictFailed(f"The smoke test: {error}", "Have the model send its answer as it is.") from error
    for chunk in chunks:
        moment = clock.now()
        data += chunk
        marks.append((len(data), moment - start))
        if len(data) > limit:
            return bytes(data[:limit]), tuple(marks), False
        if moment > deadline:
            raise TimeoutError
    return bytes(data), tuple(marks), True


def _refuse(response: httpx.Response, text: str, redactor: Redactor, now_epoch: float) -> None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    said = cut(redactor.redact(error_text(body, text)) or response.reason_phrase, SHOWN_CHARACTERS)
    message = f"The smoke test was answered {response.status_code}: {said}"
    status = response.status_code
    if status in NOT_READY:
        hint = parse_hint(response.headers, body, now_epoch)
        raise _NotReady(message, Failure(Fault.STATUS, status, hint))
    location = str(response.extensions.get(LOCATION, ""))
    instead = recognise(status, response.headers, text, str(response.request.url), location)
    if instead is not None and body is None:  # something in between answered, not the model
        said = cut(redactor.redact(instead.said), SHOWN_CHARACTERS)
        raise PredictUnseen(
            f"The smoke test was answered {status}: {said}. {UNKNOWN}", f"Check `inference-url`. {instead.remedy}"
        )
    if status in (401, 403):
        raise PredictFailed(message, "Give the API key permission to call models, or set `predict: false`.")
    if status in (400, 422):
        raise PredictFailed(message, "The model does not take this payload: correct `predict-payload`.")
    if status == 404 or response.is_redirect:
        raise PredictFailed(
            message, "Check `inference-url`; a model without a predict endpoint needs `predict: false`."
        )
    raise PredictFailed(
        message, "The model failed on the payload; its log has the traceback, above or on the logs page."
    )


def cut(text: str, length: int) -> str:
    """`text`, at most `length` characters long."""
    return text if len(text) <= length else text[: length - 3] + "..."
