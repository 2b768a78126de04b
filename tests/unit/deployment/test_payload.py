"""The deployment payload, judged by the official SDK's models with unknown fields forbidden at every level."""

import json
from pathlib import Path
from typing import Any

import pytest
from baseten.client.managementapi import _models as sdk
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.ci.origin import Origin
from baseten_deploy.deployment.payload import deployment_payload, new_deploy_key, sent_config
from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import read_settings, variable_of
from baseten_deploy.truss.directory import Truss
from baseten_deploy.truss.ignore_rules import DEFAULT_RULES

SHA = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
PUSH = Origin(SHA, "refs/heads/main", "", "octo-org/models", "1000000001", "2", "")
PULL_REQUEST = Origin(SHA, "refs/pull/7/merge", "", "octo-org/models", "1000000001", "1", "7")
TAG = Origin(SHA, "refs/tags/v1", "v1", "octo-org/models", "1000000001", "1", "")
NOWHERE = Origin()

CONFIG = {"model_name": "hello", "python_version": "py311", "resources": {"accelerator": "L4"}}
RAW = "model_name: hello\n"


def truss_of(config: dict[str, Any], raw: str | None = RAW) -> Truss:
    """Make a Truss of a config; the payload depends on nothing else of it."""
    return Truss(
        directory=Path("/truss"),
        config_file="config.yaml",
        config=config,
        positions={},
        raw_config=raw,
        files=(),
        ignore=DEFAULT_RULES,
        dropped=(),
        warnings=(),
    )


def payload_of(
    inputs: dict[str, str] | None = None,
    origin: Origin = PUSH,
    config: dict[str, Any] | None = None,
    raw: str | None = RAW,
) -> dict[str, Any]:
    """Make the payload of inputs, and have it judged."""
    settings, problems = read_settings({variable_of(name): text for name, text in (inputs or {}).items()})
    assert [] == problems
    payload = deployment_payload(
        settings, truss_of(config or CONFIG, raw), origin, deploy_key="key", content_digest="d" * 64
    )
    assert_accepted(payload)
    return payload


def assert_accepted(payload: dict[str, Any]) -> None:
    """Have the SDK read the payload and the requests that carry it; what it does not know at any level is an error."""
    assert payload == json.loads(json.dumps(payload, allow_nan=False))
    name, kind = "m", "model_archive"
    for model, value in (
        (sdk.DeploymentArchivePayload, payload),
        (sdk.PrepareModelUploadRequest, {"deployment": payload, "name": name, "team_id": "t", "dry_run": True}),
        (sdk.PrepareModelUploadRequest, {"deployment": payload, "model_id": name, "dry_run": False}),
        (sdk.ModelArchiveSource, {"kind": kind, "name": name, "s3_key": "k", "deployment": payload}),
        (sdk.CreateModelRequest, {"source": {"kind": kind, "name": name, "s3_key": "k", "deployment": payload}}),
        (sdk.DeploymentArchiveSource, {"kind": kind, "s3_key": "k", "deployment": payload}),
    ):
        read = model.model_validate(value, strict=True, extra="forbid")
        assert value == read.model_dump(exclude_unset=True, mode="json")
    if "user_env" in payload:
        sdk.TrussUserEnv.model_validate(payload["user_env"], strict=True, extra="forbid")


