"""Our Markdown as text for a log: readable without a renderer, no tag and no entity in it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.errors import Problem
from baseten_deploy.report.alerts import alert
from baseten_deploy.report.blocks import Block, Page, folded
from baseten_deploy.report.markdown import block, code, escape, link, record, table
from baseten_deploy.report.plain import plain


def test_a_page():
    """Headings, alerts, tables, folds, code and links."""
    blocks = (
        Block(alert(Problem("`wait` is *bad*", "Write `true`.", "a/config.yaml", 3, 1), "WARNING")),
        Block(record([("Model", code("m")), ("Deployment", f"{code('PR-7')} {code('d1')}")])),
        Block(folded("Files: 2 changed", table(("", "File"), [("changed", code("a|b.py"))]))),
        Block(block("--- live\n+++ this run\n-a: <1>\n", "diff")),
    )
    text = plain(
        Page("📝 Plan: `m` → `production`", ("`d1` will be replaced.", link("Logs", "https://x")), blocks).text()
    )
    assert (
        "📝 Plan: m → production\n\n"
        "d1 will be replaced.\nLogs: https://x\n\n"
        "Warning:\na/config.yaml:3:1: wait is *bad*\nWrite true.\n\n"
        "Model       m\nDeployment  PR-7 d1\n\n"
        "Files: 2 changed:\n\n"
        "         File\nchanged  a|b.py\n\n"
        "  --- live\n  +++ this run\n  -a: <1>\n"
    ) == text


@given(st.text(max_size=30))
def test_words_come_back(words):
    """What Markdown had to escape reads as it was written."""
    line = " ".join(words.split())
    shown = plain(escape(words)).strip()
    if line.isascii() and line.isprintable() and not re.search(r"[`*<>\[|#~]|^[-+=]|^\d+[.)]|:$", line):
        assert line == shown
    assert "&#" not in shown or "&#" in words
