"""A run about a Chain: with a stand-in for `truss`, and a service that is a dictionary."""

import dataclasses
import json

import httpx
import pytest
import stand_in_truss
from transport import FakeClock, make_api, make_run

from baseten_deploy.inputs.settings import read_settings, variable_of
from baseten_deploy.service.chain_api import ChainApi

CHAINLET = "import truss_chains as chains\n@chains.mark_entrypoint\nclass Hello(chains.ChainletBase):\n    pass\n"
__all__ = ["CHAINLET"]


class ChainService:
    """Chains `{id: {name, team_name}}` and their deployments; `fail` answers first, with a response or `None`."""

    def __init__(self):
        self.chains = {}
        self.deployments = {}
        self.environments = {}
        self.sent = []
        self.fail = lambda _request: None

    def add_chain(self, chain_id, name="Hello", team="Default"):
        """A Chain that exists."""
        self.chains[chain_id] = {"id": chain_id, "name": name, "team_name": team}
        self.deployments[chain_id] = []
        self.environments[chain_id] = [{"name": "production", "current_deployment": None}]

    def add_deployment(self, chain_id, deployment_id, status="ACTIVE", **more):
        """A deployment of it."""
        row = {"id": deployment_id, "chain_id": chain_id, "status": status, "environment": None, "chainlets": []}
        self.deployments[chain_id].append({**row, "created_at": "2026-01-01T00:00:00Z", **more})

    def __call__(self, request):
        """The transport's handler."""
        self.sent.append(f"{request.method} {request.url.path}")
        if (failed := self.fail(request)) is not None:
            return failed
        parts = request.url.path.strip("/").split("/")[1:]
        if parts == ["teams"]:
            return httpx.Response(200, json={"teams": [{"id": "t1", "name": "Default", "default": True}]})
        if parts == ["chains"]:
            return httpx.Response(200, json={"chains": list(self.chains.values())})
        chain_id, *rest = parts[1:]
        if chain_id not in self.chains:
            return httpx.Response(404, json={"message": "no such chain"})
        if not rest:
            return httpx.Response(200, json=self.chains[chain_id])
        rows = {"deployments": self.deployments, "environments": self.environments}[rest[0]][chain_id]
        if request.method == "POST" and rest == ["environments"]:
            rows.append({**json.loads(request.content), "current_deployment": None})
            return httpx.Response(200, json=rows[-1])
        if len(rest) == 1:
            return httpx.Response(200, json={rest[0]: rows})
        found = [row for row in rows if rest[1] in (row.get("id"), row.get("name"))]
        return httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={"message": "no such thing"})


@pytest.fixture(scope="session")
def truss_python(tmp_path_factory):
    """An interpreter with the stand-in for `truss`."""
    return stand_in_truss.make(tmp_path_factory.mktemp("truss") / "venv")


@pytest.fixture
def service():
    """A service without a Chain."""
    return ChainService()


@pytest.fixture
def make_chain_run(tmp_path, truss_python, service):
    """Make a run; keyword arguments are inputs. Its workspace has `chain.py`, whose name `code` is the text of."""

    def make(code=CHAINLET, push="", **inputs):
        (tmp_path / "chain.py").write_text(code, encoding="utf-8")
        (tmp_path / "push.py").write_text(push, encoding="utf-8")
        given = {"truss-directory": "chain.py", "baseten-api-key": "key-12345678"}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        settings, problems = read_settings({variable_of(name): value for name, value in given.items()})
        assert [] == problems
        clock = FakeClock()
        run = make_run(settings, service, clock)
        run = dataclasses.replace(run, workspace=tmp_path, truss_python=truss_python)
        run.api = ChainApi(make_api(service, clock, deadline=clock.now() + 300).http)
        return run

    return make
