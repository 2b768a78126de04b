"""The smoke test: one real request to the deployed model, and whether its answer is what was expected.

A gateway that is not ready yet (408, 429, 502, 503, 504, no connection) is asked again until the time is up, a
connection that breaks some times; an error of the model itself is not.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

import httpx

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.errors import PredictFailed
from baseten_deploy.inputs.expectation import Expectation
from baseten_deploy.report.markdown import texts
from baseten_deploy.run import Run
from baseten_deploy.service.endpoints import own_route
from baseten_deploy.service.error_answer import error_text
from baseten_deploy.service.http import CONNECT_SECONDS, ERROR_BYTES
from baseten_deploy.service.retry import ATTEMPTS, Failure, Fault, Tries, parse_hint

from .event_stream import deltas, events

# Answers of the way to the model rather than of the model.
NOT_READY = frozenset({408, 429, 502, 503, 504})
ANSWER_BYTES = 16 * 1024 * 1024
SHOWN_CHARACTERS = 600
# What the model writes about a request is in its log this long after.
LOG_SECONDS = 2.0
RESPONSE_CHARACTERS = 4096  # of the output


@dataclass(frozen=True)
class Prediction:
    """The answer's text (of a stream: its joined content), its time in seconds and the number of stream events."""

    text: str
    seconds: float
    events: int = 0


class _NotReady(Exception):
    """Ask again; `broke` says that a connection was there."""

    def __init__(self, message: str, failure: Failure, *, broke: bool = False) -> None:
        self.message = message
        self.failure = failure
        self.broke = broke
        super().__init__(message)


def ask(run: Run, url: str, payload: Any) -> None:
    """Smoke-test what answers at `url`, if a payload is known."""
    if not run.settings.predict:
        run.say("No smoke test (`predict: false`)")
        return
    if payload is None:
        run.say("No smoke test: neither `predict-payload` nor `model_metadata.example_model_input` is set")
        run.notes.append(
            "No smoke test: set `predict-payload`, or `model_metadata.example_model_input` in `config.yaml`."
        )
        return
    if run.transport.unaskable:
        run.say(f"No smoke test: {run.transport.unaskable}")
        run.notes.append(f"No smoke test: {texts(run.transport.unaskable)}.")
        return
    if run.transport.path:
        url = own_route(url, run.transport.path)

    def answered(prediction: Prediction) -> None:
        text = run.redactor.redact(prediction.text)[:RESPONSE_CHARACTERS]
        run.outputs.set("predict-seconds", f"{prediction.seconds:.3f}")
        run.outputs.set("predict-response", text)
        run.say(f"Answered in {prediction.seconds:.2f} s:")
        run.runner.foreign(text)

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
            )
    except PredictFailed:
        if run.log:  # it may have the traceback of what the model raised
            run.clock.sleep(LOG_SECONDS)
            run.log.poll()
        raise


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
) -> Prediction:
    """Call the model and compare. `answered` gets the prediction before it is judged, so that it is reported anyway.

    Raises `PredictFailed`.
    """
    deadline = clock.now() + seconds
    tries, broken = Tries(clock, deadline, most=inf), 0
    while True:
        left = deadline - clock.now()
        try:
            prediction = _call(url, api_key, payload, left, client, clock, redactor)
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
                raise PredictFailed(
                    f"The smoke test got no answer within {seconds:g} s: {error.message}",
                    "The deployment is live, but its endpoint does not answer. Raise `predict-timeout` if the model "
                    "scales up from zero, or check `inference-url`.",
                ) from error
    answered(prediction)
    if expectation and expectation.mismatch(prediction.text):
        shown = redactor.redact(prediction.text)  # before anything is cut: half a secret is not found any more
        reason = expectation.mismatch(shown) or "it differs in a secret"
        raise PredictFailed(
            f"The smoke test's answer is not what `predict-expect` says: {reason}. It was: "
            f"{cut(shown, SHOWN_CHARACTERS)}",
            "Correct the model, or `predict-expect` if the answer is right.",
        )
    return prediction


def _call(
    url: str, api_key: str, payload: Any, seconds: float, client: httpx.Client, clock: Clock, redactor: Redactor
) -> Prediction:
    start = clock.now()
    patience = max(clock.real(seconds), 0.1)
    timeout = httpx.Timeout(patience, connect=min(patience, clock.real(CONNECT_SECONDS)))
    headers = {"Authorization": f"Api-Key {api_key}", "Content-Type": "application/json"}
    body = json.dumps(payload).encode()  # ASCII: any text can be sent
    try:
        with client.stream("POST", url, content=body, headers=headers, timeout=timeout) as response:
            data, complete = _read(response, start + seconds, clock)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise _NotReady(f"no connection ({redactor.redact(str(error))})", Failure(Fault.NOT_SENT)) from error
    except httpx.TimeoutException as error:
        raise TimeoutError from error
    except httpx.InvalidURL as error:
        raise PredictFailed(f"The smoke test has no URL to ask: {error}", "Correct `inference-url`.") from error
    except httpx.HTTPError as error:
        message = f"The smoke test's connection broke: {redactor.redact(str(error))}"
        raise _NotReady(message, Failure(Fault.NO_ANSWER), broke=True) from error
    text = data.decode("utf-8", "replace")
    if not response.is_success:
        _refuse(response, text, redactor, clock.epoch_millis() / 1000)
    if not complete:
        raise PredictFailed(
            f"The smoke test's answer is longer than {ANSWER_BYTES // 2**20} MiB",
            "Send a `predict-payload` with a smaller answer.",
        )
    took = clock.now() - start
    streamed = isinstance(payload, dict) and payload.get("stream") is True
    if streamed or response.headers.get("Content-Type", "").startswith("text/event-stream"):
        return _streamed(text, took, redactor)
    return Prediction(text, took)


def _read(response: httpx.Response, deadline: float, clock: Clock) -> tuple[bytes, bool]:
    limit = ANSWER_BYTES if response.is_success else ERROR_BYTES
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > limit:
            return bytes(data[:limit]), False
        if clock.now() > deadline:
            raise TimeoutError
    return bytes(data), True


def _refuse(response: httpx.Response, text: str, redactor: Redactor, now_epoch: float) -> None:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    said = cut(redactor.redact(error_text(body, text)) or response.reason_phrase, SHOWN_CHARACTERS)
    message = f"The smoke test was answered {response.status_code}: {said}"
    status = response.status_code
    if status in NOT_READY:
        hint = parse_hint(response.headers.get("Retry-After"), body, now_epoch)
        raise _NotReady(message, Failure(Fault.STATUS, status, hint))
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


def _streamed(text: str, seconds: float, redactor: Redactor) -> Prediction:
    """Join the content of server-sent events: OpenAI-like deltas, else the events' data line by line."""
    seen = list(events(text))
    if not seen:
        if text.strip():
            return Prediction(text, seconds)  # streams that are not SSE are plain text in chunks
        raise PredictFailed("The smoke test's stream ended without a single event", "See the model's log.")
    pieces: list[str] = []
    plain: list[str] = []
    for data in seen:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict) and event.get("error"):
            said = cut(redactor.redact(error_text(event, data)), SHOWN_CHARACTERS)
            raise PredictFailed(f"The smoke test's stream carried an error: {said}", "See the model's log.")
        pieces += deltas(event)
        plain.append(data)
    return Prediction("".join(pieces) if pieces else "\n".join(plain), seconds, len(seen))


def cut(text: str, length: int) -> str:
    """`text`, at most `length` characters long."""
    return text if len(text) <= length else text[: length - 3] + "..."
