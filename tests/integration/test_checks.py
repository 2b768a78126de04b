"""`checks`, from the file to the gates, driven from outside against the sandbox."""

import json
import re
import time

import junitparser
import pytest
from github_api import github_api

from baseten_sandbox import Answer
from workflow_events import pull_request

REPORT = "out/checks.xml"


def write(job, *checks, defaults=None):
    """Write the checks file; each check is a mapping, which JSON writes as YAML reads it."""
    document = {"defaults": defaults or {}, "checks": list(checks)}
    (job.truss / "checks.yaml").write_text(json.dumps(document))


def asks(name="asks", **fields):
    """Make a check that the echo passes."""
    return {"name": name, "payload": {"name": name}, **fields}


def wishes(name="asks", *, expect=None, **wish):
    """Make a check whose payload tells the sandbox what to answer."""
    rest = {
        key.replace("_", "-"): wish.pop(key)
        for key in ("repeat", "concurrency", "timeout", "max_seconds")
        if key in wish
    }
    wish = {key.replace("_", "-"): value for key, value in wish.items()}
    return {"name": name, "payload": {"sandbox": wish}, "expect": expect or {}, **rest}


def run(job, **inputs):
    """Run with the file and the report."""
    return job.run(**{"checks": "checks.yaml", "checks_report": REPORT, **inputs})


def report(job):
    """The JUnit XML as a test reporter reads it: each case's name with its result's kind, by suite."""
    xml = junitparser.JUnitXml.fromfile(str(job.runner.workspace / REPORT))
    return {
        suite.name: {case.name: type(case.result[0]).__name__ if case.result else "passed" for case in suite}
        for suite in xml
    }


def counts(result):
    """Passed and failed, as outputs."""
    return result.outputs.get("checks-passed"), result.outputs.get("checks-failed")


def serves(job, model, name="production"):
    """The id of what an environment serves."""
    current = job.sandbox.state.environment(model, name).current
    return current.id if current else None


def change(job, text):
    """Change the Truss."""
    (job.truss / "model" / "version.py").write_text(f"VERSION = {text!r}\n")


class TestExample:
    """examples/hello-truss/checks.yaml, which users copy."""

    def test_passes(self, job):
        """Its five checks of different kinds pass, twice: the second time one compares with what is live."""
        for text in ("one", "two"):
            change(job, text)
            result = run(job, promote_to="production")
            assert "success" == result.outputs["status"], result.log
            assert ("5", "0") == counts(result)
        assert "Not compared" not in result.summary.partition("Checks of production")[0]
        assert {"checks of the deployment", "checks of production"} == set(report(job))
        assert {"passed"} == {kind for cases in report(job).values() for kind in cases.values()}

    def test_the_summary_has_a_row_for_each(self, job):
        """Result, calls, p50, p95 and first token."""
        summary = run(job).summary
        assert "Checks of the deployment: 5 of 5 passed" in summary
        assert "| check | result | calls | p50 | p95 | first token |" in summary
        assert re.search(r"\| streams a chat \| ✅ passed \| 1 \| [\d.]+ m?s \| [\d.]+ m?s \| [\d.]+ m?s \|", summary)
        assert re.search(r"\| holds up .*<br>Not compared .* \| ✅ passed \| 20 \|", summary)


