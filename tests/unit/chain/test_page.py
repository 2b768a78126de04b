"""The chainlets on a page."""

import httpx

from baseten_deploy.chain import page
from baseten_deploy.service.answers import Chainlet

SCALING = {"min_replica": 1, "max_replica": 3, "scale_down_delay": 900}


def row(name, status, **more):
    """A chainlet as the service tells it."""
    given = {"id": name.lower(), "name": name, "status": status, "active_replica_count": 1, "instance_type_name": "1x2"}
    return {**given, "autoscaling_settings": SCALING, **more}


def seen(run, service, *chainlets):
    """Have a deployment with these chainlets read."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1", chainlets=list(chainlets))
    run.api.deployment("c1", "d1")


def test_a_row_for_each():
    """State, replicas, instance type, time to live, and how long it took to come up."""
    text = page.chainlet_table(
        [Chainlet("l1", "Hello", "ACTIVE", 2, "A10G:4x16", SCALING), Chainlet("l2", "Rand", "BUILDING")], {"l1": 63.0}
    )
    assert (
        "| `Hello` | `ACTIVE` | 2 (1 to 3) | `A10G:4x16` | 15 min without a request, then 1 stay | 1 min 3 s |" in text
    )
    assert "| `Rand` | `BUILDING` | 0 |  |  |  |" in text


def test_how_long_a_chainlet_took(make_chain_run, service):
    """From the first look on; of one that was live already nothing is said."""
    run = make_chain_run()
    seen(run, service, row("Hello", "ACTIVE"), row("Rand", "BUILDING"))
    for status in ("DEPLOYING", "ACTIVE", "ACTIVE"):
        run.clock.sleep(20)
        service.deployments["c1"][0]["chainlets"][1]["status"] = status
        run.api.deployment("c1", "d1")
    assert {"rand": 40.0} == page.live_after_of(run.api, run.api.seen("d1"))
    assert "| 40 s |" in page.describe(run, "c1", "d1")


def test_the_failed_one_has_its_log_unfolded(make_chain_run, service):
    """And the others have none."""
    run = make_chain_run()
    seen(run, service, row("Hello", "ACTIVE"), row("Rand", "BUILD_FAILED"))

    def logs(request):
        if not request.url.path.endswith("/logs"):
            return None
        lines = [{"timestamp": "1", "message": f"no such package ({request.url.path.split('/')[-2]})"}]
        return httpx.Response(200, json={"logs": lines})

    service.fail = logs
    text = page.describe(run, "c1", "d1")
    assert "<details open><summary>Log of Rand</summary>" in text
    assert "no such package (rand)" in text
    assert "Log of Hello" not in text


def test_a_log_that_cannot_be_read(make_chain_run, service):
    """The table stays."""
    run = make_chain_run()
    seen(run, service, row("Rand", "FAILED"))
    service.fail = lambda _request: httpx.Response(500, json={})
    assert page.describe(run, "c1", "d1").startswith("### Chainlets\n\n| Chainlet |")
    assert "Log of" not in page.describe(run, "c1", "d1")


def test_nothing_seen(make_chain_run):
    """Nothing is said."""
    assert "" == page.describe(make_chain_run(), "c1", "d1")


def test_names_are_foreign(make_chain_run, service):
    """They break nothing."""
    run = make_chain_run()
    seen(run, service, row("A | `x` <b>", "ACTIVE", id="l1"))
    text = page.describe(run, "c1", "d1")
    assert "| A" not in text.splitlines()[-1].removeprefix("| <code>A")
    assert "<b>" not in text
