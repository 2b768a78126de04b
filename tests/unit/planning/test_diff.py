"""Differences between what is live and what is about to be deployed, and that none of them shows a secret."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.planning.diff import (
    ArchivedFile,
    FileChange,
    SettingChange,
    config_diff,
    file_changes,
    normalised,
    same_config,
    setting_changes,
    without_secrets,
)
from baseten_deploy.truss.packed_file import PackedFile


def packed(name, size=3, *, executable=False):
    """Make a file of ours; its content is nowhere."""
    return PackedFile(name, b"abc", 0o755 if executable else 0o644, size)


def archived(name, size=3, sha256="abc", *, executable=False):
    """Make a file of the live archive."""
    return {name: ArchivedFile(name, size, sha256, executable)}


def changes(live, ours, sha256="abc"):
    """Compare, with `sha256` as the digest of every file of ours."""
    return file_changes(live, ours, lambda _: sha256)


class TestFiles:
    """Which files are added, removed and changed."""

    def test_the_same(self):
        """Equal names, sizes, contents and modes are no change."""
        assert () == changes(
            archived("a") | archived("b", executable=True), [packed("a"), packed("b", executable=True)]
        )

    def test_added_and_removed(self):
        """By name, with the size where it is."""
        found = changes(archived("gone", 7), [packed("new", 5)])
        assert (FileChange("gone", 7, None), FileChange("new", None, 5)) == found
        assert ["removed", "added"] == [change.kind for change in found]

    def test_another_size(self):
        """Files of other sizes differ; their digest is not even asked for."""

        def never(_file):
            raise AssertionError

        found = file_changes(archived("a", 3), [packed("a", 4)], never)
        assert (FileChange("a", 3, 4),) == found
        assert "changed" == found[0].kind

    def test_another_content(self):
        """Files of one size are told apart by their digest."""
        assert (FileChange("a", 3, 3),) == changes(archived("a"), [packed("a")], "def")

    def test_another_mode(self):
        """The executable bit is part of what is deployed."""
        assert (FileChange("a", 3, 3, mode_only=True),) == changes(archived("a"), [packed("a", executable=True)])


class TestConfig:
    """The diff of two configs as YAML."""

    def test_order_does_not_matter(self):
        """Keys are sorted, so that only content counts."""
        assert same_config({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
        assert () == config_diff({"a": 1, "b": 2}, {"b": 2, "a": 1})

    def test_types_matter(self):
        """What Python calls equal is not the same to the service."""
        values = [1, 1.0, True, "1", "true", None, "null"]
        assert [(a, b) for a in values for b in values if same_config({"k": a}, {"k": b})] == [(v, v) for v in values]

    def test_lines(self):
        """A unified diff with one line for each value, also within lists and texts."""
        before = {"requirements": ["torch==2.3"], "run": "a\nb\n"}
        after = {"requirements": ["torch==2.4"], "run": "a\nc\n"}
        lines = config_diff(before, after)
        assert ("--- live", "+++ this run") == lines[:2]
        assert ["-- torch==2.3", "+- torch==2.4", "-  b", "+  c"] == [line for line in lines[3:] if line[0] in "+-"]

    def test_repeated_values_are_written_out(self):
        """YAML's aliases would show a change in one place as a change in another."""
        shared = {"x": 1}
        assert "a:\n  x: 1\nb:\n  x: 1\n" == normalised({"a": shared, "b": shared})

    def test_values_of_secrets_are_hidden(self):
        """`secrets` should name secrets only; a value that somebody put there is not shown, a null is."""
        shown = without_secrets({"secrets": {"hf": None, "real": "hf_abcdef", "empty": ""}})
        assert {"hf": None, "real": "***", "empty": ""} == shown["secrets"]
        assert "***" == without_secrets({"secrets": ["hf_abcdef"]})["secrets"]

    def test_a_changed_secret_is_a_change_that_is_not_shown(self):
        """The configs differ and the diff is empty."""
        before, after = {"secrets": {"hf": "one"}}, {"secrets": {"hf": "two"}}
        assert not same_config(before, after)
        assert () == config_diff(before, after)

    def test_logins_in_urls_are_hidden(self):
        """A token in a requirement's URL is a secret wherever it stands."""
        config = {"requirements": ["git+https://ghp_token@github.com/o/r", "x @ https://u:p@host/y.whl"]}
        assert ["git+https://***@github.com/o/r", "x @ https://***@host/y.whl"] == without_secrets(config)[
            "requirements"
        ]

    @pytest.mark.parametrize(
        "key",
        [
            *("OPENAI_API_KEY", "apikey", "auth_token", "HF_TOKEN", "TOKENS", "password", "DB_PASSWD", "clientSecret"),
            *("AWS_ACCESS_KEY_ID", "accessKey", "private_key", "credentials"),
        ],
    )
    def test_texts_of_keys_that_look_secret_are_hidden(self, key):
        """At any depth and below such a key; that there is one shows, and so does that there is none."""
        config = {"a": {key: "hunter2"}, "b": [{key: ["hunter2", {"x": "hunter2", "name": "n"}]}], key: "hunter2"}
        expected = {"a": {key: "***"}, "b": [{key: ["***", {"x": "***", "name": "n"}]}], key: "***"}
        assert expected == without_secrets(config)
        assert {key: ""} == without_secrets({key: ""})

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("max_tokens", 512),
            ("use_token", True),
            ("token", None),
            ("secret_name", "hf_access_token"),
            ("runtime_secret_name", "hf"),
            ("tokenName", "hf"),
            ("tokenizer", "org/repo"),
            ("model_name", "m"),
            ("author", "somebody"),
        ],
    )
    def test_what_is_no_secret_is_shown(self, key, value):
        """Numbers, names of secrets, and words that only sound like them."""
        assert {"a": {key: value}} == without_secrets({"a": {key: value}})

    def test_secrets_of_both_sides_are_hidden(self):
        """A live value that is replaced is as secret as the new one; beside other changes neither shows."""
        before = {"environment_variables": {"API_KEY": "sk-live", "A": "1"}}
        after = {"environment_variables": {"API_KEY": "sk-new", "A": "2"}}
        text = "\n".join(config_diff(before, after))
        assert "  API_KEY: '***'" in text
        assert "sk-" not in text
        assert () == config_diff({"build": {"auth_token": "a"}}, {"build": {"auth_token": "b"}})

    @given(
        st.dictionaries(
            st.text(string.ascii_lowercase, min_size=1),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.text(),
                lambda v: st.lists(v) | st.dictionaries(st.text(), v),
                max_leaves=25,
            ),
        )
    )
    def test_any_config_is_the_same_as_itself(self, config):
        """Whatever a config holds can be written, and its diff with itself is empty."""
        assert same_config(config, dict(reversed(config.items())))
        assert () == config_diff(config, dict(config))


class TestSettings:
    """What `environment-settings` would change."""

    def test_only_what_differs(self):
        """By dotted name, with the values before and after; what is not asked for is left alone."""
        before = {"autoscaling_settings": {"min_replica": 0, "max_replica": 1}, "promotion_settings": {}}
        wanted = {
            "autoscaling_settings": {"min_replica": 0, "max_replica": 3},
            "promotion_settings": {"rolling_deploy": True},
        }
        assert [
            SettingChange("autoscaling_settings.max_replica", "1", "3"),
            SettingChange("promotion_settings.rolling_deploy", "", "true"),
        ] == list(setting_changes(before, wanted))

    def test_half_a_character(self):
        """JSON can hold one."""
        assert [SettingChange("a", "\\ud83d", "x")] == list(setting_changes({"a": "\ud83d"}, {"a": "x"}))

    def test_null_asks_for_the_default(self):
        """As the service has it, whatever it is: not a change that can be named."""
        assert [] == list(setting_changes({"a": {"b": 1}}, {"a": {"b": None}}))

    def test_a_new_environment(self):
        """Everything is new."""
        assert [SettingChange("a.b", "", "x")] == list(setting_changes({}, {"a": {"b": "x"}}))
