"""`make release-rehearsal`: a whole release on loopback, and then the released version used by its tag.

What GitHub would do is done by a registry (Debian's `docker-registry`), a git server, and `act`, which fetches the
action by its tag from that server and has podman pull the image by its digest from that registry. The steps are those
of .github/workflows/release.yml, which the first test reads: the same commands in the same order.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from act import Act, ActRun, podman_service, repository
from containers import BASE, build, in_storage, machine_environment, other_machine, tool
from loopback import GitServer, Registry, git_server, registry, with_authority

import versioning
from build_context import copy_checkout
from runner import ROOT
from workflow_events import push

pytestmark = pytest.mark.real_release

NAME = "octo-org/baseten-deploy"
VERSION = versioning.Version(1, 0, 0)
NEXT = versioning.Version(1, 0, 1)


def git(directory: Path, *arguments: str) -> str:
    """Run git as a maintainer."""
    who = {f"GIT_{role}_{what}": "m@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=machine_environment() | who,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()


@dataclass
class Released:
    """Everything that a release was made of, and what came of it."""

    part: Path
    registry: Registry
    server: GitServer
    source: Path
    remote: Path

    @property
    def image(self) -> str:
        """The image's name."""
        return f"{self.registry.address}/{NAME}"

    def step(self, *arguments: str) -> dict[str, str]:
        """One step of scripts/release.py of the checkout, as the workflow calls it; its outputs."""
        output = self.source.parent / "github_output"
        output.unlink(missing_ok=True)
        command = (
            *(sys.executable, self.source / "scripts" / "release.py", "--checkout", self.source),
            *("--buildah", self.part / "build.sh", "--repository", NAME, *arguments),
        )
        environment = machine_environment() | {"RELEASE_IMAGE": self.image, "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(
            in_storage(self.part, *command), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (self.source.parent / "said").write_text(done.stdout)
        lines = output.read_text().splitlines() if output.exists() else []
        return dict(line.split("=", 1) for line in lines)

    def said(self) -> str:
        """What the last step printed."""
        return (self.source.parent / "said").read_text()

    def release(self, version: versioning.Version) -> dict[str, str]:
        """Release what is in the checkout, with the steps of the workflow; the outputs that count."""
        self.step("prepare", str(version))
        git(self.source, "commit", "-q", "-a", "-m", f"Prepare {version}")
        git(self.source, "push", "-q", "origin", "main")
        self.step("check", str(version))
        one = self.step("image", "--arch", "amd64")
        of_chains = self.step("image", "--arch", "amd64", "--target", "chain")
        index = self.step("index", str(version), one["digest-amd64"])
        chain = self.step("index", str(version), "--target", "chain", of_chains["digest-amd64"])["digest"]
        return index | {"chain": chain} | self.step("publish", str(version), index["digest"], "--chain", chain)


@pytest.fixture(scope="module")
def released(shared_part, tmp_path_factory) -> Iterator[Released]:
    """Make the release: this checkout's files, committed in a clone of a bare repository."""
    part, directory = shared_part("image"), tmp_path_factory.mktemp("release")
    build(part, "localhost/release-amd64", ROOT)
    with registry(directory / "registry") as images, git_server(directory) as server:
        remote, source = server.create(NAME), directory / "source"
        copy_checkout(ROOT, source)
        changelog = source / "CHANGELOG.md"
        if not versioning.section(changelog.read_text(), "Unreleased").body:
            changelog.write_text(changelog.read_text().replace("[Unreleased]\n", "[Unreleased]\n\n- Rehearsed.\n", 1))
        git(source, "init", "-q", "-b", "main")
        git(source, "remote", "add", "origin", str(remote))
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", "main")
        yield Released(part, images, server, source, remote)


@pytest.fixture(scope="module")
def first(released) -> dict[str, str]:
    """The outputs of the first release."""
    return released.release(VERSION)


def steps_of_the_workflow() -> list[str]:
    """What .github/workflows/release.yml has scripts/release.py do, in order, with the options that say to what."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    runs = [step.get("run", "").replace("\n", " ") for job in jobs.values() for step in job["steps"]]
    lines = [found[1] for run in runs if (found := re.search(r"release\.py (.*)", run))]
    return [" ".join(re.findall(r"^\w+|--target \w+|--chain\b", line)) for line in lines]


def test_the_rehearsal_does_what_the_workflow_does():
    """The same steps in the same order; `announce` alone needs GitHub, and is tested with a `gh` that notes."""
    both = ["image", "image --target chain", "index", "index --target chain"]
    assert ["check", *both, "publish --chain", "announce --chain"] == steps_of_the_workflow()


def test_the_tags_name_a_commit_that_names_the_images(released, first):
    """v1.0.0 and v1 are one commit on top of main, whose two action.yml have the digests of their indexes."""
    tags = dict(
        reversed(line.split("\t")) for line in git(released.source, "ls-remote", "--tags", "origin").splitlines()
    )
    assert {"refs/tags/v1.0.0": first["commit"], "refs/tags/v1": first["commit"]} == tags
    action = yaml.safe_load(git(released.remote, "show", f"{first['commit']}:action.yml"))
    assert f"docker://{released.image}@{first['digest']}" == action["runs"]["image"]
    assert "Dockerfile" == yaml.safe_load(git(released.remote, "show", "main:action.yml"))["runs"]["image"]
    chain = yaml.safe_load(git(released.remote, "show", f"{first['commit']}:chain/action.yml"))
    assert f"docker://{released.image}-chain@{first['chain']}" == chain["runs"]["image"]
    unpinned = yaml.safe_load(git(released.remote, "show", "main:chain/action.yml"))["runs"]["image"]
    assert "docker://ghcr.io/OWNER/baseten-deploy-chain:v1" == unpinned


@pytest.mark.parametrize(("name", "output"), [(NAME, "digest"), (f"{NAME}-chain", "chain")])
def test_the_registry_has_an_index_under_three_names(released, first, name, output):
    """Its digest, the version and the major version; in it the image of this machine's architecture."""
    answers = [released.registry.manifest(name, reference) for reference in (first[output], "v1.0.0", "v1")]
    assert [200] * 3 == [answer.status_code for answer in answers]
    assert [first[output]] * 3 == [answer.headers["Docker-Content-Digest"] for answer in answers]
    (image,) = answers[0].json()["manifests"]
    assert ("amd64", "linux") == (image["platform"]["architecture"], image["platform"]["os"])


def layers(released: Released, name: str, digest: str) -> list[str]:
    """The digests of the layers of the one image that an index names, the lowest first."""
    (image,) = released.registry.manifest(name, digest).json()["manifests"]
    return [layer["digest"] for layer in released.registry.manifest(name, image["digest"]).json()["layers"]]


def test_the_image_for_chains_is_the_other_and_a_layer(released, first):
    """Who has the one pulls a layer more for the other."""
    image = layers(released, NAME, first["digest"])
    chain = layers(released, f"{NAME}-chain", first["chain"])
    assert image == chain[: len(image)]
    assert len(image) + 1 == len(chain)


def test_building_it_again_gives_the_same_layers(released, first, tmp_path):
    """Whoever builds the release commit has the layers that the registry has."""
    again = tmp_path / "again"
    subprocess.run(["git", "clone", "-q", "--branch", "v1.0.0", str(released.remote), str(again)], check=True)
    build(released.part, "localhost/release-again", again)
    digests = json.loads(tool(released.part, "podman", "image", "inspect", "localhost/release-again"))[0]["RootFS"][
        "Layers"
    ]
    index = released.registry.manifest(NAME, first["digest"]).json()
    manifest = released.registry.manifest(NAME, index["manifests"][0]["digest"]).json()
    blob = f"http://{released.registry.address}/v2/{NAME}/blobs/{manifest['config']['digest']}"
    assert digests == httpx.get(blob, timeout=30).json()["rootfs"]["diff_ids"]


def test_the_bill_of_materials_is_one(released, first, release_tools, tmp_path):
    """spdx-tools reads and validates each image's; it names what is in it, Debian's packages too."""
    status = tmp_path / "status"
    status.write_text(tool(released.part, "podman", "run", "--rm", "--entrypoint", "cat", BASE, "/var/lib/dpkg/status"))
    packages = tmp_path / "packages"
    podman = ("podman", "run", "--rm", "-i", "--entrypoint", "/opt/truss/bin/python", "localhost/release-chain-amd64")
    script = in_storage(released.part, *podman, "-I", "-")
    with (ROOT / "scripts" / "list_packages.py").open() as program, packages.open("w") as output:
        subprocess.run(script, env=machine_environment(), stdin=program, stdout=output, check=True)
    names = {}
    of_chains = ("--chain", first["chain"], "--packages", str(packages))
    for name, options in (("baseten-deploy", ()), ("baseten-deploy-chain", of_chains)):
        released.step("sbom", str(VERSION), first["digest"], "--dpkg-status", str(status), *options)
        bill = tmp_path / f"{name}.spdx.json"
        bill.write_text(released.said())
        command = [release_tools / "bin" / "pyspdxtools", "--infile", bill]
        judged = subprocess.run(command, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout + judged.stderr
        names[name] = {package["name"] for package in json.loads(bill.read_text())["packages"]}
        assert {"httpx", "boto3", "python", "libc6", name} <= names[name]
    pins = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-chain.txt").read_text(), re.MULTILINE)
    assert "truss" not in names["baseten-deploy"]
    assert {"truss", "ruff", "truss-transfer"} <= names["baseten-deploy-chain"]
    assert names["baseten-deploy-chain"] - names["baseten-deploy"] - {"baseten-deploy-chain"} <= set(pins)


@dataclass
class Used:
    """A workflow that used the release, on a runner that had never seen it."""

    run: ActRun
    pulled: list[str]  # what the registry was asked for

    def outputs(self, uses: str) -> dict[str, str]:
        """Those of its one step of ours, which ended well, as did the workflow."""
        assert self.run.exit_code == 0, self.run.text
        ((ended, outputs),) = self.run.steps(uses)
        assert ("success", "success") == (ended, outputs["status"])
        return outputs


def used(released: Released, tools: Path, directory: Path, checkout: Path, step: dict[str, object], key: str) -> Used:
    """Run a workflow in `checkout` whose second step is ours. act clones the tag, podman pulls the digest."""
    after = {"run": 'test "$STATUS" = success', "env": {"STATUS": "${{ steps.deploy.outputs.status }}"}}
    steps = [{"uses": "actions/checkout@v6"}, {**step, "id": "deploy"}, after]
    workflow = directory / "deploy.yml"
    workflow.write_text(
        yaml.safe_dump({"on": "push", "jobs": {"deploy": {"runs-on": "ubuntu-latest", "steps": steps}}})
    )
    before = len(released.registry.requests())
    runner = other_machine(released.part, directory / "runner", plain_registry=released.registry.address)
    with runner as image_home, podman_service(released.part, directory, image_home) as docker_host:
        act = Act(
            *(tools / "bin" / "act", docker_host, checkout),
            options=("--github-instance", released.server.address),
            environment=with_authority(released.server),
        )
        run = act.run(workflow, "push", push().payload, {"BASETEN_API_KEY": key})
    return Used(run, released.registry.requests()[before:])


SECRET = {"baseten-api-key": "${{ secrets.BASETEN_API_KEY }}"}


def test_the_release_is_used_by_its_tag(released, first, sandbox, models, release_tools, tmp_path):
    """A workflow says `uses: octo-org/baseten-deploy@v1`: act clones that tag, podman pulls that digest, it deploys."""
    step = {"uses": f"{NAME}@v1", "with": {**sandbox.inputs, **SECRET, "truss-directory": "my-model"}}
    done = used(released, release_tools, tmp_path, models, step, sandbox.api_key)
    done.outputs(NAME)
    assert len(sandbox.objects()) == 1
    assert any(f"/{NAME}" in asked for asked in released.server.asked), done.run.text
    assert f"{released.image}@{first['digest']}" in done.run.text
    assert any(first["digest"] in asked for asked in done.pulled), done.run.text


def test_the_sub_action_is_used_by_its_tag(released, first, sandbox, release_tools, tmp_path):
    """`uses: octo-org/baseten-deploy/chain@v1.0.0`: the same with a Chain, which the `truss` of that image pushes."""
    shutil.copytree(ROOT / "examples" / "hello-chain", tmp_path / "chains" / "hello-chain")
    given = {**sandbox.chain_inputs, **SECRET, "truss-directory": "hello-chain/hello.py"}
    step = {"uses": f"{NAME}/chain@v1.0.0", "with": {**given, "predict-payload": '{"max_value": 6}'}}
    done = used(released, release_tools, tmp_path, repository(tmp_path / "chains"), step, sandbox.api_key)
    outputs = done.outputs(f"{NAME}/chain")
    (facts,) = sandbox.chains.models()
    assert (facts.model.id, "Hello Chain") == (outputs["chain-id"], outputs["model-name"])
    assert facts.model.id in outputs["predict-url"]
    assert f"{released.image}-chain@{first['chain']}" in done.run.text
    assert any(first["chain"] in asked for asked in done.pulled), done.run.text


def test_the_next_release_moves_v1(released, first):
    """After a repair v1 names it, and v1.0.0 what it always named; the notes are those of the repair."""
    changelog = released.source / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("[Unreleased]\n", "[Unreleased]\n\n- A repair.\n", 1))
    second = released.release(NEXT)
    tags = dict(
        reversed(line.split("\t")) for line in git(released.source, "ls-remote", "--tags", "origin").splitlines()
    )
    expected = {"v1.0.0": first["commit"], "v1.0.1": second["commit"], "v1": second["commit"]}
    assert {f"refs/tags/{name}": commit for name, commit in expected.items()} == tags
    assert second["digest"] == released.registry.manifest(NAME, "v1").headers["Docker-Content-Digest"]
    of_chains = released.registry.manifest(f"{NAME}-chain", "v1")
    assert second["chain"] == of_chains.headers["Docker-Content-Digest"]
    assert (
        layers(released, f"{NAME}-chain", first["chain"])[-1] == layers(released, f"{NAME}-chain", second["chain"])[-1]
    )
    released.step("notes", str(NEXT), second["digest"])
    assert "- A repair." in released.said()
