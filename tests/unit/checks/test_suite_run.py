"""One check against one place on loopback: waking up, kept connections, warm-up, the live side, websockets."""

import json
import threading
import time

import pytest
from way_servers import Proxy, TlsFront, make_authority
from websockets.sync.server import serve as serve_websocket
from wire import answer, read_request, serving

from baseten_deploy.checks.check import Check, Expect, Kind, Live
from baseten_deploy.checks.suite_run import LiveSide, Means, Place, run_check
from baseten_deploy.network.way_out import WayOut


def run(check, url, *, live=None, wait_seconds=20.0, payload=None, **more):
    """Run it; the result."""
    results = []
    means = Means("key", payload, wait_seconds, lambda: 0.0, **more)
    run_check(check, Place("it", url), live or LiveSide(), means, results.append)
    [result] = results
    return result


def at(port):
    """The URL of predict there."""
    return f"http://127.0.0.1:{port}/deployment/d1/predict"


def answering(*answers, seen=None):
    """A server that gives one answer after the other over each connection, the last one for good."""
    lock, left = threading.Lock(), list(answers)

    def serve(link, number):
        while request := read_request(link):
            with lock:
                if seen is not None:
                    seen.append((number, request))
                said = left.pop(0) if len(left) > 1 else left[0]
            link.sendall(said)

    return serving(serve)


class TestHttp:
    """Over HTTP."""

    def test_the_request(self):
        """The key, the headers, the route and the payload."""
        seen = []
        check = Check("c", path="/v1/x?y=1", method="PUT", headers=(("X-A", "b"),), body=b"{}")
        with answering(answer(), seen=seen) as port:
            assert run(check, at(port)).passed
        [(_, request)] = seen
        assert request.startswith(b"PUT /deployment/d1/sync/v1/x?y=1 HTTP/1.1\r\n")
        assert b"authorization: api-key key" in request.lower()
        assert b"x-a: b" in request.lower()

    def test_the_smoke_tests_payload(self):
        """Where the check has none."""
        seen = []
        with answering(answer(), seen=seen) as port:
            assert run(Check("c"), at(port), payload={"a": 1}).passed
            assert run(Check("c"), at(port)).passed
        assert [b'{"a": 1}', b""] == [request.partition(b"\r\n\r\n")[2] for _, request in seen]

    def test_connections_are_kept(self):
        """As many as calls at once, however many calls."""
        seen = []
        with answering(answer(), seen=seen) as port:
            assert run(Check("c", body=b"{}", repeat=200, concurrency=4), at(port)).passed
        assert 200 == len(seen)
        assert len({number for number, _ in seen}) <= 4

    def test_a_connection_that_was_closed_meanwhile_is_made_anew(self):
        """A server that closes after each answer without a word fails nothing."""

        def serve(link, _):
            read_request(link)
            link.sendall(answer())

        with serving(serve) as port:
            assert run(Check("c", body=b"{}", repeat=10), at(port)).passed

    @pytest.mark.parametrize("status", ["425 Too Early", "429 Slow", "502 Bad", "503 No", "504 Late", "520 X", "530 Y"])
    def test_waking_up(self, status):
        """Is waited for, and no time of the check's."""
        waking = answer(b"waking", status)
        with answering(waking, waking, answer()) as port:
            result = run(Check("c", body=b"{}", max_seconds=0.2), at(port))
        assert (True, 1, 0) == (result.passed, result.calls, result.failed)

    def test_never_awake(self):
        """Ends with the patience, for all repeats together."""
        began = time.monotonic()
        with answering(answer(b'{"error": "starting"}', "503 No")) as port:
            result = run(Check("c", body=b"{}", repeat=50, concurrency=2), at(port), wait_seconds=1.0)
        assert 50 == result.failed
        assert "the answer is 503 starting" in result.reasons[0]
        assert result.p50 is None
        assert time.monotonic() - began < 10

    @pytest.mark.parametrize("status", ["500 Oops", "400 Bad", "404 Not", "401 No"])
    def test_an_error_of_the_model_is_none(self, status):
        """It is asked once."""
        seen = []
        with answering(answer(b"oops", status), seen=seen) as port:
            assert not run(Check("c", body=b"{}"), at(port)).passed
        assert 1 == len(seen)

    def test_an_expected_503(self):
        """Is the answer, not a model that wakes up."""
        with answering(answer(b"full", "503 No")) as port:
            assert run(Check("c", body=b"{}", expect=Expect(status=503)), at(port)).passed

    def test_warm_up_is_not_counted(self):
        """Not even when it fails."""
        seen = []
        with answering(answer(b"", "500 Cold"), answer(b"", "500 Cold"), answer(), seen=seen) as port:
            result = run(Check("c", body=b"{}", warm_up=2, repeat=3), at(port))
        assert (True, 3, 5) == (result.passed, result.calls, len(seen))

    def test_a_call_ends_in_its_time(self):
        """And its time counts."""
        with serving(lambda link, _: (read_request(link), time.sleep(5))) as port:
            result = run(Check("c", body=b"{}", timeout=0.3), at(port))
        assert ("no answer within 0.3 s",) == result.reasons
        assert 0.2 < result.p95 < 2

    def test_many_long_answers_at_once(self):
        """What is kept of them together is bounded."""
        with answering(answer(b"x" * (5 * 2**20))) as port:
            assert run(Check("c", body=b"{}"), at(port)).passed
            result = run(Check("c", body=b"{}", concurrency=64), at(port))
        assert ("the answer is longer than 4 MiB",) == result.reasons

    def test_an_address_that_is_none(self):
        """Is a failed check."""
        assert not run(Check("c", body=b"{}"), "ftp://nowhere/predict").passed


