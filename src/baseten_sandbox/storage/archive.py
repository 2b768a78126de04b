"""What the image build finds wrong with an uploaded archive. How clients ought to pack one is not decided here."""

import io
import tarfile

from .bucket import Storage

_LARGEST = 64 * 1024 * 1024  # reading a larger one would keep the commit waiting


def problem(storage: Storage, s3_key: str) -> str:
    """Why the build fails: no gzipped tar, or no `config.yaml` at its top; empty when it does not."""
    size = storage.size(s3_key)
    if size is None or size > _LARGEST:
        return ""
    try:
        with tarfile.open(fileobj=io.BytesIO(storage.object(storage.bucket, s3_key)), mode="r:gz") as tar:
            names = {name.removeprefix("./") for name in tar.getnames()}
    except (tarfile.TarError, EOFError, OSError) as error:
        return f"The archive is no gzipped tar: {error}"
    return "" if "config.yaml" in names else "The archive has no config.yaml at its top"
