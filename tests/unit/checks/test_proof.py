"""The checks of a run: outputs, notes, report, log and the error, in each end."""

import dataclasses
import json
import re
import threading
from dataclasses import replace

import httpx
import junitparser
import pytest
from transport import Service, make_run, printed
from wire import answer, read_request, serving

from baseten_deploy.checks import proof as module
from baseten_deploy.checks.check import Check, Expect, Kind, Live, Suite
from baseten_deploy.checks.proof import Proof, live_side, read_suite
from baseten_deploy.checks.suite_run import LiveSide
from baseten_deploy.errors import Cancelled, PredictFailed, PredictUnseen
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.truss.transport import Transport


def by_path(answers):
    """A server that answers by the end of the path."""

    def serve(link, _):
        while request := read_request(link):
            path = request.split(b" ")[1].decode()
            link.sendall(next(said for ending, said in answers.items() if path.endswith(ending)))

    return serving(serve)


def make(make_settings, checks, *, report=None, logs=None, **inputs):
    """A proof of checks, in a run whose management API has these lines for each request's id."""
    asked = []

    def handler(request):
        asked.append(request)
        lines = (logs or {}).get(request.url.params.get("request_id"), [])
        return httpx.Response(200, json={"logs": [{"timestamp": "0", "message": line} for line in lines]})

    run = make_run(make_settings(**inputs), handler)
    proof = Proof(run, Suite(tuple(checks), "checks.yaml", report), "m1", None, LiveSide())
    return proof, run, asked


GOOD, BAD = answer(b'{"a": 1}'), answer(b"boom", "500 Oops", "text/plain", "X-Baseten-Request-Id: req-7\r\n")
CHECKS = (
    Check("good", "checks.yaml", 2, path="/good", body=b"{}"),
    Check("bad", "checks.yaml", 5, path="/bad", body=b"{}"),
    Check("last", "checks.yaml", 8, path="/good", body=b"{}", expect=Expect(json={"a": 1})),
)


