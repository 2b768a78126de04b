"""The sandbox's inference endpoint: who is called, who may call, what is answered."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Driver
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from baseten_sandbox import Answer, Sandbox
from baseten_sandbox.wishes import HOSTILE


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(speed=1000) as started:
        yield started


def live(driver: Driver, **changes: Any) -> sdk.CreatedModelDeployment:
    """A deployment that is as live as it gets, and its environment serves it."""
    created = driver.push(**changes)
    for _ in range(200):
        deployment = driver.http.get(f"/v1/models/{created.model.id}/deployments/{created.deployment.id}")
        wanted = changes.get("environment_name")
        if deployment.json().get("status") == "ACTIVE" and deployment.json()["environment"] == wanted:
            return created
    pytest.fail("not live")


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/deployment/{id}/predict", {}),
        ("/development/predict", {"is_development": True}),
        ("/environments/production/predict", {"environment_name": "production"}),
        ("/production/predict", {"environment_name": "production"}),
        ("-staging/predict", {"environment_name": "staging", "create_environment_if_missing": True}),
    ],
)
def test_echo(driver: Driver, path: str, changes: dict[str, Any]) -> None:
    """Every kind of predict URL reaches its deployment, which echoes the payload and says who answered."""
    created = live(driver, **changes)
    answer = driver.predict(created.model.id, path.format(id=created.deployment.id), {"text": "hi"})
    assert {
        "echo": {"text": "hi"},
        "model_id": created.model.id,
        "deployment_id": created.deployment.id,
        "environment": changes.get("environment_name"),
    } == answer.json()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Api-Key {key}", 200), ("Bearer {key}", 200), ("Bearer wrong", 401), ("{key}", 401), ("", 401)],
)
def test_authorization(sandbox: Sandbox, driver: Driver, authorization: str, status: int) -> None:
    """`Api-Key` and `Bearer` are let in, with the key."""
    created = live(driver)
    url = f"{sandbox.inference_url.format(model_id=created.model.id)}/deployment/{created.deployment.id}/predict"
    headers = {"Authorization": authorization.format(key=sandbox.api_key)} if authorization else {}
    assert status == httpx.post(url, json={}, headers=headers).status_code


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["BUILDING"], 400),
        (["BUILDING", "BUILD_FAILED"], 400),
        (["INACTIVE"], 404),
        (["UNHEALTHY"], 503),
        (["SCALED_TO_ZERO"], 200),
    ],
)
def test_only_a_live_deployment_answers(sandbox: Sandbox, driver: Driver, statuses: list[str], status: int) -> None:
    """Others are an error; one that is scaled to zero wakes up and answers."""
    sandbox.state.plan_next_deployment(statuses)
    created = driver.push()
    assert status == driver.predict(created.model.id, f"/deployment/{created.deployment.id}/predict", {}).status_code


@pytest.mark.parametrize(
    "path",
    ["/deployment/nothere/predict", "/environments/nothere/predict", "/production/predict", "/development/predict"],
)
def test_nobody_there(driver: Driver, path: str) -> None:
    """Unknown deployments and empty environments are 404, as is an unknown model."""
    created = driver.push()
    assert 404 == driver.predict(created.model.id, path, {}).status_code
    assert 404 == driver.predict("nothere", path, {}).status_code


def test_stream(driver: Driver) -> None:
    """`"stream": true` answers OpenAI-like chunks as server-sent events, and [DONE]."""
    created = live(driver)
    answer = driver.predict(
        created.model.id, f"/deployment/{created.deployment.id}/predict", {"prompt": "hi", "stream": True}
    )
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert "[DONE]" == events[-1]
    said = "".join(json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert "You said: hi" == said.strip()


@pytest.mark.parametrize("base", ["/deployment/{id}", "/environments/production"])
def test_openai_chat(driver: Driver, base: str) -> None:
    """Chat completions answer in OpenAI's shape, whole or as a stream."""
    created = live(driver, environment_name="production")
    path = f"{base.format(id=created.deployment.id)}/sync/v1/chat/completions"
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    answer = driver.predict(created.model.id, path, body).json()
    assert ("m", "You said: hi") == (answer["model"], answer["choices"][0]["message"]["content"])
    assert driver.predict(created.model.id, path, body | {"stream": True}).text.endswith("data: [DONE]\n\n")


def test_payload_scripts_the_answer(driver: Driver) -> None:
    """A `sandbox` object in the payload is what is answered."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    answer = driver.predict(created.model.id, path, {"sandbox": {"status": 500, "body": {"error": "boom"}}})
    assert (500, {"error": "boom"}) == (answer.status_code, answer.json())
    assert 400 == driver.predict(created.model.id, path, {"sandbox": {"status": "fine"}}).status_code


def test_python_scripts_the_answer(sandbox: Sandbox, driver: Driver) -> None:
    """A test prepares answers by path, for so many requests."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    sandbox.answers.add(Answer(503, text="busy", headers={"Retry-After": "1"}), path="deployment/.*/predict", times=1)
    sandbox.answers.add(Answer(body=[1, 2]), path="environments")
    answer = driver.predict(created.model.id, path, {})
    assert (503, "busy", "1") == (answer.status_code, answer.text, answer.headers["Retry-After"])
    assert "echo" in driver.predict(created.model.id, path, {}).json()
    sandbox.answers.clear()


@pytest.mark.parametrize(
    ("variables", "status", "text"),
    [
        ({"SANDBOX_PREDICT_BODY": '{"ok": true}'}, 200, '{"ok": true}'),
        ({"SANDBOX_PREDICT_BODY": "plain", "SANDBOX_PREDICT_STATUS": 418}, 418, "plain"),
        ({"SANDBOX_PREDICT_STATUS": "500"}, 500, '"echo"'),
    ],
)
def test_truss_scripts_the_answer(driver: Driver, variables: dict[str, Any], status: int, text: str) -> None:
    """`SANDBOX_PREDICT_*` in the config's environment variables decide the answer."""
    created = live(driver, config={"environment_variables": variables})
    answer = driver.predict(created.model.id, f"/deployment/{created.deployment.id}/predict", {})
    assert status == answer.status_code
    assert text in answer.text


