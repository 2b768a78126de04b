"""No sink lets a secret through: each form, at each position, of each kind of text that is printed, cut or sent.

The model's answers and whole runs are `tests/hostile`.
"""

import base64
import html
import io
import json
import tempfile
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import FakeClock, Script, make_client, make_http

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner
from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import read_settings
from baseten_deploy.nemo.api import Registry
from baseten_deploy.service.answers import Credentials, UploadTarget
from baseten_deploy.service.http import Http, HttpError

SECRET = 'qX7/rT+b&9<"zKw2'
FORMS = {
    "raw": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "json with slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "json twice": json.dumps(json.dumps(SECRET))[1:-1],
    "percent": quote(SECRET, safe=""),
    "percent in lower case": quote(SECRET).lower().replace("qx7", "qX7").replace("rt", "rT").replace("zkw", "zKw"),
    "every character": "".join(f"%{ord(char):02x}" for char in SECRET),
    "entities": html.escape(SECRET),
    "numbers": "".join(f"&#{ord(char)};" for char in SECRET),
    "user:": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "Bearer ": base64.b64encode(f"Bearer {SECRET}".encode()).decode(),
    "url-safe": base64.urlsafe_b64encode(f"k:{SECRET}".encode()).decode(),
}
# What would tell of it: any four characters in a row, of any form's middle.
TELLTALES = {name: [form[at : at + 5] for at in range(8, len(form) - 8)] for name, form in FORMS.items()}


def redactor():
    """One that knows the secret."""
    made = Redactor()
    made.add(SECRET)
    return made


def _runner(act, *, github=True):
    """What a runner's screen and files hold after `act`."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(Path(folder, name)) for name in ("GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")}
        screen = io.StringIO()
        act(Runner({"GITHUB_ACTIONS": "true", **files} if github else {}, redactor(), screen))
        return screen.getvalue() + "".join(Path(path).read_text() for path in files.values() if Path(path).exists())


def _group(runner, text):
    with runner.group(text):
        pass


def _http_error(text, status=400):
    script = Script(httpx.Response(status, content=text.encode()))
    http = Http("https://api.test", {}, client=make_client(script), clock=FakeClock(), redact=redactor().redact_foreign)
    with pytest.raises(HttpError) as caught:
        http.request("GET", "/v1/x", retry=False)
    return f"{caught.value} {caught.value.message} {caught.value!r}"


def _nemo(text):
    script = Script(httpx.Response(422, json={"detail": [{"loc": ["body", "name"], "msg": text}]}))
    registry = Registry("https://n.test", "w", client=make_client(script), clock=FakeClock(), redactor=redactor())
    with pytest.raises(HttpError) as caught:
        registry.find_entity("m")
    return registry.said(caught.value)


SINKS = {
    "a line": lambda text: _runner(lambda runner: runner.info(text)),
    "a line elsewhere": lambda text: _runner(lambda runner: runner.info(text), github=False),
    "foreign lines": lambda text: _runner(lambda runner: runner.foreign(text)),
    "a group": lambda text: _runner(lambda runner: _group(runner, text)),
    "an annotation": lambda text: _runner(lambda runner: runner.error(Problem(text, "do"))),
    "a remedy": lambda text: _runner(lambda runner: runner.warning(Problem("no", text))),
    "an annotation's file": lambda text: _runner(lambda runner: runner.notice(Problem("no", "", text, 1))),
    "an output": lambda text: _runner(lambda runner: runner.output("plan", text)),
    "state": lambda text: _runner(lambda runner: runner.state("deployment", text)),
    "a summary": lambda text: _runner(lambda runner: runner.summary(text)),
    "an error of a call": _http_error,
    "an odd answer": lambda text: _http_error(text, 200),
    "an error in JSON": lambda text: _http_error(json.dumps({"error": text})),
    "NeMo's refusal": _nemo,
}


class TestSinks:
    """What leaves the process."""

    @pytest.mark.parametrize("sink", SINKS)
    @given(form=st.sampled_from(sorted(FORMS)), position=st.integers(0, 640), after=st.sampled_from(["", " .", "=="]))
    def test_each_form_at_each_position(self, sink, form, position, after):
        """Also where the text is cut."""
        said = SINKS[sink]("." * position + " " + FORMS[form] + after)
        assert [] == [part for part in TELLTALES[form] if part in said]

    @pytest.mark.parametrize("sink", SINKS)
    def test_harmless_text_stays(self, sink):
        """Text without a secret is as it was."""
        assert "layer 7 of 40 is done, a/b+c=d" in SINKS[sink]("layer 7 of 40 is done, a/b+c=d")

    def test_what_holds_secrets_does_not_show_them(self):
        """Settings, credentials, targets, calls and the redactor itself."""
        read, _ = read_settings({"INPUT_BASETEN-API-KEY": SECRET, "INPUT_NEMO-TOKEN": SECRET})
        credentials = Credentials(SECRET, SECRET, SECRET)
        things = [read, credentials, UploadTarget("b", "k", "r", credentials), redactor(), make_http(Script())]
        assert [] == [thing for thing in things if "rT+b" in f"{thing!r} {thing}"]
