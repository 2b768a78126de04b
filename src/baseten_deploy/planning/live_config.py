"""The config of a live deployment, as this run's can be compared with it. Pure.

This action sends the config that somebody wrote, with a few overrides. `truss push` sends all there is to configure,
with the defaults of its version filled in: what differs there is the client, not the deployment.
"""

from collections.abc import Mapping
from typing import Any

from baseten_deploy import strict_yaml
from baseten_deploy.deployment.payload import sent_config
from baseten_deploy.service.answers import JsonObject, StoredConfig
from baseten_deploy.truss.external_packages import KEY as PACKAGES_KEY


class Incomparable(Exception):
    """Why a config cannot be compared, as the end of a sentence."""


def comparable(stored: StoredConfig, ours: JsonObject, *, by_this_action: bool) -> JsonObject:
    """What is live, to be compared with `ours`, without what a client filled in.

    Filled in is what the text that was sent beside it does not have, unless `ours` has it: then its value counts. Where
    there is no such text, and `by_this_action`, which fills nothing in, so that any such key is an override, all of it
    counts. Where there is only a text, it stands for what is sent for it. Raises `Incomparable`.
    """
    written = _written(stored.raw)
    if stored.config is None:
        if written is None:
            raise Incomparable("the service only has its text, which cannot be read")
        return sent_config(written)
    if by_this_action or written is None:
        return stored.config
    config = {key: value for key, value in stored.config.items() if key != PACKAGES_KEY}  # their content is a file's
    shown = _without_defaults(config, written, ours)
    assert isinstance(shown, dict)
    return shown


def parsed(stored: StoredConfig) -> JsonObject:
    """The config as it was sent, else as it was written, else nothing."""
    return stored.config if stored.config is not None else _written(stored.raw) or {}


def _written(raw: str) -> JsonObject | None:
    """What the text says; `None` when it is not there or says nothing."""
    try:
        value = strict_yaml.load(raw).value
    except strict_yaml.YamlError:
        return None
    return value if isinstance(value, dict) else None


def _without_defaults(sent: Any, written: Any, ours: Any) -> Any:
    """`sent` without the keys that neither of the others has, at any depth."""
    if isinstance(sent, Mapping) and (isinstance(written, Mapping) or isinstance(ours, Mapping)):
        written, ours = (value if isinstance(value, Mapping) else {} for value in (written, ours))
        return {
            key: _without_defaults(value, written.get(key), ours.get(key))
            for key, value in sent.items()
            if key in written or key in ours
        }
    if isinstance(sent, list) and isinstance(written, list) and len(sent) == len(written):
        counterparts = ours if isinstance(ours, list) else []
        padded = [*counterparts, *[None] * len(sent)]
        return [_without_defaults(*items) for items in zip(sent, written, padded, strict=False)]
    return sent
