"""What a deployment is asked in its smoke test, and why it may not be asked at all. Pure."""

from collections.abc import Mapping
from typing import Any

from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.truss.transport import Transport, transport_of

UNSET = "neither `predict-payload` nor `model_metadata.example_model_input` is set"


def payload_and_transport(settings: Settings, config: Mapping[str, Any]) -> tuple[Any, Transport]:
    """`predict-payload`, else the config's example input, else `None`: nothing is known to ask. And the way to ask."""
    changed = (settings.deployment_settings or {}).get("config")
    config = merged(dict(config), changed) if isinstance(changed, dict) else config
    transport = transport_of(dict(config))
    if settings.predict_payload is not None:
        return settings.predict_payload, transport
    metadata = config.get("model_metadata")
    return metadata.get("example_model_input") if isinstance(metadata, dict) else None, transport


def no_smoke_test(settings: Settings, config: Mapping[str, Any]) -> str:
    """Why a deploy of this config will run no smoke test, as the end of a sentence; `""` when it will."""
    if not settings.predict:
        return "`predict: false`"
    if not settings.wait:
        return "`wait: false`"
    payload, transport = payload_and_transport(settings, config)
    return UNSET if payload is None else transport.unaskable
