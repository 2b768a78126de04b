"""A botocore session that takes nothing from the job's environment, and that knows S3 alone, which makes it fast.

What is sent by it is `client`.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from botocore import handlers
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
from botocore.loaders import Loader
from botocore.session import Session


@cache
def _excerpt() -> dict[str, Any]:
    """What an upload needs of botocore's description of S3, which `scripts/s3_excerpt.py` takes out of it."""
    excerpt: dict[str, Any] = json.loads(Path(__file__).with_name("s3.json").read_bytes())
    return excerpt


class _Loader(Loader):
    """Reads what an upload needs, where botocore would read all that there is."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Of what the excerpt has, that: 40 ms less."""
        known = _excerpt().get(type_name)
        return known or super().load_service_model(service_name, type_name, api_version)

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
        loader = _Loader(extra_search_paths=own, include_default_search_paths=False)
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
