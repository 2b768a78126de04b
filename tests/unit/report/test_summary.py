"""The step summary: what a reader sees, also when everything in it was written by somebody else."""

import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from baseten_deploy.ci.outputs import OUTPUTS
from baseten_deploy.errors import Problem
from baseten_deploy.report.account import Account, Answer, Deployment, Known, Serving, State, Switch, Target
from baseten_deploy.report.alerts import PROBLEMS
from baseten_deploy.report.facts import Facts
from baseten_deploy.report.summary import summary
from baseten_deploy.report.timeline import Phase
from baseten_deploy.status import Status

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

OUTCOME = {
    "model-name": "hello",
    "model-id": "m1",
    "model-created": "true",
    "deployment-id": "d1",
    "deployment-name": "0a1b2c3",
    "deployment-status": "ACTIVE",
    "content-digest": "c" * 64,
    "archive-bytes": "1234",
    "archive-sha256": "a" * 64,
    "deploy-time-seconds": "12.3",
    "predict-seconds": "0.5",
    "predict-url": "https://model-m1.api.baseten.co/deployment/d1/predict",
    "logs-url": "https://app.baseten.co/models/m1/logs/d1",
    "predict-response": '{"text": "hello"}',
    "status": "success",
}
HOSTILE = st.lists(
    st.sampled_from(
        [
            *("`", "```", "````", "~~~", "**", "_", "[x](http://evil)", "![x](y)", "|", "| --- |", "\\", "# ", "> "),
            *("<b>", "<br>", "<!--", "</code>", "<details>", "</details>", "</summary>", "- ", "---", "a", "ü"),
            *("@octocat", "https://evil.example", "\n", "\n\n", "\r", " ", "\u2028", "\x00", "%0A::error::x"),
        ]
    ),
    min_size=1,
    max_size=8,
).map("".join)


def flat(tokens: list[Token]) -> list[Token]:
    """All tokens, with those within."""
    return [each for token in tokens for each in (token, *flat(token.children or []))]


ACCOUNT = Account(
    model_name="hello",
    model_id="m1",
    made=Known.YES,
    deployment=Deployment("d1", "0a1b2c3", State.LIVE, "ACTIVE", ids=frozenset({"d1"})),
    route="https://model-m1.api.baseten.co/deployment/d1/predict",
    payload='{"name": "it\'s"}',
    answers=(Answer("", '{"text": "hello"}', good=True),),
)
WRONG = replace(ACCOUNT, answers=(*ACCOUNT.answers, Answer("production", "boom", good=False)))


def written(status=Status.SUCCESS, **facts):
    """Write the summary of a run that ended so, by default of a deployment."""
    return summary(Facts(status, **{"outputs": OUTCOME, "account": ACCOUNT, **facts}))