class TestLive:
    """What serves now."""

    def test_is_asked_once(self):
        """For all repeats, and remembered for the environment's turn."""
        seen = []
        check = Check("c", body=b"{}", repeat=5, expect=Expect(live=Live.EQUAL))
        with answering(answer(b'{"a": 1}')) as port, answering(answer(b'{"a": 1}'), seen=seen) as old:
            live = LiveSide(at(old))
            assert run(check, at(port), live=live).passed
            assert run(check, at(port), live=live).passed
        assert 1 == len(seen)

    @pytest.mark.parametrize(
        ("status", "told"),
        [("500 Oops", "it answers 500"), ("404 Gone", "it answers 404"), ("503 No", "it does not answer")],
    )
    def test_that_does_not_answer_is_left_out(self, status, told):
        """And that is said."""
        check = Check("c", body=b"{}", expect=Expect(live=Live.EQUAL))
        with answering(answer(b'{"a": 1}')) as port, answering(answer(b"", status)) as old:
            result = run(check, at(port), live=LiveSide(at(old)), wait_seconds=0.5)
        assert result.passed
        assert told in result.notes[0]

    def test_nothing_is_there(self):
        """As for a new model."""
        with answering(answer(b'{"a": 1}')) as port:
            result = run(Check("c", body=b"{}", expect=Expect(live=Live.EQUAL)), at(port))
        assert (True, ("Not compared with what is live: nothing serves there yet",)) == (result.passed, result.notes)


class TestWebsocket:
    """Over a websocket."""

    @pytest.fixture
    def url(self):
        """The URL of predict beside a websocket that echoes with its path, slowly; `fail` closes it."""

        def talk(connection):
            for message in connection:
                if message == "fail":
                    connection.close(1011, "oops")
                elif isinstance(message, str):
                    key = connection.request.headers["Authorization"]
                    connection.send(json.dumps({"path": connection.request.path, "key": key, "said": message}))
                elif message != b"silence":
                    connection.send(message)

        with serve_websocket(talk, "127.0.0.1", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield at(server.socket.getsockname()[1])
            server.shutdown()

    def test_the_first_message(self, url):
        """Is the answer; the payload was sent as text."""
        expected = {"path": "/deployment/d1/websocket", "key": "Api-Key key", "said": "hello"}
        check = Check("c", kind=Kind.WEBSOCKET, body=b"hello", repeat=3, concurrency=2, expect=Expect(json=expected))
        result = run(check, url)
        assert (True, 3) == (result.passed, result.calls), result.reasons

    def test_bytes(self, url):
        """Go out and come back as such."""
        check = Check("c", kind=Kind.WEBSOCKET, body=b"\0raw", as_text=False, expect=Expect(min_bytes=4, max_bytes=4))
        assert run(check, url).passed

    @pytest.mark.parametrize(
        ("body", "as_text", "told"),
        [(b"fail", True, "the websocket ended: received 1011"), (b"silence", False, "no answer within 0.5 s")],
    )
    def test_no_message(self, url, body, as_text, told):
        """It was closed, or nothing came."""
        result = run(Check("c", kind=Kind.WEBSOCKET, body=body, as_text=as_text, timeout=0.5), url)
        assert told in result.reasons[0]

    def test_through_a_proxy(self, url, tmp_path):
        """It is tunnelled, with TLS inside: the proxy sees a host and its own credentials, the model only the key."""
        port = int(url.split(":")[2].split("/")[0])
        authority = make_authority(tmp_path)
        with (
            TlsFront(authority.certificate("model-m1.api.test"), port) as front,
            Proxy(front.port, "user", "word") as proxy,
        ):
            way = WayOut(
                {"HTTPS_PROXY": f"http://user:word@127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.file)}
            )
            check = Check("c", kind=Kind.WEBSOCKET, body=b"hello", expect=Expect(json={"key": "Api-Key key"}))
            result = run(check, "https://model-m1.api.test/deployment/d1/predict", way=way)
        assert (True, ()) == (result.passed, result.reasons)
        assert [("CONNECT", "model-m1.api.test:443")] == [(seen.method, seen.target) for seen in proxy.seen]

    def test_refused(self):
        """A server that answers HTTP; one that wakes up is waited for."""
        with answering(answer(b'{"error": "no websocket here"}', "400 Bad")) as port:
            result = run(Check("c", kind=Kind.WEBSOCKET, body=b"hi"), at(port))
        assert ("no websocket: the server answered 400 no websocket here",) == result.reasons

    def test_no_http(self):
        """Whatever it says."""
        with serving(lambda link, _: (link.recv(100), link.sendall(b"\x00\xff" * 50))) as port:
            assert not run(Check("c", kind=Kind.WEBSOCKET, body=b"hi", timeout=2), at(port)).passed
