"""The sandbox as a program and as a guest in a process: what it prints, its control calls, that it leaves no trace."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sandbox_driver import Driver

from baseten_sandbox import Sandbox
from baseten_sandbox.__main__ import main

SRC = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(speed=1000) as started:
        yield started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_program_runs_until_it_is_told_to_stop(number: signal.Signals) -> None:
    """`python -m baseten_sandbox` prints settings that work, and ends at once with 0 on either signal."""
    command = [sys.executable, "-W", "error", "-m", "baseten_sandbox", "--speed", "100", "--api-key", "k"]
    with subprocess.Popen(
        [*command, "--fault", "GET /v1/teams status status=503"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
    ) as program:
        assert program.stdout
        assert program.stderr
        lines = []
        while not lines or not lines[-1].startswith("Running"):
            lines.append(program.stdout.readline())
        text = "".join(lines)
        url = re.search(r"^INPUT_API-URL=(\S+)$", text, re.MULTILINE)
        assert url
        assert f"--api-url '{url[1]}'" in text
        assert "INPUT_BASETEN-API-KEY=k" in text
        assert "/inference/model-{model_id}" in text
        headers = {"Authorization": "Bearer k"}
        assert [503, 200] == [httpx.get(f"{url[1]}/v1/teams", headers=headers).status_code for _ in range(2)]
        program.send_signal(number)
        assert 0 == program.wait(5)
        assert "" == program.stderr.read()


@pytest.mark.parametrize("arguments", [["--speed", "0"], ["--fault", "GET nothing"], ["--nonsense"]])
def test_wrong_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option is an error that names it."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert 2 == caught.value.code
    assert arguments[0] in capsys.readouterr().err


def test_starts_fast_and_leaves_no_thread() -> None:
    """In a process that has imported it, it starts in no time and is gone after the block, sockets and all."""
    before = set(threading.enumerate())
    start = time.monotonic()
    with Sandbox() as sandbox:
        assert time.monotonic() - start < 1
        driver = Driver(sandbox)
        driver.push()
        driver.close()
        url = sandbox.api_url
    assert before == set(threading.enumerate())
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_requests_are_recorded(sandbox: Sandbox, driver: Driver) -> None:
    """Each request is there in order with what a test asks for, across services."""
    created = driver.push()
    driver.predict(created.model.id, "/production/predict", {"a": 1})
    assert ["management", "s3", "management", "inference"] == [item.service for item in sandbox.requests]
    prepare, upload, commit, predict = sandbox.requests
    assert "POST /v1/prepare_model_upload -> 200" == str(prepare)
    assert prepare.json["deployment"] == commit.json["source"]["deployment"]
    assert b"" == upload.body
    assert ({"a": 1}, 404) == (predict.json, predict.status)
    assert prepare.time <= upload.time <= commit.time <= predict.time
    assert f"Bearer {sandbox.api_key}" == prepare.headers["authorization"]
    sandbox.clear_requests()
    assert () == sandbox.requests


def test_control_calls(sandbox: Sandbox, driver: Driver) -> None:
    """Another process can switch faults, plan, look at what happened, and end credentials."""
    assert 401 == httpx.get(f"{sandbox.api_url}/_sandbox/state").status_code
    driver.post("/_sandbox/faults", {"fault": "GET /v1/teams status status=503"})
    driver.post("/_sandbox/faults", {"kind": "status", "status": 418, "path": "/v1/models$"})
    assert [503, 418] == [driver.http.get(path).status_code for path in ("/v1/teams", "/v1/models")]
    for wrong in ({"kind": "magic"}, {"fault": "nothing"}, {"kind": "reset", "colour": 1}):
        assert 400 == driver.post("/_sandbox/faults", wrong).status_code
    driver.post("/_sandbox/faults", {"random": 1.0})
    assert driver.http.get("/_sandbox/faults").json()["faults"]
    assert {"faults": []} == driver.http.delete("/_sandbox/faults").json()
    driver.post("/_sandbox/plans/deployment", {"statuses": [["BUILDING", 0], "FANCY"]})
    driver.post("/_sandbox/plans/promotion", {"end": "FAILED", "error_message": "planned"})
    created = driver.push(environment_name="production")
    assert "FANCY" == sandbox.state.deployment(created.model.id, created.deployment.id).timeline[-1].status
    state = driver.http.get("/_sandbox/state").json()
    assert [created.deployment.id] == [item["id"] for item in state["models"][0]["deployments"]]
    assert (1, []) == (len(state["objects"]), state["multipart_uploads"])
    recorded = driver.http.get("/_sandbox/requests").json()["requests"]
    assert "/v1/teams" == recorded[0]["path"]
    assert "production" == recorded[-1]["json"]["source"]["deployment"]["environment_name"]
    assert 200 == driver.post("/_sandbox/credentials/revoke").status_code
    assert 400 == driver.post("/_sandbox/credentials/burn").status_code
    driver.http.delete("/_sandbox/requests")
    assert () == sandbox.requests


def test_twenty_at_once(sandbox: Sandbox) -> None:
    """Concurrent pushes of different models all succeed, each with one deployment."""
    failures: list[BaseException] = []

    def push(number: int) -> None:
        driver = Driver(sandbox)
        try:
            driver.push(f"model-{number}")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            driver.close()

    threads = [threading.Thread(target=push, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failures
    assert [1] * 20 == [facts.deployments for facts in sandbox.state.models()]