class TestContent:
    """What is there when."""

    @pytest.mark.parametrize("status", list(Status))
    def test_every_status_has_a_page(self, status):
        """The heading comes first, names the model, and the status comes last."""
        text = written(status)
        assert re.match(r"## \S+ [^\n]*: `hello`\n\n", text)
        assert text.endswith(f"\n\nStatus: `{status}`\n")

    def test_only_good_ends_look_good(self):
        """One look at the icon is enough."""
        failed = {status for status in Status if status.exit_code}
        assert failed == {status for status in Status if written(status)[3] in "❌⚠💥"}

    def test_success(self):
        """Ids, links and the response."""
        text = written(packed_files=3, packed_bytes=2468)
        for part in (
            "| Model | `hello` `m1` (new) |",
            "| Deployment | `0a1b2c3` `d1` |",
            "| Last status seen | `ACTIVE` |",
            "| Archive | 3 files, 2.5 kB packed into 1.2 kB (50 %) |",
            "| Live after | 12 s |",
            "| Smoke test answered in | 0.50 s |",
            "[Endpoint](https://model-m1.api.baseten.co/deployment/d1/predict) · "
            "[Logs](https://app.baseten.co/models/m1/logs/d1)",
            '```\n{"text": "hello"}\n```',
        ):
            assert part in text
        assert "WARNING" not in text

    def test_digests(self):
        """Twelve digits; the whole is folded."""
        text = written()
        assert f"| Content digest | `{'c' * 12}` |" in text
        _, folded = text.split("<details><summary>Digests</summary>")
        assert f"Content digest: `{'c' * 64}`\n\nArchive's SHA-256: `{'a' * 64}`\n\n</details>" in folded

    def test_how_to_ask(self):
        """A command that a shell takes as it is, with the example payload and without a key."""
        text = written()
        command = text.split("```bash\n")[1].split("```")[0]
        words = shlex.split(command.replace("\\\n", " "))
        assert ["curl", "-X", "POST", ACCOUNT.route] == words[:4]
        assert "Authorization: Api-Key $BASETEN_API_KEY" in words
        assert ACCOUNT.payload == words[-1]

    @pytest.mark.parametrize("state", [State.FAILED, State.GOES_ON, State.UNSEEN])
    def test_what_cannot_answer(self, state):
        """Gets neither an endpoint nor a command, whatever the outputs have."""
        deployment = replace(ACCOUNT.deployment, state=state)
        text = written(Status.DEPLOY_FAILED, account=replace(ACCOUNT, deployment=deployment), errors=[Problem("x")])
        assert "curl" not in text
        assert "predict)" not in text

    def test_the_way_back(self):
        """Where an environment serves what failed: with all that it takes."""
        served = replace(
            WRONG, target="production", targets=(Target("production", Serving(True, "d0"), Serving(True, "d1")),)
        )
        text = written(Status.PREDICT_FAILED, account=served, errors=[Problem("x")])
        step = "```yaml\nmode: rollback\nmodel-id: m1\nenvironment: production\ndeployment-id: d0\n```"
        assert step in text
        untouched = replace(served, targets=(Target("production", Serving(True, "d0"), Serving(True, "d0")),))
        assert "The way back" not in written(Status.PREDICT_FAILED, account=untouched, errors=[Problem("x")])
        first = replace(served, targets=(Target("production", Serving(True), Serving(True, "d1")),))
        text = written(Status.PREDICT_FAILED, account=first, errors=[Problem("x")])
        assert "mode: rollback" not in text
        assert "`production` served nothing before that could be brought back." in text

    def test_nothing_is_known(self):
        """A run that failed at once shows its problem and no empty table."""
        outputs, errors = {"status": "invalid"}, [Problem("`wait`: bad", "Write `true`.")]
        expected = (
            "## ❌ Invalid input, nothing was changed\n\n**Error:** `wait`: bad  \nWrite `true`.\n\n"
            "> [!CAUTION]\n> **`wait`: bad**<br>\n> Write `true`.\n\nStatus: `invalid`\n"
        )
        assert expected == written(Status.INVALID, outputs=outputs, errors=errors, account=Account())

    def test_problems(self):
        """Each with its place and remedy, errors before warnings, both before the facts."""
        errors = [Problem("one", "do", "a/config.yaml", 3, 7), Problem("two")]
        text = written(Status.INVALID, errors=errors, warnings=[Problem("careful", "", "f")])
        places = [
            text.index(part)
            for part in (
                "> [!CAUTION]\n> `a/config.yaml:3:7`: **one**<br>\n> do",
                "> [!CAUTION]\n> **two**",
                "> [!WARNING]\n> `f`: **careful**",
                "| Model |",
            )
        ]
        assert sorted(places) == places

    def test_the_log_is_shown_with_an_error(self):
        """Its last lines; on success nobody wants them."""
        lines = ["one", "```", "three"]
        assert "````\none\n```\nthree\n````" in written(Status.DEPLOY_FAILED, errors=[Problem("x")], log_tail=lines)
        assert "three" not in written(log_tail=lines)

    def test_notes(self):
        """Markdown of the steps is taken over."""
        assert "\n\n| a |\n\n" in written(notes=["| a |"])

    def test_errors_of_the_log_come_first(self):
        """What stands around them is folded away."""
        text = written(Status.DEPLOY_FAILED, errors=[Problem("x")], log_errors=["bad"], log_tail=["bad", "bye"])
        errors = text.index("<details open><summary>Errors in the log</summary>\n\n```\nbad\n```")
        assert errors < text.index("<details><summary>Last lines of the log</summary>\n\n```\nbad\nbye\n```")

    @pytest.mark.parametrize("status", [Status.PREDICT_FAILED, Status.ROLLED_BACK])
    def test_a_wrong_answer_comes_before_the_log(self, status):
        """It is what the reader wants to see, and no earlier answer; the log of a build that went well is folded."""
        text = written(status, errors=[Problem("x")], log_tail=["built"], account=WRONG)
        answer = text.index("<details open><summary>What production answered to the smoke test</summary>")
        assert answer < text.index("<details><summary>Last lines of the log</summary>")
        assert "```\nboom\n```" in text
        assert 'hello"}' not in text

    @pytest.mark.parametrize(
        ("now", "past"),
        [
            (Serving(True, "d1"), ""),
            (Serving(True, "old1"), " while it served d1"),
            (Serving(True, ""), " while it served d1"),
            (Serving(), ""),
        ],
    )
    def test_whose_answer_it_was(self, now, past):
        """After a roll-back of the watch, or when somebody overtook it, an environment's answer was another's."""
        targets = (Target("production", Serving(True, "old1"), now, Switch.BACK),)
        answers = (*ACCOUNT.answers, Answer("production", "fine", good=True))
        text = written(account=replace(ACCOUNT, target="production", targets=targets, answers=answers))
        assert f"<summary>The smoke test's answer, of production{past}</summary>" in text

    def test_an_answer_that_did_not_come(self):
        """No earlier one is shown in its place."""
        silent = replace(ACCOUNT, answers=(*ACCOUNT.answers, Answer("production", "", good=False)))
        text = written(Status.ROLLED_BACK, errors=[Problem("x")], account=silent)
        assert "answered to the smoke test" not in text
        assert 'hello"}' not in text

    def test_what_environments_serve(self):
        """Now and before."""
        account = replace(ACCOUNT, targets=(Target("production", Serving(True, "d0"), Serving(True, "d1")),))
        assert "| `production` serves | `d1`, before `d0` |" in written(account=account)
        account = replace(ACCOUNT, targets=(Target("production", Serving(True, "d0"), Serving()),))
        assert "| `production` served | `d0` when this run began |" in written(account=account)

    def test_more_problems_than_annotations(self):
        """All are here, and the reader is told that the annotations were not."""
        problems = [Problem(f"number {number}") for number in range(12)]
        text = written(Status.INVALID, errors=problems, warnings=problems[:11], annotated=10)
        assert all(f"> **{problem.message}**" in text for problem in problems)
        assert "12 errors; only the first 10 are annotations." in text
        assert "11 warnings; only the first 10 are annotations." in text
        assert "annotations" not in written(Status.INVALID, errors=problems[:10], annotated=10)

    def test_problems_without_end(self):
        """What is left out is counted."""
        text = written(Status.INVALID, errors=[Problem("x")] * (PROBLEMS + 5))
        assert PROBLEMS == text.count("> **x**")
        assert "… and 5 more errors, in the log of the step." in text

    def test_timeline(self):
        """A chart of the phases, and how long it all took; folded when all is well."""
        phases = [Phase("Read", 0, 1), Phase("Wait", 1, 95, failed=True)]
        chart = "<summary>Timeline, 1 min 35 s</summary>\n\n```mermaid\ngantt\n"
        assert f"<details>{chart}" in written(phases=phases)
        assert f"<details open>{chart}" in written(Status.DEPLOY_FAILED, phases=phases, errors=[Problem("x")])

    def test_a_short_run_has_none(self):
        """Nobody asks where ten seconds went."""
        assert "Timeline" not in written(phases=[Phase("Read", 0, 1), Phase("Wait", 1, 9.9)])


