"""What an answer names has a shape; whatever else it holds, a call ends in a value or in its own error."""

import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import Script, make_api

from baseten_deploy.service import shapes
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.retry import Fault

MODEL = {"id": "m1", "name": "bert"}
DEPLOYMENT = {"id": "d1", "name": "pr-7", "status": "ACTIVE"}
ENVIRONMENT = {"name": "staging", "current_deployment": DEPLOYMENT}
CREDENTIALS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"}
TARGET = {"creds": CREDENTIALS, "s3_bucket": "bucket", "s3_key": "a/key", "s3_region": "us-west-2"}
ODD = [
    *("x@127.0.0.2:8080/", "..", "../../v1/models", "a/b", "a b", "a\n::error::x", "\x1b[31m", "a%2e", "\ud800", "ä"),
    *("a" * 65, "a\u200b", "a#", "a?b", "{model_id}", "\N{ARABIC-INDIC DIGIT ONE}"),
]
CALLS = {
    "prices": lambda api: api.instance_type_prices(),
    "secrets": lambda api: api.secrets(),
    "all models": lambda api: api.models(),
    "teams": lambda api: api.teams(),
    "models": lambda api: api.models_named("bert"),
    "model": lambda api: api.model("m1"),
    "prepare": lambda api: api.prepare({"name": "bert"}),
    "create model": lambda api: api.create_model({}),
    "create deployment": lambda api: api.create_deployment("m1", {}),
    "deployment": lambda api: api.deployment("m1", "d1"),
    "deployments": lambda api: api.deployments("m1"),
    "config": lambda api: api.stored_config("m1", "d1"),
    "download": lambda api: api.download_url("m1", "d1"),
    "environments": lambda api: api.environments("m1"),
    "environment": lambda api: api.environment("m1", "staging"),
    "create environment": lambda api: api.create_environment("m1", "staging", {}),
    "update environment": lambda api: api.update_environment("m1", "staging", {}),
    "promote": lambda api: api.promote("m1", "staging", {}),
    "logs": lambda api: api.logs("m1", "d1", 0, 1000),
    "deactivate": lambda api: api.deactivate("m1", "d1"),
    "delete": lambda api: api.delete_deployment("m1", "d1"),
}
PRICE = {"instance_type": {"id": "1x2", "name": "1x2", "memory_limit_mib": 2048, "millicpu_limit": 1000}, "price": 1}
GOOD = [
    ("prices", {"instance_types": [PRICE]}),
    ("secrets", {"secrets": [{"name": "hf"}]}),
    ("all models", {"models": [MODEL]}),
    ("teams", {"teams": [{"id": "t1", "name": "Core"}]}),
    ("models", {"models": [MODEL]}),
    ("model", MODEL),
    ("prepare", TARGET),
    ("create model", {"model": MODEL, "deployment": DEPLOYMENT}),
    ("deployment", DEPLOYMENT),
    ("deployments", {"deployments": [DEPLOYMENT]}),
    ("environments", {"environments": [ENVIRONMENT]}),
    ("environment", ENVIRONMENT),
    ("promote", DEPLOYMENT),
    ("logs", {"logs": [{"timestamp": "1", "message": "m"}]}),
]


def unusable(call: str, body: object) -> HttpError:
    """Make the call, which this must make fail as an answer that is none."""
    content = json.dumps(body).encode()
    with pytest.raises(HttpError) as caught:
        CALLS[call](make_api(Script(httpx.Response(200, content=content))))
    assert Fault.BAD_ANSWER is caught.value.failure.fault
    return caught.value