class TestFile:
    """What is wrong with the file is told at its line, all at once, and nothing is sent."""

    def test_everything_at_once(self, job):
        """Problems of the inputs, of the file and of the Truss together."""
        (job.truss / "checks.yaml").write_text("checks:\n  - name: a\n    expct: {}\n  - name: a\n    repeat: 100000\n")
        (job.truss / "config.yaml").write_text("model_name: [x\n")
        result = run(job, wait_timeout_minutes="soon")
        assert "invalid" == result.outputs["status"]
        text = "\n".join(line.text for line in result.log.lines)
        assert "hello-truss/checks.yaml:3:5: `expct` is not a field here\nDid you mean `expect`?" in text
        assert "hello-truss/checks.yaml:4:5: `name`: 'a' is there already, at line 2" in text
        assert "hello-truss/checks.yaml:5:5: `repeat`: 100000 is not a whole number from 1 to 10000" in text
        assert "`wait-timeout-minutes`" in text
        assert "hello-truss/config.yaml:2" in text
        assert [] == job.sent()

    def test_a_remote_schema_is_never_fetched(self, job):
        """Neither at the start nor later, from nowhere."""
        write(job, asks(expect={"schema": {"$ref": f"{job.sandbox.api_url}/v1/models"}}))
        result = run(job)
        assert "invalid" == result.outputs["status"]
        assert "nothing is fetched" in result.summary
        assert () == job.sandbox.requests

    def test_with_predict_false(self, job):
        """They are refused together."""
        result = run(job, predict="false")
        assert "invalid" == result.outputs["status"]
        assert "`checks` and `predict: false` cannot go together" in result.summary

    def test_below_the_workspace(self, job):
        """A path that is not in the Truss directory is relative to the workspace."""
        (job.runner.workspace / "more.json").write_text('{"checks": [{"name": "one"}]}')
        assert ("1", "0") == counts(run(job, checks="more.json"))

    def test_a_report_outside_of_the_workspace(self, job):
        """Is refused at the start."""
        result = run(job, checks_report="../report.xml")
        assert "invalid" == result.outputs["status"]
        assert "`checks-report`: '../report.xml' is outside of the workspace" in result.summary


class TestFailing:
    """A check that fails is `predict_failed`, and tells."""

    def test_all_run_and_each_failure_is_told(self, job):
        """Which check, which repeat, what was expected, what came, the request's id and the log of exactly that."""
        write(
            job,
            wishes("breaks", fails_every=2, repeat=4),
            wishes("says five", body={"sum": 5}, expect={"json": {"sum": 4}}),
            asks("echoes"),
        )
        result = run(job)
        assert ("predict_failed", 1) == (result.outputs["status"], result.exit_code)
        assert ("1", "2") == counts(result)
        assert "'breaks' of the deployment failed: 2 of 4 repeats failed; repeat 2: the status is 500" in result.summary
        assert '-  "sum": 4\n+  "sum": 5' in result.summary
        request = re.search(r"Request `([0-9a-f]{32})`", result.summary)[1]
        assert f"request {request}" in result.summary
        assert 1 == result.summary.count("ERROR Answered 500 to POST")
        failure = report(job)["checks of the deployment"]
        assert {"breaks": "Failure", "says five": "Failure", "echoes": "passed"} == failure
        [first] = [e for e in result.log.lines if e.tag == "error" and "breaks" in e.text]
        assert "hello-truss/checks.yaml:1" in first.text

    @pytest.mark.parametrize(
        ("name", "expect", "told"),
        [
            ("garbage", {"json": {"a": 1}}, "binary, 2048 bytes"),
            ("commands", {"json": 1}, "expected 1"),
            ("markup", {"json": {"text": 1}}, "expected 1"),
            ("control", {"regex": "nothing"}, "nothing in it matches"),
            ("deep", {"json": {"a": 1}}, "$ is a string"),
            ("exploding", {"regex": "(a|a)+$"}, "check"),
            ("huge", {}, "longer than 16 MiB"),
            ("no-events", {}, "without a single event"),
            ("stream-error", {}, "carried an error"),
            ("redirect", {}, "the status is 302"),
        ],
    )
    def test_hostile_answers(self, job, name, expect, told):
        """No answer ends in anything but a failed check, and nothing of it is obeyed."""
        write(job, wishes("asks", hostile=name, expect=expect))
        result = run(job)
        assert "predict_failed" == result.outputs["status"], result.log
        assert told in re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), result.summary)
        assert not [
            line
            for line in result.log.lines
            if "hacked" in line.text and line.tag == "error" and "check" not in line.text
        ]
        assert {"asks": "Failure"} == report(job)["checks of the deployment"]

    def test_secrets_are_not_shown(self, job):
        """Neither in what is said nor in the report, also where the cut would go through one."""
        key = job.sandbox.api_key
        write(job, wishes("asks", body={"text": "x" * 560 + key}, expect={"json": {"text": 5}}))
        result = run(job)
        told = result.summary + (job.runner.workspace / REPORT).read_text() + json.dumps(result.outputs)
        assert "predict_failed" == result.outputs["status"]
        assert key[:12] not in told

    def test_limits(self, job):
        """A slow answer, and a slow first token."""
        write(
            job,
            wishes("slow", delay=0.6, body={}, max_seconds=0.3),
            {**wishes("streams", stream=["a", "b"], delay=0.6), "first-token-seconds": 0.3},
            {**asks("no stream"), "first-token-seconds": 1},
            wishes("silent", delay=60, timeout=0.5),
        )
        result = run(job)
        assert ("0", "4") == counts(result)
        for told in (
            "`max-seconds` is 0.3",
            "the first token took",
            "no answer was a stream",
            "no answer within 0.5 s",
        ):
            assert told in result.summary


