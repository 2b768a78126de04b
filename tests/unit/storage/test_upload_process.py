"""`upload` as a part of a process: a signal ends it within seconds, memory is bounded, the environment has no say."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import botocore
import pytest
import s3transfer
from s3_faults import FaultyS3, error, hang, swallow
from upload_driver import SOURCE, outcome, start

from baseten_deploy.storage.upload import PART_BYTES

SMALL = 100_000
LARGE = 4 * PART_BYTES


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    """One server for all tests of this file."""
    with FaultyS3() as s3:
        yield s3


@pytest.fixture
def s3(server: FaultyS3) -> FaultyS3:
    """An empty bucket and no faults."""
    server.reset()
    return server


@pytest.mark.parametrize(
    ("size", "broken", "seen", "asked"),
    [
        pytest.param(SMALL, {"PutObject": hang}, ("PutObject", 1), {}, id="put"),
        pytest.param(LARGE, {"CreateMultipartUpload": hang}, ("CreateMultipartUpload", 1), {}, id="create"),
        pytest.param(LARGE, {"UploadPart": hang}, ("UploadPart", 4), {}, id="parts"),
        pytest.param(
            LARGE, {"UploadPart": error(503, "SlowDown")}, ("UploadPart", 8), {"chance": 1.0}, id="pause between tries"
        ),
        pytest.param(LARGE, {"CompleteMultipartUpload": hang}, ("CompleteMultipartUpload", 1), {}, id="complete"),
        pytest.param(LARGE, {}, ("UploadPart", 2), {"stuck_at": 2 * PART_BYTES}, id="a read that hangs"),
    ],
)
def test_a_signal_ends_an_upload(s3, size, broken, seen, asked):
    """The process is gone within five seconds, wherever it was; nothing is left in S3, and the stream is closed."""
    for operation, fault in broken.items():
        s3.fail(operation, range(1, 100), fault)
    process = start(url=s3.url, size=size, **asked)
    s3.wait_for(*seen)
    signalled = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = outcome(process)
    assert time.monotonic() - signalled < 5
    assert (130, "cancelled", True) == (process.returncode, said["outcome"], said["closed"])
    assert ([], []) == (s3.dangling(), s3.keys())


def test_a_signal_ends_an_upload_to_an_s3_that_no_longer_answers_at_all(s3):
    """Nothing can be aborted there; the process ends in time all the same."""
    for operation in ("UploadPart", "AbortMultipartUpload", "ListParts"):
        s3.fail(operation, range(1, 100), hang)
    process = start(url=s3.url, size=LARGE)
    s3.wait_for("UploadPart", 4)
    signalled = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert "cancelled" == outcome(process)["outcome"]
    assert time.monotonic() - signalled < 5


@contextmanager
def black_hole() -> Iterator[str]:
    """A port where no connection is refused or made: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_signal_ends_an_upload_that_waits_for_a_connection():
    """A thread in connect cannot be reached; it does not keep the process."""
    with black_hole() as url:
        process = start(url=url, size=LARGE)
        time.sleep(2.5)
        signalled = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert "cancelled" == outcome(process)["outcome"]
        assert time.monotonic() - signalled < 5


def test_memory_is_bounded(s3):
    """A process that uploads 400 MB never holds half of it; how much exactly, the allocator and the load decide."""
    for operation in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
        s3.fail(operation, range(1, 1000), swallow)
    said = outcome(start(url=s3.url, size=400_000_000))
    assert "uploaded 400000000" == said["outcome"]
    assert 48 == s3.count("UploadPart")
    assert 50 < said["peak_mb"] < 200


