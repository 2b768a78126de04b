"""The real S3 server of ../shared/s3, a single-node Ceph: it enforces signatures, sessions, their scope and expiry."""

import base64
import datetime as dt
import hashlib
import importlib.util
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from baseten_deploy.service.answers import Credentials, UploadTarget

BUCKET = "uploads"
_TOKEN_KEY = b"abcdefghijklmnop"  # rgw_sts_key in start.sh
_TOKEN_IV = b"cephsageyudagreg"  # Ceph's, fixed


@dataclass(frozen=True)
class Ceph:
    """A running server: its two endpoints, and the certificate of the second."""

    shared: Path
    url: str
    tls_url: str
    certificate: Path

    def target(self, key: str, *, scope: str = "", lives: float | None = None) -> UploadTarget:
        """Credentials for `key`, or really only for `scope`, that expire in `lives` seconds (else 900)."""
        module = importlib.util.spec_from_file_location("scoped_credentials", self.shared / "scoped_credentials.py")
        assert module is not None
        assert module.loader is not None
        scoped_credentials = importlib.util.module_from_spec(module)
        module.loader.exec_module(scoped_credentials)
        issued = scoped_credentials.issue(self.url, BUCKET, scope or key)
        token = issued["aws_session_token"]
        if lives is not None:
            token = _expiring(token, dt.datetime.now(dt.UTC) + dt.timedelta(seconds=lives))
        keys = Credentials(issued["aws_access_key_id"], issued["aws_secret_access_key"], token)
        return UploadTarget(BUCKET, key, "us-east-1", keys)

    def digest(self, key: str) -> str:
        """Digest of what is stored."""
        hashed = hashlib.sha256()
        for block in self._owner().get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
            hashed.update(block)
        return hashed.hexdigest()

    def objects(self) -> list[str]:
        """Names of all objects."""
        return [found["Key"] for found in self._owner().list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def dangling(self) -> list[str]:
        """Multipart uploads that nobody completed or aborted."""
        return [found["Key"] for found in self._owner().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    def _owner(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="AKIDSVC000000000001",
            aws_secret_access_key="svcsecretsvcsecretsvcsecretsvcsecret0001",
        )


@contextmanager
def running(shared: Path) -> Iterator[Ceph]:
    """Start the server on free ports of loopback, half a minute, and stop it."""
    directory = Path(tempfile.mkdtemp(prefix="ceph-"))  # short: the path of a Unix socket has 107 characters
    try:
        port = _free_port()
        started = subprocess.run(
            ["bash", shared / "start.sh", directory, str(port)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert started.returncode == 0, started.stderr
        yield Ceph(shared, f"http://127.0.0.1:{port}", f"https://localhost:{port + 1}", directory / "cert.pem")
    finally:
        subprocess.run(["bash", shared / "stop.sh", directory], check=False, timeout=60)
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    """A port after which those that start.sh also takes (+1, +20, +21) are free as well."""
    for port in range(17600, 20000, 40):
        sockets = [socket.socket() for _ in range(4)]
        try:
            for sock, offset in zip(sockets, (0, 1, 20, 21), strict=True):
                sock.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        else:
            return port
        finally:
            for sock in sockets:
                sock.close()
    raise AssertionError("no free ports")


def _expiring(token: str, when: dt.datetime) -> str:
    """The token with another expiry: the server issues none under 900 s, but its key is known, and it does not sign."""
    cipher = Cipher(AES(_TOKEN_KEY), CBC(_TOKEN_IV))
    decryptor, encryptor = cipher.decryptor(), cipher.encryptor()
    plain = decryptor.update(base64.b64decode(token)) + decryptor.finalize()
    stamp = when.strftime("%Y-%m-%dT%H:%M:%S.%f000Z").encode()
    changed = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]{18}Z", stamp, plain, count=1)
    assert len(plain) == len(changed) != plain.count(stamp)
    return base64.b64encode(encryptor.update(changed) + encryptor.finalize()).decode()
