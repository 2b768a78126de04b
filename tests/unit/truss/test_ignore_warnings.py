"""Warnings about ignore rules: few, with names, and with a remedy that works."""

import re

import pytest

from baseten_deploy.errors import Problem
from baseten_deploy.truss.ignore_rules import DEFAULT_PATTERNS, DEFAULT_RULES, IgnoreRules
from baseten_deploy.truss.ignore_warnings import find_warnings
from baseten_deploy.truss.packing_list import Dropped

FILE = "truss/.truss_ignore"


def custom(*patterns: str) -> IgnoreRules:
    """Rules of a `.truss_ignore`."""
    return IgnoreRules(custom=True, patterns=patterns)


def only(rules: IgnoreRules, names: list[str], dropped: list[Dropped] | None = None) -> Problem:
    """The only warning."""
    (warning,) = find_warnings(rules, names, dropped or [], FILE)
    return warning


def test_nothing_to_say() -> None:
    """A plain Truss has no warnings, with either kind of rules."""
    for rules in (DEFAULT_RULES, custom(".git", ".env", "__pycache__/")):
        assert [] == find_warnings(rules, ["config.yaml", "model/model.py", ".truss_ignore"], [], FILE)


def test_what_the_defaults_leave_out() -> None:
    """All names in one warning; the remedy has the lines for the new file."""
    names = ["build/", "lib/", "model/lib/", "x.so"]
    warning = only(DEFAULT_RULES, ["config.yaml"], [Dropped(name, DEFAULT_RULES) for name in names])
    assert warning.message == "The default ignore rules leave out `build/`, `lib/`, `model/lib/`, `x.so`"
    assert "`!build/`, `!lib/`, `!*.so`" in warning.remedy


def test_what_own_rules_leave_out_is_wanted() -> None:
    """Whoever wrote the line knows."""
    rules = custom("data/", ".git", ".env")
    assert [] == find_warnings(rules, ["config.yaml"], [Dropped("data/", rules)], FILE)


def test_what_the_defaults_leave_out_of_packages() -> None:
    """With `external_package_dirs` they apply whatever `.truss_ignore` says, so no line in it helps."""
    warning = only(custom(".git"), ["config.yaml"], [Dropped("packages/a/lib/", DEFAULT_RULES)])
    assert "`packages/a/lib/`" in warning.message
    assert "!lib/" not in warning.remedy


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([".git/HEAD", ".git/config", "config.yaml"], "`.git/`"),
        ([".env", "model/.env", "sub/.git/x"], "`.env`, `model/.env`, `sub/.git/`"),
    ],
)
def test_secrets_that_own_rules_ship(names: list[str], shown: str) -> None:
    """`.git` holds a token in CI; a `.env` is made for secrets."""
    warning = only(custom("*.log"), names)
    assert f"`.truss_ignore` replaces the default ignore rules, so the archive contains {shown}" == warning.message
    assert warning.file == FILE


def test_a_git_file_of_a_submodule_is_no_secret() -> None:
    """It only says where the directory is."""
    assert [] == find_warnings(custom(), ["vendor/.git", "config.yaml"], [], FILE)


def test_what_the_image_build_leaves_out() -> None:
    """The outermost directory, and not what nobody misses."""
    names = ["model/lib/a.py", "model/lib/b/c.py", "x.so", "model/__pycache__/x.pyc", "debug.log", "model/model.py"]
    warning = only(custom(".git"), names)
    assert warning.message == "In the archive, but not in the image: `model/lib/`, `x.so`"
    assert "`!lib/`, `!*.so`" in warning.remedy


def test_the_remedy_works() -> None:
    """With the suggested lines, everything is in the archive and in the image."""
    names = ["model/lib/a.py", "lib/a.py", "x.so", "build/out", "docs/share/python-wheels/w", "share/python-wheels/w"]
    warning = only(custom(".git"), names)
    lines = re.findall(r"`(!.+?)`", warning.remedy)
    assert [] == find_warnings(custom(".git", *lines), names, [], FILE)
    image = custom(*DEFAULT_PATTERNS, ".git", *lines)
    assert not any(image.ignores(name) for name in [*names, "lib/", "model/lib/", "build/", "share/python-wheels/"])
