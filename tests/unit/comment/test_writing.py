"""The sticky comment: one for each directory, model and target, never a secret in it, never a failed run."""

import io
import json
import os
import re
import signal
import threading
from dataclasses import replace

import httpx
import pytest
from transport import FakeClock, make_client, make_run, printed

from baseten_deploy.ci.origin import Origin
from baseten_deploy.ci.runner import Runner
from baseten_deploy.comment.writing import BODY_CHARACTERS, compose, leave
from baseten_deploy.errors import Cancelled
from baseten_deploy.inputs.settings import Mode


def marker(model="my-model", directory=".", target="", run="42.0"):
    """The first line of a comment of ours."""
    return f"<!-- baseten-deploy: directory={directory} model={model} target={target} run={run} -->"


TOKEN = "ghs_token_with_underscores"
BOT = {"user": {"login": "github-actions[bot]", "type": "Bot"}, "author_association": "NONE"}


class GitHub:
    """Issue comments of one pull request, behind httpx's transport. `refuse` fails a method with a status.

    `login` is whose the token is, `None` for a workflow's own, which may not ask.
    """

    def __init__(self, *bodies, refuse=None, login=None):
        self.login = login
        self.comments = [{"id": number, "body": body, **BOT} for number, body in enumerate(bodies, 100)]
        self.refuse = refuse or {}
        self.requests = []

    def __call__(self, request):
        """Answer as GitHub does."""
        self.requests.append(request)
        if request.method in self.refuse:
            answer = self.refuse[request.method]
            if isinstance(answer, list):
                answer = answer.pop(0) if answer else None
            if answer is None:
                return self.act(request)
            return answer if isinstance(answer, httpx.Response) else httpx.Response(answer, json={"message": "Refused"})
        return self.act(request)

    def act(self, request):
        """What is asked for."""
        path = request.url.path
        if path == "/user":
            return httpx.Response(200, json={"login": self.login}) if self.login else httpx.Response(403, json={})
        if request.method == "GET":
            assert "/repos/octo-org/models/issues/7/comments" == path
            size, page = (int(request.url.params[name]) for name in ("per_page", "page"))
            return httpx.Response(200, json=self.comments[(page - 1) * size : page * size])
        body = json.loads(request.content)["body"]
        if request.method == "PATCH":
            number = int(re.fullmatch(r"/repos/octo-org/models/issues/comments/(\d+)", path)[1])
            comment = next(row for row in self.comments if row["id"] == number)
            comment["body"] = body
            return httpx.Response(200, json=comment)
        assert ("POST", "/repos/octo-org/models/issues/7/comments") == (request.method, path)
        self.comments.append({"id": 100 + len(self.comments), "body": body, **BOT})
        return httpx.Response(201, json=self.comments[-1])

    def sent(self):
        """The methods of the requests."""
        return [request.method for request in self.requests]


@pytest.fixture
def make(make_settings):
    """A run on pull request 7 of octo-org/models, whose model is known."""

    def make(model="my-model", origin=None, **inputs):
        run = make_run(make_settings(github_token=TOKEN, **inputs), lambda _: httpx.Response(500), FakeClock())
        run.runner = Runner({"GITHUB_ACTIONS": "true"}, run.redactor, io.StringIO())
        run.redactor.add(TOKEN)
        run.origin = Origin(
            sha="0a1b2c3d4e",
            repository="octo-org/models",
            run_id="42",
            pull_request="7",
            run_page="https://github.test/octo-org/models/actions/runs/42",
            github_api_url="https://api.github.test",
            **origin or {},
        )
        if model:
            run.outputs.values["model-name"] = model
        return run

    return make


def comment(run, github, text="## Planned"):
    """Leave a comment at this GitHub."""
    leave(run, text, lambda: make_client(github))


