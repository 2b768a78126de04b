"""The table of the fields, and the schema for editors that is made of it."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

import generate
from baseten_deploy.checks import field_table

ROOT = Path(__file__).resolve().parents[3]
VALIDATOR = jsonschema_rs.Draft202012Validator(field_table.json_schema())


def complaints(text):
    """What an editor would underline."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def test_the_file_is_up_to_date():
    """`make generate` wrote it."""
    for name, text in generate.whole_files().items():
        assert text == (ROOT / name).read_text(encoding="utf-8")


def test_the_example_and_the_page_follow_it():
    """The example, and every recipe of docs/checks.md that is a checks file."""
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    texts = [block.partition("```")[0] for block in page.split("```yaml\n")[1:]]
    files = [text for text in texts if "\nchecks:" in f"\n{text}"]
    assert 5 == len(files)
    for text in (*files, (ROOT / "examples" / "hello-truss" / "checks.yaml").read_text(encoding="utf-8")):
        assert [] == complaints(text)


@pytest.mark.parametrize(
    "text",
    [
        "checks: []",
        "checks: [{kind: http}]",
        "checks: [{name: a, expct: {}}]",
        "checks: [{name: a, repeat: 100000}]",
        "checks: [{name: a, concurrency: 65}]",
        "checks: [{name: a, timeout: 0}]",
        "checks: [{name: a, expect: {live: same}}]",
        "defaults: {name: a}\nchecks: [{name: b}]",
        "check: []",
    ],
)
def test_an_editor_complains_too(text):
    """About what the reader refuses by itself, without looking at files."""
    assert complaints(text)


def test_every_field_is_described():
    """In the schema, by the words of the table."""
    schema = json.loads(json.dumps(field_table.json_schema()))
    properties = schema["properties"]["checks"]["items"]["properties"]
    assert [field.name for field in field_table.CHECK] == list(properties)
    assert [field.name for field in field_table.EXPECT] == list(properties["expect"]["properties"])
    assert all(spec["description"] for spec in properties.values())
