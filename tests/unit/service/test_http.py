"""Sending: what is tried again, how much is read, what an error says, and where a request never goes."""

import json
import os
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transport import BY_NAME, HTML, KEY, TRANSIENT, Dripping, FakeClock, Script, make_http

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service import http as module
from baseten_deploy.service.error_answer import error_text
from baseten_deploy.service.http import Http, HttpError, make_client, read_bounded
from baseten_deploy.service.retry import Fault

# Those that this module can tell from an answer.
FAILURES = [fault for fault in TRANSIENT if not fault.acts and fault.name not in {"wrong shape", "empty answer"}]
OK = httpx.Response(200, json={"ok": True})


def answer(status, text="", **headers):
    """Make a response."""
    return httpx.Response(status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})


def failing(fault):
    """Make a handler that fails so."""
    return lambda request: fault.fail(request, httpx.Response(200, json={"ok": "x" * 20}))


def fail(*answers, method="GET", retry=False, clock=None, deadline=float("inf"), **arguments):
    """Send, and return the error and the script that answered."""
    script = Script(*answers)
    with pytest.raises(HttpError) as caught:
        make_http(script, clock, deadline=deadline).request(method, "/v1/x", retry=retry, **arguments)
    return caught.value, script


class TestRequest:
    """The way there."""

    def test_sends_json_with_the_key(self):
        """Method, path, query, body and headers arrive; a base URL keeps its path."""
        script = Script(OK)
        http = make_http(script, url="https://api.test/base/")
        assert {"ok": True} == http.request("POST", "/v1/x", body={"a": "ä"}, params={"n": 1}, retry=False)
        request = script.requests[0]
        assert ("POST", "https://api.test/base/v1/x?n=1") == (request.method, str(request.url))
        assert {"a": "ä"} == json.loads(request.content)
        assert (f"Bearer {KEY}", "application/json") == (
            request.headers["Authorization"],
            request.headers["Content-Type"],
        )

    def test_sends_no_body_where_there_is_none(self):
        """A GET and an empty POST claim no content type."""
        script = Script(OK)
        make_http(script).request("POST", "/v1/x", retry=False)
        assert (b"", None) == (script.requests[0].content, script.requests[0].headers.get("Content-Type"))

    def test_sends_any_text(self):
        """Half a surrogate pair is a text in YAML and JSON; it must not end in a traceback."""
        script = Script(OK)
        make_http(script).request("POST", "/v1/x", body={"a": "\ud800"}, retry=False)
        assert {"a": "\ud800"} == json.loads(script.requests[0].content)

    def test_has_a_timeout_on_everything(self):
        """Connect, read, write and pool: nothing waits forever."""
        script = Script(OK)
        make_http(script).request("GET", "/v1/x", retry=False, seconds=7)
        assert {"connect": 7, "read": 7, "write": 7, "pool": 7} == script.requests[0].extensions["timeout"]
        with make_client(WayOut(os.environ)) as client:
            assert None not in client.timeout.as_dict().values()

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_certificates_that_cannot_be_read(self, monkeypatch, tmp_path, content):
        """The job's variable reaches the container, the file that it names perhaps not: no bug of ours."""
        file = tmp_path / "ca.pem"
        if content:
            file.write_text(content)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        (problem,) = WayOut(os.environ).certificate_problems
        assert problem.message.startswith("`SSL_CERT_FILE`: the certificates cannot be read")

    @pytest.mark.parametrize("text", ["", " ", "\n"])
    def test_an_empty_answer_is_an_empty_object(self, text):
        """A call that answers nothing may answer with nothing."""
        assert {} == make_http(Script(answer(200, text))).request("DELETE", "/v1/x", retry=False)
        assert {} == make_http(Script(answer(204))).request("DELETE", "/v1/x", retry=False)