class TestOneComment:
    """Found, edited, created."""

    def test_created(self, make):
        """With marker, text, commit and run."""
        github = GitHub("first!", "LGTM")
        comment(make(), github)
        assert ["GET", "POST", "GET"] == github.sent()
        body = github.comments[-1]["body"]
        assert f"{marker()}\n## Planned\n\n" in body
        assert "Commit `0a1b2c3` · [the run](https://github.test/octo-org/models/actions/runs/42)" in body

    def test_edited_in_place(self, make):
        """The next run of the model edits it, and touches no other."""
        github = GitHub("first!")
        comment(make(), github, "one")
        comment(make(), github, "two")
        assert ["GET", "POST", "GET", "GET", "PATCH"] == github.sent()
        assert ["first!", True] == [github.comments[0]["body"], "\ntwo\n" in github.comments[1]["body"]]
        assert 2 == len(github.comments)

    def test_one_for_each_model(self, make):
        """Models whose names begin alike or differ in case are different ones."""
        github = GitHub()
        for model in ("m", "m2", "M", "m"):
            comment(make(model), github, f"about {model}")
        assert ["about m", "about m2", "about M"] == [row["body"].splitlines()[1] for row in github.comments]

    def test_a_model_by_its_id(self, make):
        """A run that names the model by id is about that id, also when it failed before it knew the name."""
        github = GitHub()
        comment(make("", model_id="abc"), github)
        comment(make("my-model", model_id="abc"), github)
        assert ["GET", "POST", "GET", "GET", "PATCH"] == github.sent()

    def test_on_a_later_page(self, make):
        """A long conversation is read to its end."""
        github = GitHub(*["chat"] * 230, marker() + "\nold", *["chat"] * 30)
        comment(make(), github)
        assert ["GET", "GET", "GET", "PATCH"] == github.sent()

    def test_deleted_meanwhile(self, make):
        """Is created again."""
        github = GitHub(marker(), refuse={"PATCH": 404})
        comment(make(), github)
        assert ["GET", "PATCH", "POST", "GET"] == github.sent()


def about(*rows):
    """The second lines of the comments: what they are about."""
    return [row["body"].splitlines()[1] for row in rows]


class TestTargets:
    """A comment belongs to directory, model and target."""

    def test_one_for_each(self, make):
        """Plans for staging, production and the development slot are three comments, and each is edited in place."""
        github = GitHub()
        kinds = [
            {"environment": "staging"},
            {"environment": "production"},
            {"promote_to": "eu"},
            {"development": "true"},
            {},
        ]
        for text in ("one", "two"):
            for kind in kinds:
                comment(make(**kind), github, f"{text} {kind}")
        assert [f"two {kind}" for kind in kinds] == about(*github.comments)

    def test_the_last_environment_counts(self, make):
        """A push into staging that is promoted into production is about production."""
        github = GitHub()
        comment(make(environment="staging", promote_to="production"), github, "one")
        comment(make(environment="production"), github, "two")
        assert ["two"] == about(*github.comments)

    def test_one_for_each_directory(self, make):
        """However it is written; with another config file it is another Truss."""
        github = GitHub()
        for directory in ("models/a", "models/b", "./models/a/", "models/x/../b"):
            comment(make(truss_directory=directory), github, directory)
        comment(make(truss_directory="models/a", config="b.yaml"), github, "other")
        assert ["./models/a/", "models/x/../b", "other"] == about(*github.comments)

    def test_a_truss_that_cannot_be_read_any_more(self, make):
        """Takes its comment along: what is wrong stands where the plan stood. And back again."""
        github = GitHub()
        comment(make(environment="staging"), github, "planned")
        comment(make(environment="production"), github, "other")
        comment(make("", environment="staging"), github, "mapping values are not allowed")
        assert ["mapping values are not allowed", "other"] == about(*github.comments)
        assert "model=my-model target=staging" in github.comments[0]["body"]
        comment(make(environment="staging"), github, "planned again")
        assert ["planned again", "other"] == about(*github.comments)

    def test_a_truss_that_never_could_be_read(self, make):
        """Its comment is taken over once its model is known."""
        github = GitHub()
        comment(make(""), github, "invalid")
        comment(make("m"), github, "planned")
        assert ["planned"] == about(*github.comments)
        assert "model=m target=" in github.comments[0]["body"]

    def test_of_several_models_in_one_directory_the_last_one(self, make):
        """A Truss that cannot be read speaks for the model of the newest run, and touches no other's."""
        github = GitHub(marker("a", run="7.1") + "\na", marker("b", run="9.1") + "\nb", marker("c", run="8.1") + "\nc")
        comment(make(""), github, "invalid")
        assert ["a", "invalid", "c"] == about(*github.comments)

    def test_comments_of_before_targets(self, make):
        """The first run takes one over, with whatever target; beside a comment of its own it is folded."""
        github = GitHub("<!-- baseten-deploy: my-model -->\nold", "<!-- baseten-deploy: other -->\nother")
        comment(make(environment="staging"), github, "staging")
        comment(make(environment="production"), github, "production")
        assert ["staging", "other", "production"] == about(*github.comments)
        github.comments.append({"id": 200, "body": "<!-- baseten-deploy: my-model -->\nold", **BOT})
        comment(make(environment="production"), github, "again")
        assert ["staging", "other", "again"] == about(*github.comments)[:3]
        assert "<details><summary>Superseded</summary>" == about(*github.comments)[3]


