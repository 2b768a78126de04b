"""Proves that what was committed works: live, served by its environment, and answering as expected."""

from typing import Any

from . import promotion
from .api import Deployment, Environment, Model
from .errors import PredictFailed
from .log_stream import LogReader, LogStream
from .predict import Prediction, smoke_test
from .promotion import Ours
from .run import Run
from .wait import Progress, until_live

RESPONSE_CHARACTERS = 4096
# Log lines from this long before the commit are asked for too: the runner's clock may be ahead of the service's.
CLOCK_SKEW_MILLIS = 60_000
# What the model writes about a request is in its log this long after.
LOG_SECONDS = 2.0


def wait(run: Run, model: Model, ours: Ours, environment: str = "") -> None:
    """Wait until the deployment is live, with its log, and until `environment` (if any) serves it."""
    start = run.clock.now()
    end = start + run.settings.wait_timeout_seconds
    run.api.http.deadline = end

    def changed(status: str) -> None:
        run.outputs.set("deployment-status", status)
        run.say(f"{status} after {run.clock.now() - start:.0f} s")

    def until() -> None:
        progress = Progress(changed, run.say, run.warn_text)
        seconds = run.settings.wait_timeout_seconds
        until_live(run.api, model.id, ours.deployment, seconds, run.clock, progress)
        if environment:
            follow(run, model, ours, environment, started=False, end=end)

    with run.phase(f"Wait until {environment} serves it" if environment else "Wait until it is live"):
        if run.settings.stream_logs:
            run.log = open_log(run, model, ours.deployment)
            with run.log.following():
                until()
        else:
            until()
    seconds = run.clock.now() - start
    run.outputs.set("deploy-time-seconds", f"{seconds:.1f}")
    run.say(f"Live after {seconds:.1f} s")


def open_log(run: Run, model: Model, deployment: Deployment) -> LogStream:
    """The deployment's log from about now on."""
    reader = LogReader(
        lambda since, limit: run.api.logs(model.id, deployment.id, since, limit),
        run.clock.epoch_millis() - CLOCK_SKEW_MILLIS,
    )
    return LogStream(reader, run.workflow.foreign)


def follow(run: Run, model: Model, ours: Ours, environment: str, *, started: bool, end: float) -> Environment:
    """Wait until the environment serves ours; write the id by which it does, and return the environment."""
    served = promotion.until_served(
        run.api, model.id, environment, ours, started=started, end=end, clock=run.clock, say=run.say
    )
    if served.current:
        run.outputs.set("promoted-deployment-id", served.current.id)
        run.say(f"{environment} serves the deployment {served.current.id}")
    return served


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

    def answered(prediction: Prediction) -> None:
        text = run.redactor.redact(prediction.text)[:RESPONSE_CHARACTERS]
        run.outputs.set("predict-seconds", f"{prediction.seconds:.3f}")
        run.outputs.set("predict-response", text)
        run.say(f"Answered in {prediction.seconds:.2f} s:")
        run.workflow.foreign(text)

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