class TestPassing:
    """What is no failure."""

    def test_a_waking_model_is_waited_for(self, job):
        """And that time is not the check's."""
        write(job, wishes("wakes", wakes_after=3, body={"a": 1}, max_seconds=0.5, expect={"json": {"a": 1}}))
        result = run(job)
        assert ("1", "0") == counts(result), result.log

    def test_every_kind(self, job):
        """Streams, bytes, websockets, methods, a status that is expected, and the flakiness that is allowed."""
        (job.truss / "raw.bin").write_bytes(bytes(range(256)))
        write(
            job,
            wishes(
                "stream",
                stream=["Hel", "lo"],
                gap=0.05,
                expect={"regex": "^Hello$", "content-type": "text/event-stream"},
            ),
            {
                "name": "bytes",
                "path": "/raw",
                "payload-file": "raw.bin",
                "expect": {"min-bytes": 256, "max-bytes": 256},
            },
            {"name": "get", "path": "/health?deep=1", "method": "GET", "expect": {"json": {"echo": None}}},
            wishes("refuses", status=503, body={"error": "full"}, expect={"status": 503, "json": {"error": "full"}}),
            {**wishes("flaky", fails_every=3, repeat=9), "max-failures": 3},
            {"name": "talks", "kind": "websocket", "payload": "hello", "expect": {"json": {"echo": "hello"}}},
            {"name": "binary", "kind": "websocket", "payload-file": "raw.bin", "expect": {"min-bytes": 256}},
            {"name": "as the smoke test", "expect": {"json": {"echo": {"name": "world"}}}},
        )
        result = run(job)
        assert ("8", "0") == counts(result), result.log
        assert "<details><summary>8 checks passed</summary>" in result.summary

    @pytest.mark.parametrize(
        ("place", "inputs"),
        [
            ("/development", {"development": "true"}),
            ("/environments/staging", {"environment": "staging", "create_environment": "true"}),
            (
                "-staging",
                {"environment": "staging", "create_environment": "true", "regional_environment": "true"},
            ),
        ],
    )
    def test_every_place(self, job, place, inputs):
        """Predict, a route of the model's own and a websocket are asked where the smoke test is."""
        talks = {"name": "talks", "kind": "websocket", "payload": "hi", "expect": {"json": {"echo": "hi"}}}
        write(job, asks("asks"), asks("route", path="/v1/x"), talks)
        result = run(job, **inputs)
        assert ("3", "0") == counts(result), result.log
        base = f"/inference/model-{result.outputs['model-id']}{place}"
        asked = [request.path for request in job.sandbox.requests if request.service == "inference"]
        assert [f"{base}/predict", f"{base}/predict", f"{base}/sync/v1/x", f"{base}/websocket"] == asked

    def test_a_thousand_repeats_at_64(self, job):
        """Come to their end, each counted once."""
        write(job, asks("many", repeat=1000, concurrency=64))
        result = run(job)
        assert ("1", "0") == counts(result), result.log
        sent = [r for r in job.sandbox.requests if r.service == "inference" and r.json == {"name": "many"}]
        assert 1000 == len(sent)