class TestRaces:
    """Runs at once."""

    def test_the_oldest_of_several(self, make):
        """Three jobs may have made one each at the same time: the next run keeps the oldest and folds the rest."""
        github = GitHub(*[marker() + "\nold"] * 3, "chat")
        comment(make(), github, "new")
        assert ["new"] + ["<details><summary>Superseded</summary>"] * 2 == about(*github.comments[:3])
        sent = len(github.sent())
        comment(make(), github, "newer")
        assert ["GET", "PATCH"] == github.sent()[sent:]
        assert "chat" == github.comments[3]["body"]

    @pytest.mark.parametrize(("other", "kept"), [("41.1", "ours"), ("42.0", "ours"), ("43.1", "theirs")])
    @pytest.mark.parametrize("first", [False, True])
    def test_made_at_the_same_moment(self, make, other, kept, first):
        """What both runs see afterwards becomes one: the oldest, with the newer one's words."""
        github = GitHub()
        theirs = marker(run=other) + "\ntheirs"

        def racing(request):
            if request.method == "POST" and not first:
                github.comments.append({"id": 99, "body": theirs, **BOT})
            answer = github(request)
            if request.method == "POST" and first:
                github.comments.append({"id": 999, "body": theirs, **BOT})
            return answer

        comment(make(), racing, "ours")
        texts = {row["id"]: line for row, line in zip(github.comments, about(*github.comments), strict=True)}
        if kept == "ours":
            assert "ours" == texts[min(texts)]
            assert "<details><summary>Superseded</summary>" == texts[max(texts)]
        else:  # it is theirs to settle, unless ours is the later one
            assert "theirs" in texts.values()
            assert first or "<details><summary>Superseded</summary>" == texts[max(texts)]

    @pytest.mark.parametrize(
        ("theirs", "ours", "overwritten"),
        [
            ("41.9", ("42", "1"), True),
            ("42.1", ("42", "1"), True),
            ("42.1", ("42", "2"), True),
            ("42.2", ("42", "1"), False),
            ("43.1", ("42", "9"), False),
            ("100.1", ("99", "1"), False),
            ("nonsense", ("42", "1"), True),
            ("43.1", ("", ""), False),
        ],
    )
    def test_an_older_run_never_overwrites(self, make, theirs, ours, overwritten):
        """By the run's number and attempt, however late it comes."""
        run, github = make(), GitHub(marker(run=theirs) + "\nold")
        run.origin = replace(run.origin, run_id=ours[0], run_attempt=ours[1])
        comment(run, github, "new")
        assert ["new" if overwritten else "old"] == about(*github.comments)
        assert overwritten or "which is newer" in printed(run)
        assert [] == run.warnings


