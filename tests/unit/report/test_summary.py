"""The step summary: what a reader sees, also when everything in it was written by somebody else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from baseten_deploy.ci.outputs import OUTPUTS
from baseten_deploy.errors import Problem
from baseten_deploy.report.facts import Facts
from baseten_deploy.report.summary import PROBLEMS, summary
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


def written(status=Status.SUCCESS, **facts):
    """Write the summary of a run that ended so, by default of a deployment."""
    return summary(Facts(status, **{"outputs": OUTCOME, **facts}))


class TestContent:
    """What is there when."""

    @pytest.mark.parametrize("status", list(Status))
    def test_every_status_has_a_headline(self, status):
        """It comes first, names the model, and the status comes last."""
        text = written(status)
        assert text.startswith(f"## {HEADLINES[status]}: `hello`\n")
        assert text.endswith(f"\n\nStatus: `{status}`\n")

    def test_only_good_ends_look_good(self):
        """One look at the icon is enough."""
        failed = {status for status in Status if status.exit_code}
        assert failed == {status for status, text in HEADLINES.items() if text[0] in "❌⚠💥"}

    def test_success(self):
        """Ids, links and the response."""
        text = written(packed_files=3, packed_bytes=2468)
        for part in (
            "| Model | `hello` `m1` (new) |",
            "| Deployment | `0a1b2c3` `d1` |",
            "| Last status seen | `ACTIVE` |",
            "| Archive | 3 files, 2.5 kB packed into 1.2 kB (50 %) |",
            f"| Archive's SHA-256 | `{'a' * 64}` |",
            "| Live after | 12 s |",
            "| Smoke test answered in | 0.50 s |",
            "[Logs](https://app.baseten.co/models/m1/logs/d1) · "
            "[Predict endpoint](https://model-m1.api.baseten.co/deployment/d1/predict)",
            '```\n{"text": "hello"}\n```',
        ):
            assert part in text
        assert "Warnings" not in text

    def test_nothing_is_known(self):
        """A run that failed at once shows its problem and no empty table."""
        text = written(Status.INVALID, outputs={"status": "invalid"}, errors=[Problem("`wait`: bad", "Write `true`.")])
        expected = (
            "## ❌ Invalid input, nothing was changed\n\n> **`wait`: bad**<br>Write `true`.\n\nStatus: `invalid`\n"
        )
        assert expected == text

    def test_problems(self):
        """Each with its place and remedy, errors before the facts, warnings after them."""
        errors = [Problem("one", "do", "a/config.yaml", 3, 7), Problem("two")]
        text = written(Status.INVALID, errors=errors, warnings=[Problem("careful", "", "f")])
        places = [
            text.index(part)
            for part in (
                "> `a/config.yaml:3:7`: **one**<br>do",
                "> **two**",
                "| Model |",
                "### Warnings",
                "> `f`: **careful**",
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
        """It is what the reader wants to see; the log of a build that went well is folded away."""
        text = written(status, errors=[Problem("x")], log_tail=["built"])
        answer = text.index("<details open><summary>Smoke test's response</summary>")
        assert answer < text.index("<details><summary>Last lines of the log</summary>")
        assert 1 == text.count("Smoke test's response")

    def test_what_a_skipped_run_found(self):
        """What the environment serves is not history."""
        outputs = {"previous-deployment-id": "d0"}
        assert "| It serves | `d0` |" in written(Status.SKIPPED, outputs=outputs)
        assert "| It served before | `d0` |" in written(outputs=outputs)

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
        """A chart of the phases, and how long it all took."""
        text = written(phases=[Phase("Read", 0, 1), Phase("Wait", 1, 95, failed=True)])
        assert "<details open><summary>Timeline, 1 min 35 s</summary>\n\n```mermaid\ngantt\n" in text


class TestHostileTexts:
    """Names, messages, answers and log lines that try to be more."""

    @given(st.lists(HOSTILE, min_size=8, max_size=8))
    @settings(max_examples=120)
    def test_stay_what_they_are(self, texts):
        """The document has our headings, our elements and our links, and nothing of theirs."""
        name, response, line, message, remedy, file, warning, other = texts
        outputs = OUTCOME | {
            "model-name": name,
            "deployment-name": other,
            "environment": other,
            "predict-response": response,
            "logs-url": f"https://app.baseten.co/{other}",
            "nemo-entity": other,
        }
        errors = [Problem(message, remedy, file, 1), Problem(f"The service said: `{message}`", f"See {remedy}.")]
        warnings = [Problem(warning, remedy)]
        facts = Facts(
            Status.DEPLOY_FAILED,
            outputs=outputs,
            errors=errors,
            warnings=warnings,
            phases=[Phase(other, 0, 1), Phase(name, 1, 2)],
            log_errors=[line],
            log_tail=[line, other],
        )
        tokens = flat(PARSER.parse(summary(facts)))
        kinds = [token.type for token in tokens]
        assert ["h2", "h3"] == [token.tag for token in tokens if token.type == "heading_open"]
        assert 4 == kinds.count("fence")
        assert 1 == kinds.count("table_open")
        assert 3 == kinds.count("blockquote_open")
        assert {"image", "hr", "code_block", "bullet_list_open", "ordered_list_open"}.isdisjoint(kinds)
        inline = {token.content for token in tokens if token.type == "html_inline"}
        assert inline <= {"<code>", "</code>", "<br>"}
        blocks = [token.content.strip() for token in tokens if token.type == "html_block"]
        assert [
            "<details open><summary>Errors in the log</summary>",
            "</details>",
            "<details><summary>Last lines of the log</summary>",
            "</details>",
            "<details><summary>Smoke test's response</summary>",
            "</details>",
            "<details open><summary>Timeline, 2.0 s</summary>",
            "</details>",
        ] == blocks
        links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
        assert len(links) <= 2
        assert all(str(url).startswith(("https://app.baseten.co/", "https://model-m1.")) for url in links)

    @given(st.dictionaries(st.sampled_from(sorted(OUTPUTS)), HOSTILE))
    @settings(max_examples=60)
    def test_any_output(self, outputs):
        """Whichever are known."""
        outputs.pop("plan", None)  # Markdown of ours
        tokens = flat(PARSER.parse(summary(Facts(Status.SUCCESS, outputs=outputs))))
        assert ["h2"] == [token.tag for token in tokens if token.type == "heading_open"]