class TestFields:
    """What is sent when."""

    def test_of_a_push(self):
        """Everything, with nothing set."""
        assert payload_of() == {
            "config": CONFIG,
            "raw_config": RAW,
            "labels": {
                "git-sha": SHA,
                "git-ref": "refs/heads/main",
                "github-repository": "octo-org/models",
                "github-run": "1000000001",
                "deploy-key": "key",
                "content-digest": "d" * 64,
            },
            "user_env": {
                "git_info": {
                    "latest_commit_sha": SHA,
                    "latest_tag": None,
                    "commits_since_tag": None,
                    "has_uncommitted_changes": False,
                }
            },
            "deploy_timeout_minutes": 45,
            "create_environment_if_missing": False,
            "deployment_name": "0a1b2c3",
        }

    def test_of_a_pull_request(self):
        """Its number in the name and in a label."""
        payload = payload_of(origin=PULL_REQUEST)
        assert ("PR-7_0a1b2c3", "7") == (payload["deployment_name"], payload["labels"]["github-pr"])

    def test_of_a_tag(self):
        """The commit carries it."""
        git_info = payload_of(origin=TAG)["user_env"]["git_info"]
        assert ("v1", 0) == (git_info["latest_tag"], git_info["commits_since_tag"])

    def test_without_a_commit(self):
        """Neither git facts nor a name: the service chooses one."""
        payload = payload_of(origin=NOWHERE)
        assert {"deploy-key", "content-digest"} == payload["labels"].keys()
        assert {"user_env", "deployment_name"}.isdisjoint(payload)

    def test_without_git_info(self):
        """Neither facts nor labels; the default name stays."""
        payload = payload_of({"include-git-info": "false"}, PULL_REQUEST)
        assert {"deploy-key", "content-digest"} == payload["labels"].keys()
        assert "user_env" not in payload
        assert "PR-7_0a1b2c3" == payload["deployment_name"]

    def test_deployment_name(self):
        """The input wins."""
        assert "mine" == payload_of({"deployment-name": "mine"}, PULL_REQUEST)["deployment_name"]

    def test_redeploy_trigger(self):
        """A shortened SHA-256 of it is a label, which no label of the inputs takes the place of."""
        assert "redeploy-trigger" not in payload_of()["labels"]
        labels = payload_of({"redeploy-trigger": "foo", "labels": "{redeploy-trigger: mine}"})["labels"]
        assert "2c26b46b68ff" == labels["redeploy-trigger"]

    def test_labels(self):
        """`labels` wins over git's, and never over the action's own."""
        labels = '{"git-sha": "mine", "deploy-key": "forged", "content-digest": "forged", "team": "ml", "n": 1}'
        actual = payload_of({"labels": labels})["labels"]
        expected = {"git-sha": "mine", "deploy-key": "key", "content-digest": "d" * 64, "team": "ml", "n": "1"}
        assert expected == {name: actual[name] for name in expected}
        assert "refs/heads/main" == actual["git-ref"]

    @pytest.mark.parametrize("create", [True, False])
    def test_creating_the_environment_is_always_explicit(self, create):
        """The service's default is about to change."""
        inputs = {"create-environment": str(create).lower()}
        assert create is payload_of(inputs)["create_environment_if_missing"]
        assert create is payload_of(inputs | {"environment": "e"})["create_environment_if_missing"]

    @pytest.mark.parametrize("keep", [True, False])
    def test_environment(self, keep):
        """With what is to become of its instance type, which means nothing without one."""
        inputs = {"preserve-env-instance-type": str(keep).lower()}
        payload = payload_of(inputs | {"environment": "staging"})
        assert ("staging", keep) == (payload["environment_name"], payload["preserve_env_instance_type"])
        assert {"environment_name", "preserve_env_instance_type"}.isdisjoint(payload_of(inputs))

    def test_development(self):
        """No environment, no name: the service wants those fields left alone."""
        payload = payload_of({"development": "true"}, PULL_REQUEST)
        assert True is payload["is_development"]
        assert {"environment_name", "preserve_env_instance_type", "deployment_name"}.isdisjoint(payload)

    def test_raw_config(self):
        """Left out when the Truss has none to send."""
        assert "raw_config" not in payload_of(raw=None)
        assert "" == payload_of(raw="")["raw_config"]

    def test_deploy_timeout(self):
        """In minutes."""
        assert 90 == payload_of({"deploy-timeout-minutes": "90"})["deploy_timeout_minutes"]

    def test_promotion_is_not_in_it(self):
        """`promote-to` happens after the proof."""
        assert "environment_name" not in payload_of({"promote-to": "production"})


class TestDeploymentSettings:
    """Fields that this action does not know."""

    def test_are_merged(self):
        """At the top, and into objects key by key."""
        extra = {
            "region": "us-east",
            "autoscaling_settings": {"min_replica": 1},
            "user_env": {"truss_client_version": "1.2.3"},
            "config": {"resources": {"memory": "4Gi"}, "build": {"no_cache": True}},
        }
        payload = payload_of({"deployment-settings": json.dumps(extra)})
        assert ("us-east", {"min_replica": 1}) == (payload["region"], payload["autoscaling_settings"])
        assert ("1.2.3", SHA) == (
            payload["user_env"]["truss_client_version"],
            payload["user_env"]["git_info"]["latest_commit_sha"],
        )
        assert {**CONFIG, "resources": {"accelerator": "L4", "memory": "4Gi"}, "build": {"no_cache": True}} == payload[
            "config"
        ]

    def test_the_config_is_sent_like_a_config(self):
        """Environment variables from here are text too, and the name of the input wins."""
        extra = {"config": {"environment_variables": {"DEBUG": True, "N": 1}, "model_name": "other"}}
        inputs = {"deployment-settings": json.dumps(extra), "model-name": "named"}
        sent = payload_of(inputs, config={**CONFIG, "environment_variables": {"A": "b"}})["config"]
        assert {"A": "b", "DEBUG": "true", "N": "1"} == sent["environment_variables"]
        assert "named" == sent["model_name"]

    def test_an_instance_type_without_environment(self):
        """The service's default, to keep the environment's instance type, would refuse it."""
        payload = payload_of({"deployment-settings": "{instance_type_id: i}"})
        assert ("i", False) == (payload["instance_type_id"], payload["preserve_env_instance_type"])

    def test_a_field_of_the_future(self):
        """It is sent as it is."""
        settings, _ = read_settings({variable_of("deployment-settings"): "{new_field: {a: [1]}}"})
        payload = deployment_payload(settings, truss_of(CONFIG), PUSH, deploy_key="k", content_digest="d")
        assert {"a": [1]} == payload["new_field"]


