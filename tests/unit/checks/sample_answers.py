"""Answers for the tests of what looks at them."""

import json

from baseten_deploy.checks.answer import Answer


def made(body, media_type="application/json", marks=(), status=200, seconds=1.0):
    """Make an answer."""
    data = body if isinstance(body, bytes) else body.encode()
    return Answer(status, {"content-type": media_type}, data, seconds, tuple(marks))


def stream(*events, step=0.1):
    """Make a stream whose events come one every `step` seconds, the first after one of them."""
    pieces = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events]
    marks = [(len(b"".join(pieces[: n + 1])), step * (n + 1)) for n in range(len(pieces))]
    return made(b"".join(pieces), "text/event-stream; charset=utf-8", marks, seconds=step * len(pieces))


def delta(text, **more):
    """Make an OpenAI-like event."""
    return {"choices": [{"delta": {"content": text}}], **more}
