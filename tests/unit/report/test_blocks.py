"""A page fits into what GitHub takes: the least important is cut first, and what is left is whole Markdown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.report.blocks import Block, Page, Weight, folded


def size(text):
    """Count as GitHub does of a summary."""
    return len(text.encode())


def page(*blocks):
    """Make a page of these blocks."""
    return Page("✅ Deployed", ("`production` serves `new1` now.", "[Logs](https://x)"), blocks)


def test_the_frame():
    """Heading, verdict with line breaks that every renderer takes, blocks by weight."""
    text = page(Block("late", Weight.TRACE), Block("early", Weight.PROBLEM), Block("")).text()
    assert "## ✅ Deployed\n\n`production` serves `new1` now.  \n[Logs](https://x)\n\nearly\n\nlate\n" == text


def test_equal_weights_keep_their_order():
    """As they came."""
    text = page(*(Block(f"b{n}", Weight.DETAIL) for n in range(5))).text()
    assert ["b0", "b1", "b2", "b3", "b4"] == re.findall(r"b\d", text)


def test_what_is_too_long():
    """Goes from the end; what went is named."""
    blocks = (
        Block("log " * 1000, Weight.TRACE, "the log"),
        Block("error", Weight.PROBLEM, "errors"),
        Block("digest " * 300, Weight.DETAIL, "digests"),
    )
    text = page(*blocks).text(600)
    assert len(text) <= 600
    assert "error\n" in text
    assert "*Left out here, for length: digests, the log.*" in text
    assert "log log" not in text


def test_a_long_block_is_cut_within():
    """As much of it as there is room for, with what it opened closed."""
    lines = "\n".join(f"line {n}" for n in range(1000))
    text = page(Block(folded("Log", f"```\n{lines}\n```"), Weight.TRACE, "the log")).text(2000)
    assert len(text) <= 2000
    assert "line 100" in text
    assert 0 == text.count("```") % 2
    assert text.count("<details") == text.count("</details>")
    assert text.endswith("*Left out here, for length: the log.*\n")


def test_what_fits_is_whole():
    """Without a word of cutting."""
    text = page(Block("x" * 500)).text(600)
    assert "Left out" not in text


@pytest.mark.parametrize("measure", [len, size])
@given(
    st.lists(st.tuples(st.sampled_from(list(Weight)), st.integers(0, 3000), st.booleans()), max_size=8),
    st.integers(300, 6000),
)
def test_any_page(measure, parts, limit):
    """Never longer than it may be, heading and verdict always there, nothing left open."""
    blocks = [
        Block(folded("t", "```\n" + "ü€ab\n" * (amount // 5) + "```") if folds else "ü" * amount, weight, f"p{n}")
        for n, (weight, amount, folds) in enumerate(parts)
    ]
    text = page(*blocks).text(limit, measure)
    assert measure(text) <= limit
    assert text.startswith("## ✅ Deployed\n\n`production` serves `new1` now.  \n[Logs](https://x)\n")
    assert text.count("<details") == text.count("</details>")
    assert 0 == text.count("```") % 2