class TestJudged:
    """Every combination."""

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "labels": st.sampled_from(["{}", "{team: ml, n: 1}", '{"deploy-key": "x"}']),
                "include-git-info": st.sampled_from(["true", "false"]),
                "deployment-name": st.just("mine"),
                "environment": st.sampled_from(["production", "staging"]),
                "preserve-env-instance-type": st.sampled_from(["true", "false"]),
                "create-environment": st.sampled_from(["true", "false"]),
                "development": st.sampled_from(["true", "false"]),
                "model-name": st.just("other"),
                "deploy-timeout-minutes": st.sampled_from(["10", "1440"]),
                "deployment-settings": st.sampled_from(
                    [
                        "{}",
                        "{region: us, instance_type_id: i}",
                        "{promotion_settings_override: {rolling_deploy_config: {max_surge_percent: 50}}}",
                        "{request_backpressure_settings: {policy: REJECT_ON_FULL}, config: {a: {b: 1}}}",
                    ]
                ),
            },
        ),
        st.sampled_from([PUSH, PULL_REQUEST, TAG, NOWHERE]),
        st.sampled_from([RAW, None]),
    )
    def test_is_always_accepted(self, inputs, origin, raw):
        """And keeps the two labels by which it is found."""
        payload = payload_of(inputs, origin, raw=raw)
        assert {"deploy-key": "key", "content-digest": "d" * 64}.items() <= payload["labels"].items()

    def test_twice_the_same(self):
        """Dry run, prepare and commit carry it; making it does not change what it is made of."""
        config = {"environment_variables": {"A": 1}, "external_package_dirs": ["../lib"], "build": {"a": {}}}
        before = json.dumps(config)
        inputs = {"deployment-settings": "{config: {build: {a: {b: 1}}}}", "model-name": "n"}
        assert payload_of(inputs, config=config) == payload_of(inputs, config=config)
        assert before == json.dumps(config)


# Every kind of value that YAML can give, and the text that `truss push` makes of it.
VARIABLES = {
    "TEXT": ("text", "text"),
    "EMPTY": ("", ""),
    "TRUE": (True, "true"),
    "FALSE": (False, "false"),
    "INTEGER": (12, "12"),
    "NEGATIVE": (-1, "-1"),
    "LARGE": (2**63, "9223372036854775808"),
    "FLOAT": (1.5, "1.5"),
    "WHOLE": (1.0, "1.0"),
    "SMALL": (1e-5, "1e-05"),
    "NULL": (None, "None"),
    "LIST": ([1, True], "[1, True]"),
    "OBJECT": ({"a": None}, "{'a': None}"),
}


class TestSentConfig:
    """What the service gets as `config`."""

    def test_environment_variables_are_text(self):
        """As the image will have them."""
        given_ = {name: value for name, (value, _) in VARIABLES.items()}
        expected = {name: text for name, (_, text) in VARIABLES.items()}
        assert expected == sent_config({"environment_variables": given_})["environment_variables"]

    def test_environment_variables_are_those_of_truss_push(self):
        """The table above, made by truss itself, where it is installed: it is no dependency of this project."""
        truss_config = pytest.importorskip("truss.base.truss_config", exc_type=ImportError)
        given_ = {name: value for name, (value, _) in VARIABLES.items()}
        expected = truss_config.TrussConfig.from_dict({"environment_variables": given_}).environment_variables
        assert expected == sent_config({"environment_variables": given_})["environment_variables"]

    def test_the_name(self):
        """Overridden by the input, otherwise the config's own."""
        assert {"model_name": "b"} == sent_config({"model_name": "a"}, "b")
        assert {"model_name": "a"} == sent_config({"model_name": "a"})
        assert {"model_name": "b"} == sent_config({}, "b")

    def test_external_packages(self):
        """They are in the archive."""
        assert {"a": 1} == sent_config({"external_package_dirs": ["../lib"], "a": 1})

    @pytest.mark.parametrize("value", [None, [], "text"])
    def test_environment_variables_of_another_kind(self, value):
        """Are the service's to refuse."""
        assert {"environment_variables": value} == sent_config({"environment_variables": value})

    def test_is_a_copy(self):
        """All the way down."""
        config = {"a": {"b": [1]}}
        sent_config(config)["a"]["b"].append(2)
        assert {"a": {"b": [1]}} == config


class TestMerged:
    """Objects key by key, anything else whole."""

    @pytest.mark.parametrize(
        ("base", "extra", "expected"),
        [
            ({"a": 1}, {"a": 2}, {"a": 2}),
            ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
            ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
            ({"a": {"b": 1}}, {"a": None}, {"a": None}),
            ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
            ({}, {"a": 1}, {"a": 1}),
        ],
    )
    def test_merged(self, base, extra, expected):
        """Without changing either."""
        before = json.dumps([base, extra])
        assert expected == merged(base, extra)
        assert before == json.dumps([base, extra])


class TestDeployKey:
    """The label by which a run finds its own deployment again."""

    def test_is_unique(self):
        """Also for two jobs of one run and attempt."""
        keys = {new_deploy_key(PUSH) for _ in range(50)}
        assert 50 == len(keys)
        assert all(key.startswith("1000000001-2-") for key in keys)

    def test_without_a_run(self):
        """Chance alone."""
        assert new_deploy_key(NOWHERE).isalnum()
