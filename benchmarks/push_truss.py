"""`truss push` as its command line runs it. In truss's own environment: `push_truss.py URL TRUSS`.

The only change: the REST calls go where the GraphQL calls go, and not to the real service.
"""

import sys
from pathlib import Path

from truss.cli.cli import truss_cli
from truss.remote.baseten import api


def main(url: str, truss: str) -> None:
    """Push the Truss to the service at that URL."""
    api.API_URL_MAPPING[url] = url
    (Path.home() / ".trussrc").write_text(
        f"[bench]\nremote_provider = baseten\napi_key = bench\nremote_url = {url}\n", encoding="utf-8"
    )
    truss_cli(["push", truss, "--remote", "bench"])


if __name__ == "__main__":
    main(*sys.argv[1:])
