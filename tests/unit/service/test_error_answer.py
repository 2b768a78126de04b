"""What an error answer says, whatever its shape."""

import json

import pytest

from baseten_deploy.service.error_answer import error_text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"code": "BAD", "message": "no"}, "no (BAD)"),
        ({"error": "no", "retry_after": 3}, "no"),
        ({"detail": "no"}, "no"),
        ({"message": "no", "detail": "because"}, "no: because"),
        ({"message": "no", "detail": "no"}, "no"),
        (
            {"message": "Validation failed", "errors": [{"field": "resources.accelerator", "message": "unknown"}]},
            "Validation failed: resources.accelerator: unknown",
        ),
        (
            {"message": "no", "details": [{"path": "resources.cpu", "reason": "too many"}, "and more"]},
            "no: resources.cpu: too many; and more",
        ),
        (
            {"detail": [{"type": "missing", "loc": ["body", "deployment", 0], "msg": "Field required"}]},
            "body.deployment.0: Field required",
        ),
        ({"errors": {"model_name": ["too long"]}}, '{"model_name": ["too long"]}'),
        ({"message": 7}, "7"),
    ],
)
def test_json(body, said):
    """The message first, then what is listed piece by piece, each with its place; the code last."""
    assert said == error_text(body, json.dumps(body))


@pytest.mark.parametrize("levels", [10, 600, 900])
def test_json_of_any_depth(levels):
    """What a parser took, this takes."""
    text = f'{{"detail": {"[" * levels}{"]" * levels}}}'
    assert "[" * (levels - 1) + "]" * (levels - 1) == error_text(json.loads(text), text)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"message": ""}, {"other": "x"}])
def test_anything_else_is_shown_as_it_is(body):
    """There is nothing better to show."""
    assert "the text" == error_text(body, "the text")


def test_a_page_loses_its_markup():
    """Of a proxy, for one."""
    page = "<!DOCTYPE html><html><style>p {}</style><script>run()</script><p>Bad gateway</p></html>"
    assert "Bad gateway" == " ".join(error_text(None, page).split())
