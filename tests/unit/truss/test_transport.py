"""How a Truss can be asked, from its config alone."""

import pytest
import yaml

from baseten_deploy.service.model_urls import environment_url, own_route, predict_url
from baseten_deploy.truss.transport import PREDICT, Transport, transport_of

HOST = "https://model-{model_id}.api.baseten.co"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "runtime: null",
        "runtime: {transport: null}",
        "runtime: {transport: {}}",
        "runtime: {transport: {kind: http}}",
        "runtime: {is_websocket_endpoint: false}",
        "docker_server: null",
        "docker_server: {server_port: 80, predict_endpoint: /generate}",
        "docker_server: {no_build: false, predict_endpoint: /generate}",
        "runtime: [a]",
        "runtime: {transport: websocket}",
        "docker_server: text",
    ],
)
def test_the_predict_route(text: str) -> None:
    """What most have; a built server's own route is mapped to it, and what is no config decides nothing."""
    assert PREDICT == transport_of(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("runtime: {transport: {kind: websocket}}", "a websocket"),
        ("runtime: {is_websocket_endpoint: true}", "a websocket"),
        ("runtime: {is_websocket_endpoint: true, transport: {kind: http}}", "a websocket"),
        ("runtime: {transport: {kind: grpc}}", "grpc"),
        ("{runtime: {transport: {kind: grpc}}, docker_server: {no_build: true, predict_endpoint: /x}}", "grpc"),
        ("{runtime: {transport: {kind: websocket}}, docker_server: {predict_endpoint: /x}}", "a websocket"),
    ],
)
def test_what_has_none(text: str, over: str) -> None:
    """Says what it is spoken to over."""
    expected = Transport(unaskable=f"the model is spoken to over {over} and has no predict route")
    assert expected == transport_of(yaml.safe_load(text))


@pytest.mark.parametrize(("route", "path"), [("/generate", "/generate"), ("v1/x", "/v1/x"), (" //a?b=1 ", "/a?b=1")])
def test_a_server_that_is_not_built(route: str, path: str) -> None:
    """Is asked at its own route."""
    assert Transport(path=path) == transport_of({"docker_server": {"no_build": True, "predict_endpoint": route}})


@pytest.mark.parametrize("route", [None, "", " ", 5])
def test_one_that_names_no_route(route: object) -> None:
    """Cannot be asked."""
    assert "names no route" in transport_of({"docker_server": {"no_build": True, "predict_endpoint": route}}).unaskable


@pytest.mark.parametrize(
    ("predict", "expected"),
    [
        (predict_url(HOST, "m", "d"), "https://model-m.api.baseten.co/deployment/d/sync/generate"),
        (predict_url(HOST, "m", "d", development=True), "https://model-m.api.baseten.co/development/sync/generate"),
        (environment_url(HOST, "m", "e"), "https://model-m.api.baseten.co/environments/e/sync/generate"),
        (environment_url(HOST, "m", "e", regional=True), "https://model-m-e.api.baseten.co/sync/generate"),
    ],
)
def test_the_address_of_an_own_route(predict: str, expected: str) -> None:
    """Beside the predict endpoint of a deployment, the development slot and an environment, also a regional one."""
    assert expected == own_route(predict, "/generate")