def hostile_variables() -> dict[str, str]:
    """Every variable that botocore's sources name, set to what would break an upload."""
    packages = [Path(str(module.__file__)).parent for module in (botocore, boto3, s3transfer)]
    sources = [path.read_text() for package in packages for path in package.rglob("*.py")]
    names = {
        name for text in sources for name in re.findall(r"['\"](_?(?:AWS|BOTO|X_AMZN)[A-Z_0-9]*_[A-Z_0-9]+)", text)
    }
    assert {"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "BOTO_CONFIG", "AWS_CONFIG_FILE"} <= names
    return dict.fromkeys(names, "hostile\r\nX-Hostile: 1")


PLAUSIBLE = {
    "AWS_ACCESS_KEY_ID": "AKIAOTHER",
    "AWS_SECRET_ACCESS_KEY": "other",
    "AWS_SESSION_TOKEN": "other",
    "AWS_PROFILE": "other",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_RETRY_MODE": "adaptive",
    "AWS_DEFAULTS_MODE": "auto",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_CSM_ENABLED": "true",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
    "AWS_BEARER_TOKEN_S3": "other",
    "AWS_LAMBDA_FUNCTION_NAME": "other",
    "_X_AMZN_TRACE_ID": "other",
    "AWS_EXECUTION_ENV": "other",
    "BOTOCORE_EXPERIMENTAL__PLUGINS": "other=hostile_plugin",
}


@pytest.fixture
def hostile_home(tmp_path: Path) -> dict[str, str]:
    """A home directory whose every file would break an upload, and the variables that point to them."""
    aws = tmp_path / ".aws"
    model = aws / "models" / "s3" / "2006-03-01"
    model.mkdir(parents=True)
    for name in ("service-2.json", "endpoint-rule-set-1.json", "paginators-1.json"):
        (model / name).write_text("{}")
    (aws / "models" / "endpoints.json").write_text("{}")
    settings = "endpoint_url = http://127.0.0.1:1\nca_bundle = /nowhere\ns3 =\n  addressing_style = virtual\n"
    (aws / "config").write_text(f"[default]\n{settings}[profile other]\n{settings}")
    (aws / "credentials").write_text("not an ini file")
    (tmp_path / ".boto").write_text("[Credentials]\naws_access_key_id = AKIAOTHER\n")
    (tmp_path / "hostile_plugin.py").write_text("import os\nos._exit(66)\n")
    return {
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{SOURCE}:{tmp_path}",
        "AWS_CONFIG_FILE": str(aws / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(aws / "credentials"),
        "AWS_DATA_PATH": str(aws / "models"),
        "BOTO_CONFIG": str(tmp_path / ".boto"),
    }


@pytest.mark.parametrize("variables", [hostile_variables(), PLAUSIBLE], ids=["garbage", "plausible"])
def test_the_environment_has_no_say(s3, hostile_home, variables):
    """No variable and no file of AWS changes where an upload goes, who signs it or what is sent."""
    s3.fail("UploadPart", range(1, 5), error(503, "SlowDown"))
    said = outcome(start({**variables, **hostile_home}, url=s3.url, size=LARGE))
    assert f"uploaded {LARGE}" == said["outcome"]
    assert said["environment_kept"]
    parts = [request for request in s3.requests if request.operation == "UploadPart"]
    for request in parts:
        assert "Credential=ASIAEXAMPLE/" in request.headers["authorization"]
        assert "/us-west-2/s3/aws4_request" in request.headers["authorization"]
        assert "token" == request.headers["x-amz-security-token"]
        assert re.fullmatch(r"baseten-deploy/\S+", request.headers["user-agent"])
        sent = set(request.headers) - {"transfer-encoding"}
        assert set() == {name for name in sent if "checksum" in name or "trace" in name or "hostile" in name}


def test_the_address_of_aws_comes_from_the_target_alone(hostile_home):
    """Without an endpoint it is the bucket's own host in the target's region; seen by a proxy, which is honoured."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked: list[bytes] = []

        def refuse() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        address = f"http://user:proxy-password@127.0.0.1:{proxy.getsockname()[1]}"
        process = start({**PLAUSIBLE, **hostile_home, "HTTPS_PROXY": address}, url="", size=SMALL, region="us-east-2")
        thread.join(20)
    said = outcome(process)["outcome"]
    assert [b"CONNECT uploads.s3.us-east-2.amazonaws.com:443"] == [text.rpartition(b" HTTP/1.")[0] for text in asked]
    assert said.startswith(
        f"No connection to uploads.s3.us-east-2.amazonaws.com through the proxy {address[:7]}127.0.0.1"
    )
    assert "proxy-password" not in said


def run_python(code: str) -> str:
    """Run code in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_importing_the_module_does_not_import_botocore():
    """Half a second that a run hides behind the network is not paid before it starts."""
    listing = "[m for m in sys.modules if m in ('boto3', 'botocore', 'urllib3')]"
    assert "[]" == run_python(f"import sys, baseten_deploy.storage.upload; print({listing})")


def test_preload_may_be_called_by_any_threads_at_once():
    """A run calls it in a thread and does not wait for it."""
    code = (
        "from concurrent.futures import ThreadPoolExecutor as P; from baseten_deploy.storage.upload import preload\n"
        "with P(8) as pool: print({f.result() for f in [pool.submit(preload) for _ in range(8)]})"
    )
    assert "{None}" == run_python(code)
