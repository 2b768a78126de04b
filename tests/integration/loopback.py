"""The two servers that a release goes to, on loopback: Debian's `docker-registry`, and git over https as on GitHub."""

import contextlib
import http.server
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
from act import background, free_port, wait_for
from containers import machine_environment


@dataclass(frozen=True)
class Registry:
    """A registry without TLS. `address` is `host:port`."""

    address: str
    log: Path

    def manifest(self, name: str, reference: str) -> httpx.Response:
        """What it has under a tag or a digest."""
        kinds = ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json")
        kinds += ("application/vnd.docker.distribution.manifest.v2+json",)
        kinds += ("application/vnd.docker.distribution.manifest.list.v2+json",)
        url = f"http://{self.address}/v2/{name}/manifests/{reference}"
        return httpx.get(url, headers={"Accept": ", ".join(kinds)}, timeout=30)

    def requests(self) -> list[str]:
        """What was asked for, as `METHOD path`."""
        lines = (line.split('"') for line in self.log.read_text().splitlines() if '"' in line and " HTTP/1" in line)
        return [parts[1].rpartition(" ")[0] for parts in lines if len(parts) > 1]


@contextmanager
def registry(directory: Path) -> Iterator[Registry]:
    """Run Debian's docker-registry with its data in `directory`."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration, log = directory / "registry.yml", directory / "registry.log"
    configuration.write_text(
        f"version: 0.1\nlog: {{accesslog: {{disabled: false}}, level: info}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: 127.0.0.1:{port}}}\n"
    )
    found = Registry(f"127.0.0.1:{port}", log)

    def answers() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{found.address}/v2/", timeout=5).is_success
        return False

    with background(("docker-registry", "serve", configuration), machine_environment(), log):
        wait_for(answers, "docker-registry", log)
        yield found


@dataclass(frozen=True)
class GitServer:
    """Bare repositories below `root` over https. `authority` is the file with the certificate to trust."""

    address: str
    root: Path
    authority: Path
    asked: list[str]

    def create(self, name: str) -> Path:
        """Make an empty repository `owner/name` that may be pushed to by its path."""
        path = self.root / f"{name}.git"
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
        return path


@contextmanager
def git_server(directory: Path) -> Iterator[GitServer]:
    """Run `git http-backend` behind TLS: act, like GitHub's runner, gets an action by its tag from there."""
    root, authority = directory / "git", directory / "authority.pem"
    root.mkdir(parents=True)
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            path, _, query = self.path.partition("?")
            owner, repository, *rest = path.lstrip("/").split("/")
            name = f"{owner}/{repository.removesuffix('.git')}"  # GitHub takes both
            asked.append(f"{self.command} {self.path}")
            body = self._body()
            environment = machine_environment() | {
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": f"/{name}.git/{'/'.join(rest)}",
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.partition(": ")[::2] for line in head.decode().splitlines()]
            headers = dict(lines)
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for field, value in headers.items():
                self.send_header(field, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_POST = answer  # noqa: N815 - as http.server names them

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield GitServer(f"localhost:{server.server_address[1]}", root, authority, asked)
    finally:
        server.shutdown()
        server.server_close()


def with_authority(server: GitServer) -> dict[str, str]:
    """Variables that make Go programs trust it, and nobody else."""
    return {"SSL_CERT_FILE": str(server.authority), "SSL_CERT_DIR": str(server.root)} | {
        name: value for name, value in os.environ.items() if name == "PATH"
    }
