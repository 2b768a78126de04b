"""Where a check goes, and the way there."""

import pytest

from baseten_deploy.checks.check import Check, Kind
from baseten_deploy.checks.route import Endpoint, Proxy, endpoint_of, proxy_of, url_of
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.model_urls import environment_url, predict_url

INFERENCE = "https://model-{model_id}.api.test"
PLACES = [
    (predict_url(INFERENCE, "m1", "d1"), "model-m1.api.test/deployment/d1"),
    (predict_url(INFERENCE, "m1", "d1", development=True), "model-m1.api.test/development"),
    (environment_url(INFERENCE, "m1", "prod"), "model-m1.api.test/environments/prod"),
    (environment_url(INFERENCE, "m1", "prod", regional=True), "model-m1-prod.api.test"),
]


@pytest.mark.parametrize(("predict", "base"), PLACES)
def test_urls(predict, base):
    """Predict, the model's own route and a websocket, of each kind of place."""
    assert f"https://{base}/predict" == url_of(Check("c"), predict)
    assert f"https://{base}/sync/v1/chat?x=1" == url_of(Check("c", path="/v1/chat?x=1"), predict)
    assert f"wss://{base}/websocket" == url_of(Check("c", kind=Kind.WEBSOCKET), predict)


def test_a_smoke_test_that_goes_elsewhere():
    """A server without predict has a route instead: a check without a path asks that; all else has the same base."""
    asked = "https://h/deployment/d/sync/v1/x"
    assert asked == url_of(Check("c"), asked)
    assert "https://h/deployment/d/sync/health" == url_of(Check("c", path="/health"), asked)
    assert "wss://h/deployment/d/websocket" == url_of(Check("c", kind=Kind.WEBSOCKET), asked)
    assert "ws://127.0.0.1:1/websocket" == url_of(Check("c", kind=Kind.WEBSOCKET), "http://127.0.0.1:1/predict")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.test/x?y=1", Endpoint(True, "a.test", 443, "/x?y=1")),
        ("ws://127.0.0.1:80", Endpoint(False, "127.0.0.1", 80, "/")),
        ("wss://[::1]:8443/w", Endpoint(True, "::1", 8443, "/w")),
    ],
)
def test_endpoints(url, expected):
    """Taken apart."""
    assert expected == endpoint_of(url)


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        (Endpoint(True, "a.test", 443, "/"), "a.test"),
        (Endpoint(True, "a.test", 80, "/"), "a.test:80"),
        (Endpoint(False, "::1", 80, "/"), "[::1]"),
    ],
)
def test_authority(endpoint, authority):
    """The port only where it is not the scheme's."""
    assert authority == endpoint.authority


class TestProxy:
    """Of the environment."""

    @pytest.mark.parametrize(
        ("variables", "expected"),
        [
            ({}, None),
            ({"HTTPS_PROXY": "http://proxy:3128"}, Proxy("proxy", 3128)),
            ({"ALL_PROXY": "http://proxy:3128"}, Proxy("proxy", 3128)),
            ({"HTTPS_PROXY": "http://u:p%40ss@proxy:3128"}, Proxy("proxy", 3128, "Basic dTpwQHNz")),
            ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".test"}, None),
        ],
    )
    def test_of_a_host(self, variables, expected):
        """With its credentials, and without one where `NO_PROXY` says so."""
        way = WayOut(variables)
        assert expected == proxy_of(Endpoint(True, "a.test", 443, "/"), way)
        assert proxy_of(Endpoint(False, "127.0.0.1", 80, "/"), way) is None

    def test_what_cannot_be_used(self):
        """A proxy that is itself spoken to over TLS; it is refused without a part of its URL."""
        way = WayOut({"HTTPS_PROXY": "https://u:secret@proxy"})
        with pytest.raises(ValueError, match="HTTP proxy only") as caught:
            proxy_of(Endpoint(True, "a.test", 443, "/"), way)
        assert "secret" not in str(caught.value)
