"""Whole runs on a host whose resolver does not answer: each look-up ends with its call, and a cancel gets through."""

import os
import signal
import subprocess
import sys
import time

import pytest

from runner import ROOT, Launcher

SECONDS = 5.0  # of GitHub's 7.5 until SIGTERM
# The C library's resolver, hanging for every name under `.test` as it does with a name server that says nothing.
HANGING = """
import runpy, socket, sys, time
real = socket.getaddrinfo

def getaddrinfo(host, *arguments, **named):
    if str(host).endswith(".test"):
        print("looked up", host, flush=True)
        time.sleep(600)
    return real(host, *arguments, **named)

socket.getaddrinfo = getaddrinfo
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
COMMAND = (sys.executable, "-I", "-B", "-u", "-X", "utf8", "-c", HANGING)


@pytest.fixture
def hanging(job):
    """The job on such a host."""
    job.runner.launcher = Launcher((*COMMAND, str(ROOT / "entrypoint.py")))
    return job


def cancelled(step, name):
    """Cancel a step that looks up a name; its result, which came in time."""
    end = time.monotonic() + 60
    while f"looked up {name}" not in step.log.text:
        assert step.running, step.log.text
        assert time.monotonic() < end, step.log.text
        time.sleep(0.05)
    began = time.monotonic()
    step.cancel()
    result = step.wait(20)
    assert time.monotonic() - began < 2 * SECONDS  # twice: machines may be loaded
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"]), result.log
    return result


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"api_url": "https://api.test"}, "api.test"),
        ({"s3_endpoint_url": "https://s3.test"}, "s3.test"),
        ({"inference_url": "https://model-{model_id}.test"}, "model-"),
        ({"nemo_url": "https://nemo.test"}, "nemo.test"),
    ],
    ids=["api", "s3", "inference", "nemo"],
)
def test_a_cancel(hanging, inputs, name):
    """Whoever is looked up."""
    cancelled(hanging.start(**inputs, on_cancel="keep"), name)


def test_a_look_up_ends(hanging):
    """Without a cancel too, as a failure of the call that it was for."""
    result = hanging.run(inference_url="https://model-{model_id}.test", predict_timeout="2")
    assert "predict_failed" == result.outputs["status"], result.log
    assert "was not resolved within" in result.log.text


def test_the_post_step(job):
    """It ends with its signal, and always with 0."""
    variables = job.runner.variables(job.inputs({"api-url": "https://api.test", "on-cancel": "delete"}))
    variables |= {"STATE_deployment": '{"model_id": "m1", "deployment_ids": ["d1"]}'}
    command = [*COMMAND, str(ROOT / "post_entrypoint.py")]
    with subprocess.Popen(command, env=variables, cwd=job.runner.workspace, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert any(b"looked up" in line for line in process.stdout)
        began = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=20)
    assert (0, True) == (process.returncode, time.monotonic() - began < 2 * SECONDS)
