"""Whole runs on networks that are in the way: a proxy that demands a password, certificates, pages of somebody else's.

The names stand for hosts of their own (`api.baseten.test`): they exist only in the CONNECTs to the proxy, which leads
them to TLS servers with a private authority's certificates, and those to the sandbox.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from way_servers import Answering, Authority, Proxy, TlsFront, answer, make_authority

from baseten_sandbox import Fault, Kind

API, MODELS, S3 = "api.baseten.test", "models.baseten.test", "objects"
PASSWORD, WRITTEN, BASIC = "Winter#2026", "Winter%232026", "Ym9iOldpbnRlciMyMDI2"
PAGE = "<html><head><title>Web Page Blocked</title></head><body>FortiGuard</body></html>"
SIGN_IN = '<html><head><title>Corp Sign-In</title></head><body><input type="password"></body></html>'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private authority."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@dataclass
class Corporate:
    """A runner in a company: the step's environment, its inputs, and the proxy."""

    job: Any
    proxy: Proxy
    environment: dict[str, str]
    inputs: dict[str, str]

    def run(self, environment: Mapping[str, str] | None = None, **given: str) -> Any:
        """Run the step there."""
        named = {name.replace("_", "-"): value for name, value in given.items()}
        step = self.job.runner.start(
            {**self.job.inputs({}), **self.inputs, **named}, {**self.environment, **(environment or {})}
        )
        return step.wait(120)


@pytest.fixture
def corporate(job: Any, authority: Authority) -> Iterator[Corporate]:
    """The sandbox behind TLS, behind a proxy that demands a password."""
    sandbox = job.sandbox
    web, storage = (int(url.split(":")[2].split("/")[0]) for url in (sandbox.api_url, sandbox.s3_endpoint_url))
    with (
        TlsFront(authority.certificate(API, MODELS), to=web) as service,
        TlsFront(authority.certificate(S3), to=storage) as objects,
        Proxy({API: service.port, MODELS: service.port, S3: objects.port}, "bob", PASSWORD) as proxy,
    ):
        # A file of the checkout, as the remedy says.
        (job.runner.workspace / "ca.pem").write_bytes(authority.file.read_bytes())
        yield Corporate(
            job,
            proxy,
            {
                "HTTPS_PROXY": f"http://bob:{WRITTEN}@127.0.0.1:{proxy.port}",
                "SSL_CERT_FILE": str(job.runner.workspace / "ca.pem"),
            },
            {
                "api-url": sandbox.api_url.replace(f"http://127.0.0.1:{web}", f"https://{API}"),
                "inference-url": sandbox.inference_url.replace(f"http://127.0.0.1:{web}", f"https://{MODELS}"),
                "s3-endpoint-url": sandbox.s3_endpoint_url.replace(f"http://127.0.0.1:{storage}", f"https://{S3}"),
            },
        )


def shown(result: Any) -> str:
    """All that anybody sees of a run."""
    return "\n".join((result.log.text, result.summary, *result.outputs.values(), *result.state.values()))


def test_a_whole_deploy_through_a_proxy_with_a_password(corporate):
    """API, S3 and the model: each by the proxy, with the certificates that the job names; the password is nowhere."""
    result = corporate.run()
    assert ("success", "success") == (result.outcome, result.outputs["status"]), result.log
    assert {API, MODELS, S3} == corporate.proxy.hosts
    assert {f"Basic {BASIC}"} == {seen.authorization for seen in corporate.proxy.seen}
    for secret in (PASSWORD, WRITTEN, BASIC):
        assert secret not in shown(result)


def test_hosts_without_a_proxy_in_every_form(job):
    """The forms of case 18, which ended in a traceback: the run does not mind, and the post step neither."""
    environment = {
        "NO_PROXY": "localhost,::1/128,fd00::/8,[::1],*.corp,.example,10.0.0.0/8,x:80,:,[",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    result = job.run(env=environment, mode="plan")
    assert "planned" == result.outputs["status"], result.log
    done = job.post({}, environment, on_cancel="delete")
    assert (0, "") == (done.returncode, done.stderr)


UNUSABLE = {
    "HTTPS_PROXY": "http://user:Winter#2026@proxy:3128",
    "https_proxy": "'\"http://bob:Winter@127.0.0.1:9\"'",
    "HTTP_PROXY": "http://bob:Winter@proxy:port",
    "ALL_PROXY": "socks5h://bob:Winter@127.0.0.1:1080",
    "all_proxy": "gopher://bob:Winter@proxy",
    "SSL_CERT_FILE": "/Winter/ca.pem",
    "REQUESTS_CA_BUNDLE": "/Winter/ca.pem",
    "SSL_CERT_DIR": "/Winter",
}


@pytest.mark.parametrize("variable", UNUSABLE)
def test_a_variable_that_cannot_be_used_is_invalid(job, variable):
    """Named, with what to do, before anything is sent; no part of its value is anywhere, in the raw output neither."""
    result = job.run(env={variable: UNUSABLE[variable]})
    assert (1, "invalid") == (result.exit_code, result.outputs["status"])
    (error,) = [each for each in result.log.annotations if each.kind == "error"]
    assert f"`{variable}`" in error.message
    assert f"`{variable}`" in result.summary
    for part in ("Winter", "2026", "bob", "3128", "1080"):
        assert part not in shown(result).replace("http://host:port", "")
    assert [] == job.sent()


@pytest.mark.parametrize("variable", UNUSABLE)
def test_the_post_step_ends_well_with_it(job, variable):
    """It always does; it says what is wrong, and shows nothing of it."""
    step = job.start(on_cancel="delete")
    state = {**step.wait(60).state, "status": "cancelled"}
    done = job.post(state, {variable: UNUSABLE[variable]}, on_cancel="delete")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"`{variable}`" in done.stdout
    assert "Winter" not in done.stdout


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "SSL_CERT_FILE"])
def test_all_problems_together(job, variable):
    """Those of the inputs and those of the network."""
    result = job.run(env={variable: UNUSABLE[variable]}, wait="perhaps")
    messages = "\n".join(each.message for each in result.log.annotations)
    assert f"`{variable}`" in messages
    assert "`wait`" in messages


