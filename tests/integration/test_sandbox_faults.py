"""The sandbox's fault switch: each fault as a client sees it, and what the server did meanwhile."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, HTTPClientError
from hypothesis import given
from hypothesis import strategies as st
from sandbox_driver import Driver, payload, s3_client

from baseten_sandbox import Fault, Faults, Kind, Sandbox
from baseten_sandbox.control.faults import bad_gateway, matrix, parse, s3_error, status, too_many


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(speed=1000) as started:
        yield started


def commit(driver: Driver) -> dict[str, Any]:
    """The body of a commit whose archive is uploaded."""
    prepared = driver.prepare(payload(), name="hello")
    driver.upload(prepared)
    source = {"kind": "model_archive", "name": "hello", "s3_key": prepared["s3_key"], "deployment": payload()}
    return {"source": source}


BROKEN = (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)


@pytest.mark.parametrize(
    ("fault", "error", "models"),
    [
        (Fault(Kind.REFUSE), BROKEN, 0),
        (Fault(Kind.RESET), BROKEN, 0),
        (Fault(Kind.RESET, acts=True), BROKEN, 1),
        (Fault(Kind.HANG), httpx.ReadTimeout, 0),
        (Fault(Kind.HANG, acts=True), httpx.ReadTimeout, 1),
        (Fault(Kind.CUT), httpx.RemoteProtocolError, 1),
    ],
)
def test_broken_connections(sandbox: Sandbox, driver: Driver, fault: Fault, error: Any, models: int) -> None:
    """The client sees no answer; whether the server acted is as the fault says."""
    body = commit(driver)
    sandbox.faults.add(fault.on("POST", "/v1/models$"))
    with pytest.raises(error):
        driver.http.post("/v1/models", json=body, timeout=0.3)
    assert models == len(sandbox.state.models())
    recorded = next(item for item in sandbox.requests if item.path == "/v1/models" and item.method == "POST")
    assert str(fault) == recorded.fault
    driver.http.post("/v1/models", json=body)  # the fault is spent
    assert 1 == len(sandbox.state.models())


@pytest.mark.parametrize(
    ("fault", "code", "header", "models"),
    [
        (status(408), 408, {}, 0),
        (status(500), 500, {}, 0),
        (status(504, acts=True), 504, {}, 1),
        (too_many(), 429, {"Retry-After": None}, 0),
        (too_many(2), 429, {"Retry-After": "2"}, 0),
        (bad_gateway(), 502, {"Content-Type": "text/html"}, 0),
    ],
)
def test_error_answers(
    sandbox: Sandbox, driver: Driver, fault: Fault, code: int, header: dict[str, str | None], models: int
) -> None:
    """A status comes with its body and headers, before or after the server acted."""
    body = commit(driver)
    sandbox.faults.add(fault.on("POST", "/v1/models$"))
    answer = driver.post("/v1/models", body)
    assert code == answer.status_code
    assert header == {name: answer.headers.get(name) for name in header}
    assert models == len(sandbox.state.models())


@pytest.mark.parametrize("kind", [Kind.TRUNCATE, Kind.CONTENT_TYPE, Kind.SHAPE])
def test_spoilt_answers(sandbox: Sandbox, driver: Driver, kind: Kind) -> None:
    """The server acted, but its answer cannot be used."""
    sandbox.faults.add(Fault(kind))
    answer = driver.http.get("/v1/teams")
    assert 200 == answer.status_code
    if kind is Kind.TRUNCATE:
        with pytest.raises(ValueError, match="char"):
            answer.json()
    elif kind is Kind.CONTENT_TYPE:
        assert "text/html; charset=utf-8" == answer.headers["Content-Type"]
    else:
        assert isinstance(answer.json(), list)


def test_slow_answers(sandbox: Sandbox, driver: Driver) -> None:
    """A dripping answer takes its time byte by byte; a delayed one comes late and whole."""
    for fault, least in ((Fault(Kind.DRIP, seconds=0.002), 0.1), (Fault(Kind.DELAY, seconds=0.2), 0.2)):
        sandbox.faults.add(fault)
        start = time.monotonic()
        assert 1 == len(driver.http.get("/v1/teams").json()["teams"])
        assert time.monotonic() - start >= least


def test_endless_answer(sandbox: Sandbox, driver: Driver) -> None:
    """An endless answer ends when the client goes."""
    sandbox.faults.add(Fault(Kind.ENDLESS))
    read = 0
    with driver.http.stream("GET", "/v1/teams") as answer:
        for chunk in answer.iter_raw():
            read += len(chunk)
            if read > 1_000_000:
                break
    assert read > 1_000_000


def test_stopping_ends_what_hangs() -> None:
    """A stop waits for no fault."""
    with Sandbox() as sandbox:
        driver = Driver(sandbox)
        sandbox.faults.add(Fault(Kind.HANG))
        with pytest.raises(httpx.ReadTimeout):
            driver.http.get("/v1/teams", timeout=0.1)
        start = time.monotonic()
        driver.close()
    assert time.monotonic() - start < 1


def test_nth_and_times(sandbox: Sandbox, driver: Driver) -> None:
    """A fault can wait for the n-th match and last for several; others are not touched."""
    sandbox.faults.add(status(503, method="GET", path="/v1/teams", nth=2, times=2))
    assert [200, 503, 503, 200] == [driver.http.get("/v1/teams").status_code for _ in range(4)]
    assert [] == sandbox.faults.active()
    sandbox.faults.add(status(503, path="/v1/teams", times=None))
    assert [503, 503, 200] == [driver.http.get(path).status_code for path in ("/v1/teams", "/v1/teams", "/v1/models")]
    sandbox.faults.clear()
    assert 200 == driver.http.get("/v1/teams").status_code


@pytest.mark.parametrize("name", list(matrix()))
def test_matrix_leaves_the_server_well(sandbox: Sandbox, driver: Driver, name: str) -> None:
    """After each fault of the matrix the next request is served."""
    sandbox.faults.add(matrix()[name].on("GET", "/v1/teams"))
    try:
        with driver.http.stream("GET", "/v1/teams", timeout=0.2) as answer:
            next(answer.iter_raw())
    except httpx.TransportError:
        assert name in {"refuse", "reset before", "reset after", "hang before", "hang after", "cut"}
    assert 200 == driver.http.get("/v1/teams").status_code


def test_s3_faults(sandbox: Sandbox, driver: Driver) -> None:
    """Parts fail by number: SlowDown, an expired token, a reset after the part was stored."""
    prepared = driver.prepare(payload(), name="hello")
    client = s3_client(sandbox, prepared)
    target = {"Bucket": prepared["s3_bucket"], "Key": prepared["s3_key"]}
    upload = client.create_multipart_upload(**target)["UploadId"]
    sandbox.faults.add(
        s3_error(503, "SlowDown", method="PUT", path=r"partNumber=1\b"),
        s3_error(400, "ExpiredToken", method="PUT", path=r"partNumber=2\b"),
        Fault(Kind.RESET, "PUT", r"partNumber=3\b", acts=True),
    )
    for number, expected in ((1, "SlowDown"), (2, "ExpiredToken")):
        with pytest.raises(ClientError, match=expected):
            client.upload_part(**target, UploadId=upload, PartNumber=number, Body=b"x" * 1_000_000)
    with pytest.raises((HTTPClientError, ClientError)):
        client.upload_part(**target, UploadId=upload, PartNumber=3, Body=b"x" * 1_000_000)
    assert 1 == sandbox.multipart_uploads()[0].parts
    client.close()


def test_offline(sandbox: Sandbox, driver: Driver) -> None:
    """While offline, connections are refused; afterwards the port is the same."""
    with sandbox.offline(), pytest.raises(httpx.ConnectError):
        driver.http.get("/v1/teams")
    assert 200 == driver.http.get("/v1/teams").status_code


def test_random_faults_repeat_with_their_seed() -> None:
    """One seed, one sequence of faults; about as many as the probability says."""

    def strikes(seed: int) -> list[str]:
        faults = Faults(seed)
        faults.add_random(0.1)
        return [str(faults.pick("management", "GET", "/v1/teams")) for _ in range(2000)]

    assert strikes(7) == strikes(7)
    assert strikes(7) != strikes(8)
    assert 120 < sum(name != "None" for name in strikes(7)) < 280


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reset", Fault(Kind.RESET)),
        ("POST /v1/models$ reset acts=true", Fault(Kind.RESET, "POST", "/v1/models$", acts=True)),
        (
            "PUT partNumber=2 status status=503 times=always service=s3",
            Fault(Kind.STATUS, "PUT", "partNumber=2", "s3", status=503, times=None),
        ),
        ("GET /logs drip seconds=0.5 probability=0.1", Fault(Kind.DRIP, "GET", "/logs", seconds=0.5, probability=0.1)),
    ],
)
def test_faults_from_text(text: str, expected: Fault) -> None:
    """The command line's way to write a fault."""
    assert expected == parse(text)


@given(st.text())
def test_any_text_is_a_fault_or_an_error(text: str) -> None:
    """Nothing but a `ValueError` comes of a wrong text."""
    with contextlib.suppress(ValueError):
        assert isinstance(parse(text), Fault)
