"""The sticky comment: one per model, found and edited or created, never a secret in it, never a failed run."""

import io
import json
import re
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from transport import FakeClock, make_client, make_run, printed

from baseten_deploy.ci.event import Origin
from baseten_deploy.ci.runner import Runner
from baseten_deploy.comment import BODY_CHARACTERS, compose, leave, marker

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
        path = request.url.path
        if request.method in self.refuse:
            answer = self.refuse[request.method]
            return answer if isinstance(answer, httpx.Response) else httpx.Response(answer, json={"message": "Refused"})
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
        assert ["GET", "POST"] == github.sent()
        body = github.comments[-1]["body"]
        assert "<!-- baseten-deploy: my-model -->\n## Planned\n\n" in body
        assert "Commit `0a1b2c3` · [the run](https://github.test/octo-org/models/actions/runs/42)" in body

    def test_edited_in_place(self, make):
        """The next run of the model edits it, and touches no other."""
        github = GitHub("first!")
        comment(make(), github, "one")
        comment(make(), github, "two")
        assert ["GET", "POST", "GET", "PATCH"] == github.sent()
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
        assert ["GET", "POST", "GET", "PATCH"] == github.sent()

    def test_on_a_later_page(self, make):
        """A long conversation is read to its end."""
        github = GitHub(*["chat"] * 230, marker("my-model") + "\nold", *["chat"] * 30)
        comment(make(), github)
        assert ["GET", "GET", "GET", "PATCH"] == github.sent()

    def test_the_oldest_of_several(self, make):
        """Two jobs may have created one each at the same time: from then on it is always the first."""
        github = GitHub(*[marker("my-model") + "\nold"] * 2)
        comment(make(), github, "new")
        assert [True, False] == ["new" in row["body"] for row in github.comments]

    def test_deleted_meanwhile(self, make):
        """Is created again."""
        github = GitHub(marker("my-model"), refuse={"PATCH": 404})
        comment(make(), github)
        assert ["GET", "PATCH", "POST"] == github.sent()


class TestWhoseComment:
    """The marker is no secret."""

    @pytest.mark.parametrize("association", ["NONE", "CONTRIBUTOR", "MEMBER", "OWNER"])
    @pytest.mark.parametrize("login", [None, "octocat"])
    def test_a_persons_comment_is_left_alone(self, make, association, login):
        """Who could edit it back later must not speak in the run's name, and nobody's own words are replaced."""
        github = GitHub(marker("my-model") + "\n✅ trust me", login=login)
        github.comments[0] |= {"user": {"login": "mallory", "type": "User"}, "author_association": association}
        comment(make(), github)
        assert ["GET", "GET", "POST"] == github.sent()

    def test_it_may_be_the_tokens_own(self, make):
        """A personal access token writes as its person."""
        github = GitHub(*[marker("my-model")] * 2, login="octocat")
        for row, login in zip(github.comments, ("mallory", "octocat"), strict=True):
            row["user"] = {"login": login, "type": "User"}
        comment(make(), github, "new")
        assert [False, True] == ["new" in row["body"] for row in github.comments]

    @pytest.mark.parametrize("author", [{}, {"user": None}, {"user": {"login": "x"}}])
    def test_what_is_not_said_about_an_author_is_no_reason(self, make, author):
        """A service in front of GitHub may leave it out."""
        github = GitHub()
        github.comments = [{"id": 1, "body": marker("my-model"), **author}]
        comment(make(), github)
        assert ["GET", "PATCH"] == github.sent()

    def test_another_bots_comment(self, make):
        """GitHub does not let us edit it; then there is one more."""
        github = GitHub(marker("my-model"), refuse={"PATCH": 403})
        comment(make(), github)
        assert ["GET", "PATCH", "POST"] == github.sent()

    def test_a_quote_is_not_ours(self, make):
        """A reply that quotes the comment has its marker, though not at its start."""
        github = GitHub(f"> {marker('my-model')}\n> ## Planned\n\nwhat is this?", f"see {marker('my-model')}")
        comment(make(), github)
        assert ["GET", "POST"] == github.sent()

    @given(st.text(), st.text())
    def test_markers(self, one, other):
        """A marker is one line of HTML comment, invisible when rendered, and each model has its own."""
        for name in (one, other):
            (token,) = MarkdownIt("commonmark").parse(marker(name))
            assert ("html_block", marker(name)) == (token.type, token.content)
            assert marker(name).find("-->") == len(marker(name)) - 3
        assert (one == other) == (marker(one) == marker(other))


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
        body = compose(text, marker("m"), "the run")
        assert len(body) <= BODY_CHARACTERS
        assert len(body) > BODY_CHARACTERS - 100
        assert body.endswith("+ line\n```\n\n</details>\n\n*Cut here: the summary of the run has it all.*\n\nthe run")

    def test_short_texts_are_whole(self):
        """Without a word about cutting."""
        assert "<!-- baseten-deploy: m -->\ntext\n\nlast" == compose("text\n", marker("m"), "last")

    def test_any_text(self, make):
        """What JSON has to escape arrives."""
        github = GitHub()
        comment(make(), github, "ünï \u2028 \ud800 🎉")
        assert "ünï \u2028" in github.comments[0]["body"]


class TestWhen:
    """Only where there are a token, a pull request and a model."""

    @pytest.mark.parametrize("gap", ["token", "pull request", "model", "GitHub"])
    def test_nothing_is_sent(self, make, gap):
        """Something is missing."""
        run, github = make("" if gap == "model" else "m"), GitHub()
        if gap == "token":
            run.settings = replace(run.settings, github_token="")
        if gap == "pull request":
            run.origin = replace(run.origin, pull_request="")
        if gap == "GitHub":
            run.runner.on_github = False
        comment(run, github)
        assert [] == github.requests
        assert [] == run.warnings

    def test_the_request(self, make):
        """Goes to the API of this GitHub, with the token."""
        github = GitHub()
        comment(make(), github)
        assert {"api.github.test"} == {request.url.host for request in github.requests}
        assert {f"Bearer {TOKEN}"} == {request.headers["Authorization"] for request in github.requests}


class TestFailures:
    """Are warnings."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
    def test_a_warning(self, make, method, status):
        """With what GitHub said, and what to do about a refused token."""
        run = make()
        comment(run, GitHub(refuse={method: status}))
        (warning,) = run.warnings
        assert f"{status}: Refused" in warning.message
        assert (status in (401, 403, 404)) == ("pull-requests: write" in warning.remedy)

    def test_a_fork_has_a_token_that_only_reads(self, make):
        """GitHub means it so: that is no warning."""
        run = make(origin={"secretless": True})
        comment(run, GitHub(refuse={"POST": 403}))
        assert [] == run.warnings
        assert "No pull-request comment" in printed(run)

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
        github.comments = [None, 7, {"id": "x", "body": marker("my-model")}, {"id": 1, "body": None}, {"body": "b"}]
        comment(make(), github)
        assert ["GET", "POST"] == github.sent()

    def test_a_token_that_is_none(self, make):
        """A header cannot carry it; the run goes on."""
        run = make()
        run.settings = replace(run.settings, github_token="tökén")
        comment(run, GitHub())
        assert 1 == len(run.warnings)
