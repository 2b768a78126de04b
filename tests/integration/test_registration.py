"""The whole run with a registry: what the entity says, and what a registry that fails does to the run."""

import json

import pytest
from fakes.nemo import FakeNemo


@pytest.fixture
def nemo():
    """The recorded fake of the NeMo Platform, on a port."""
    fake = FakeNemo()
    with fake.serving() as url:
        yield fake, url


def test_registers_the_environment(job, nemo):
    """After the promotion the entity names the environment's endpoint and carries what was deployed."""
    _, url = nemo
    result = job.run(promote_to="production", nemo_url=url)
    assert "success" == result.outputs["status"], result.log
    assert "default/hello-truss" == result.outputs["nemo-entity"]


def test_a_bad_entity_is_refused_at_the_start(job, nemo):
    """A field that the registry would refuse fails the run before anything is sent."""
    _, url = nemo
    result = job.run(nemo_url=url, nemo_entity='{"backend_format": "OPENAI"}')
    assert "invalid" == result.outputs["status"]
    assert () == job.sandbox.requests


def test_a_registry_that_is_down(job):
    """The deployment stays, the status says that only the registry was not told, and both are named."""
    result = job.run(nemo_url="http://127.0.0.1:9", on_failure="delete")
    assert ("registration_failed", 1) == (result.outputs["status"], result.exit_code)
    assert result.outputs["deployment-id"] in result.summary
    assert not [r for r in job.sandbox.requests if r.method == "DELETE"]
    assert "registration_failed" == json.loads(result.outputs["result"])["status"]