class TestWhoseComment:
    """The marker is no secret."""

    @pytest.mark.parametrize("association", ["NONE", "CONTRIBUTOR", "MEMBER", "OWNER"])
    @pytest.mark.parametrize("login", [None, "octocat"])
    def test_a_persons_comment_is_left_alone(self, make, association, login):
        """Who could edit it back later must not speak in the run's name, and nobody's own words are replaced."""
        github = GitHub(marker() + "\n✅ trust me", login=login)
        github.comments[0] |= {"user": {"login": "mallory", "type": "User"}, "author_association": association}
        comment(make(), github)
        assert ["GET", "GET", "POST", "GET", "GET"] == github.sent()

    def test_it_may_be_the_tokens_own(self, make):
        """A personal access token writes as its person."""
        github = GitHub(*[marker()] * 2, login="octocat")
        for row, login in zip(github.comments, ("mallory", "octocat"), strict=True):
            row["user"] = {"login": login, "type": "User"}
        comment(make(), github, "new")
        assert [False, True] == ["new" in row["body"] for row in github.comments]

    @pytest.mark.parametrize("author", [{}, {"user": None}, {"user": {"login": "x"}}])
    def test_what_is_not_said_about_an_author_is_no_reason(self, make, author):
        """A service in front of GitHub may leave it out."""
        github = GitHub()
        github.comments = [{"id": 1, "body": marker(), **author}]
        comment(make(), github)
        assert ["GET", "PATCH"] == github.sent()

    def test_another_bots_comment(self, make):
        """GitHub does not let us edit it; then there is one more."""
        github = GitHub(marker(), refuse={"PATCH": 403})
        comment(make(), github)
        assert ["GET", "PATCH", "POST", "GET"] == github.sent()

    def test_a_quote_is_not_ours(self, make):
        """A reply that quotes the comment has its marker, though not at its start."""
        github = GitHub(f"> {marker('my-model')}\n> ## Planned\n\nwhat is this?", f"see {marker('my-model')}")
        comment(make(), github)
        assert ["GET", "POST", "GET"] == github.sent()


class TestText:
    """What stands in it."""

    def test_secrets_are_redacted(self, make):
        """Masks do not cover comments; a secret may come as it is or escaped for Markdown."""
        run, github = make(), GitHub()
        comment(run, github, f"key {run.settings.baseten_api_key}, token {TOKEN.replace('_', '&#95;')} and {TOKEN}")
        assert "key ***, token *** and ***" in github.comments[0]["body"]

    def test_cut_to_what_github_takes(self):
        """Long texts are cut at a line; the last line says where the rest is, and what was open is closed."""
        text = "## Planned\n\n<details><summary>x</summary>\n\n```diff\n" + "+ line\n" * 20_000
        body = compose(text, "<!-- m -->", "the run")
        assert len(body) <= BODY_CHARACTERS
        assert len(body) > BODY_CHARACTERS - 100
        assert body.endswith("+ line\n```\n\n</details>\n\n*Cut here: the summary of the run has it all.*\n\nthe run")

    def test_short_texts_are_whole(self):
        """Without a word about cutting."""
        assert "<!-- m -->\ntext\n\nlast" == compose("text\n", "<!-- m -->", "last")

    def test_any_text(self, make):
        """What JSON has to escape arrives."""
        github = GitHub()
        comment(make(), github, "ünï \u2028 \ud800 🎉")
        assert "ünï \u2028" in github.comments[0]["body"]


