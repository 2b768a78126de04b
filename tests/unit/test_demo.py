"""The demo's own part: what a terminal cannot show is told in words. That it works is the demo itself: CI runs it."""

import json

import pytest

import demo
from baseten_deploy.report.timeline import Phase, gantt


def test_a_chart_is_a_list():
    """Nobody reads Mermaid: the steps stand there with their durations, whatever else is on the page."""
    chart = gantt([Phase("Look up", 0.0, 0.5), Phase("Wait: until, it is live", 0.5, 3.0, failed=True)])
    shown = demo.for_terminal(f"before\n\n{chart}\n\nafter")
    assert "before\n\n- Look up (0.50 s)\n- Wait until, it is live (2.5 s)\n\n\nafter" == shown


@pytest.mark.parametrize("markdown", ["```mermaid\ngantt\n```", "````mermaid\nflowchart\na --> b\n````"])
def test_no_chart_is_shown_raw(markdown):
    """Also one that is none of ours."""
    assert "(a chart, on GitHub)\n" == demo.for_terminal(markdown)


def test_tags_are_left_out():
    """What GitHub renders of HTML."""
    shown = demo.for_terminal("<details open><summary>Log</summary>\n\na<br>b\n\n</details>")
    assert ["**Log**", "a · b"] == [line for line in shown.split("\n") if line]


def test_the_model_says_what_its_truss_says():
    """The payload asks the sandbox for what `predict` of examples/hello-truss returns, and that is expected."""
    inputs = demo.greets("Hello")
    answer = json.loads(inputs["predict-payload"])["sandbox"]["body"]
    assert {"greeting": "Hello, world!"} == answer == json.loads(inputs["predict-expect"])


def test_how_it_is_called(capsys):
    """An option that there is not ends it, with those that there are."""
    assert 2 == demo.main(["--fold"])
    assert "DEMO_ARGS=--unfold" in capsys.readouterr().out
