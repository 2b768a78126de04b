"""What of a live config is compared with this run's: what somebody wrote, not what a client filled in."""

import pytest

from baseten_deploy.planning.diff import config_diff, same_config
from baseten_deploy.planning.live_config import Incomparable, comparable, parsed
from baseten_deploy.service.answers import StoredConfig
from baseten_deploy.strict_yaml import load
from runner import ROOT

HELLO = (ROOT / "examples" / "hello-truss" / "config.yaml").read_text()
# What `truss push` of truss 0.18.35 sends for it: `TrussConfig.from_yaml(...).to_dict()`.
PUSHED = {
    "model_name": "hello-truss",
    "model_metadata": {"example_model_input": {"name": "world"}},
    "description": None,
    "examples_filename": "examples.yaml",
    "data_dir": "data",
    "external_data": None,
    "external_package_dirs": [],
    "python_version": "py311",
    "base_image": None,
    "requirements_file": None,
    "requirements": [],
    "system_packages": [],
    "environment_variables": {},
    "secrets": {},
    "resources": {"cpu": "1", "memory": "512Mi", "accelerator": None, "use_gpu": False},
    "runtime": {
        "predict_concurrency": 1,
        "streaming_read_timeout": 60,
        "enable_tracing_data": False,
        "enable_debug_logs": False,
        "transport": {"kind": "http"},
        "is_websocket_endpoint": False,
        "health_checks": {
            "restart_check_delay_seconds": None,
            "restart_threshold_seconds": None,
            "stop_traffic_threshold_seconds": None,
            "startup_threshold_seconds": None,
        },
        "oidc": {"enabled": None},
        "remote_ssh": {"enabled": False},
        "egress_restrictions": None,
        "truss_server_version_override": None,
    },
    "build": {"model_server": "TrussServer", "arguments": {}, "secret_to_path_mapping": {}, "no_cache": False},
    "build_commands": [],
    "docker_server": None,
    "model_cache": [],
    "weights": [],
    "bdn": {"mounts": [], "access": [], "hotload": {"enabled": False}},
    "trt_llm": None,
    "training_checkpoints": None,
    "bis_llm": None,
    "input_type": "Any",
    "model_framework": "custom",
    "model_type": "Model",
    "model_module_dir": "model",
    "model_class_filename": "model.py",
    "model_class_name": "Model",
    "bundled_packages_dir": "packages",
    "use_local_src": False,
    "cache_internal": [],
    "live_reload": False,
    "apply_library_patches": True,
    "spec_version": "2.0",
}


def compared(stored, ours, *, by_this_action=False):
    """The diff of a live config and ours, without its header; empty when they are the same."""
    before = comparable(stored, ours, by_this_action=by_this_action)
    assert same_config(before, ours) == (config_diff(before, ours) == ())
    return [line for line in config_diff(before, ours)[3:] if line[0] in "+-"]


def pushed(text=HELLO, **overrides):
    """What is stored of a `truss push` of this text."""
    return StoredConfig({**PUSHED, **overrides}, text)


