"""Config files: reading them, placing problems in them, and cutting a key out of them."""

from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy import strict_yaml
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.truss.config_file import ConfigFile, read_config


def config_of(directory: Path, content: str | bytes) -> ConfigFile:
    """`content` as the config of a Truss in `directory`, the workspace above it."""
    root = write_tree(directory, {"truss/config.yaml": content})
    return read_config(root / "truss/config.yaml", [root / "truss"], root)


def problem_of(directory: Path, content: str | bytes) -> Problem:
    """The only problem of such a config."""
    with pytest.raises(InvalidInput) as caught:
        config_of(directory, content)
    (problem,) = caught.value.problems
    return problem


def test_a_config(tmp_path: Path) -> None:
    """Its name for annotations, its text as it is, and what it says."""
    content = "# mine\r\nmodel_name: héllo\r\n"
    config = config_of(tmp_path, content)
    assert ("truss/config.yaml", content, {"model_name": "héllo"}) == (config.file, config.raw, config.value)
    assert {("model_name",): (2, 1)} == config.positions


def test_an_empty_config_is_an_empty_mapping(tmp_path: Path) -> None:
    """As for `truss push`; the name can come from an input."""
    assert {} == config_of(tmp_path, "# nothing\n").value


def test_raw_config_ends_at_100_kib(tmp_path: Path) -> None:
    """The service takes no larger one, and works without it."""
    exact = "a: 1\n" + "#" * (100 * 1024 - 5)
    assert exact == config_of(tmp_path, exact).raw
    larger = config_of(tmp_path, exact + "#")
    assert (None, {"a": 1}) == (larger.raw, larger.value)


def test_a_comment_that_is_not_utf8(tmp_path: Path) -> None:
    """The config is used without its raw text, with a warning."""
    config = config_of(tmp_path, b"a: 1\n# caf\xe9\n")
    assert (None, {"a": 1}) == (config.raw, config.value)
    assert [(2, 6)] == [(warning.line, warning.column) for warning in config.warnings]
    assert config.content == b"a: 1\n# caf\xe9\n"


@pytest.mark.parametrize("content", [b"a: caf\xe9\n", "a: 1\n".encode("utf-16")])
def test_a_value_that_is_not_utf8(tmp_path: Path, content: bytes) -> None:
    """Nobody can tell what it means."""
    problem = problem_of(tmp_path, content)
    assert "Not UTF-8" in problem.message
    assert problem.remedy == "Save it as UTF-8."


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [("a: 1\na: 2\n", 2, 1), ("a: 1\n\tb: 2\n", 2, 1), ("- a\n", 1, 1), ("text\n", 1, 1), ("a: [1\n", 2, 1)],
)
def test_an_unreadable_config_has_a_place(tmp_path: Path, content: str, line: int, column: int) -> None:
    """File, line and column, for the annotation."""
    problem = problem_of(tmp_path, content)
    assert ("truss/config.yaml", line, column) == (problem.file, problem.line, problem.column)


def test_a_config_elsewhere_is_not_read(tmp_path: Path) -> None:
    """A symlink out of the Truss could make a secret part of the payload."""
    root = write_tree(tmp_path, {"secret": "token: 1", "truss/": ""})
    (root / "truss/config.yaml").symlink_to("../secret")
    with pytest.raises(InvalidInput, match="outside of the Truss"):
        read_config(root / "truss/config.yaml", [root / "truss"], root)


def test_a_config_in_a_directory_elsewhere_is_not_read(tmp_path: Path) -> None:
    """Nor is one behind a symlinked directory."""
    root = write_tree(tmp_path, {"secrets/config.yaml": "token: 1", "truss/": ""})
    (root / "truss/configs").symlink_to("../secrets")
    with pytest.raises(InvalidInput, match="outside of the Truss"):
        read_config(root / "truss/configs/config.yaml", [root / "truss"], root)


def test_a_problem_is_placed_at_the_nearest_part(tmp_path: Path) -> None:
    """At the key itself, else at what contains it, else nowhere."""
    config = config_of(tmp_path, "a: 1\nb:\n  c:\n    - d\n")
    places = [("b", "c", 0), ("b", "c", 7), ("b", "x", "y"), ("z",), ()]
    assert [(4, 7), (3, 3), (2, 1), (0, 0), (0, 0)] == [
        (problem.line, problem.column) for problem in (config.problem("wrong", "", *place) for place in places)
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "# top\na: 1\nx:\n  - ../p  # why\n  # inner\n\n# about b\nb: 2 # two\n",
            "# top\na: 1\n\n# about b\nb: 2 # two\n",
        ),
        ("a: 1\nx:\n- ../p\nb: 2\n", "a: 1\nb: 2\n"),
        ("x: [../p,\n  ../q]\nb: 2\n", "b: 2\n"),
        ("a: 1\r\nx: [p]\r\n", "a: 1\r\n"),
        ("a: 1\nx:\n  - p\n# end\n", "a: 1\n# end\n"),
        ("x: [p]", ""),
        ('"x": [p]\nb: |\n  # text\n  x: no\n', "b: |\n  # text\n  x: no\n"),
        ("a: 1\nb: 2\n", "a: 1\nb: 2\n"),
    ],
)
def test_cutting_a_key_out_keeps_the_rest_as_written(tmp_path: Path, content: str, expected: str) -> None:
    """Comments, order, quotes and line ends stay."""
    assert expected == config_of(tmp_path, content).without("x").decode()


@pytest.mark.parametrize(
    "content",
    [
        "{a: 1, x: [p], b: é}\n",
        '{"a": 1,\n "x": ["p"],\n "b": "é"}\n',
        "a: 1\nx: &list [p]\nb: *list\n",
        "defaults: &d {x: [p], a: 1}\n<<: *d\nb: 2\n",
        "a: 1\nx:\n  - p\n---\n".removesuffix("---\n"),
    ],
)
def test_cutting_a_key_out_keeps_the_meaning(tmp_path: Path, content: str) -> None:
    """Where the text cannot be cut, the rest is written anew."""
    config = config_of(tmp_path, content)
    expected = {key: value for key, value in config.value.items() if key != "x"}
    assert expected == strict_yaml.load(config.without("x").decode()).value