class TestGates:
    """Where they stand."""

    def deploy(self, job, **inputs):
        """Make a first deployment that production serves."""
        result = job.run(promote_to="production", **inputs)
        assert "success" == result.outputs["status"], result.log
        change(job, "next")
        job.sandbox.clear_requests()
        return result.outputs

    def test_nothing_is_promoted_after_a_failure(self, job):
        """`predict_failed`, and production serves what it served."""
        first = self.deploy(job)
        write(job, wishes("fails", status=500))
        result = run(job, promote_to="production")
        assert "predict_failed" == result.outputs["status"]
        assert first["deployment-id"] == serves(job, first["model-id"])
        assert not [path for path in job.sent() if path.endswith("/promote")]

    @pytest.mark.parametrize(("rollback", "status"), [("true", "rolled_back"), ("false", "predict_failed")])
    def test_in_the_environment(self, job, rollback, status):
        """Asked again there: rolled back with `rollback-on-failure`."""
        first = self.deploy(job)
        write(job, asks("asks", expect={"status": 200}))
        job.sandbox.answers.add(Answer(status=500, body={"error": "cold cache"}), path="/environments/production/")
        result = run(
            job, promote_to="production", rollback_on_failure=rollback, predict_expect="/./", on_failure="keep"
        )
        if rollback == "true":  # the smoke test fails there, too
            assert "rolled_back" == result.outputs["status"]
            assert first["deployment-id"] == serves(job, first["model-id"])
        else:
            assert status == result.outputs["status"]
            assert {"asks": "Failure"} == report(job)["checks of production"]
            assert {"asks": "passed"} == report(job)["checks of the deployment"]

    def test_rolled_back_by_a_check_alone(self, job):
        """The smoke test passes in the environment, a check does not."""
        first = self.deploy(job)
        write(job, asks("asks", path="/v1/x"))
        job.sandbox.answers.add(Answer(status=500), path="/environments/production/sync/")
        result = run(job, promote_to="production", rollback_on_failure="true")
        assert "rolled_back" == result.outputs["status"], result.log
        assert "The check 'asks' of production failed" in result.summary
        assert first["deployment-id"] == serves(job, first["model-id"])

    def test_mode_promote_checks_before_anything_is_switched(self, job):
        """An existing deployment that fails one stays where it is."""
        first = self.deploy(job)
        second = job.run().outputs
        write(job, wishes("fails", status=500))
        inputs = {"mode": "promote", "deployment_id": second["deployment-id"], "model_name": "hello-truss"}
        result = run(job, environment="production", **inputs)
        assert "predict_failed" == result.outputs["status"]
        assert first["deployment-id"] == serves(job, first["model-id"])

    def test_mode_rollback_checks_before_anything_is_switched(self, job):
        """What served before stays where it is when it fails one, and comes back when it passes."""
        first, second = self.deploy(job), job.run(promote_to="production").outputs
        back = {"mode": "rollback", "model_name": "hello-truss", "environment": "production"}
        write(job, wishes("fails", status=500))
        assert "predict_failed" == run(job, **back).outputs["status"]
        assert second["deployment-id"] == serves(job, first["model-id"])
        write(job, asks("passes"))
        assert "success" == run(job, **back).outputs["status"]
        assert first["deployment-id"] == serves(job, first["model-id"])
        assert {"checks of the deployment", "checks of production"} == set(report(job))

    def test_plan_names_them(self, job):
        """And asks nothing."""
        result = run(job, mode="plan")
        assert "5 checks of `hello-truss/checks.yaml` will run after the smoke test." in result.outputs["plan"]
        assert "holds up under load, and answers like what is live" in result.summary
        assert not (job.runner.workspace / REPORT).exists()
        assert [] == job.sent("inference")

    def test_not_waited_for(self, job):
        """Without a live deployment nobody can be asked: a warning."""
        result = run(job, wait="false")
        assert "`checks` has no effect: no smoke test runs" in result.summary
        assert [] == job.sent("inference")

    def test_the_comment_has_the_table(self, job):
        """One row a check; the failed one unfolded, those that passed folded: they are more than five."""
        write(job, wishes("fails", status=500), *(asks(f"passes {number}") for number in range(6)))
        with github_api() as github:
            job.on(pull_request(), github=github.url).run(checks="checks.yaml", github_token="ghs_0123456789abcdef")
            [comment] = github.bodies()
        before, _, folded = comment.partition("<details><summary>6 checks passed</summary>")
        assert "Checks of the deployment: 6 of 7 passed" in before
        assert re.search(
            r"^\| fails \| ❌ failed \| 1, 1 failed \| [\d.]+ m?s \| [\d.]+ m?s \|  \|$", before, re.MULTILINE
        )
        assert "**fails**: the status is 500, expected 2xx" in before
        assert "passes" not in before
        rows = re.findall(r"^\| (passes \d) \| ✅ passed \| 1 \|", folded, re.MULTILINE)
        assert [f"passes {number}" for number in range(6)] == rows


