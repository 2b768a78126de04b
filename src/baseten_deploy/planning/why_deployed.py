"""Why `skip-unchanged` does not skip: what stands in the way, in one sentence. Pure."""

from collections.abc import Sequence

from baseten_deploy.deployment.states import LIVE

from .live_deployment import Live

_DIGITS = 12  # of a digest, as everywhere that people read one


def why_deployed(places: Sequence[Live], digest: str) -> str:
    """The first reason, of the first place that has one. `digest` is that of the content that is to be deployed."""
    return next(filter(None, (_of(place, digest) for place in places)), "something besides the content has changed")


def _of(place: Live, digest: str) -> str:
    """`""` where this very content is live, and stays so."""
    live = place.deployment
    if live is None:
        return f"nothing serves in {place.where} yet"
    if live.status not in LIVE:
        return f"{live.id}, which is in {place.where}, is {live.status}"
    if not place.digest:
        unknown = "has no `content-digest` label: it was not deployed by this action"
        return f"{live.id}, which serves in {place.where}, {unknown}"
    if place.digest != digest:
        there, here = place.digest[:_DIGITS], digest[:_DIGITS]
        return (
            f"the content differs from that of {live.id}, which serves in {place.where} (digest {there}, here {here})"
        )
    if not place.stays(digest):
        coming = place.candidate.id if place.candidate else "another deployment"
        return f"{place.where} has this content, and is being given {coming}, which has another"
    return ""
