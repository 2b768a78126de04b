"""Our comments on one pull request: found by their markers, edited in place, and one in the end.

Runs at once may each make one: the oldest stays, the rest is folded. An older run never overwrites a newer one's. Spec:
GitHub's REST API for issue comments.
"""

import re
from collections.abc import Callable
from math import inf
from typing import Any
from urllib.parse import quote

from baseten_deploy.clock import Clock
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.report.markdown import link
from baseten_deploy.service.http import Http, HttpError
from baseten_deploy.service.retry import Failure, Fault, Tries

from .marker import FOLDED, Key, Marker, read_marker

PAGE = 100
# GitHub ends a conversation at 2500 comments.
PAGES = 30

_LIMITED = expression(r"rate limit|abuse detection|too quickly|secondary limit", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A comment of ours. `page` is its address, for people."""

    number: int
    marker: Marker
    page: str = ""


def is_throttled(error: HttpError) -> bool:
    """Whether GitHub would take the call later: it answers its limits with 429, and with 403 and words."""
    return error.status == 429 or (error.status == 403 and bool(_LIMITED.search(error.message)))


class Conversation:
    """The comments of pull request `number` in `repository`, through `http`, until `deadline` (of `clock.now()`)."""

    def __init__(self, http: Http, repository: str, number: str, clock: Clock, deadline: float) -> None:
        self._http = http
        self._clock = clock
        self._deadline = deadline
        self._not_ours: set[int] = set()  # although the marker says so
        self._base = f"/repos/{quote(repository)}/issues"
        self._comments = f"{self._base}/{quote(number, safe='')}/comments"

    def put(self, ours: Marker, write: Callable[[Key], str]) -> str:
        """Leave the one comment of this key, and answer what was done. `write` makes its body for the key it gets.

        What fails for the moment is tried again from the look on, so that nothing is sent twice unseen. Raises
        `HttpError`.
        """
        tries = Tries(self._clock, self._deadline, most=inf)
        while True:
            try:
                return self._put(ours, write)
            except HttpError as error:
                failure = Failure(Fault.STATUS, 429, error.failure.hint) if is_throttled(error) else error.failure
                if not tries.again(failure):
                    raise

    def _put(self, ours: Marker, write: Callable[[Key], str]) -> str:
        found = self._find(ours.key)
        while found:
            keep, rest = chosen(ours.key, found)
            if newer := newest([keep, *rest], ours):
                return f"left as it is: the run {newer.marker.run[0]} wrote it, which is newer"
            if self._edit(keep, write(ours.key.filled(keep.marker.key))):
                self._fold(keep, rest)
                return "updated"
            found.remove(keep)
        row = self._http.request("POST", self._comments, body={"body": write(ours.key)}, retry=False)
        self._settle(row.get("id"), ours, write)
        return "created"

    def _settle(self, number: Any, ours: Marker, write: Callable[[Key], str]) -> None:
        """Look again after one was made: another run may have made one at the same moment."""
        try:
            found = self._find(ours.key)
        except HttpError:
            return  # it is there; the next run settles it
        same = [each for each in found if each.marker.key == ours.key]
        if len(same) < 2:
            return
        keep, rest = same[0], same[1:]
        if newest(same, ours):
            self._fold(keep, [each for each in rest if each.number == number])
        elif self._edit(keep, write(ours.key)):
            self._fold(keep, rest)

    def _find(self, key: Key) -> list[Found]:
        """Our comments that may be about `key`, the oldest first.

        The marker is no secret: a bot's comment with it is taken for ours, and a person's when the token is that
        person's.
        """
        found: dict[int, tuple[Found, str]] = {}  # and the person who wrote it
        seen: set[int] = set()
        for page in range(1, PAGES + 1):
            rows = self._http.get_list(self._comments, params={"per_page": PAGE, "page": page})
            numbers = {row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), int)}
            for row in rows:
                number = row.get("id") if isinstance(row, dict) else None
                marker = read_marker(row.get("body")) if isinstance(number, int) else None
                if marker and marker.key.may_be(key) and number not in self._not_ours:
                    url = row.get("html_url")
                    found[row["id"]] = Found(row["id"], marker, url if isinstance(url, str) else ""), _person(row)
            if len(rows) < PAGE or numbers <= seen:  # Gitea answers all of them, whatever page is asked for
                break
            seen |= numbers
        me = self._login() if any(person for _, person in found.values()) else ""
        return [each for _, (each, person) in sorted(found.items()) if not person or person == me]

    def _login(self) -> str:
        """Whose the token is; `""` for a workflow's own, which is no person's."""
        try:
            return str(self._http.request("GET", "/user", retry=False).get("login") or "")
        except HttpError:
            return ""

    def _edit(self, comment: Found, body: str) -> bool:
        """Whether a comment says this now; not when it is somebody else's after all, or was deleted meanwhile."""
        try:
            self._http.request("PATCH", f"{self._base}/comments/{comment.number}", body={"body": body}, retry=False)
        except HttpError as error:
            if error.status not in (403, 404) or is_throttled(error):
                raise
            self._not_ours.add(comment.number)
            return False
        return True

    def _fold(self, keep: Found, rest: list[Found]) -> None:
        for comment in rest:
            self._edit(comment, folded(keep.page))


def chosen(key: Key, found: list[Found]) -> tuple[Found, list[Found]]:
    """Of comments that may be about `key` (the oldest first): the one to keep, and those that it takes the place of."""
    exact = [each for each in found if each.marker.key == key]
    if exact:
        keep = exact[0]
    elif key.model:
        keep = found[0]
    else:  # the Truss cannot be read any more: it was about the model of the last run that could
        keep = max(found, key=lambda each: each.marker.run)
    unclear = [each for each in found if not each.marker.key.model or each.marker.key.target is None]
    same = [each for each in found if each.marker.key in (key, keep.marker.key)]
    return keep, [each for each in found if each is not keep and (each in same or (key.model and each in unclear))]


def newest(comments: list[Found], ours: Marker) -> Found | None:
    """The comment of the newest run that is newer than ours, if one is."""
    newer = [each for each in comments if each.marker.run > ours.run]
    return max(newer, key=lambda each: each.marker.run, default=None)


def folded(page: str) -> str:
    """The body of a comment that another one took the place of."""
    where = link("another comment", page) if page else "another comment"
    text = f"What stood here is kept up to date in {where}."
    return f"{FOLDED}\n<details><summary>Superseded</summary>\n\n{text}\n\n</details>"


def _person(row: dict[str, Any]) -> str:
    """The login of a comment's author who is a person, `""` for a bot and for what is not told."""
    author = row.get("user")
    if not isinstance(author, dict) or author.get("type") != "User":
        return ""
    return str(author.get("login") or "somebody")