class TestTrussPush:
    """A client that sends all there is to configure."""

    def test_the_same(self):
        """Defaults that nobody wrote are no difference."""
        assert [] == compared(pushed(), load(HELLO).value)

    def test_a_change(self):
        """Shows, and nothing else does."""
        ours = load(HELLO.replace("512Mi", "1Gi")).value
        assert ["-  memory: 512Mi", "+  memory: 1Gi"] == compared(pushed(), ours)

    def test_a_key_that_is_gone(self):
        """Somebody wrote it, and now it is not there."""
        ours = load(HELLO).value
        del ours["requirements"]
        assert ["-requirements: []"] == compared(pushed(), ours)

    def test_a_key_that_is_new(self):
        """Is compared with the default that was filled in for it, also deep inside."""
        ours = {**load(HELLO).value, "runtime": {"predict_concurrency": 1}, "system_packages": ["ffmpeg"]}
        assert ["-system_packages: []", "+system_packages:", "+- ffmpeg"] == compared(pushed(), ours)
        ours = {**load(HELLO).value, "runtime": {"predict_concurrency": 4}}
        assert ["-  predict_concurrency: 1", "+  predict_concurrency: 4"] == compared(pushed(), ours)

    def test_in_lists(self):
        """Clients fill in what is in lists too."""
        text = HELLO + "model_cache:\n  - repo_id: a/b\n    revision: main\n"
        sent = [{"repo_id": "a/b", "revision": "main", "allow_patterns": None, "kind": "hf"}]
        stored = pushed(text, model_cache=sent)
        assert [] == compared(stored, load(text).value)
        assert ["-  revision: main", "+  revision: v2"] == compared(stored, load(text.replace("main", "v2")).value)

    def test_environment_variables(self):
        """Both send them as texts, whatever was written."""
        text = HELLO + "environment_variables: {A: 1}\n"
        ours = {**load(text).value, "environment_variables": {"A": "1"}}
        assert [] == compared(pushed(text, environment_variables={"A": "1"}), ours)

    def test_external_packages(self):
        """Are sent as files only by this action."""
        text = HELLO + "external_package_dirs: [../shared]\n"
        assert [] == compared(pushed(text, external_package_dirs=["../shared"]), load(HELLO).value)

    @pytest.mark.parametrize("raw", ["", "x", "- a", "a: [", "a: 2024-01-01", "a: 1\na: 2"])
    def test_without_a_readable_text(self, raw):
        """Everything counts: nothing says what was filled in."""
        assert "-spec_version: '2.0'" in compared(pushed(raw), load(HELLO).value)


class TestThisAction:
    """Sends what was written, with overrides."""

    def test_the_same_overrides(self):
        """Are no difference, though the text does not have them."""
        config = {**load(HELLO).value, "model_name": "other", "build": {"no_cache": True}}
        assert [] == compared(StoredConfig(config, HELLO), config, by_this_action=True)

    def test_an_override_that_is_gone(self):
        """Is a difference, though no text ever had it."""
        ours = load(HELLO).value
        live = {**ours, "model_name": "other", "build": {"no_cache": True}}
        expected = ["-build:", "-  no_cache: true", "-model_name: other", "+model_name: hello-truss"]
        assert expected == compared(StoredConfig(live, HELLO), ours, by_this_action=True)

    def test_an_override_without_labels(self):
        """The name of a model that a label-less copy has still counts: it is in both configs."""
        live = {**load(HELLO).value, "model_name": "other"}
        assert [] == compared(StoredConfig(live, HELLO), dict(live))


class TestOnlyTheText:
    """The service may have no parsed config."""

    def test_stands_for_what_is_sent_for_it(self):
        """With environment variables as texts, and without external packages, whose content is in the archive."""
        text = HELLO + "environment_variables: {A: 1}\nexternal_package_dirs: [../p]\n"
        ours = {**load(HELLO).value, "environment_variables": {"A": "1"}}
        assert [] == compared(StoredConfig(None, text), ours)
        assert [] == compared(StoredConfig(None, text), ours, by_this_action=True)

    @pytest.mark.parametrize("text", ["a: [", "x", "- a"])
    def test_that_cannot_be_read(self, text):
        """Is nothing to compare with."""
        with pytest.raises(Incomparable, match="cannot be read"):
            comparable(StoredConfig(None, text), {}, by_this_action=False)


@pytest.mark.parametrize("sent", [{"a": {"b": 1}}, {"a": [1, {"b": 2}]}, {"a": None}, {}])
@pytest.mark.parametrize("text", ["a: 1", "a: {b: 1, c: 2}", "a: [1, {b: 2}]", "a:", "b: 1"])
def test_any_shape(sent, text):
    """What the text says need not be what was sent: a mapping here may be a text there."""
    assert set(comparable(StoredConfig(sent, text), {"a": "x"}, by_this_action=False)) == set(sent)


@pytest.mark.parametrize(
    ("stored", "config"),
    [
        (StoredConfig({"a": 1}, "a: 2"), {"a": 1}),
        (StoredConfig({}, "a: 2"), {}),
        (StoredConfig(None, "a: 2"), {"a": 2}),
        (StoredConfig(None, "a: ["), {}),
    ],
)
def test_what_to_read_in_it(stored, config):
    """What was sent, else what was written, else nothing."""
    assert config == parsed(stored)
