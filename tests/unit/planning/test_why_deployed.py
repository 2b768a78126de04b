"""Why `skip-unchanged` does not skip."""

import pytest

from baseten_deploy.planning.live_deployment import Live, unchanged
from baseten_deploy.planning.why_deployed import why_deployed
from baseten_deploy.service.answers import Deployment

DIGEST = "d" * 64


def deployment(digest=DIGEST, status="ACTIVE", name="dep"):
    """Make a deployment that carries a content digest."""
    return Deployment(name, name, status, labels={"content-digest": digest} if digest else {})


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Live("production"), "nothing serves in production yet"),
        (
            Live("production", deployment("e" * 64)),
            "the content differs from that of dep, which serves in production (digest eeeeeeeeeeee, here dddddddddddd)",
        ),
        (
            Live("production", deployment("")),
            "dep, which serves in production, has no `content-digest` label: it was not deployed by this action",
        ),
        (Live("production", deployment(status="INACTIVE")), "dep, which is in production, is INACTIVE"),
        (
            Live("production", deployment(), candidate=deployment("e" * 64, name="next")),
            "production has this content, and is being given next, which has another",
        ),
    ],
)
def test_each_reason(place, expected):
    """Whatever keeps a run from being skipped is told; also when another place would have let it."""
    same = Live("staging", deployment(name="s"))
    assert [expected] * 3 == [why_deployed(places, DIGEST) for places in ([place], [same, place], [place, same])]
    assert unchanged([same, place], DIGEST) is None


def test_nothing_that_is_known():
    """Is not passed off as a change of the content."""
    assert "something besides the content has changed" == why_deployed([Live("staging", deployment())], DIGEST)
