"""The post step: it ends well whatever its state holds, and touches only what a run of ours can have saved."""

import json
import signal

import pytest

from baseten_deploy import post, signals
from baseten_deploy.deployment.on_failure import Saved
from baseten_deploy.errors import Cancelled

pytestmark = pytest.mark.usefixtures("restored_signals")

SAVED = {"model_id": "m1", "model_name": "m", "team_id": "", "deploy_key": "k", "deployment_ids": ["dep_1-A"]}
# A Chain's push that is on its way: nothing but what was there before tells what it makes.
CHAIN = {**SAVED, "deploy_key": "", "deployment_ids": [], "known": ["dep_1-A"]}


def state(facts) -> dict[str, str]:
    """What the post step finds."""
    return {"STATE_deployment": facts if isinstance(facts, str) else json.dumps(facts)}


class TestSaved:
    """What was saved."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"deployment_ids": []},
            {"deployment_ids": ["a", "B" * 64]},
            {"cleared": True},
            {"later": "field"},
            {"model_id": "", "deployment_ids": []},
            {"deploy_key": "", "deployment_ids": [], "known": []},
            {"deploy_key": "", "deployment_ids": [], "known": ["dep_1-A", "b"], "model_id": ""},
        ],
    )
    def test_is_read(self, changes):
        """With what a later version adds."""
        saved = Saved.read(state({**SAVED, **changes}))
        assert saved
        assert tuple({**SAVED, **changes}["deployment_ids"]) == saved.deployment_ids
        assert changes.get("cleared", False) is saved.cleared
        assert changes.get("known") == (None if saved.known is None else list(saved.known))

    @pytest.mark.parametrize(
        "facts",
        [
            *("", "{", "null", "[]", "7", '"text"', "[" * 100_000, "{}", "\x00"),
            *({**SAVED, "deployment_ids": ids} for ids in ("depabc", None, {}, 7, [7], [None], [["a"]], {"a": 1})),
            *(
                {**SAVED, "deployment_ids": [each]}
                for each in ("", "..", "a/b", "a b", "x" * 65, "a?b", "a\n", "é", "a%2f")
            ),
            *({**SAVED, "model_id": each} for each in ("../x", 7, None, ["m"], "m/deployments/d")),
            {**SAVED, "team_id": "../x"},
            {**SAVED, "model_id": ""},
            {**SAVED, "deploy_key": "", "deployment_ids": []},
            {**SAVED, "deploy_key": 7, "deployment_ids": []},
            {**CHAIN, "known": None},
            *({**CHAIN, "known": known} for known in ("depabc", {}, 7, [7], [None], ["../x"], ["a\n"])),
            {**CHAIN, "model_id": "", "model_name": ""},
        ],
    )
    def test_is_not_what_a_run_saves(self, facts, capsys):
        """Then nothing is touched, and the step ends with 0: the guard of these tests would tell of a request."""
        assert Saved.read(state(facts)) is None
        environment = {"INPUT_BASETEN-API-KEY": "test-key-0123456789", "INPUT_ON-CANCEL": "delete", **state(facts)}
        assert 0 == post.main(environment)
        assert ("", "") == capsys.readouterr()


class TestEnd:
    """It always ends with 0."""

    @pytest.mark.parametrize("error", [RuntimeError("boom"), Cancelled(), KeyboardInterrupt(), RecursionError()])
    def test_whatever_happens(self, monkeypatch, capsys, error):
        """Without a traceback."""

        def fail(*_arguments):
            raise error

        monkeypatch.setattr(post, "clear", fail)
        assert 0 == post.main(state(SAVED))
        shown = capsys.readouterr()
        assert "" == shown.err
        assert isinstance(error, Exception) == ("could not be cleared away" in shown.out)

    def test_a_signal_that_came_early(self):
        """Ends it as well."""
        signals.remember()
        signal.raise_signal(signal.SIGTERM)
        assert 0 == post.main(state(SAVED))