class TestRetries:
    """Asking again."""

    @pytest.mark.parametrize("fault", FAILURES, ids=str)
    def test_a_blip_is_made_up_for(self, fault):
        """Any transient failure, then an answer: the answer."""
        script = Script(failing(fault), failing(fault), failing(fault), failing(fault), OK)
        assert {"ok": True} == make_http(script).request("GET", "/v1/x", retry=True)
        assert 5 == len(script.requests)

    @pytest.mark.parametrize("fault", FAILURES, ids=str)
    def test_five_failures_are_an_error(self, fault):
        """The fifth is final."""
        error, script = fail(failing(fault), retry=True)
        assert error.failure.transient
        assert 5 == len(script.requests)

    @pytest.mark.parametrize("fault", FAILURES, ids=str)
    def test_without_retry_it_is_sent_once(self, fault):
        """Also when nothing arrived: the caller decides."""
        error, script = fail(failing(fault), method="POST", body={})
        assert 1 == len(script.requests)
        unseen = fault.name.startswith(("connect", "429"))
        assert (unseen, not unseen) == (error.failure.refused_unseen, error.failure.ambiguous)

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 409, 422])
    def test_a_refusal_is_final(self, status):
        """Sent once, though it was allowed to retry."""
        error, script = fail(answer(status, "no", Location="https://evil.test/"), retry=True)
        assert (status, 1) == (error.status, len(script.requests))

    @pytest.mark.parametrize("status", [408, 429, 503])
    def test_obeys_retry_after(self, status):
        """The pause is what the header says, plus jitter."""
        clock = FakeClock(chance=0.5)
        make_http(Script(answer(status, Retry_After="7"), OK), clock).request("GET", "/v1/x", retry=True)
        assert [7.25] == clock.sleeps

    def test_obeys_the_field_of_the_body(self):
        """The service says it in its JSON, too."""
        clock = FakeClock(chance=0.0)
        refused = httpx.Response(429, json={"error": "slow down", "retry_after": 11})
        make_http(Script(refused, OK), clock).request("GET", "/v1/x", retry=True)
        assert [11.0] == clock.sleeps

    def test_obeys_a_date_by_the_clock_of_the_run(self):
        """A date counts from now."""
        clock = FakeClock(chance=0.0)
        refused = answer(503, Retry_After="Thu, 01 Jan 1970 00:17:10 GMT")  # 30 s after the fake clock's now
        make_http(Script(refused, OK), clock).request("GET", "/v1/x", retry=True)
        assert [30.0] == clock.sleeps

    def test_gives_up_at_once_when_the_hint_is_past_the_deadline(self):
        """There is no sense in waiting for what comes too late."""
        clock = FakeClock()
        error, script = fail(answer(429, "wait", Retry_After="61"), retry=True, clock=clock, deadline=1060.0)
        assert (429, 1, []) == (error.status, len(script.requests), clock.sleeps)

    def test_never_sleeps_past_the_deadline(self):
        """Five tries are the most, not a promise."""
        clock = FakeClock()
        fail(answer(503), retry=True, clock=clock, deadline=clock.now() + 1)
        assert clock.now() < 1001.0
        assert [0.25, 0.5] == clock.sleeps


class TestBounds:
    """Answers without end."""

    def test_reads_a_bounded_answer(self):
        """An endless body is cut off; it is no JSON object then."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b"x" * 2**20, None), clock)
        error, _ = fail(httpx.Response(200, stream=body), clock=clock)
        assert Fault.BAD_ANSWER is error.failure.fault
        assert body.taken <= module.ANSWER_BYTES / 2**20 + 1

    def test_takes_a_big_answer_whole(self):
        """An organization may have many models."""
        text = json.dumps({"x": "y" * (20 * 2**20)})
        assert 20 * 2**20 == len(make_http(Script(answer(200, text))).request("GET", "/v1/x", retry=False)["x"])

    def test_reads_little_of_an_error(self):
        """Nobody reads more of it."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b"x" * 1024, None), clock)
        error, _ = fail(httpx.Response(500, stream=body), clock=clock)
        assert 500 == error.status
        assert body.taken <= module.ERROR_BYTES / 1024 + 1
        assert len(error.message) <= module.MESSAGE_CHARACTERS + 10

    @pytest.mark.parametrize("status", [200, 500])
    def test_a_dripping_answer_is_a_timeout(self, status):
        """A byte every nine seconds keeps the read timeout from firing; the whole has one as well."""
        clock = FakeClock()
        body = Dripping(iter(lambda: b" ", None), clock, seconds=9)
        error, _ = fail(httpx.Response(status, stream=body), clock=clock, seconds=30)
        assert Fault.NO_ANSWER is error.failure.fault
        assert "no answer within 30 s" == error.message
        assert clock.now() <= 1000 + 30 + 9

    def test_a_body_that_breaks_off_is_no_answer(self):
        """The server acted, maybe; what it said is lost."""
        clock = FakeClock()
        body = Dripping([b'{"ok": '], clock, end=httpx.RemoteProtocolError("peer closed connection"))
        error, _ = fail(httpx.Response(200, stream=body), clock=clock)
        assert Fault.NO_ANSWER is error.failure.fault
        assert "peer closed connection" in error.message

    def test_bounded_reading_tells_whether_that_was_all(self):
        """Exactly the limit is all; one more is not."""
        assert (b"ab", True) == read_bounded(iter([b"a", b"b"]), 2, 1, FakeClock())
        assert (b"ab", False) == read_bounded(iter([b"a", b"bc"]), 2, 1, FakeClock())

    @pytest.mark.parametrize(
        "text", ["[]", "7", "null", '"x"', '{"a": 1', "[" * 100_000, "<html>", "\x00", '{"a": 1}}', "{" * 5000]
    )
    def test_what_is_no_object_is_a_bad_answer(self, text):
        """A proxy's page with status 200, a cut text, a bomb: none of it is a success."""
        error, _ = fail(answer(200, text, Content_Type="text/html"))
        assert Fault.BAD_ANSWER is error.failure.fault
        assert error.failure.ambiguous

    def test_a_list(self):
        """Where a call answers an array, an object is the bad answer; a blip is tried again."""
        script = Script(answer(502), answer(200, '[{"id": 1}]'))
        assert [{"id": 1}] == make_http(script).get_list("/v1/x", params={"page": 2})
        assert ["page=2"] * 2 == [request.url.query.decode() for request in script.requests]
        with pytest.raises(HttpError, match="not the expected JSON array"):
            make_http(Script(answer(200, '{"message": "no"}'))).get_list("/v1/x")

    def test_what_is_not_utf_8_is_a_bad_answer(self):
        """Bytes of another encoding."""
        error, _ = fail(httpx.Response(200, content=b'{"a": "\xff"}'))
        assert Fault.BAD_ANSWER is error.failure.fault


