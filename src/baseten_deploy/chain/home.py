"""The empty home that `truss` is started with: what it reads there, and nothing of the job's.

What it reads, tried on loopback: `.trussrc` (where to push, with which key), `.config/truss/settings.toml` (whether to
ask the package index for a newer version of itself) and, by boto3, `.aws/config`.
"""

import os
from pathlib import Path

from baseten_deploy.inputs.settings import Settings


def furnish(home: Path, settings: Settings, *, with_key: bool, ca_bundle: str = "") -> None:
    """Write the files. The key only for a push; `ca_bundle` is a file with the authorities that boto3 is to trust."""
    _write(home / ".config" / "truss" / "settings.toml", "[preferences]\ncheck_for_updates = false\n")
    if with_key:
        lines = (
            "[baseten]",
            "remote_provider = baseten",
            f"remote_url = {_plain(settings.app_url.rstrip('/'))}",
            f"api_key = {_plain(settings.baseten_api_key)}",
        )
        _write(home / ".trussrc", "\n".join(lines) + "\n")
    aws = ["[default]"]
    if settings.s3_endpoint_url:
        aws += [f"endpoint_url = {settings.s3_endpoint_url}", "s3 =", "    addressing_style = path"]
    if ca_bundle:
        aws.append(f"ca_bundle = {ca_bundle}")
    _write(home / ".aws" / "config", "\n".join(aws) + "\n")


def _plain(value: str) -> str:
    """A value as `configparser` reads it: a percent sign would begin a substitution."""
    return value.replace("%", "%%")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