class TestShapes:
    """One odd value makes the whole answer unusable, and is not shown."""

    @pytest.mark.parametrize("value", ODD, ids=ascii)
    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("teams", lambda odd: {"teams": [{"id": odd, "name": "x"}]}),
            ("models", lambda odd: {"models": [{**MODEL, "id": odd}]}),
            ("models", lambda odd: {"models": [MODEL, {**MODEL, "production_deployment_id": odd}]}),
            ("model", lambda odd: {**MODEL, "development_deployment_id": odd}),
            ("create model", lambda odd: {"model": {**MODEL, "id": odd}, "deployment": DEPLOYMENT}),
            ("create deployment", lambda odd: {"model": MODEL, "deployment": {**DEPLOYMENT, "id": odd}}),
            ("deployments", lambda odd: {"deployments": [DEPLOYMENT, {**DEPLOYMENT, "id": odd}]}),
            ("deployment", lambda odd: {**DEPLOYMENT, "environment": odd}),
            ("environments", lambda odd: {"environments": [{"name": odd}]}),
            ("environment", lambda odd: {**ENVIRONMENT, "candidate_deployment": {**DEPLOYMENT, "id": odd}}),
            ("promote", lambda odd: {**DEPLOYMENT, "id": odd}),
            ("prepare", lambda odd: {**TARGET, "s3_region": odd}),
        ],
    )
    def test_odd_ids_and_names(self, call, body, value):
        """Hosts, paths, commands, half surrogates, and what is too long."""
        assert value not in str(unusable(call, body(value)))

    @pytest.mark.parametrize(
        "field",
        [
            *({"s3_bucket": value} for value in ("", "a b", "a\n", "ä", "a" * 256, 7)),
            *({"s3_key": value} for value in ("", "a\nb", "\ud800", "a" * 1025, "ä" * 513, [])),
            *({"creds": {**CREDENTIALS, "aws_session_token": value}} for value in ("", "a\r\nX: y", "ä", None)),
        ],
        ids=ascii,
    )
    def test_odd_places_in_s3(self, field):
        """They go into a host, a path and headers."""
        unusable("prepare", {**TARGET, **field})

    @pytest.mark.parametrize("price", ["1", -1, None, True, 1e300, [], 2**60], ids=ascii)
    def test_odd_prices(self, price):
        """What nobody pays is no price: nothing is reckoned with it."""
        unusable("prices", {"instance_types": [{**PRICE, "price": price}]})

    @pytest.mark.parametrize("field", ["memory_limit_mib", "millicpu_limit", "gpu_count"])
    @pytest.mark.parametrize("value", ["1", -1, True, 1e300, [1]], ids=ascii)
    def test_odd_machines(self, field, value):
        """Neither is what no machine has; within an environment it is only not known."""
        row = {**PRICE["instance_type"], field: value}
        unusable("prices", {"instance_types": [{**PRICE, "instance_type": row}]})
        answer = {**ENVIRONMENT, "instance_type": row}
        script = Script(httpx.Response(200, content=json.dumps(answer).encode()))
        assert None is make_api(script).environment("m1", "staging").instance_type

    @pytest.mark.parametrize("timestamp", ["", "-1", "1e9", "9" * 5000, str(2**63), 1.5, None, "٣", True])
    def test_odd_times(self, timestamp):
        """A number that no clock shows."""
        unusable("logs", {"logs": [{"timestamp": timestamp, "message": "m"}]})

    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("model", {**MODEL, "id": "m2"}),
            ("deployment", {**DEPLOYMENT, "id": "d2"}),
            ("deployment", {**DEPLOYMENT, "model_id": "m2"}),
            ("deployments", {"deployments": [{**DEPLOYMENT, "model_id": "m2"}]}),
            ("environment", {**ENVIRONMENT, "name": "production"}),
            ("environment", {**ENVIRONMENT, "model_id": "m2"}),
            ("create deployment", {"model": {**MODEL, "id": "m2"}, "deployment": DEPLOYMENT}),
            ("create model", {"model": MODEL, "deployment": {**DEPLOYMENT, "model_id": "m2"}}),
            ("promote", {**DEPLOYMENT, "model_id": "m2"}),
        ],
    )
    def test_about_something_else(self, call, body):
        """An answer about another model, deployment or environment is none."""
        assert "another" in unusable(call, body).message

    @pytest.mark.parametrize(("call", "body"), GOOD)
    def test_good_answers(self, call, body):
        """What the service answers is taken."""
        assert CALLS[call](make_api(Script(httpx.Response(200, json=body))))

    @pytest.mark.parametrize("name", ["a", "production", "pr-7", "a" * 40])
    def test_names_of_environments(self, name):
        """As the API documents them."""
        assert name == shapes.environment_name(name)

    @pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a" * 41, "a\n"])
    def test_names_that_are_none(self, name):
        """Nothing else."""
        with pytest.raises(shapes.Unusable):
            shapes.environment_name(name)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from(
    [
        "id",
        "name",
        "status",
        "environment",
        "labels",
        "model",
        "deployment",
        "models",
        "deployments",
        "environments",
        "teams",
        "logs",
        "timestamp",
        "message",
        "config",
        "raw_config",
        "download_url",
        "creds",
        "s3_key",
        "s3_bucket",
        "s3_region",
        "current_deployment",
        "candidate_deployment",
        "in_progress_promotion",
        "percent_traffic_to_new_version",
        "autoscaling_settings",
        "model_id",
        "default",
        "created_at",
        "production_deployment_id",
        "is_development",
        "error",
        "errors",
        "detail",
        "code",
        "retry_after",
    ]
)
JSON = st.recursive(
    SCALARS | st.sampled_from(["m1", "d1", "staging", "bert", "ACTIVE"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=6),
    max_leaves=20,
)


def _changed(body: dict[str, object]) -> st.SearchStrategy[object]:
    """A good answer with one value replaced, at any depth."""
    return st.tuples(st.sampled_from(list(body)), JSON).map(lambda pair: {**body, pair[0]: pair[1]})


NEARLY = st.sampled_from([body for _, body in GOOD]).flatmap(_changed)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "Location", "Date", "X-Request-Id", "Content-Language"]),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    max_size=3,
)


