"""Foreign text in Markdown: a CommonMark parser (with GitHub's tables) judges what a reader would see."""

import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from baseten_deploy.report.markdown import block, code, cut, escape, link, table, texts, visible

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HOSTILE = st.lists(
    st.sampled_from(
        [
            *("`", "``", "```", "~~~", "*", "**", "_", "[x](http://evil)", "![x](y)"),
            *("<b>", "</details>", "<!--", "-->", "<script>", "<http://evil>"),
            *("|", "\\", "\\|", "&lt;", "&#42;", "#", "# ", "> ", "- ", "1. ", "+ ", "---", "===", "@octocat", "#12"),
            *("http://evil.example", "www.evil.example", "a@b.example", "$x$", ":tada:", "\n", "\n\n", "\r", " ", "\t"),
            *("GH-1", "org/repo#1", "[^1]", "| --- |", "ü", "a", "\u2028", "\x00", "\u202e"),
        ]
    ),
    max_size=8,
).map("".join) | st.text(max_size=15)
HIDDEN = "\u200b"


def inline(tokens: list[Token]) -> Iterator[Token]:
    """All inline tokens."""
    for token in tokens:
        yield from token.children or ()


def shown(text: str) -> str:
    """`text` as a reader should see it: on one line."""
    return visible(" ".join(text.split()))


def seen(tokens: Iterable[Token] | None) -> str:
    """What a reader sees of inline tokens, in which there must be nothing but text."""
    tokens = list(tokens or ())
    assert {token.type for token in tokens} <= {"text", "text_special"}
    return "".join(token.content for token in tokens).replace(HIDDEN, "")


class TestEscape:
    """Plain words."""

    @given(HOSTILE)
    def test_is_text_and_nothing_else(self, text):
        """In the middle of a paragraph, at its start behind bold, and in a quote."""
        for before in ("x ", "> x "):
            tokens = PARSER.parse(f"{before}{escape(text)} y")
            assert f"x {shown(text)} y".replace("  ", " ") == seen(inline(tokens)).replace("  ", " ")

    @given(HOSTILE, st.sampled_from(["", "x", "_", "*", "`", "(", ")", "(http://evil)", "[x](y)", "!", ":"]))
    def test_is_text_whatever_is_beside_it(self, text, beside):
        """Also without a space between, and on both sides of text that was escaped by itself."""
        tokens = PARSER.parse(f"x {escape(text)}{escape(beside)}{escape(text)} y")
        assert f"x {shown(text)}{shown(beside)}{shown(text)} y".replace("  ", " ") == seen(inline(tokens)).replace(
            "  ", " "
        )

    @given(HOSTILE)
    def test_is_one_cell(self, text):
        """A table row keeps its number of cells."""
        tokens = PARSER.parse(f"| a | b |\n|---|---|\n| {escape(text)} | y |")
        cells = [token for token in tokens if token.type == "inline"]
        assert ["a", "b", shown(text), "y"] == [seen(cell.children) for cell in cells]

    @pytest.mark.parametrize(
        "text",
        [
            "python_version: py311 is not supported (code 7)!",
            "400: resources.cpu must be a text, it's 1; see a-b/c_d.py (line 3): no",
            "Done! 12 files (3.0 MB): ok",
        ],
    )
    def test_words_stay_readable(self, text):
        """What means nothing where it stands is left alone: the plan is also read as text."""
        assert f"{text} x" == escape(f"{text} x")

    @pytest.mark.parametrize(
        ("text", "escaped"),
        [
            ("_a_ b__c _", "&#95;a&#95; b&#95;&#95;c &#95;"),
            ("http://x a:b :tada: c:", "http&#58;//x a&#58;b &#58;tada: c&#58;"),
            ("1) a) b", "1&#41; a) b"),
            ("123) a", "123&#41; a"),
            ("a!", "a&#33;"),
            ("![a](b)", "!&#91;a&#93;(b)"),
        ],
    )
    def test_what_may_mean_something_is_escaped(self, text, escaped):
        """The same characters in other places, and those at the ends, since what follows is not known."""
        assert escaped == escape(text)

    @pytest.mark.parametrize("text", ["@octocat", "by @org/team", "#12", "org/repo#12", "www.evil.example", "GH-12"])
    def test_nobody_and_nothing_is_referenced(self, text):
        """GitHub looks for these in the rendered text, where an entity is its character again."""
        rendered = "".join(token.content for token in inline(PARSER.parseInline(escape(text))))
        assert text == rendered.replace(HIDDEN, "")
        assert not re.search(r"@\w|#\d|\bwww\.|\bGH-\d", rendered, re.IGNORECASE)


class TestCode:
    """Inline code."""

    @given(HOSTILE)
    def test_is_code_and_nothing_else(self, text):
        """One span, or an element whose content is text."""
        tokens = list(inline(PARSER.parse(f"x {code(text)} y")))
        kinds = [token.type for token in tokens]
        if "html_inline" in kinds:
            assert ["<code>", "</code>"] == [token.content for token in tokens if token.type == "html_inline"]
            inner = [token for token in tokens if token.type != "html_inline"]
            assert f"x {shown(text)} y" == seen(inner)
        elif "code_inline" in kinds:
            assert ["text", "code_inline", "text"] == kinds
            assert shown(text) == tokens[1].content
        else:
            assert "" == shown(text)

    @given(HOSTILE)
    def test_is_one_cell(self, text):
        """Even code would be split at a bar."""
        tokens = PARSER.parse(f"| a | b |\n|---|---|\n| {code(text)} | y |")
        assert 4 == len([token for token in tokens if token.type == "inline"])