class TestMessages:
    """What an error says to people."""

    @pytest.mark.parametrize(
        ("status", "text", "message"),
        [
            (400, '{"code": "BAD", "message": "no config"}', "400: no config (BAD)"),
            (400, '{"message": "no config"}', "400: no config"),
            (400, '{"error": "no config"}', "400: no config"),
            (422, '{"detail": [{"loc": ["a"]}]}', '422: {"loc": ["a"]}'),
            (400, '{"error": {"a": 1}, "code": 7}', '400: {"a": 1}'),
            (400, '{"other": 1}', '400: {"other": 1}'),
            (400, "plain\n text", "400: plain text"),
            (400, "[1]", "400: [1]"),
            (404, "", "404: Not Found"),
            (502, HTML, "502: 502 Bad Gateway"),
            (500, "[" * 3000, "500: " + "[" * 600 + "..."),
        ],
    )
    def test_says_what_the_server_said(self, status, text, message):
        """In whatever form it came, in one line, cut."""
        said = fail(answer(status, text))[0].message
        assert message == said or said.startswith(message[:600])

    def test_keeps_the_body_for_who_asks(self):
        """The parsed JSON of a refusal."""
        assert {"a": 1} == fail(answer(400, '{"a": 1}'))[0].body

    @pytest.mark.parametrize(
        "page",
        ["<html>" + "<" * 65_000, "<html>" + "<script " * 8_000, "<html>" + "<style<script " * 4_000, "<html" * 13_000],
    )
    def test_no_page_takes_long(self, page):
        """An error page made to keep a regular expression busy."""
        start = time.process_time()
        error_text(None, page)
        assert time.process_time() - start < 1

    @pytest.mark.parametrize(
        "broken",
        [
            answer(400, f"your key {KEY} is bad"),
            answer(400, json.dumps({"message": f"Bearer {KEY}"})),
            answer(200, f"<html>{KEY}</html>"),
            answer(200, "x" * (module.STRAY_CHARACTERS - 8) + KEY),
            answer(500, "x" * (module.MESSAGE_CHARACTERS - 8) + KEY),
            answer(302, Location=f"https://evil.test/?key={KEY}"),
            httpx.ReadError(f"sent {KEY}"),
            httpx.ConnectError(f"proxy said {KEY}"),
            httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"),
        ],
        ids=lambda case: (getattr(case, "text", None) and case.text[:20]) or repr(case)[:20],
    )
    def test_never_carries_the_key(self, broken):
        """Whoever repeats it, whole or cut in the middle: no part of it that is worth the name is shown."""
        error, _ = fail(broken)
        shown = f"{error} {error.message} {error!r}"
        assert KEY[:6] not in shown
        assert error.__cause__ is None

    def test_names_the_host_that_cannot_be_reached(self):
        """Which one is the first question."""
        assert "no connection to api.test: nobody there" == fail(httpx.ConnectError("nobody there"))[0].message