class TestWhen:
    """Only where there are a token, a pull request and a model."""

    @pytest.mark.parametrize("gap", ["token", "pull request", "model", "GitHub", "repository"])
    def test_nothing_is_sent(self, make, gap):
        """Something is missing; where a comment was asked for, a notice says what and how to change it."""
        run, github = make("" if gap == "model" else "m"), GitHub()
        if gap == "repository":
            run.origin = replace(run.origin, repository="")
        if gap == "model":  # and no Truss
            run.settings = replace(run.settings, mode=Mode.PROMOTE)
        if gap == "token":
            run.settings = replace(run.settings, github_token="")
        if gap == "pull request":
            run.origin = replace(run.origin, pull_request="")
        if gap == "GitHub":
            run.runner.on_github = False
        comment(run, github)
        assert [] == github.requests
        assert [] == run.warnings
        assert (gap != "token") == ("No pull-request comment: " in printed(run))

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            *[
                (name, f"A run on `{name}` has no pull request")
                for name in ("merge_group", "schedule", "release", "push")
            ],
            ("issue_comment", "an issue that is no pull request"),
            ("workflow_run", "no pull request, or several"),
            ("", "A run on `unknown`"),
        ],
    )
    def test_a_notice_says_why(self, make, event, words):
        """And how to change that."""
        run = make()
        run.origin = replace(run.origin, pull_request="", event=event)
        comment(run, GitHub())
        (line,) = [line for line in printed(run).splitlines() if line.startswith("::notice::")]
        assert words in line
        assert "on: pull_request" in line

    def test_a_service_without_pages(self, make):
        """Gitea answers all comments, whatever page is asked for: it is not asked for ever."""
        run, github = make(), GitHub(*["chat"] * 150, marker() + "\nold")

        def whole(request):
            github.requests.append(request)
            if request.method == "GET":
                return httpx.Response(200, json=github.comments)
            return github.act(request)

        comment(run, whole, "new")
        assert ["GET", "GET", "PATCH"] == github.sent()

    def test_the_request(self, make):
        """Goes to the API of this GitHub, with the token."""
        github = GitHub()
        comment(make(), github)
        assert {"api.github.test"} == {request.url.host for request in github.requests}
        assert {f"Bearer {TOKEN}"} == {request.headers["Authorization"] for request in github.requests}


