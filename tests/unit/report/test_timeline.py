"""The chart: what Mermaid is given to draw, whatever a phase is called."""

import re

from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.report.timeline import PHASES, Phase, gantt, label

# What begins another kind of line in Mermaid's grammar of gantt charts, or ends a name.
SYNTAX = (
    *("gantt", "dateFormat X", "topAxis", "axisFormat %d", "tickInterval 1day", "excludes weekends", "title x"),
    *("accTitle: x", "section x", "click x", "call x()", "href x", "2014-01-06", "%% x", "---", ":", ";", "#35;"),
    *('"', "`", "```", "\n", "\r", "\u2028", "<b>", "{", "}", ":crit, a, b", "vert x", "", " "),
)
NAMES = st.lists(st.sampled_from(SYNTAX) | st.text(max_size=5), max_size=5).map("".join)
TASK = re.compile(r"(- |[^\W\d_])[^:;#%\n]* :2000-01-01 [\d:.]{12}, 2000-01-01 [\d:.]{12}")


def test_a_chart():
    """An axis from zero in every time zone, a task a phase, the failed one marked."""
    expected = """\
```mermaid
gantt
dateFormat YYYY-MM-DD HH:mm:ss.SSS
axisFormat %M:%S
tickInterval 15second
todayMarker off
Read the Truss (0.25 s) :2000-01-01 00:00:00.000, 2000-01-01 00:00:00.250
Wait until it is live (1 min 30 s) :crit, 2000-01-01 00:00:00.250, 2000-01-01 00:01:30.250
```"""
    phases = [Phase("Read the Truss", 0, 0.25), Phase("Wait until it is live", 0.25, 90.25, failed=True)]
    assert expected == gantt(phases)


def test_bounds():
    """No phases, too many, one without length, one beyond a day."""
    assert "" == gantt([])
    assert PHASES == gantt([Phase("x", 0, 1)] * (PHASES + 1)).count("\nx ")
    assert "2000-01-01 00:00:01.000, 2000-01-01 00:00:01.001" in gantt([Phase("x", 1, 1)])
    assert "2000-01-01 00:00:01.000, 2000-01-02 00:00:02.000" in gantt([Phase("x", 1, 86_402)])


@given(NAMES)
def test_a_name_is_never_syntax(name):
    """Every phase is one task, and nothing else is in the chart."""
    fence, *lines, end = gantt([Phase(name, 0, 1)]).split("\n")
    assert ("```mermaid", "```", 6) == (fence, end, len(lines))
    assert TASK.fullmatch(lines[-1])


def test_names():
    """Ours stay as they are; others lose what Mermaid might take for syntax."""
    assert "Promote into production" == label("Promote into production")
    assert "- section x" == label("section x")
    assert "- 2014-01-06" == label("2014-01-06")
    assert "unnamed" == label("\u202e;")