@contextmanager
def listening(answers):
    """Serve on loopback; each request line is noted, and answered by `answers(handler)`."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            """Note and answer."""
            seen.append((self.path, dict(self.headers)))
            answers(self)

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def say_ok(handler):
    """Answer with an object."""
    handler.send_response(200)
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")


def through(client, url):
    """Send one request with a real client."""
    with client:
        http = Http(url, {"Authorization": KEY}, client=client, clock=FakeClock(), redact=Redactor().redact_foreign)
        return http.request("GET", "/v1/x", retry=False)


@pytest.fixture
def no_proxy(monkeypatch):
    """An environment without proxies, to be filled."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@pytest.mark.usefixtures("no_proxy")
class TestClient:
    """The one client of a run, on real sockets."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_does_not_follow_redirects(self, status):
        """The key would go to wherever they point."""
        with listening(say_ok) as (trap, trapped):

            def redirect(handler):
                handler.send_response(status)
                handler.send_header("Location", f"http://127.0.0.1:{trap}/steal")
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            with listening(redirect) as (port, _), pytest.raises(HttpError) as caught:
                through(make_client(WayOut(os.environ)), f"http://127.0.0.1:{port}")
        assert [] == trapped
        assert f"{status}: redirected to http://127.0.0.1:{trap}/steal; redirects are not followed" == (
            caught.value.message
        )

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
    def test_loopback_is_never_proxied(self, no_proxy, host, variable):
        """A proxy's own loopback is another machine's."""
        with listening(say_ok) as (proxy, proxied), listening(say_ok) as (port, seen):
            if variable != "http_proxy":
                no_proxy.setenv(variable, f"http://127.0.0.1:{proxy}")
            no_proxy.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
            through(make_client(WayOut(os.environ)), f"http://{host}:{port}")
        assert ([], 1) == (proxied, len(seen))

    @pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
    def test_proxies_are_used_for_everything_else(self, no_proxy, variable):
        """A company's runner has no other way out."""
        with listening(say_ok) as (proxy, proxied):
            no_proxy.setenv(variable, f"http://127.0.0.1:{proxy}")
            through(make_client(WayOut(os.environ)), "http://api.test")
        assert ["http://api.test/v1/x"] == [path for path, _ in proxied]

    def test_says_who_it_is_and_takes_no_compression(self):
        """A bound on bytes would bound nothing if they could be inflated."""
        with listening(say_ok) as (port, seen):
            through(make_client(WayOut(os.environ)), f"http://127.0.0.1:{port}")
        headers = seen[0][1]
        assert "identity" == headers["Accept-Encoding"]
        assert headers["User-Agent"].startswith("baseten-deploy/")

    def test_a_closed_port_was_not_reached(self):
        """So sending again is safe."""
        with pytest.raises(HttpError) as caught:
            through(make_client(WayOut(os.environ)), "http://127.0.0.1:1")
        assert Fault.NOT_SENT is caught.value.failure.fault

    def test_a_connection_that_closes_without_an_answer_is_ambiguous(self):
        """The server read the request before it went away."""
        with listening(lambda handler: handler.connection.shutdown(2)) as (port, seen):
            with pytest.raises(HttpError) as caught:
                through(make_client(WayOut(os.environ)), f"http://127.0.0.1:{port}")
            assert 1 == len(seen)
        assert caught.value.failure.ambiguous


def test_every_fault_of_the_matrix_has_a_name_of_its_own():
    """The tables of the other tests name their faults."""
    assert len(TRANSIENT) == len(BY_NAME)


_TOKEN = st.sampled_from(
    ["Content-Type", "Content-Encoding", "Location", "Retry-After", "Set-Cookie", "Content-Length"]
)
_BODY = st.one_of(
    st.binary(max_size=100),
    st.text(max_size=100).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "detail", "errors", "loc", "msg", "retry_after"]), inner
            )
        ),
        max_leaves=9,
    ).map(lambda value: json.dumps(value).encode()),
    st.integers(900, 3000).map(lambda depth: b'{"error": ' + b"[" * depth + b"]" * depth + b"}"),
    st.integers(900, 3000).map(
        lambda depth: b'{"detail": [{"msg": "x", "loc": ' + b"[" * depth + b"]" * depth + b"}]}"
    ),
)


