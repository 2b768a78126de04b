"""The red team as data. One row: what the other side does, and what must be true afterwards.

Of every row it must also be true that the run ends in its time with a status and the exit code of that status, within
the memory that it is given, without a traceback, and that nothing of a secret is anywhere in what it told. What is done
to calls is `adversary`'s; `files` are made in the workspace (text, or a size in bytes of a sparse file); `env` replaces
variables of the step's environment, with `{api}` for the adversary's own address (in bodies of answers too).
"""

import base64
import gzip
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from signal import SIGINT, SIGTERM
from urllib.parse import quote

from adversary import Answer, Changed, Slowly, Trap

from baseten_deploy.comment.marker import Key, Marker

MODELS = r"^GET /v1/models\?"
DRY_RUN = r"^POST /v1/prepare_model_upload"
COMMIT = r"^POST /v1/models$"
STATUS = r"^GET /v1/models/\w+/deployments/\w+$"
LOGS = r"^GET .*/logs\?"
PREDICT = r"/predict$"
PUT = r"^P\w+ /"
GIB = 1024**3


@dataclass(frozen=True)
class Row:
    """One situation. `case` is its number in the list of cases; `told` must be in the log, `untold` nowhere."""

    case: int
    name: str
    status: str
    traps: tuple[Trap, ...] = ()
    s3: tuple[Trap, ...] = ()
    files: Mapping[str, str | int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    told: str = ""
    untold: tuple[str, ...] = ()
    never_called: str = ""
    called: tuple[str, ...] = ()  # each of these, at least once
    within: float = 30.0
    exit_code: int | None = None  # where it is not that of the status
    on_pull_request: bool = False
    reads_until: str = ""  # nobody reads stdout any more once this was printed
    signals: tuple[tuple[float, int], ...] = ()  # seconds after its first line, and which
    deployed_before: bool = False  # by a run that met nobody hostile, with a file less
    untrusted_model: bool = False  # the model's address has TLS, of an authority that nobody trusts
    post_state: str | None = None  # the post step is run, with this as its state; it has no status

    def __str__(self) -> str:
        return f"{self.case}-{self.name}"


def said(text: str, **fields: object) -> str:
    """The body of a refusal."""
    return json.dumps({"code": "ERROR", "message": text, **fields}).replace("{{", "{").replace("}}", "}")


def _base64(before: str = "", *, safe: bool = False):
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    return lambda secret: encode(f"{before}{secret}".encode()).decode()


# How a server may repeat a secret.
FORMS = {
    "raw": str,
    "json": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "json twice": lambda secret: json.dumps(json.dumps(secret))[1:-1].replace("/", "\\/"),
    "percent": lambda secret: quote(secret, safe="").lower(),
    "percent of every character": lambda secret: "".join(f"%{ord(char):02x}" for char in secret),
    "entities": lambda secret: html.escape(secret).replace("/", "&#x2F;"),
    "entities of every character": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "base64 of user:key": _base64("user:"),
    "base64 of Bearer key": _base64("Bearer "),
    "base64 of :key": _base64(":"),
    "base64url": _base64("k:", safe=True),
}
DEEP = "[" * 990 + "]" * 990
SHORT_WAIT = {"wait-timeout-minutes": "0.05"}
SOME_FORMS = ("json", "percent of every character", "base64 of user:key")
ODD_IDS = ("x@127.0.0.2:8080/", "..", "\ud800", "a\n::error::owned", "\x1b[2J", "a" * 65)

ROWS = (
    *(
        Row(74, f"key as {name} in a refusal", "rejected", (Trap(MODELS, Answer(400, "no: {key}", write=form)),))
        for name, form in FORMS.items()
    ),
    *(
        Row(
            74,
            f"key as {name} in a model's refusal",
            "predict_failed",
            (Trap(PREDICT, Answer(400, "no: {key}", write=form)),),
        )
        for name, form in FORMS.items()
        if name in SOME_FORMS
    ),
    Row(74, "key in a model's answer", "success", (Trap(PREDICT, Answer(200, '{"you": "{key}"}')),)),
    Row(
        74,
        "key in a status",
        "deploy_timeout",
        (Trap(STATUS, Answer(200, '{"id": "x", "status": "{key}"}')),),
        inputs=SHORT_WAIT,
    ),
    Row(73, "key after 595 letters of a message", "rejected", (Trap(MODELS, Answer(400, "x" * 595 + " {key} {key}")),)),
    Row(
        73,
        "half a key after a body of blanks",
        "rejected",
        (Trap(MODELS, Answer(400, " " * (64 * 1024 - 12) + "{key}" + " " * 99)),),
    ),
    *(
        Row(
            77,
            f"the model is {value!a:.20}",
            "rejected",
            (Trap(MODELS, Changed({"models": [{"id": value, "name": "hello"}]})),),
            untold=("owned", "127.0.0.2"),
            never_called=r"127\.0\.0\.2|/models/(?!\?|$)\W",
        )
        for value in ODD_IDS
    ),
    *(
        Row(
            77,
            f"the new deployment is {value!a:.20}",
            "success",
            (Trap(COMMIT, Changed({"id": value}, "deployment")),),
            untold=("owned", "127.0.0.2"),
        )
        for value in ODD_IDS[1:3]
    ),
    *(
        Row(
            77,
            f"while waiting it is {value!a:.20}",
            "deploy_timeout",
            (Trap(STATUS, Changed({"id": value})),),
            inputs=SHORT_WAIT,
            untold=("owned", "127.0.0.2"),
        )
        for value in ODD_IDS[1:3]
    ),
    Row(
        78,
        "another deployment is live",
        "deploy_timeout",
        (Trap(STATUS, Changed({"id": "other", "status": "ACTIVE"})),),
        inputs=SHORT_WAIT,
    ),
    Row(80, "a sparse config of 20 GB", "invalid", files={"config.yaml": 20 * GIB}, told="Larger than 10 MiB"),
    Row(
        80,
        "a config of 11 MB",
        "invalid",
        files={"config.yaml": "# x\n" * (11 * 1024 * 256)},
        told="Larger than 10 MiB",
    ),
    Row(80, "a config of 9 MB of values", "invalid", files={"config.yaml": "- a\n" * (9 * 1024 * 256)}, told="values"),
    Row(
        80,
        "a config of 9 MB of JSON",
        "invalid",
        files={"config.yaml": "[" + "1," * (9 * 1024 * 512) + "1]"},
        told="values",
    ),
    Row(80, "an ignore file of 2 GB", "invalid", files={".truss_ignore": 2 * GIB}, told="Larger than 1 MiB"),
    Row(80, "a sparse file of six TiB", "invalid", files={"data/weights.bin": 6 * 1024 * GIB}, told="6.0 TiB"),
    *(
        Row(85, f"JSON nested 990 deep in `{key}`", "rejected", (Trap(MODELS, Answer(400, f'{{"{key}": {DEEP}}}')),))
        for key in ("errors", "detail")
    ),
    Row(85, "JSON nested 100,000 deep", "rejected", (Trap(MODELS, Answer(400, "[" * 100_000)),)),
    Row(
        85,
        "a log nested 990 deep",
        "success",
        (Trap(LOGS, Answer(200, f'{{"logs": [{{"timestamp": "1", "message": {DEEP}}}]}}')),),
    ),
    Row(
        88,
        "DELETE does nothing",
        "predict_failed",
        (Trap(PREDICT, Answer(400, "no")), Trap("^DELETE", Answer(200))),
        inputs={"on-failure": "delete"},
        told="it is still there",
    ),
    Row(
        88,
        "deactivate does nothing",
        "predict_failed",
        (Trap(PREDICT, Answer(400, "no")), Trap("/deactivate$", Answer(200, "{}"))),
        inputs={"on-failure": "deactivate"},
        told="answered with success, but it is",
    ),
    Row(
        88,
        "DELETE answers nothing and deletes",
        "predict_failed",
        (Trap(PREDICT, Answer(400, "no")), Trap("^DELETE", Answer(200, acts=True))),
        inputs={"on-failure": "delete"},
        told=": deleted",
    ),
)


def our_comments(runs: tuple[int, ...]) -> str:
    """A pull request's comments, each of ours and left by one of these runs, numbered from 11."""
    rows = [
        {
            "id": number,
            "user": {"login": "github-actions[bot]", "type": "Bot"},
            "html_url": f"https://github.test/c/{number}",
            "body": str(Marker(Key("hello-truss", "hello-83", ""), (run, 1))) + "\nsaid",
        }
        for number, run in enumerate(runs, 11)
    ]
    return json.dumps(rows)


BOMB = gzip.compress(gzip.compress(bytes(600 * 1024 * 1024), 9), 9)
ONE_BY_ONE = Slowly(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 4000, 0.5)
CONTINUE = Slowly(b"", 0.05, repeat=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
SILENCE = Slowly(b"", 1.0)
TRICKLE = Slowly(b"", 0.5, repeat=b" ", at_once=b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")

# The same, each with the part of the project that answers for it.
BY_PART = (
    (
        "waits",
        Row(
            78,
            "another deployment failed, to be deleted",
            "deploy_timeout",
            (Trap(STATUS, Changed({"id": "other", "status": "BUILD_FAILED"})),),
            inputs={**SHORT_WAIT, "on-failure": "delete"},
            never_called="^DELETE",
        ),
    ),
    *(
        (part, Row(70, f"{name} at {where}", status, (Trap(call, act),), inputs={**SHORT_WAIT, "predict-timeout": "3"}))
        for part, where, call, status in (
            ("waits", "the status", STATUS, "deploy_timeout"),
            ("network", "the logs", LOGS, "success"),
            ("network", "the smoke test", PREDICT, "predict_failed"),
        )
        for name, act in (
            ("a byte at a time", ONE_BY_ONE),
            ("103 for ever", CONTINUE),
            ("silence", SILENCE),
            ("a trickle", TRICKLE),
        )
    ),
    (
        "network",
        Row(70, "S3 says 103 for ever, cancelled by the wait", "upload_failed", s3=(Trap(PUT, CONTINUE),), within=200),
    ),
    (
        "network",
        Row(
            72,
            "13 KB that become gigabytes",
            "rejected",
            (Trap(MODELS, Answer(400, BOMB, {"Content-Encoding": "gzip, gzip"})),),
        ),
    ),
    (
        "network",
        Row(
            72,
            "the same from the model",
            "predict_failed",
            (Trap(PREDICT, Answer(200, BOMB, {"Content-Encoding": "gzip, gzip"})),),
            inputs={"predict-timeout": "3"},
        ),
    ),
    (
        "network",
        Row(
            73,
            "S3 shows the secret behind 270 letters",
            "upload_failed",
            s3=(
                Trap(
                    PUT,
                    Answer(
                        403,
                        "<Error><Code>AccessDenied</Code><Message>" + "x" * 270 + " {secret} {token}</Message></Error>",
                    ),
                ),
            ),
        ),
    ),
    (
        "network",
        Row(
            75,
            "407 repeats Proxy-Authorization",
            "rejected",
            (Trap(MODELS, Answer(407, "Proxy-Authorization: Basic {key}", write=_base64("user:"))),),
        ),
    ),
    (
        "network",
        Row(
            76,
            "a redirect to nowhere on the logs",
            "success",
            (Trap(LOGS, Answer(302, "", {"Location": "http://xn--"})),),
        ),
    ),
    *(
        (
            "network",
            Row(
                70,
                f"{name} at plan's download",
                "planned",
                (
                    Trap("/download$", Answer(200, '{"download_url": "{api}/archive.tgz"}')),
                    Trap(r"^GET /archive\.tgz", act),
                ),
                inputs={"mode": "plan", "environment": "production"},
                deployed_before=True,
                called=(r"^GET /archive\.tgz",),
                told="its download did not go on in time",
                within=150,
            ),
        )
        for name, act in (("silence", SILENCE), ("103 for ever", CONTINUE))
    ),
    *(
        (
            "network",
            Row(
                82,
                f"an untrusted certificate at the model's address{', to be deleted' if how else ''}",
                "predict_failed",
                inputs={"predict-timeout": "300", **({"on-failure": how} if how else {})},
                untrusted_model=True,
                told="is not trusted by the public CAs",
                never_called="^DELETE",
            ),
        )
        for how in ("", "delete")
    ),
    *(
        (
            "comment",
            Row(
                83,
                f"{len(runs)} comments of ours, of runs at once",
                "success",
                (
                    Trap(r"^GET /repos/.*/issues/7/comments", Answer(200, our_comments(runs))),
                    Trap(r"^PATCH /repos/", Answer(200, "{}")),
                ),
                env={"GITHUB_API_URL": "{api}", "GITHUB_RUN_ID": "900"},
                inputs={"github-token": "ghs_0123456789abcdef", "model-name": "hello-83"},
                on_pull_request=True,
                called=tuple(rf"^PATCH /repos/.*/issues/comments/{number}$" for number, _ in enumerate(runs, 11)),
                never_called=r"^POST /repos/.*comments",
            ),
        )
        for runs in ((7, 7, 7), (9, 8, 7, 7))
    ),
    ("inputs", Row(84, "an api-url that is none", "invalid", inputs={"api-url": "https://xn--/"})),
    ("runner", Row(84, "a workspace that is a file", "invalid", env={"GITHUB_WORKSPACE": "/etc/hostname"})),
    ("runner", Row(84, "a directory of 5,000 letters", "invalid", inputs={"truss-directory": "a" * 5000})),
    *(
        ("runner", Row(81, f"the state is {state[:20]}", "", post_state=state))
        for state in ("{", "null", '{"deployment_ids": "depabc"}', "[]", "7", '{"model_id": ["a"]}', DEEP)
    ),
    *(
        (
            "waits",
            Row(
                87,
                f"one status of {status}",
                "success",
                (Trap(STATUS, Answer(status, "?"), times=1),),
                inputs={"on-failure": "delete"},
                never_called="^DELETE",
            ),
        )
        for status in (302, 400, 405, 425, 451)
    ),
    *(
        (
            "runner",
            Row(
                case,
                f"{name} at the comment",
                status,
                (Trap("/repos/.*comments", act),),
                env={"GITHUB_API_URL": "{api}"},
                inputs={"github-token": "ghs_0123456789abcdef"},
                on_pull_request=True,
                signals=signals,
                exit_code=130 if signals else None,
                within=45,
            ),
        )
        for case, name, act, status, signals in (
            (70, "silence", SILENCE, "success", ()),
            (70, "103 for ever", CONTINUE, "success", ()),
            (71, "a cancelled silence", SILENCE, "success", ((12.0, SIGINT),)),
        )
    ),
    *(
        ("runner", Row(79, f"nobody reads after `{text}`", "success", reads_until=text))
        for text in ("Read the Truss", "Upload", "Wait")
    ),
    *(
        (
            "runner",
            Row(86, f"signals after {' and '.join(f'{at:g} s' for at, _ in signals)}", "cancelled", signals=signals),
        )
        for signals in (
            ((0.0, SIGINT),),
            ((0.01, SIGINT), (0.011, SIGTERM)),
            ((0.05, SIGINT),),
            ((0.1, SIGINT), (0.11, SIGTERM)),
            ((0.8, SIGINT), (0.8, SIGTERM)),
            ((0.8, SIGTERM),),
        )
    ),
)