class TestHostileTexts:
    """Names, messages, answers and log lines that try to be more."""

    @given(st.lists(HOSTILE, min_size=8, max_size=8))
    def test_stay_what_they_are(self, texts):
        """The document has our headings, our elements and our links, and nothing of theirs."""
        name, response, line, message, remedy, file, warning, other = texts
        outputs = OUTCOME | {
            "model-name": name,
            "deployment-name": other,
            "logs-url": f"https://app.baseten.co/{other}",
            "nemo-entity": other,
        }
        account = replace(
            WRONG,
            model_name=name,
            target=other or "x",
            targets=(Target(other or "x", Serving(True, "d0"), Serving(True, "d1")),),
            payload=response,
            answers=(Answer(other, f"{response} ", good=False),),
        )
        errors = [Problem(message, remedy, file, 1, 1, f"{line}\n^"), Problem(f"The service said: `{message}`", remedy)]
        facts = Facts(
            Status.PREDICT_FAILED,
            account,
            outputs=outputs,
            errors=errors,
            warnings=[Problem(warning, remedy)],
            phases=[Phase(other, 0, 1), Phase(name, 1, 20)],
            log_errors=[line],
            log_tail=[line, other],
        )
        tokens = flat(PARSER.parse(summary(facts)))
        kinds = [token.type for token in tokens]
        assert ["h2"] == [token.tag for token in tokens if token.type == "heading_open"]
        assert 7 == kinds.count("fence")
        assert 1 == kinds.count("table_open")
        assert 3 == kinds.count("blockquote_open")
        assert {"image", "hr", "code_block", "bullet_list_open", "ordered_list_open"}.isdisjoint(kinds)
        inline = {token.content for token in tokens if token.type == "html_inline"}
        assert inline <= {"<code>", "</code>", "<br>"}
        blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
        assert 6 == blocks.count("</details>")
        titles = [each for each in blocks if each != "</details>"]
        assert [
            "<details open><summary>Errors in the log</summary>",
            "<details><summary>Ask it</summary>",
            "<details><summary>Digests</summary>",
            "<details><summary>Last lines of the log</summary>",
            "<details open><summary>Timeline, 20 s</summary>",
        ] == titles[1:]
        assert re.fullmatch("<details open><summary>[^\n]*</summary>", titles[0])
        assert not set("<>") & set(titles[0].removeprefix("<details open><summary>").removesuffix("</summary>"))
        links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
        assert len(links) <= 2
        assert all(str(url).startswith(("https://app.baseten.co/", "https://model-m1.")) for url in links)

    @given(st.dictionaries(st.sampled_from(sorted(OUTPUTS)), HOSTILE))
    def test_any_output(self, outputs):
        """Whichever are known."""
        outputs.pop("plan", None)  # Markdown of ours
        tokens = flat(PARSER.parse(summary(Facts(Status.SUCCESS, outputs=outputs))))
        assert ["h2"] == [token.tag for token in tokens if token.type == "heading_open"]