@given(
    status=st.integers(100, 999),
    headers=st.dictionaries(
        _TOKEN, st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)
    ),
    body=_BODY,
    method=st.sampled_from(["GET", "LIST"]),
)
@example(status=302, headers={"Location": "http://xn--"}, body=b"", method="GET")
@example(status=302, headers={"Location": "http://[::1"}, body=b"", method="GET")
@example(status=200, headers={"Content-Encoding": "gzip, gzip"}, body=b"\x1f\x8b", method="GET")
@example(status=503, headers={"Retry-After": "9" * 40}, body=b"", method="GET")
def test_any_answer_is_a_value_or_the_calls_own_error(status, headers, body, method):
    """Whatever it holds; no exception of a library gets past."""
    stream = Dripping([body], FakeClock())
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    http = make_http(lambda _: httpx.Response(status, headers=raw, stream=stream))
    with suppress(HttpError):
        value = http.get_list("/v1/x") if method == "LIST" else http.request("GET", "/v1/x", retry=False)
        assert isinstance(value, list if method == "LIST" else dict)


class TestSecretsAtTheSeam:
    """What is cut off may begin within a secret, whose half nobody would know."""

    @pytest.mark.parametrize("status", [200, 400])
    @pytest.mark.parametrize("filler", [" ", "<b>", "\n"])
    @pytest.mark.parametrize("shown", [1, 5, 12, len(KEY) - 1, len(KEY)])
    def test_padding_that_no_message_shows(self, status, filler, shown):
        """Blanks and tags up to the bound of the body, then the key: no part of it gets into the message."""
        padding = ("<html>" + filler * module.ERROR_BYTES)[: module.ERROR_BYTES - shown]
        error, _ = fail(answer(status, padding + KEY + filler * 9))
        assert KEY[: max(shown, 5)] not in error.message
        assert KEY[:5] not in error.message

    @given(st.integers(0, 700), st.sampled_from(["", '{"message": "%s"}', '{"errors": [{"field": "a", "msg": "%s"}]}']))
    def test_every_position_of_a_message(self, position, template):
        """Wherever the key stands around the place where a message is cut."""
        text = (template or "%s") % ("x" * position + KEY + "y" * 80)
        error, _ = fail(answer(400, text))
        assert KEY[:4] not in error.message.replace("x", "")
        assert KEY[-8:] not in error.message


class TestTheOtherSidesClock:
    """`epoch_millis`: windows are in the time of who measures."""

    DATE = "Sat, 28 Nov 2026 12:00:00 GMT"
    THEN = 1_795_867_200.0

    def asked(self, clock, *dates):
        """An `Http` that was answered with these dates, one after the other."""
        answers = [httpx.Response(200, json={}, headers={"Date": date} if date else {}) for date in dates]
        http = make_http(Script(*answers), clock)
        for _ in dates:
            http.request("GET", "/", retry=False)
        return http

    @pytest.mark.parametrize("dates", [[], [""], ["yesterday"], [DATE, ""]])
    def test_without_a_date_it_is_this_machines(self, dates):
        """Nothing was said, or nothing that can be read."""
        clock = FakeClock()
        assert 1_000_000 == self.asked(clock, *dates).epoch_millis()

    @pytest.mark.parametrize("days", [-1, 1])
    def test_a_clock_that_is_a_day_off(self, days):
        """Is corrected by the answer's own date, and goes on from there."""
        clock = FakeClock()
        clock.time = self.THEN + days * 86_400
        http = self.asked(clock, self.DATE)
        clock.time += 15
        assert round((self.THEN + 15) * 1000) == http.epoch_millis()

    @pytest.mark.parametrize("seconds", [-2.9, 0.0, 0.999, 2.9])
    def test_a_date_has_no_fractions(self, seconds):
        """Clocks that differ by less than three seconds are the same."""
        clock = FakeClock()
        clock.time = self.THEN + seconds
        assert round((self.THEN + seconds) * 1000) == pytest.approx(self.asked(clock, self.DATE).epoch_millis(), abs=1)

    def test_of_a_refusal_nothing_is_believed(self):
        """Who answers it may be something in between."""
        clock = FakeClock()
        http = make_http(Script(answer(503, "no", Date=self.DATE)), clock)
        with suppress(HttpError):
            http.request("GET", "/", retry=False)
        assert 1_000_000 == http.epoch_millis()