class TestSmokeTest:
    """What it tells of the answer's pace, with no checks at all."""

    def test_of_a_stream(self, job):
        """The first token, and tokens a second: in log, summary and comment."""
        wish = {"stream": True, "sandbox": {"stream": ["a", "b", "c"], "delay": 0.2, "gap": 0.05}}
        result = job.run(predict_payload=json.dumps(wish))
        told = r"[\d.]+ m?s, first token after [\d.]+ m?s, [\d.]+ tokens/s"
        assert re.search(f"Answered in {told}:", result.log.text)
        assert re.search(rf"Smoke test of the deployment: {told}\.", result.summary)

    def test_of_json(self, job):
        """The first byte; once for the deployment, once for the environment that serves it."""
        result = job.run(promote_to="production", rollback_on_failure="true")
        for where in ("the deployment", "production"):
            assert re.search(rf"Smoke test of {where}: [\d.]+ m?s, first byte after [\d.]+ m?s\.", result.summary)


class TestLive:
    """`live` compares with what the target serves."""

    def live(self, job, body):
        """Make production serve a deployment that answers so."""
        job.sandbox.answers.add(Answer(body=body), path="")
        first = job.run(promote_to="production", predict_payload="{}").outputs
        change(job, "next")
        job.sandbox.answers.clear()
        job.sandbox.answers.add(Answer(body=body), path=f"/deployment/{first['deployment-id']}/")
        return first

    @pytest.mark.parametrize(
        ("before", "now", "expect", "told"),
        [
            ({"a": 1, "b": [1.0]}, {"a": 2, "b": [3.5, 4]}, {"live": "shape"}, ""),
            ({"a": 1}, {"a": "1"}, {"live": "shape"}, "$.a is a text, live it is a number"),
            ({"a": 1}, {"c": 1}, {"live": "shape"}, "$.a is missing, live it is there"),
            ({"a": [100.0]}, {"a": [100.5]}, {"live": "equal", "tolerance": 0.01}, ""),
            ({"a": [100.0]}, {"a": [102.0]}, {"live": "equal", "tolerance": 0.01}, "$.a[0] is 102.0, live it is 100.0"),
        ],
    )
    def test_differences_are_named_by_their_path(self, job, before, now, expect, told):
        """And nothing is promoted then."""
        self.live(job, before)
        job.sandbox.answers.add(Answer(body=now), path="")
        write(job, asks("same", expect=expect))
        result = run(job, promote_to="production", predict_payload="{}")
        assert ("predict_failed" if told else "success") == result.outputs["status"], result.log
        assert told in re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), result.summary)

    def test_a_live_side_that_does_not_answer_is_left_out(self, job):
        """It never makes the new one red, and that is said."""
        first = self.live(job, {"a": 1})
        job.sandbox.answers.clear()
        job.sandbox.answers.add(Answer(status=500), path=f"/deployment/{first['deployment-id']}/")
        write(job, asks("same", expect={"live": "equal"}))
        result = run(job, promote_to="production", predict_payload="{}")
        assert "success" == result.outputs["status"], result.log
        assert "Not compared with what is live: it answers 500" in result.summary


class TestCancel:
    """In the middle of a check."""

    @pytest.mark.parametrize(
        "check", [wishes(delay=60), wishes(status=503, wakes_after=10**6), wishes(delay=60, repeat=500, concurrency=64)]
    )
    def test_ends_at_once(self, job, check):
        """Within a second or so, with outputs, and a report in which what did not finish is skipped."""
        write(job, asks("first"), check | {"name": "hangs"}, asks("never"))
        step = job.start(checks="checks.yaml", checks_report=REPORT)
        end = time.monotonic() + 30
        while not [r for r in job.sandbox.requests if r.service == "inference" and "sandbox" in (r.json or {})]:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)
        step.cancel()
        result = step.wait(10)
        assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
        assert ("1", "0") == counts(result)
        assert {"first": "passed", "hangs": "Skipped", "never": "Skipped"} == report(job)["checks of the deployment"]
        assert "⚠️ not finished" in result.summary
