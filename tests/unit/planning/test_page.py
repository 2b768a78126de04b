"""The plan's Markdown: what it says, and that no foreign text in it becomes markup, a mention or a secret."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from baseten_deploy.cost.estimate import Cost, Estimate
from baseten_deploy.cost.replicas import Replicas
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import read_settings
from baseten_deploy.nemo.upsert import RegistrationPlan
from baseten_deploy.planning.diff import FileChange
from baseten_deploy.planning.live_deployment import Live
from baseten_deploy.planning.page import page
from baseten_deploy.planning.planned import Comparison, Plan
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.instance_types import InstanceType
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.packed_file import PackedFile

SERVING = Deployment("dep1", "v1", "ACTIVE")
OLD = Destination("m", Model("model1", "m", "Core"))
NEW = Destination("m", None)


def settings(**inputs):
    """Make the settings of a run with these inputs."""
    given_ = {"INPUT_" + name.upper().replace("_", "-"): text for name, text in inputs.items()}
    found, problems = read_settings({"INPUT_BASETEN-API-KEY": "key-12345", **given_})
    assert [] == problems
    return found


def plan(inputs=None, **facts):
    """Write a plan of these facts, by default of a new deployment that the service accepts."""
    facts = {"name": "m", "destination": OLD, "verdict": (), **facts}
    found = Plan(settings=settings(**(inputs or {})), **facts)
    return page(found, lambda text: text.replace("hunter22", "***")).text()


def files(*sizes):
    """Make files of these sizes."""
    return [PackedFile(f"f{number}.bin", b"", 0o644, size) for number, size in enumerate(sizes)]


COST = Cost(InstanceType("1x2", "1x2", 2048, 1000), Replicas(0, 1), 0.02)
SAME = Comparison(Live("production", SERVING), True, True, files=())


class TestFirstLines:
    """What will happen, what it costs, what is wrong: in the verdict, before anything is unfolded."""

    @staticmethod
    def verdict(inputs=None, **facts):
        """The lines of it."""
        facts = {"cost": [Estimate("production", COST, COST, serves=True)], **facts}
        return [line.rstrip() for line in plan(inputs, **facts).split("\n\n")[1].split("\n")]

    def test_a_change(self):
        """Three lines: what is replaced, its cost, what the service says."""
        target = Target("production", Environment("production", SERVING))
        assert [
            "`production`: `dep1` will be replaced.",
            "**Cost** of `production`: at most **$1.20 an hour** ($876.00 a month), the same as now.",
            "The service accepts it (dry run).",
        ] == self.verdict({"environment": "production"}, targets=[target])

    def test_what_is_wrong(self):
        """The first warning, those first that somebody decides by; also where nothing changes, and all is folded."""
        doubts, more = [Problem("The config names the secret `a`")], [Problem("lib/ is left out")]
        said = "**Warning:** The config names the secret `a` (and 1 more)."
        assert f"The service accepts it (dry run). {said}" == self.verdict(doubts=doubts, warnings=more)[-1]
        assert "**Warning:** lib/ is left out." in self.verdict(warnings=more)[-1]
        (line,) = self.verdict(comparison=SAME, doubts=doubts, warnings=more)
        assert line.endswith(f"**$1.20 an hour** ($876.00 a month), the same as now. {said}")

    @pytest.mark.parametrize(
        ("inputs", "said"),
        [
            ({}, None),
            ({"promote_to": "production"}, "**Once it is live:** smoke test, promotion into `production`."),
            (
                {"promote_to": "production", "checks": "c.yaml", "watch_minutes": "5", "rollback_on_failure": "true"},
                "**Once it is live:** smoke test, checks, promotion into `production`, a watch of 5 min; "
                "rolled back when it fails there.",
            ),
            ({"cleanup": "true"}, "**Once it is live:** smoke test, deactivated again."),
            ({"wait": "false"}, "**Once it is made:** it is not waited for (`wait: false`)."),
        ],
    )
    def test_what_follows(self, inputs, said):
        """What a deploy does besides, before anything is unfolded."""
        parts = plan(inputs).split("\n\n")
        assert [said] == [each for each in parts if each.startswith("**Once")] if said else "**Once" not in str(parts)

    def test_a_refusal(self):
        """That nothing will be deployed, what serves, the error and the remedy; the cost is below."""
        target = Target("production", Environment("production", SERVING))
        refused = [Problem("`max-hourly-cost`: too dear", "Take less.")]
        inputs = {"environment": "production"}
        text = plan(inputs, targets=[target], too_dear=refused, cost=[Estimate("production", COST, COST, serves=True)])
        assert [
            "A deploy would be refused. `production` serves `dep1`.",
            "**Error:** `max-hourly-cost`: too dear",
            "Take less.",
        ] == [line.rstrip() for line in text.split("\n\n")[1].split("\n")]
        assert "\n\n**Cost** of `production`: at most **$1.20 an hour**" in text

    @pytest.mark.parametrize(
        ("settings_", "triggers", "said"),
        [
            ("{autoscaling_settings: {max_replica: 3}}", False, "the same config and files, but 1 setting"),
            ("", True, "the same config and files, but another `redeploy-trigger`"),
            (
                "{autoscaling_settings: {max_replica: 3}}",
                True,
                "the same config and files, but 1 setting, another `redeploy-trigger`",
            ),
        ],
    )
    def test_no_content_changes(self, settings_, triggers, said):
        """Then it is said what does."""
        target = Target("production", Environment("production", SERVING))
        inputs = {"environment": "production", "environment_settings": settings_}
        lines = self.verdict(inputs, targets=[target], comparison=replace(SAME, triggers=triggers))
        assert f"`production`: `dep1` will be replaced: {said}." == lines[0]


class TestOutcome:
    """What would happen, in the title and in the first table."""

    def test_a_new_model(self):
        """Is created; nothing is compared."""
        text = plan({"team": "Core ML"}, destination=NEW, digest="abc", files=files(1))
        assert "## 📝 Plan: new model `m`" in text
        assert "| Model | `m`, created |" in text
        assert "| Team | `Core ML` |" in text
        assert "live" not in text.replace("deliver", "")

    def test_a_new_deployment(self):
        """Names model, team and deployment."""
        text = plan(deployment_name="PR-7_0a1b2c3")
        assert "## 📝 Plan: new deployment of `m`" in text
        for row in ("| Model | `m` `model1` |", "| Team | `Core` |", "| Deployment | `PR-7_0a1b2c3` |"):
            assert row in text

    def test_the_team_of_a_new_model(self):
        """By its name, also if its id was given; without one the default team, by name if that is known."""
        text = plan({"team": "t1"}, destination=Destination("m", None, "t1", "Core"))
        assert "| Team | `Core` |" in text
        assert "| Team | `Core`, the default team |" in plan(destination=NEW, default_team="Core")
        assert "| Team | the default team of the API key |" in plan(destination=NEW)

    def test_the_team_of_a_model_that_does_not_say_it(self):
        """Is the one in which it was looked up; without one it is unknown."""
        model = Model("model1", "m")
        assert "| Team | `Core` |" in plan({"team": "t1"}, destination=Destination("m", model, "t1", "Core"))
        assert "| Team | `unknown` |" in plan(destination=Destination("m", model))

    def test_development(self):
        """Overwrites what is there or creates it, and says so; offline it is not known which."""
        there = Destination("m", Model("model1", "m", development_deployment_id="dep1"))
        row = "| Deployment | {}the development deployment |"
        assert row.format("overwrites ") in plan({"development": "true"}, destination=there)
        for destination in (OLD, NEW):
            assert row.format("creates ") in plan({"development": "true"}, destination=destination)
        assert row.format("") in plan({"development": "true"}, destination=None, verdict=None)

    def test_what_the_development_slot_holds(self):
        """Its own deployment is overwritten, never the one of production that it may be compared with."""
        inputs, live = {"development": "true"}, Comparison(Live("production", SERVING), True, False, files=())
        text = plan(inputs, comparison=live)
        assert "The development slot will be filled. Against `dep1` in production: " in text
        there = Destination("m", Model("model1", "m", development_deployment_id="dev1"))
        text = plan(inputs, destination=there, comparison=live)
        assert "`dev1` in the development slot will be overwritten. Against `dep1` in production: " in text

    def test_no_environment(self):
        """Is said, not left to be guessed."""
        assert "| Environment | none |" in plan()
        assert "| Environment | none |" in plan(destination=None, verdict=None)
        for name in ("environment", "promote_to"):
            assert "none |" not in plan({name: "staging"}, targets=[Target("staging", None)])

    def test_environments(self):
        """Whether they exist, what they serve, what is on its way into them."""
        targets = [
            Target("staging", Environment("staging", SERVING, Deployment("dep2", "v2", "DEPLOYING"))),
            Target("production", Environment("production")),
        ]
        text = plan({"environment": "staging", "promote_to": "production"}, targets=targets)
        assert "| Environment | `staging`: serves `v1` (`dep1`, `ACTIVE`); `v2` (`dep2`, `DEPLOYING`) is being" in text
        assert "| Promoted into | `production`: serves nothing yet |" in text

    def test_environments_to_be_created(self):
        """Of a model that is there, and of one that is not."""
        created = plan({"environment": "staging"}, targets=[Target("staging", None)])
        assert "| Environment | `staging`, created |" in created
        assert "`production`, new with the model" in plan(
            {"environment": "production"}, destination=NEW, targets=[Target("production", None)]
        )

    def test_environment_settings(self):
        """What they change."""
        before = Environment("staging", settings={"autoscaling_settings": {"min_replica": 0, "max_replica": 1}})
        inputs = {"environment": "staging", "environment_settings": "{autoscaling_settings: {max_replica: 3}}"}
        text = plan(inputs, targets=[Target("staging", before)])
        assert "| `autoscaling_settings`: `max_replica` | `1` | `3` |" in text
        inputs["environment_settings"] = "{autoscaling_settings: {max_replica: 1}}"
        assert "in force already" in plan(inputs, targets=[Target("staging", before)])

    def test_the_verdict(self):
        """Accepted, refused with what the service said, or not asked."""
        assert "✅ the service accepts the payload" in plan()
        refused = plan(verdict=(Problem("The dry run was refused: 400: `instance_type_id` | unknown"),))
        assert "❌ The dry run was refused: 400: `instance_type_id` &#124; unknown |" in refused
        assert "no payload to check" in plan({"library_listing": "lab/model"}, verdict=None, destination=NEW)

    def test_offline(self):
        """Says what was not looked up, and why."""
        text = plan({"environment": "staging"}, destination=None, verdict=None, files=files(1))
        assert "## ⏭️ Offline plan for `m`" in text
        assert "no API key" in text
        assert "| Environment | `staging`, not looked up |" in text

    def test_skip_unchanged(self):
        """What it would do, when it is set."""
        assert "skips: this content is live already" in plan({"skip_unchanged": "true"}, skips=True)
        assert "| `skip-unchanged` | deploys |" in plan({"skip_unchanged": "true"})
        assert "skip-unchanged" not in plan()

    def test_a_registration(self):
        """What would become of entity and provider, and that the workspace is missing."""
        new = RegistrationPlan("ws/m", workspace_exists=False, entity_exists=False, body={})
        assert "`ws/m` created, ❌ the workspace does not exist" in plan(registration=new)
        known = RegistrationPlan("ws/m", True, True, {}, "ws/baseten", None)
        assert "| Model entity | `ws/m` updated, provider `ws/baseten` created or updated |" in plan(registration=known)


class TestComparison:
    """Against what is live."""

    def test_unchanged(self):
        """Config and files are the same: the title says it."""
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=()), files=files(1))
        assert "## 📝 Plan: `m` is unchanged" in text
        assert "Config: the same as what is live." in text
        assert 1 == text.count("The same as what is live.")
        assert "| Compared with | production: `v1` (`dep1`, `ACTIVE`) |" in text

    @pytest.mark.parametrize(
        "comparison",
        [
            Comparison(Live("production", SERVING), False, True, files=()),
            Comparison(Live("production", SERVING), True, False, ("-a: 1", "+a: 2"), files=()),
            Comparison(Live("production", SERVING), True, None, why_no_config="no", files=()),
            Comparison(Live("production", SERVING), True, True, files=(FileChange("a", 1, None),)),
            Comparison(Live("production", SERVING), True, True, files=None, why_no_files="no"),
        ],
    )
    def test_unchanged_must_be_known(self, comparison):
        """What is not compared, or not where the run goes to, may differ."""
        assert "new deployment" in plan(comparison=comparison)

    def test_unchanged_settings(self):
        """New settings of the environment are a change."""
        text = plan(
            {"environment": "staging", "environment_settings": "{autoscaling_settings: {max_replica: 3}}"},
            targets=[Target("staging", Environment("staging", SERVING))],
            comparison=Comparison(Live("the environment 'staging'", SERVING), True, True, files=()),
        )
        assert "new deployment" in text

    def test_config(self):
        """Is a diff."""
        found = Comparison(Live("production", SERVING), True, False, ("--- live", "+++ this run", "-a: 1", "+a: 2"))
        assert "\n\n```diff\n--- live\n+++ this run\n-a: 1\n+a: 2\n```\n" in plan(comparison=found)

    def test_a_long_diff_is_cut(self):
        """In lines and in columns."""
        lines = tuple(f"+{'x' * 1000}" for _ in range(500))
        text = plan(comparison=Comparison(Live("production", SERVING), True, False, lines))
        assert "… and 300 more lines" in text
        assert len(text) < 60_000

    def test_a_known_secret_in_the_config(self):
        """Is redacted; that it differs shows."""
        lines = ("-  A: hunter22", "+  A: other")
        text = plan(comparison=Comparison(Live("production", SERVING), True, False, lines))
        assert "```diff\n-  A: ***\n+  A: other\n```" in text

    def test_secret_differences(self):
        """Are named as such, without the secrets."""
        text = plan(comparison=Comparison(Live("production", SERVING), True, False))
        assert "only in values that are secret" in text

    def test_files(self):
        """By name, with sizes before and after."""
        changes = (
            FileChange("gone", 10, None),
            FileChange("new", None, 1_500_000),
            FileChange("run.sh", 5, 5, mode_only=True),
        )
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=changes), files=files(1))
        assert "1 added, 1 removed, 1 changed." in text
        assert "| removed | `gone` | 10 bytes |" in text
        assert "| added | `new` | 1.5 MB |" in text
        assert "| changed | `run.sh` | 5 bytes, executable bit |" in text

    def test_many_files_are_counted(self):
        """And only some of them are named."""
        changes = tuple(FileChange(f"f{n:04}", None, n) for n in range(1000))
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=changes), files=files(1))
        assert "1000 added." in text
        assert "\n… and 960 more added\n" in text

    def test_of_many_files_the_weightiest_are_named(self):
        """Changed ones first, then removed ones, then added ones, the largest first; what is cut is counted by kind."""
        changes = (
            *(FileChange(f"a{n:02}", None, n) for n in range(30)),
            *(FileChange(f"b{n:02}", n, None) for n in range(30)),
            FileChange("model.py", 10, 11),
            FileChange("weights", 10**6, 5),
        )
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=changes), files=files(1))
        rows = [line.split("`")[1] for line in text.splitlines() if line.startswith(("| added", "| rem", "| ch"))]
        removed, added = ([f"{letter}{n:02}" for n in range(29, -1, -1)] for letter in "ba")
        assert ["weights", "model.py", *removed, *added[:8]] == rows
        assert "\n… and 22 more added\n" in text

    def test_what_is_cut_is_counted_by_kind(self):
        """Each kind of it."""
        changes = tuple(FileChange(f"{n}", n % 2 or None, n % 3 or None) for n in range(100) if n % 6)
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=changes), files=files(1))
        assert "Against what is live: 33 added, 17 removed, 33 changed." in text
        assert "\n… and 10 more removed, 33 more added\n" in text

    def test_few_files_are_named_in_order(self):
        """By name, whatever became of them."""
        changes = tuple(FileChange(f"{n:02}", n % 2 or None, 1) for n in range(40))
        text = plan(comparison=Comparison(Live("production", SERVING), True, True, files=changes), files=files(1))
        rows = [line.split("`")[1] for line in text.splitlines() if line.startswith(("| added", "| changed"))]
        assert sorted(change.name for change in changes) == rows
        assert "more" not in text

    def test_what_cannot_be_compared(self):
        """Is said, with the reason."""
        found = Comparison(Live("production", SERVING), why_no_config="it is 403", why_no_files="download is disabled")
        text = plan(comparison=found, files=files(1))
        assert "Config not compared: it is 403." in text
        assert "Not compared with what is live: download is disabled." in text


class TestFiles:
    """What is packed and what is not."""

    def test_the_ten_largest(self):
        """The largest first."""
        text = plan(files=files(*range(12, 0, -1), 3_000_000_000))
        rows = [line for line in text.splitlines() if line.startswith("| `f")]
        assert (10, "| `f12.bin` | 3.0 GB |", "| `f0.bin` | 12 bytes |") == (len(rows), rows[0], rows[1])
        assert "13 files, 3.0 GB before compression." in text

    def test_dropped(self):
        """What the ignore rules left out and somebody may miss."""
        assert "<details><summary>Left out by the ignore rules: 2</summary>\n\n`lib/`, `x.so`\n" in plan(
            dropped=("lib/", "x.so")
        )

    def test_warnings(self):
        """With place and remedy."""
        text = plan(warnings=[Problem("`python_version`: old", "Use `py311`.", "t/config.yaml", 3, 1)])
        assert "> [!WARNING]\n> `t/config.yaml:3:1`: **`python_version`: old**<br>\n> Use `py311`." in text


# What an HTML or Markdown reader stumbles over, besides any character at all. One is a secret.
STUMBLING = [
    "`",
    "```",
    "|",
    "<b>",
    "</details>",
    "<!--",
    "-->",
    "@octocat",
    "#1",
    "](http://x)",
    "![",
    "](u)",
    "*",
    "_",
    "~~",
    "#",
    "-",
    ">",
    "\\",
    "&lt;",
    "$",
    "http://evil.test",
    "www.evil.test",
    "a@b.test",
    "::error::",
    "<script>",
    "[x]:/y",
    "--",
    "hunter22",
]
SPACES = [" ", "    ", "\t", "\n", "\n\n", "\r", "\x00", "\x1b[31m", "\u202e", "\u2028"]
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.lists(
    st.sampled_from(STUMBLING) | st.sampled_from(SPACES), max_size=8
).map("".join)


def tokens(markdown: str) -> Iterator[Token]:
    """Parse as GitHub does, as far as it matters here, and walk through all tokens."""
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        yield token
        yield from token.children or ()


def shape(markdown: str) -> list[str]:
    """The structure of a text: everything but words and code; `<code>` stands for both kinds of code."""
    found = []
    for token in tokens(markdown):
        if token.type == "html_inline":
            assert token.content in ("<code>", "</code>", "<br>"), token.content
        elif token.type == "html_block":
            found += [line for line in token.content.splitlines() if line]
        elif token.type not in ("text", "code_inline", "softbreak", "text_special"):
            found.append(token.type)
    return found


class TestForeignText:
    """Names, messages and configs are written by others."""

    @given(st.lists(HOSTILE, min_size=8, max_size=8))
    def test_no_text_changes_the_structure(self, texts):
        """Whatever names, configs and messages say, the plan has the same headings, tables, cells, lists and code."""

        def with_words(words):
            first, *rest = (word if word.strip() else "x" for word in words)
            serving = Deployment(rest[0], rest[1], rest[2])
            return plan(
                {"environment": "staging"},
                name=first,
                deployment_name=rest[3],
                destination=Destination(first, Model(rest[4], first, rest[5])),
                targets=[Target("staging", Environment("staging", serving, Deployment(rest[1], "", rest[2])))],
                comparison=Comparison(
                    Live(rest[6], serving), True, False, (f"+{first}",), files=(FileChange(rest[3], 1, 2),)
                ),
                verdict=(Problem(rest[4]),),
                files=[PackedFile(rest[5], b"", 0o644, 1)],
                dropped=(rest[6],),
                warnings=[Problem(rest[0], rest[1], rest[2], 3)],
            )

        text = with_words(texts)
        assert shape(with_words(["plain"] * 8)) == shape(text)
        assert "hunter22" not in text

    @given(HOSTILE)
    def test_no_text_mentions_or_refers(self, name):
        """GitHub links `@name` and `#1` in words, not in code: outside of code there is none, nor a URL."""
        text = plan(verdict=(Problem(name),), warnings=[Problem("w", name)], comparison=Comparison(Live(name, SERVING)))
        for line in text.splitlines():
            words = "".join(part for index, part in enumerate(line.split("`")) if index % 2 == 0)
            for char in "@#":
                assert char not in words.lstrip("#").replace("&#", "")
            assert "://" not in words

    def test_invisible_characters_are_written_out(self):
        """A name that is shown in another order than it is written deceives a reviewer."""
        text = plan(files=[PackedFile("gpj.\u202eexe\x1b[0m\u200b", b"", 0o644, 1)])
        assert "`gpj.\\u202eexe\\x1b[0m\\u200b`" in text

    def test_long_names_are_shortened(self):
        """In the middle."""
        text = plan(files=[PackedFile("a" * 4000 + "z", b"", 0o644, 1)])
        assert "…" in text
        assert len(text) < 2000