@pytest.mark.parametrize(
    ("environment", "said", "remedy"),
    [
        ({"SSL_CERT_FILE": ""}, f"the certificate of {API} through the proxy", "set `SSL_CERT_FILE`"),
        (
            {"HTTPS_PROXY": "http://127.0.0.1:1"},
            "which does not answer (`HTTPS_PROXY`)",
            "whose loopback is not the host's",
        ),
        (
            {"HTTPS_PROXY": "http://bob:wrongword@127.0.0.1:{port}"},
            "does not accept this user name and password",
            "%23",
        ),
        ({"HTTPS_PROXY": "http://127.0.0.1:{port}"}, "wants a user name and a password", "http://user:password@"),
    ],
    ids=["private authority", "no proxy there", "wrong password", "no password"],
)
def test_what_is_in_the_way_is_told(corporate, environment, said, remedy):
    """In the annotation, with its own remedy; the service sees nothing."""
    port = corporate.proxy.port
    result = corporate.run({name: value.format(port=port) for name, value in environment.items()}, mode="plan")
    assert "rejected" == result.outputs["status"]
    (error,) = [each for each in result.log.annotations if each.kind == "error"]
    assert said in error.message
    assert remedy in error.message
    assert "firewall" not in error.message
    assert "wrongword" not in shown(result)
    assert [] == corporate.job.sent()
    assert len(corporate.proxy.seen) <= 2  # dry run and team, at once


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer("200 OK", SIGN_IN, Content_Type="text/html"), "a sign-in page answered, titled 'Corp Sign-In'"),
        (answer("302 Found", Location="https://login.corp.test/?x=1"), "redirected to https://login.corp.test/;"),
        (answer("403 Forbidden", PAGE, Content_Type="text/html"), "titled 'Web Page Blocked'"),
        (answer("407 No", Proxy_Authenticate="Basic"), "a proxy in between wants a user name and a password"),
        (answer("302 Found", Location="http://xn--"), "redirected to http://xn--;"),
        (answer("200 OK", b"x" * 99, Content_Encoding="gzip, gzip"), "the answer is compressed"),
    ],
    ids=["sign-in", "redirect", "firewall", "407", "odd redirect", "bomb"],
)
@pytest.mark.parametrize("mode", ["plan", "cleanup"])
def test_what_answers_instead_of_the_service_is_told(job, given, said, mode):
    """By what it is, and what to do."""
    inputs = {"model_name": "m", "cleanup_labels": "a: b"} if mode == "cleanup" else {}
    with Answering(given) as server:
        result = job.run(mode=mode, api_url=f"http://127.0.0.1:{server.port}", **inputs)
    assert result.outputs["status"] in ("rejected", "cleanup_failed"), result.log
    errors = [each.message for each in result.log.annotations if each.kind == "error"]
    assert any(said in message for message in errors)
    assert all("\n" in message for message in errors), "each has a remedy"
    assert "Traceback" not in result.log.text


@pytest.mark.parametrize("size", [0, 20 * 2**20], ids=["one request", "parts"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer("302 Found", Location="https://login.corp.test/?x=1"), "redirected to https://login.corp.test/;"),
        (answer("403 Forbidden", PAGE, Content_Type="text/html"), "titled 'Web Page Blocked'"),
        (answer("501 Not Implemented"), "does not answer like S3"),
        (answer("200 OK"), "does not answer like S3"),
    ],
    ids=["redirect", "firewall", "501", "empty"],
)
def test_s3_that_is_not_s3(job, given, said, size):
    """`upload_failed`, named, after few requests."""
    if size:
        (job.truss / "data.bin").write_bytes(os.urandom(size))
    with Answering(given) as server:
        result = job.run(s3_endpoint_url=f"http://127.0.0.1:{server.port}")
    assert (1, "upload_failed") == (result.exit_code, result.outputs["status"]), result.log
    (error,) = [each for each in result.log.annotations if each.kind == "error"]
    assert said in error.message
    assert "x=1" not in shown(result)
    assert "Traceback" not in result.log.text
    assert len(server.requests) <= 12


def test_an_untrusted_certificate_at_the_models_address(job, authority):
    """One try, its own remedy, and not the whole `predict-timeout`."""
    with TlsFront(authority.certificate("127.0.0.1"), answer=b"") as server:
        url = f"https://127.0.0.1:{server.port}/{{model_id}}"
        result = job.run(inference_url=url, predict_timeout="100")
    assert "predict_failed" == result.outputs["status"], result.log
    assert 1 == server.connections
    (error,) = [each for each in result.log.annotations if each.kind == "error"]
    assert "is not trusted by the public CAs" in error.message
    assert "SSL_CERT_FILE" in error.message


def test_a_redirect_of_the_logs_changes_nothing(job):
    """`302` to a name that is none, on the logs alone: a live deployment is green."""
    raw = Fault(Kind.STATUS, "GET", "/logs", status=302, headers={"Location": "http://xn--"}, times=None)
    job.sandbox.faults.add(raw)
    result = job.run()
    assert ("success", "success") == (result.outcome, result.outputs["status"]), result.log
    assert "Traceback" not in result.log.text
