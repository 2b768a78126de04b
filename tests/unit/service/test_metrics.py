"""Metrics off their answers: rates and counters, null, NaN and missing series, and what cannot be one."""

import json

import httpx
import pytest
from baseten.client import managementapi as sdk
from hypothesis import given
from hypothesis import strategies as st
from traffic import RESPONSE_TIME, Traffic, summary
from transport import Script, make_api

from baseten_deploy.service import shapes
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.metrics import NAMES, Metrics, read_metrics

TIMES = (0.2, 0.5, 0.9)


def read(answer, seconds=60.0):
    """As it comes over the wire: JSON, in which Python also reads NaN."""
    return read_metrics(json.loads(json.dumps(answer)), seconds=seconds)


class TestReadMetrics:
    """One summary."""

    @pytest.mark.parametrize("rate", [True, False])
    def test_rates_and_numbers(self, rate):
        """`PER_SECOND` is times the window; anything else is a number already."""
        answer = summary(1000.0, 1060.0, {"2xx": 540, "4xx": 30, "5xx": 30}, TIMES, rate=rate)
        assert Metrics(60.0, 600, 0.05, {"p50": 0.2, "p95": 0.5, "p99": 0.9}) == read(answer)

    def test_the_window_is_the_one_of_the_answer(self):
        """Which may be shorter than the one that was asked for; without one it is that."""
        answer = summary(1000.0, 1030.0, {"2xx": 300.0})
        assert (30.0, 300) == (read(answer).seconds, read(answer).requests)
        del answer["start_epoch_millis"]
        assert (60.0, 600) == (read(answer).seconds, read(answer).requests)

    @pytest.mark.parametrize(
        ("statuses", "requests", "error_rate"),
        [
            ({"2xx": None, "5xx": None}, 0, None),
            ({"2xx": 0, "5xx": 0}, 0, None),
            ({}, 0, None),
            ({"2xx": 60}, 60, 0.0),
            ({"2xx": 60, "5xx": None}, 60, 0.0),
            ({"2xx": None, "5xx": 60}, 60, 1.0),
            ({"5xx": 60}, 60, 1.0),
            ({"200": 54, "503": 6}, 60, 0.1),
            ({"2xx": float("nan"), "5xx": 60}, 60, 1.0),
        ],
    )
    def test_null_and_missing_series(self, statuses, requests, error_rate):
        """Null, and NaN, is no data; a series that is not there has none either. A 4xx is the caller's fault."""
        found = read(summary(1000.0, 1060.0, statuses))
        assert requests == found.requests
        assert found.error_rate == (None if error_rate is None else pytest.approx(error_rate))

    def test_without_statuses_there_is_no_error_rate(self):
        """A plain counter tells how many, not how they ended."""
        answer = summary(1000.0, 1060.0, {"2xx": 60})
        answer["metric_descriptors"][0]["label_sets"] = [{}]
        assert (60, None) == (read(answer).requests, read(answer).error_rate)

    def test_missing_quantiles(self):
        """Null, a metric that is left out, and values that end too soon."""
        assert {"p95": 0.5} == read(summary(1000.0, 1060.0, {"2xx": 60}, (None, 0.5, None))).quantiles
        short = summary(1000.0, 1060.0, {"2xx": 60}, TIMES)
        short["metric_values"][0]["values"][1] = [0.2]
        assert {"p50": 0.2} == read(short).quantiles
        del short["metric_values"][0]["values"][1]
        assert {} == read(short).quantiles
        short["metric_descriptors"] = [row for row in short["metric_descriptors"] if row["name"] != RESPONSE_TIME]
        assert {} == read(short).quantiles

    def test_no_window_at_all_is_no_data(self):
        """Not a failure: there was nothing to measure."""
        answer = summary(1000.0, 1060.0, {"2xx": 60}) | {"metric_values": []}
        assert Metrics(60.0) == read(answer)

    def test_requests_that_are_left_out_were_not_measured(self):
        """A metric that does not apply is missing: that is not the same as no request."""
        answer = summary(1000.0, 1060.0, {"2xx": 60})
        answer["metric_descriptors"] = answer["metric_descriptors"][1:]
        answer["metric_values"][0]["values"] = answer["metric_values"][0]["values"][1:]
        with pytest.raises(shapes.Unusable, match="not measured"):
            read(answer)

    @pytest.mark.parametrize("value", [-1, float("inf"), "12", True, [], {}])
    def test_what_is_no_number_of_requests(self, value):
        """Is refused, whatever it is."""
        with pytest.raises(shapes.Unusable):
            read(summary(1000.0, 1060.0, {"2xx": 60}, (0.1, value, 0.1)))

    @pytest.mark.parametrize(
        "change",
        [
            {"metric_descriptors": None},
            {"metric_values": {}},
            {"metric_values": [{"values": []}, {"values": []}]},
            {"metric_values": [{"values": [{}, {}]}]},
            {"metric_values": [{"values": [[1, 2, 3], []]}]},
            {"metric_values": [{}]},
            {"metric_descriptors": [{}]},
            {"metric_descriptors": ["x"]},
            {"metric_descriptors": [{"name": 7, "label_sets": []}]},
        ],
        ids=str,
    )
    def test_odd_answers(self, change):
        """End in the error of the call, and not in an exception of Python's."""
        answer = summary(1000.0, 1060.0, {"2xx": 60}) | change
        api = make_api(lambda _: httpx.Response(200, json=answer))
        with pytest.raises(HttpError, match="the answer"):
            api.metrics("model1", environment="prod", start=0, end=60_000)

    @given(st.floats(0.1, 100), st.floats(0, 1), st.floats(0.01, 30), st.booleans())
    def test_the_fake_answers_as_the_service(self, rate, errors, p95, is_rate):
        """The official SDK reads the fake's answers, and what was thought up comes out."""
        traffic = Traffic(lambda _: rate, lambda _: errors, lambda _: p95)
        answer = traffic.summary(1000.0, 1300.0, rate=is_rate)
        sdk.GetModelMetricsResponse.model_validate(answer, extra="forbid")
        found = read(answer)
        assert (pytest.approx(rate * 300, abs=0.6), pytest.approx(errors)) == (found.requests, found.error_rate)
        assert pytest.approx(p95) == found.quantiles["p95"]


def test_the_call():
    """Its path and query, as the SDK's parameters have them; a name each for what is asked for."""
    script = Script(httpx.Response(200, json=summary(0.0, 60.0, {"2xx": 60})))
    api = make_api(script)
    api.metrics("model1", environment="prod", start=1000, end=61_000)
    api.metrics("model1", deployment="dep1", start=1000, end=61_000)
    assert [
        "/v1/models/model1/environments/prod/metrics",
        "/v1/models/model1/deployments/dep1/metrics",
    ] == [request.url.path for request in script.requests]
    params = script.requests[0].url.params
    query = {name: params.get_list(name) if name == "metrics" else params[name] for name in params}
    asked = sdk.GetModelsEnvironmentsMetricsParams.model_validate(query, extra="forbid")
    assert ("SUMMARY", 1000, 61_000, list(NAMES)) == (
        asked.mode,
        asked.start_epoch_millis,
        asked.end_epoch_millis,
        asked.metrics,
    )
