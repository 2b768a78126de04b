"""A botocore session that takes nothing from the job's environment, and that knows S3 alone, which makes it fast.

What is sent by it is `client`.
"""

import json
from collections.abc import Callable
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


class _Loader(Loader):
    """Knows one service without looking into the directories of all 400."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """Those that are asked for here."""
        return ["s3"]


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
