"""How a deployed Truss can be asked: by its predict route, at a route of its own server, or not by one request. Pure.

From the config alone, as `truss` reads it: `runtime.transport.kind`, the older `is_websocket_endpoint`, and
`docker_server`, whose `no_build` leaves out the proxy that maps `/predict`. Addresses are `service.model_urls`.
"""

from collections.abc import Mapping
from typing import Any

from baseten_deploy.records import dataclass


@dataclass(frozen=True)
class Transport:
    """Which way a question takes: `path` is a route of the model's own server, `""` the predict route.

    `unaskable` says why there is none, `""` when there is.
    """

    path: str = ""
    unaskable: str = ""


PREDICT = Transport()


def transport_of(config: Mapping[str, Any]) -> Transport:
    """The transport of a Truss with this config. What is not known here is asked as if it were http."""
    runtime = config.get("runtime")
    runtime = runtime if isinstance(runtime, dict) else {}
    transport = runtime.get("transport")
    kind = transport.get("kind") if isinstance(transport, dict) else None
    if kind == "websocket" or runtime.get("is_websocket_endpoint") is True:
        return Transport(unaskable="the model is spoken to over a websocket and has no predict route")
    if isinstance(kind, str) and kind not in {"", "http"}:
        return Transport(unaskable=f"the model is spoken to over {kind} and has no predict route")
    server = config.get("docker_server")
    if not isinstance(server, dict) or server.get("no_build") is not True:
        return PREDICT
    route = server.get("predict_endpoint")
    if isinstance(route, str) and route.strip():
        return Transport(path=f"/{route.strip().lstrip('/')}")
    return Transport(unaskable="its server is not built here (`no_build`), and `predict_endpoint` names no route of it")