class TestHold:
    """Ask all of them."""

    def test_all_run_and_the_failed_are_raised(self, make_settings, tmp_path):
        """With place, reason, what came and the request; its log's lines are shown."""
        path = tmp_path / "checks.xml"
        proof, run, asked = make(make_settings, CHECKS, report=path, logs={"req-7": ["Traceback", "boom!"]})
        with by_path({"/good": GOOD, "/bad": BAD}) as port, pytest.raises(PredictFailed) as caught:
            proof.hold("production", f"http://127.0.0.1:{port}/predict", "d1")
        [problem] = caught.value.problems
        assert ("checks.yaml", 5) == (problem.file, problem.line)
        assert (
            "The check 'bad' of production failed: the status is 500, expected 2xx. It was: boom (request req-7)"
            == problem.message
        )
        assert ("2", "1") == (run.outputs.get("checks-passed"), run.outputs.get("checks-failed"))
        [note] = run.notes
        assert "00:00:00Z Traceback\n00:00:00Z boom!" in note
        assert "boom!" in printed(run)
        assert {"/v1/models/m1/deployments/d1/logs"} == {request.url.path for request in asked}
        [suite] = junitparser.JUnitXml.fromfile(str(path))
        assert (3, 1) == (suite.tests, suite.failures)

    @pytest.mark.parametrize(
        ("status", "remedy"), [("403 Forbidden", "permission to call models"), ("500 Oops", "Correct")]
    )
    def test_the_remedy(self, make_settings, status, remedy):
        """Fits what came."""
        proof, _, _ = make(make_settings, CHECKS[1:2])
        with by_path({"/bad": answer(b"", status)}) as port, pytest.raises(PredictFailed) as caught:
            proof.hold("production", f"http://127.0.0.1:{port}/predict", "d1")
        assert remedy in caught.value.problems[0].remedy

    def test_a_log_that_has_nothing(self, make_settings):
        """Is looked at twice, and no more."""
        proof, _, asked = make(make_settings, CHECKS[1:2])
        with by_path({"/bad": BAD}) as port, pytest.raises(PredictFailed):
            proof.hold("production", f"http://127.0.0.1:{port}/predict", "d1")
        assert module.LOG_LOOKS == len(asked)

    def test_all_pass(self, make_settings):
        """Nothing is raised, and the log is not asked."""
        proof, run, asked = make(make_settings, (CHECKS[0], CHECKS[2]))
        with by_path({"/good": GOOD}) as port:
            proof.hold("the deployment", f"http://127.0.0.1:{port}/predict", "d1")
        assert ([], "2", "0") == (asked, run.outputs.get("checks-passed"), run.outputs.get("checks-failed"))
        assert "passed: good (1 call" in printed(run)

    def test_a_cancel(self, make_settings, tmp_path, monkeypatch):
        """Outputs, note and report say what is known: what did not run is skipped."""
        path = tmp_path / "checks.xml"
        proof, run, _ = make(make_settings, CHECKS, report=path)
        real = module.run_check

        def cancelled(check, *arguments):
            if check.name == "bad":
                raise Cancelled
            real(check, *arguments)

        monkeypatch.setattr(module, "run_check", cancelled)
        with by_path({"/good": GOOD}) as port, pytest.raises(Cancelled):
            proof.hold("the deployment", f"http://127.0.0.1:{port}/predict", "d1")
        assert ("1", "0") == (run.outputs.get("checks-passed"), run.outputs.get("checks-failed"))
        [suite] = junitparser.JUnitXml.fromfile(str(path))
        assert (3, 0, 2) == (suite.tests, suite.failures, suite.skipped)
        assert "⚠️ not finished" in run.notes[0]

    def test_the_report_is_there_before_the_first_check(self, make_settings, tmp_path):
        """Whatever becomes of the deployment."""
        make(make_settings, CHECKS, report=tmp_path / "x.xml")
        [suite] = junitparser.JUnitXml.fromfile(str(tmp_path / "x.xml"))
        assert (3, 3) == (suite.tests, suite.skipped)

    def test_a_report_that_cannot_be_written(self, make_settings, tmp_path):
        """Is a warning, never another end."""
        (tmp_path / "file").write_text("")
        _, run, _ = make(make_settings, CHECKS, report=tmp_path / "file" / "x.xml")
        assert "`checks-report` could not be written" in run.warnings[0].message

    def test_no_secret_in_any_of_it(self, make_settings, tmp_path):
        """An answer that repeats the key."""
        key = "test-key-0123456789"
        path = tmp_path / "x.xml"
        proof, run, _ = make(make_settings, CHECKS[:1], report=path)
        leak = answer(f"key={key}".encode(), "500 Oops", "text/plain", f"X-Baseten-Request-Id: {key}\r\n")
        with by_path({"/good": leak}) as port, pytest.raises(PredictFailed) as caught:
            proof.hold("production", f"http://127.0.0.1:{port}/predict", "d1")
        told = [str(caught.value), printed(run), path.read_text(), *run.notes, json.dumps(run.outputs.values)]
        assert not [text for text in told if re.search(key, text)]


WAY = answer(b"<html>no way there</html>", "502 Bad Gateway", "text/html")