class TestBlock:
    """A fenced block."""

    @given(HOSTILE)
    def test_is_a_block_and_nothing_else(self, text):
        """What comes after it is outside again."""
        tokens = PARSER.parse(f"{block(text)}\n\nafter")
        assert ["fence", "paragraph_open", "inline", "paragraph_close"] == [token.type for token in tokens]
        assert "after" == tokens[2].content

    def test_keeps_lines(self):
        """And names a language."""
        assert "```json\na\n  b\n```" == block("a\n  b\n", "json")
        assert "````\n```\n````" == block("```")


class TestLink:
    """To http(s) only."""

    @pytest.mark.parametrize(
        "url",
        [
            "https://app.baseten.co/models/m1/logs/d1",
            "http://127.0.0.1:8080/development/predict",
            "https://model-m1.api.baseten.co/environments/a~b/predict",
        ],
    )
    def test_link(self, url):
        """With its text escaped."""
        tokens = list(inline(PARSER.parseInline(link("a]b", url))))
        assert ["link_open", "text", "link_close"] == list(dict.fromkeys(token.type for token in tokens))
        assert url == tokens[0].attrs["href"]

    @pytest.mark.parametrize(
        "url",
        [
            *(
                "javascript:alert(1)",
                "data:text/html,x",
                "https://x/) [y](https://evil",
                "https://x y",
                "https://x/<b>",
            ),
            *("https://x/`", "https://x/|", 'https://x/"a', "//evil", "", "https://x/\n# y", "ftp://x"),
        ],
    )
    def test_anything_else_is_code(self, url):
        """It is shown, and does not lead anywhere."""
        assert code(url) == link("text", url)


class TestTexts:
    """Messages of ours, which may quote foreign words."""

    @given(HOSTILE)
    def test_nothing_but_text_and_code(self, message):
        """Whatever the quoted words are, also with backticks of their own."""
        for line in (message, f"`{message}`", f"`name`: {message!r} is not `{message}`"):
            tokens = list(inline(PARSER.parse(f"x {texts(line)} y")))
            elements = [token.content for token in tokens if token.type == "html_inline"]
            assert {"<code>", "</code>"} >= set(elements)
            assert {"text", "text_special", "code_inline", "html_inline"} >= {token.type for token in tokens}

    def test_code_spans_stay(self):
        """Everything else is plain."""
        assert "`wait` is &#42;not&#42; `true`" == texts("`wait` is *not* `true`")

    def test_an_odd_backtick(self):
        """Then none of them is ours."""
        assert "a &#96;b" == texts("a `b")

    @pytest.mark.parametrize(
        ("message", "shown"), [("`` ``", "&#96;&#96; &#96;&#96;"), ("0 ````", "0"), ("```` 0", "0")]
    )
    def test_spans_with_nothing_in_them(self, message, shown):
        """They leave no blank at an end, which would keep `**` from being bold, and are not nothing when alone."""
        assert shown == texts(message)


class TestTable:
    """Cells that are Markdown already."""

    def test_table(self):
        """Header, rule, rows."""
        assert "| a | b |\n| --- | --- |\n| 1 | 2 |" == table(("a", "b"), [("1", "2")])


class TestVisible:
    """What a reader would not see."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a\u202eb", "a\\u202eb"),
            ("a\x00b\x1b", "a\\x00b\\x1b"),
            ("zero\u200bwidth", "zero\\u200bwidth"),
            ("a\nb\tc d", "a\nb\tc d"),
            ("ü 日本 😀", "ü 日本 😀"),
        ],
    )
    def test_visible(self, text, expected):
        """Is written out; line feeds and tabs stay."""
        assert expected == visible(text)


class TestCut:
    """Markdown of ours that is too long for where it goes."""

    def test_what_fits_stays(self):
        """As it is, without a note."""
        assert "a\nb" == cut("a\nb", 3, "note")

    @given(st.integers(80, 400), st.lists(st.sampled_from(["text", "x" * 70, "", "- item", "| a | b |"]), max_size=60))
    def test_never_longer(self, limit, lines):
        """Whole lines from the start, then the note, within the limit."""
        text = "\n".join(lines)
        short = cut(text, limit, "note")
        assert len(short) <= limit
        if short != text:
            kept = short.removesuffix("note").splitlines()
            assert kept[:-1] == lines[: len(kept) - 1]

    def test_closes_what_is_open(self):
        """A code block and the folds around it, so that the note is read as a note."""
        text = "<details><summary>a</summary>\n\n<details>\n\n````diff\n```\n" + "+ </details>\n" * 100 + "````\n"
        assert cut(text, 200, "note").endswith("+ </details>\n````\n\n</details>\n\n</details>\n\nnote")

    def test_what_is_closed_stays_closed(self):
        """As above."""
        text = "<details>\n\n```\ncode\n```\n\n</details>\n" + "line\n" * 100
        assert cut(text, 100, "note").endswith("line\n\nnote")
