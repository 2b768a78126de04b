"""Outputs: each is written the moment it is known, and `result` has them all."""

import json

import pytest

from baseten_deploy.ci.outputs import OUTPUTS, Outputs

NAMES = [
    *("status", "model-id", "model-name", "model-created", "deployment-id", "deployment-name", "deployment-status"),
    *("environment", "promoted-deployment-id", "previous-deployment-id", "predict-url", "logs-url"),
    *("archive-sha256", "archive-bytes", "content-digest", "deploy-time-seconds", "startup-seconds", "predict-seconds"),
    *("predict-response", "checks-passed", "checks-failed", "changes", "hourly-cost", "matrix"),
    *("nemo-entity", "plan", "result"),
]


@pytest.fixture
def written():
    """What was written, in order."""
    return []


@pytest.fixture
def outputs(written):
    """Outputs that write to a list."""
    return Outputs(lambda name, value: written.append((name, value)), lambda text: text.replace("s3cret", "***"))


class TestOutputs:
    """The record."""

    def test_writes_at_once(self, outputs, written):
        """In the order in which things become known."""
        outputs.set("model-id", "m1")
        assert [("model-id", "m1")] == written
        outputs.set("deployment-status", "BUILDING")
        outputs.set("deployment-status", "ACTIVE")
        assert [("deployment-status", "BUILDING"), ("deployment-status", "ACTIVE")] == written[1:]

    def test_writes_a_change_only(self, outputs, written):
        """The file would grow with every look at the status."""
        outputs.set("deployment-status", "BUILDING")
        outputs.set("deployment-status", "BUILDING")
        assert 1 == len(written)

    def test_an_empty_value_is_written_once(self, outputs, written):
        """It says that there is nothing, which is not the same as not knowing."""
        outputs.set("environment", "")
        outputs.set("environment", "")
        assert [("environment", "")] == written

    @pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (12, "12"), (1.5, "1.5")])
    def test_values_are_text(self, outputs, written, value, text):
        """As GitHub's expressions compare them."""
        outputs.set("model-created", value)
        assert [("model-created", text)] == written
        assert text == outputs.get("model-created")

    def test_unknown_is_empty(self, outputs):
        """Asking is no error."""
        assert "" == outputs.get("model-id")

    def test_a_name_that_is_no_output(self, outputs, written):
        """GitHub would drop it without a word."""
        with pytest.raises(KeyError):
            outputs.set("model_id", "m1")
        assert [] == written

    def test_result(self, outputs, written):
        """One JSON object of texts, in the order of the table, without itself, however often it is closed."""
        outputs.set("status", "success")
        outputs.set("predict-response", 'line\n"ü" \\')
        outputs.set("model-id", "m1")
        outputs.close()
        outputs.close()
        assert ["status", "predict-response", "model-id", "result"] == [name for name, _ in written]
        result = json.loads(outputs.get("result"))
        assert {"status": "success", "model-id": "m1", "predict-response": 'line\n"ü" \\'} == result
        assert ["status", "model-id", "predict-response"] == list(result)

    def test_result_has_no_secret_and_is_json(self, outputs):
        """Values are redacted before they become JSON: taken out of the JSON text, a secret could tear an escape."""
        outputs.redact = lambda text: text.replace("nothing", "***")
        outputs.set("predict-response", "a\nothing")
        outputs.set("deployment-name", "nothing else")
        outputs.close()
        assert {"deployment-name": "*** else", "predict-response": "a\nothing"} == json.loads(outputs.get("result"))

    def test_shown(self, outputs):
        """Without secrets, while `get` has the value itself."""
        outputs.set("logs-url", "https://x/s3cret")
        assert {"logs-url": "https://x/***"} == outputs.shown()
        assert "https://x/s3cret" == outputs.get("logs-url")


class TestTable:
    """The names."""

    def test_is_the_contract(self):
        """The names that are a contract, in their order."""
        assert NAMES == list(OUTPUTS)