class TestUnseen:
    """A model that was never reached has answered nothing wrongly: what ends so is not undone."""

    @pytest.fixture
    def unseen(self, make_settings):
        """What is raised by these checks at a port."""

        def go(checks, port, **inputs):
            proof, run, _ = make(make_settings, checks, predict_timeout="1", **inputs)
            with pytest.raises(PredictFailed) as caught:
                proof.hold("prod", f"http://127.0.0.1:{port}/environments/prod/predict", "d1")
            return caught.value, run

        return go

    @pytest.mark.parametrize("status", ["408 Slow", "425 Early", "429 Slow", "502 Bad", "503 No", "504 Late", "530 X"])
    def test_a_gateway_that_has_no_way(self, unseen, status):
        """Until the time is up: unknown, said so, and each check is named."""
        with by_path({"/good": answer(b"", status), "/bad": WAY}) as port:
            error, run = unseen(CHECKS, port)
        assert (PredictUnseen, True) == (type(error), error.unseen)
        assert [2, 5, 8] == [problem.line for problem in error.problems]
        assert "The check 'good' of prod could not be made: " in error.problems[0].message
        assert "unknown" in error.problems[0].message
        assert "inference-url" in error.problems[0].remedy
        assert ("0", "3") == (run.outputs.get("checks-passed"), run.outputs.get("checks-failed"))

    @pytest.mark.parametrize("repeat", [1, 3])
    def test_a_port_that_refuses(self, unseen, repeat):
        """Nobody is there, however often it is asked."""
        with serving(lambda _link, _number: None) as port:
            pass  # it is closed now
        error, _ = unseen([replace(CHECKS[0], repeat=repeat)], port)
        assert PredictUnseen is type(error)

    def test_a_websocket_that_refuses(self, unseen):
        """The same by another transport."""
        with serving(lambda _link, _number: None) as port:
            pass
        error, _ = unseen([Check("c", "checks.yaml", 2, kind=Kind.WEBSOCKET, body=b"{}")], port)
        assert PredictUnseen is type(error)

    def test_one_that_answered_wrongly_decides(self, unseen):
        """However many others were unseen: that failure is proved."""
        with by_path({"/good": WAY, "/bad": BAD}) as port:
            error, _ = unseen(CHECKS, port)
        assert (PredictFailed, False) == (type(error), error.unseen)
        assert ["could not be made", "failed", "could not be made"] == [
            "failed" if " failed: " in problem.message else "could not be made" for problem in error.problems
        ]

    def test_repeats_of_which_one_answered_wrongly(self, unseen):
        """Within one check as well."""
        said = [BAD, WAY]

        def serve(link, _):
            while read_request(link):
                link.sendall(said.pop(0) if len(said) > 1 else said[0])

        with serving(serve) as port:
            error, _ = unseen([replace(CHECKS[1], repeat=3)], port)
        assert PredictFailed is type(error)

    def test_a_model_that_breaks_the_connection(self, unseen):
        """It took the request and died of it: that is its answer."""
        with serving(lambda link, _: read_request(link)) as port:
            error, _ = unseen(CHECKS[:1], port)
        assert PredictFailed is type(error)

    def test_a_model_that_does_not_answer_in_time(self, unseen):
        """It took the request: `timeout` is what the user allows it."""
        with serving(lambda link, _: (read_request(link), threading.Event().wait(3))) as port:
            error, _ = unseen([replace(CHECKS[0], timeout=0.3)], port)
        assert PredictFailed is type(error)
        assert "no answer within 0.3 s" in error.problems[0].message


class TestReadSuite:
    """From the inputs."""

    def test_none(self, make_settings):
        """Without the input."""
        assert read_suite(make_run(make_settings(), Service())) is None

    def test_problems_join_the_others(self, make_settings, tmp_path):
        """Of the run's inputs."""
        run = make_run(make_settings(checks="checks.yaml"), Service())
        run.workspace = tmp_path
        (tmp_path / "checks.yaml").write_text("checks: [{nam: x}]")
        assert read_suite(run) is None
        assert ["`nam` is not a field here", "a check has no `name`"] == sorted(
            (problem.message for problem in run.input_problems), key=lambda text: text[0] == "a"
        )

    def test_a_proxy_that_checks_cannot_go_through(self, make_settings, tmp_path):
        """Is told with the inputs, not after a deployment; without a part of its URL."""
        run = make_run(make_settings(checks="checks.yaml"), Service())
        run.workspace = tmp_path
        run.way = WayOut({"HTTPS_PROXY": "https://u:secret@proxy"})
        (tmp_path / "checks.yaml").write_text("checks: [{name: x}]")
        read_suite(run)
        [problem] = run.input_problems
        expected = "`checks`: checks go through an HTTP proxy only; `HTTPS_PROXY` names one of another kind"
        assert expected == problem.message


def test_a_route_that_stands_for_predict(make_settings):
    """A server without predict is asked on the route that its smoke test takes, what is live as well."""
    asked = []

    def serve(link, _):
        while request := read_request(link):
            asked.append(request.split(b" ")[1].decode())
            link.sendall(GOOD)

    proof, run, _ = make(make_settings, [Check("c", body=b"{}", expect=Expect(live=Live.SHAPE))])
    run.transport = Transport(path="/generate")
    with serving(serve) as port:
        run.settings = dataclasses.replace(run.settings, inference_url=f"http://127.0.0.1:{port}/{{model_id}}")
        proof.live = live_side(run, "m1", "d0", "d1")
        proof.hold("production", f"http://127.0.0.1:{port}/m1/deployment/d1/predict", "d1")
    assert ["/m1/deployment/d0/sync/generate", "/m1/deployment/d1/sync/generate"] == asked


def test_live_side(make_settings):
    """What served before; nothing, or this very deployment, is not asked."""
    run = make_run(make_settings(inference_url="https://model-{model_id}.x"), Service())
    assert "https://model-m1.x/deployment/d0/predict" == live_side(run, "m1", "d0", "d1").predict_url
    assert "" == live_side(run, "m1", "", "d1").predict_url
    assert "" == live_side(run, "m1", "d1", "d1").predict_url
