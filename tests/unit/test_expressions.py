"""Regular expressions that are compiled when one is first used."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from baseten_deploy.expressions import expression

ROOT = Path(__file__).parents[2]


def test_it_is_the_standard_librarys():
    """Whatever is asked of it, the first time and later, of text and of bytes, with flags."""
    digits = expression(r"(\d)(?P<second>\d)?")
    for _ in range(2):
        assert ("1", "2") == digits.search("a12").groups()
        assert digits.fullmatch("a") is None
        assert "a-" == digits.sub("-", "a12")
        assert ["a", "1", "2", ""] == digits.split("a12")
    assert ((r"(\d)(?P<second>\d)?", 2, {"second": 2})) == (digits.pattern, digits.groups, digits.groupindex)
    assert repr(re.compile(r"(\d)(?P<second>\d)?")) == repr(digits)
    assert b"A" == expression(rb"a", re.IGNORECASE).search(b"bA")[0]
    with pytest.raises(AttributeError):
        digits.nothing  # noqa: B018


def test_a_mistake_shows_when_it_is_used():
    """Not before: that is what it is for."""
    wrong = expression("(")
    with pytest.raises(re.error, match="unterminated"):
        wrong.search("")


ALL = """
import importlib, pkgutil
import baseten_deploy
from baseten_deploy import expressions

def compiled(text, flags=0):
    made.append(later(text, flags))
    return made[-1].pattern and made[-1]

made, later, expressions.expression = [], expressions.expression, compiled
for each in pkgutil.walk_packages(baseten_deploy.__path__, "baseten_deploy."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
print(len(made))
"""


def test_all_of_the_action_can_be_compiled():
    """A mistake in one that no test uses would otherwise be a user's to find."""
    command = [sys.executable, "-c", ALL]
    found = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False)
    assert not found.returncode, found.stderr
    assert int(found.stdout) > 90
