"""A botocore session that takes nothing from the job's environment, and that knows S3 alone, which makes it fast.

What is sent by it is `client`.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from botocore import handlers
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session


class _Files(JSONFileLoader):
    """Reads botocore's descriptions of services into plain dicts, which keep their order too: 40 ms less."""

    def _load_file(self, full_path: str, open_method: Callable[..., Any]) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return json.loads(file.read())
        except FileNotFoundError:
            return None


@cache
def _excerpt() -> dict[str, Any]:
    """What an upload needs of botocore's description of S3, which `scripts/s3_excerpt.py` takes out of it."""
    excerpt: dict[str, Any] = json.loads(Path(__file__).with_name("s3.json").read_bytes())
    return excerpt


class _Loader(Loader):
    """Knows one service without looking into the directories of all 400."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Of what the excerpt has, that: 40 ms less."""
        excerpt = _excerpt()
        if type_name in excerpt:
            return excerpt[type_name]
        return super().load_service_model(service_name, type_name, api_version)

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Those that are asked for here."""
        return ["s3"]

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        """Of the hosts of all services in all regions, a megabyte, the pattern that those of S3 have: 40 ms less."""
        if name != "endpoints":
            return super().load_data_with_path(name)
        partitions, path = super().load_data_with_path("partitions")
        return {"version": 3, "partitions": [_hosts(each) for each in partitions["partitions"]]}, path


def _hosts(partition: Mapping[str, Any]) -> dict[str, Any]:
    """A partition of `partitions.json` in the shape that those of `endpoints.json` have, with S3 alone."""
    world = f"{partition['id']}-global"  # as which botocore looks for S3 in us-east-1
    scope = {"region": partition["outputs"]["implicitGlobalRegion"]}
    return {
        "partition": partition["id"],
        "dnsSuffix": partition["outputs"]["dnsSuffix"],
        "regionRegex": partition["regionRegex"],
        "regions": partition["regions"],
        "defaults": {
            "hostname": "{service}.{region}.{dnsSuffix}",
            "protocols": ["https"],
            "signatureVersions": ["s3v4"],
        },
        "services": {
            "s3": {
                "partitionEndpoint": world,
                "endpoints": {world: {"hostname": "s3.{dnsSuffix}", "credentialScope": scope}},
            }
        },
    }


class IsolatedSession(Session):
    """A botocore session that knows no environment variable, and no file but those that botocore ships."""

    def __init__(self) -> None:
        super().__init__()
        defaults = {name: ConstantProvider(row[2]) for name, row in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
        self.register_component("config_store", ConfigValueStore(defaults))
        # The default loader prefers the service models of ~/.aws/models to the ones that are shipped.
        own = [Loader.BUILTIN_DATA_PATH]
        loader = _Loader(extra_search_paths=own, include_default_search_paths=False, file_loader=_Files())
        self.register_component("data_loader", loader)
        # It would copy _X_AMZN_TRACE_ID into a header if AWS_LAMBDA_FUNCTION_NAME is set.
        self.unregister("before-call", handlers.add_recursion_detection_header)  # type: ignore[arg-type]

    @property
    def full_config(self) -> dict[str, Any]:
        """No file of the user's."""
        return {"profiles": {}}

    def get_scoped_config(self) -> dict[str, Any]:
        """No profile of it."""
        return {}

    def _register_client_plugins(self, client: object) -> None:
        """Import no module that BOTOCORE_EXPERIMENTAL__PLUGINS names."""
