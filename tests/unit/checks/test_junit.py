"""The report: read back by a test reporter's own parser."""

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.checks.check import Check
from baseten_deploy.checks.junit import Round, junit_xml, write
from baseten_deploy.checks.results import CheckResult, Failure


def result(name="c", *, failures=(), done=True, **more):
    """Make a result."""
    check = Check(name, file="truss/checks.yaml", line=7)
    return CheckResult(check, 3, len(failures), tuple(failures), done=done, seconds=1.5, **more)


def parsed(*rounds):
    """The document, as a reporter has it."""
    return junitparser.JUnitXml.fromstring(junit_xml(rounds).encode())


class TestXml:
    """What a reporter sees."""

    def test_each_kind_of_result(self):
        """Passed, failed and skipped, in a suite for each place."""
        failure = Failure(2, ("$.a is 2, expected 1",), "came", "", "r1", ("10:00:00 ERROR boom",))
        xml = parsed(
            Round(
                "the deployment",
                [result("good", p95=0.25), result("bad", failures=[failure]), result("cut", done=False)],
            ),
            Round("production", [result("good")]),
        )
        first, second = list(xml)
        assert ("checks of the deployment", 3, 1, 1) == (first.name, first.tests, first.failures, first.skipped)
        assert ("checks of production", 1, 0, 0) == (second.name, second.tests, second.failures, second.skipped)
        good, bad, cut = list(first)
        assert (True, False, True) == (good.is_passed, bad.is_passed, cut.is_skipped)
        assert ("bad", 1.5) == (bad.name, bad.time)
        [told] = bad.result
        assert "2 of 3" not in told.message
        assert "$.a is 2, expected 1" in told.message
        for words in ("Repeat 2:", "came", "r1", "10:00:00 ERROR boom"):
            assert words in told.text
        assert "p95-seconds: 0.2500" in good.system_out

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_any_text(self, name, came):
        """Whatever a model says and a check is called: it is XML, and says it as far as XML can."""
        xml = parsed(Round("x", [result(name, failures=[Failure(1, (came,), came)])]))
        [case] = list(next(iter(xml)))
        assert 1 == len(case.result)

    @pytest.mark.parametrize("text", ["]]>", "<failure/>", "&amp;", "\"quoted'", "a\x00b\x1b[31m", "\ud800", "\uffff"])
    def test_text_that_xml_has_a_meaning_for(self, text):
        """Or none at all."""
        xml = parsed(Round(text, [result(text, failures=[Failure(1, (text,), text)])]))
        kept = text if text.isprintable() and text.isascii() else None
        [case] = list(next(iter(xml)))
        if kept:
            assert kept in case.result[0].text
            assert kept == case.name


def test_write(tmp_path):
    """Whole, its directories made, an earlier one replaced, and nothing left beside it."""
    path = tmp_path / "a" / "b" / "checks.xml"
    write(path, "one")
    write(path, "two")
    assert "two" == path.read_text()
    assert [path] == list(path.parent.iterdir())
    with pytest.raises(OSError, match="directory"):
        write(path / "c" / "x.xml", "three")
