"""GitHub's REST API on loopback, as far as pull-request comments go: a conversation with a memory."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

COMMENTS = re.compile(r"/repos/octo-org/models/issues/(\d+)/comments")
COMMENT = re.compile(r"/repos/octo-org/models/issues/comments/(\d+)")


@dataclass
class GitHub:
    """Comments in the order in which they were made, and the requests (`METHOD /path`) with their tokens."""

    url: str = ""
    read_only: bool = False
    hangs: threading.Event | None = None  # until it is set, no request is answered
    comments: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def say(self, issue: int, body: str, author: str = "octocat", kind: str = "User") -> None:
        """Somebody comments."""
        user = {"login": author, "type": kind}
        association = "NONE" if kind == "Bot" else "MEMBER"
        number = 1000 + len(self.comments)
        self.comments.append(
            {"id": number, "issue": issue, "body": body, "user": user, "author_association": association}
        )

    def bodies(self) -> list[str]:
        """What all comments say."""
        return [comment["body"] for comment in self.comments]

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        """Do what a request asks for."""
        parts = urlsplit(target)
        one, some = COMMENT.fullmatch(parts.path), COMMENTS.fullmatch(parts.path)
        if method == "GET" and some:
            query = parse_qs(parts.query)
            size, page = (int(query[name][0]) for name in ("per_page", "page"))
            rows = [comment for comment in self.comments if comment["issue"] == int(some[1])]
            return 200, rows[(page - 1) * size : page * size]
        if self.read_only:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST" and some:
            self.say(int(some[1]), body["body"], "github-actions[bot]", "Bot")
            return 201, self.comments[-1]
        found = [comment for comment in self.comments if one and comment["id"] == int(one[1])]
        if method == "PATCH" and found:
            found[0]["body"] = body["body"]
            return 200, found[0]
        return 404, {"message": "Not Found"}


@contextmanager
def github_api() -> Iterator[GitHub]:
    """GitHub while inside."""
    github = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            github.requests.append(f"{self.command} {urlsplit(self.path).path}")
            github.tokens.add(self.headers["Authorization"])
            if github.hangs:
                github.hangs.wait(60)
            status, answer = github.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    github.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield github
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