class TestFailures:
    """Are warnings."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        ("status", "said", "remedy"),
        [
            (401, "Bad credentials", "invalid or expired"),
            (403, "Resource not accessible by integration", "permissions:\n    pull-requests: write"),
            (404, "Not Found", "permissions:\n    pull-requests: write"),
            (403, "Resource not accessible by personal access token", "`Pull requests: write`"),
            (403, "Unable to create comment because issue is locked.", "unlock it"),
            (403, "Repository was archived so is read-only.", "unarchive it"),
            (403, "Resource protected by organization SAML enforcement.", "single sign-on"),
            (
                403,
                "Although you appear to have the correct authorization credentials, the `x` organization has an IP "
                "allow list enabled",
                "the runner's to its list",
            ),
            (403, "API rate limit exceeded for installation ID 1.", "fewer jobs at once"),
            (403, "You have exceeded a secondary rate limit.", "fewer jobs at once"),
            (429, "Slow down", "fewer jobs at once"),
            (422, "Validation Failed", "report it"),
            (500, "Oops", "next run writes"),
        ],
    )
    def test_each_refusal_has_its_own_remedy(self, make, method, status, said, remedy):
        """With what GitHub said."""
        run = make()
        comment(run, GitHub(refuse={method: httpx.Response(status, json={"message": said})}))
        (warning,) = run.warnings
        assert f"could not be written: {status}: {said}" in warning.message
        assert remedy in warning.remedy

    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
    @pytest.mark.parametrize(
        "refusal",
        [
            httpx.Response(429, json={"message": "slow"}, headers={"Retry-After": "7"}),
            httpx.Response(403, json={"message": "You have exceeded a secondary rate limit"}),
            httpx.Response(403, json={"message": "API rate limit exceeded for user ID 1."}),
            httpx.Response(500, json={}),
            httpx.Response(502, text="<html>Unicorn!</html>"),
            httpx.Response(503),
            httpx.Response(200, text="half a JS"),
        ],
    )
    def test_what_passes_is_tried_again(self, make, method, refusal):
        """While the comment may take, and never twice unseen."""
        run = make()
        again = lambda: httpx.Response(refusal.status_code, headers=refusal.headers, content=refusal.content)  # noqa: E731
        github = GitHub(*([marker() + "\nold"] if method == "PATCH" else []), refuse={method: [again(), again()]})
        comment(run, github, "new")
        assert [] == run.warnings
        assert ["new"] == [row["body"].splitlines()[1] for row in github.comments]
        assert run.clock.now() - run.started < 30

    @pytest.mark.parametrize("seconds", [5, 12, 20])
    def test_a_limit_that_lasts(self, make, seconds):
        """Is waited for as long as the comment may take."""
        run, github = make(), GitHub()
        start = run.clock.now()

        def limited(request):
            if run.clock.now() < start + seconds:
                return httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."})
            return github(request)

        comment(run, limited, "new")
        assert (1, []) == (len(github.comments), run.warnings)

    def test_a_comment_whose_answer_was_lost(self, make):
        """Is looked for before it is sent again."""
        run, github = make(), GitHub()

        def losing(request):
            answer = github(request)
            return httpx.Response(502) if request.method == "POST" else answer

        comment(run, losing, "new")
        assert (1, []) == (len(github.comments), run.warnings)

    def test_one_that_hangs(self, make, monkeypatch):
        """Is left behind: the run ends all the same."""
        monkeypatch.setattr("baseten_deploy.comment.writing.SECONDS", 0.05)
        run, release = make(), threading.Event()

        def hang(_request):
            release.wait(10)
            return httpx.Response(500)

        try:
            comment(run, hang)
        finally:
            release.set()
        assert "did not answer within 0.05 s" in run.warnings[0].message

    def test_a_signal_ends_it(self, make):
        """A job that is cancelled has seconds."""
        run, asked, release = make(), threading.Event(), threading.Event()

        def hang(_request):
            asked.set()
            release.wait(10)
            return httpx.Response(500)

        def cancel(_signal, _frame):
            raise Cancelled

        before = signal.signal(signal.SIGUSR1, cancel)
        threading.Thread(target=lambda: (asked.wait(10), os.kill(os.getpid(), signal.SIGUSR1)), daemon=True).start()
        try:
            with pytest.raises(Cancelled):
                comment(run, hang)
        finally:
            release.set()
            signal.signal(signal.SIGUSR1, before)

    def test_a_fork_has_a_token_that_only_reads(self, make):
        """GitHub means it so: that is no warning."""
        run = make(origin={"secretless": True})
        comment(run, GitHub(refuse={"POST": 403}))
        assert [] == run.warnings
        (line,) = [line for line in printed(run).splitlines() if line.startswith("::notice::No pull-request comment")]
        assert "workflow_run" in line

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json={"message": "not a list"}),
            httpx.Response(301, headers={"Location": "https://elsewhere.test"}),
        ],
    )
    def test_odd_answers(self, make, answer):
        """As well."""
        run = make()
        comment(run, GitHub(refuse={"GET": answer}))
        assert 1 == len(run.warnings)

    def test_no_connection(self, make):
        """It is tried for half a minute at most."""
        run = make()

        def down(_request):
            raise httpx.ConnectError("down")

        comment(run, down)
        assert "no connection to api.github.test" in run.warnings[0].message
        assert run.clock.now() - run.started < 30

    def test_odd_rows(self, make):
        """Whatever else is in the list is not ours."""
        github = GitHub()
        github.comments = [None, 7, {"id": "x", "body": marker()}, {"id": 1, "body": None}, {"body": "b"}]
        comment(make(), github)
        assert ["GET", "POST", "GET"] == github.sent()

    def test_a_token_that_is_none(self, make):
        """A header cannot carry it; the run goes on."""
        run = make()
        run.settings = replace(run.settings, github_token="tökén")
        comment(run, GitHub())
        assert 1 == len(run.warnings)