class TestDepth:
    """What is compared, merged and written again later is not deeper than that can follow."""

    @pytest.mark.parametrize("depth", [101, 500, 900])
    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("deployment", lambda deep: {**DEPLOYMENT, "labels": {"a": deep}}),
            ("environment", lambda deep: {**ENVIRONMENT, "autoscaling_settings": {"a": deep}}),
        ],
    )
    def test_too_deep(self, call, body, depth):
        """Unusable on every Python, however deep that one can read."""
        deep: list[object] = []
        for _ in range(depth):
            deep = [deep]
        unusable(call, body(deep))

    def test_deep_enough(self):
        """Nobody writes as much."""
        deep: object = 1
        for _ in range(98):
            deep = [deep]
        answer = httpx.Response(200, json={**DEPLOYMENT, "labels": {"a": deep}})
        assert {"a": deep} == make_api(Script(answer)).deployment("m1", "d1").labels


class TestWhateverIsAnswered:
    """A value, or the call's own error."""

    @given(st.sampled_from(sorted(CALLS)), JSON | NEARLY)
    def test_any_json(self, name, body):
        """Each decoder, with arbitrary JSON and with good answers that are wrong in one place."""
        _call(CALLS[name], httpx.Response(200, content=json.dumps(body).encode()))

    @given(st.sampled_from(sorted(CALLS)), st.integers(200, 599), HEADERS, st.binary(max_size=200) | JSON)
    def test_any_status_headers_and_body(self, name, status, headers, body):
        """Each call."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        _call(CALLS[name], httpx.Response(status, headers=raw, content=content))

    @pytest.mark.parametrize("name", sorted(CALLS))
    @pytest.mark.parametrize("depth", [900, 990, 100_000])
    def test_deep_json(self, name, depth):
        """Deeper than Python recurses: in parsing it, and in words about it."""
        deep = "[" * depth + "]" * depth
        for field in ("", "message", "errors", "detail", "labels", "logs", "config"):
            for status in (200, 400):
                content = f'{{"{field}": {deep}}}' if field else deep
                _call(CALLS[name], httpx.Response(status, content=content.encode()))


def _call(call: Callable[[object], object], response: httpx.Response) -> None:
    try:
        call(make_api(Script(response)))
    except HttpError as error:
        error.message.encode()  # can be written anywhere