def test_body_must_be_json(sandbox: Sandbox, driver: Driver) -> None:
    """Anything else is an error."""
    created = live(driver)
    url = f"{sandbox.inference_url.format(model_id=created.model.id)}/deployment/{created.deployment.id}/predict"
    headers = {"Authorization": f"Api-Key {sandbox.api_key}"}
    assert 400 == httpx.post(url, content=b"hi", headers=headers).status_code


def test_a_route_of_the_models_own(sandbox: Sandbox, driver: Driver) -> None:
    """Any method and any bytes, which come back as they are; each answer has an id of its own."""
    created = live(driver)
    base = f"{sandbox.inference_url.format(model_id=created.model.id)}/deployment/{created.deployment.id}/sync"
    headers = {"Authorization": f"Api-Key {sandbox.api_key}"}
    raw = httpx.post(f"{base}/audio", content=b"\x00RIFF", headers=headers | {"Content-Type": "audio/wav"})
    assert (b"\x00RIFF", "audio/wav") == (raw.content, raw.headers["Content-Type"])
    assert httpx.get(f"{base}/health", headers=headers).json()["echo"] is None
    ids = {httpx.get(f"{base}/health", headers=headers).headers["X-Baseten-Request-Id"] for _ in range(3)}
    assert 3 == len(ids)


def test_the_log_of_a_request(driver: Driver) -> None:
    """An error is in the log, tagged with the request's id, by which it is found."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    ids = [
        driver.predict(created.model.id, path, {"sandbox": {"status": 500}}).headers["X-Baseten-Request-Id"]
        for _ in range(2)
    ]
    logs = f"/v1/models/{created.model.id}/deployments/{created.deployment.id}/logs"
    lines = driver.http.get(logs, params={"request_id": ids[0]}).json()["logs"]
    assert ["Answered 500 to POST"] == [line["message"][:20] for line in lines]
    assert [] == driver.http.get(logs, params={"request_id": "nobody"}).json()["logs"]


@pytest.mark.parametrize(
    ("wish", "statuses"),
    [
        ({"fails-every": 3}, [200, 200, 500, 200, 200, 500]),
        ({"wakes-after": 2}, [503, 503, 200, 200]),
        ({"wakes-after": 1, "status": 429}, [429, 200]),
        ({"fails-every": 2, "status": 502}, [200, 502]),
    ],
)
def test_flaky_and_waking(driver: Driver, wish: dict[str, Any], statuses: list[int]) -> None:
    """Counted by the wish, so that several can be tried at once."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    other = driver.predict(created.model.id, path, {"sandbox": {**wish, "x": 1}}).status_code
    assert statuses == [driver.predict(created.model.id, path, {"sandbox": wish}).status_code for _ in statuses]
    assert statuses[0] == other


def test_bytes_and_streams_on_request(driver: Driver) -> None:
    """So many bytes; pieces with `usage` in the last."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    wish = {"bytes": 2048, "content-type": "audio/wav"}
    answer = driver.predict(created.model.id, path, {"sandbox": wish})
    assert (2048, "audio/wav") == (len(answer.content), answer.headers["Content-Type"])
    text = driver.predict(created.model.id, path, {"sandbox": {"stream": ["a", "b"]}}).text
    events = [json.loads(part.removeprefix("data: ")) for part in text.split("\n\n") if part.startswith("data: {")]
    assert "ab" == "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    assert 2 == events[-1]["usage"]["completion_tokens"]


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile(driver: Driver, name: str) -> None:
    """Each is answered, and the sandbox lives on."""
    created = live(driver)
    path = f"/deployment/{created.deployment.id}/predict"
    assert HOSTILE[name].status == driver.predict(created.model.id, path, {"sandbox": {"hostile": name}}).status_code
    assert 400 == driver.predict(created.model.id, path, {"sandbox": {"hostile": "nobody"}}).status_code
    assert 200 == driver.predict(created.model.id, path, {}).status_code


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/deployment/{id}", {}),
        ("/development", {"is_development": True}),
        ("/environments/production", {"environment_name": "production"}),
        ("-staging", {"environment_name": "staging", "create_environment_if_missing": True}),
    ],
)
def test_websocket(sandbox: Sandbox, driver: Driver, path: str, changes: dict[str, Any]) -> None:
    """Of every kind of place: text is echoed with who answers, bytes as they are, one message after the other."""
    created = live(driver, **changes)
    base = sandbox.inference_url.format(model_id=created.model.id).replace("http", "ws", 1)
    url = f"{base}{path.format(id=created.deployment.id)}/websocket"
    headers = {"Authorization": f"Api-Key {sandbox.api_key}"}
    with connect(url, additional_headers=headers, proxy=None) as link:
        link.send('{"a": 1}')
        said = json.loads(link.recv(timeout=10))
        assert ({"a": 1}, created.deployment.id) == (said["echo"], said["deployment_id"])
        link.send(b"\x00raw" * 30_000)
        assert b"\x00raw" * 30_000 == link.recv(timeout=10)
        link.send(iter(["in ", "pieces"]))
        assert "in pieces" == json.loads(link.recv(timeout=10))["echo"]
        link.send('{"sandbox": {"status": 500}}')
        with pytest.raises(ConnectionClosedError):
            link.recv(timeout=10)
    with pytest.raises(InvalidStatus):
        connect(url, proxy=None)
