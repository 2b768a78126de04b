"""What is said about a config against the real truss package: its schema, its validator, its own Trusses."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.truss.config_checks import Contents, check
from baseten_deploy.truss.config_file import read_config
from baseten_deploy.truss.ignore_rules import DEFAULT_RULES
from config_schema import TARGET, changes, compact, official

truss = pytest.importorskip("truss", reason="compares with the real truss package, which is not installed")

OWN_CONFIGS = sorted(Path(truss.__file__).parent.rglob("config.yaml"))
FILES = frozenset({"config.yaml", "model/model.py", "requirements.txt", "pyproject.toml", "uv.lock"})


def refused(path: Path) -> str:
    """Why `truss push` refuses a config; `""` when it takes it."""
    from truss.base.truss_config import TrussConfig  # noqa: PLC0415

    try:
        TrussConfig.from_yaml(path).validate_forbid_extra()
    except Exception as error:  # noqa: BLE001  # whatever it raises, the push ends
        return f"{type(error).__name__}: {error}"
    return ""


def said(path: Path) -> list[Problem]:
    """Errors and warnings of ours."""
    try:
        config = read_config(path, [path.parent], path.parent)
    except InvalidInput as error:
        return list(error.problems)
    errors, warnings = check(config, Contents(path.parent, FILES, DEFAULT_RULES))
    return [*errors, *warnings]


def test_the_schema_is_that_of_truss() -> None:
    """By name and type; `make config-schema` takes over what changed."""
    assert [] == changes(json.loads(TARGET.read_text()), compact(official()))


def test_there_are_configs_to_compare() -> None:
    """The package ships its test data."""
    assert len(OWN_CONFIGS) > 20


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", OWN_CONFIGS, ids=lambda path: path.parent.name)
def test_no_false_alarm_about_the_trusses_of_truss(path: Path) -> None:
    """What `truss` takes is not warned of, apart from files, which this looks for elsewhere."""
    problems = [problem for problem in said(path) if "model class" not in problem.message]
    assert refused(path) or [] == [problem for problem in problems if "requirements_file" not in problem.message]


TAKEN = """
{}
requirements: []
requirements: ["a: b"]
hf_cache: null
base_image: null
docker_server: null
trt_llm: null
bis_llm: {config: {anything: {at: [all]}}, version: "1.10"}
secrets: {a: null, b: ""}
environment_variables: {A: 1, B: true, C: x, D: 1.5}
model_metadata: {version: 2, tags: [x], example_model_input: {prompt: hi}}
resources: {accelerator: null}
resources: {accelerator: A10G}
resources: {accelerator: "A100:2"}
resources: {accelerator: {accelerator: A10G, count: 2}}
resources: {use_gpu: true, cpu: "4", memory: 16Gi}
resources: {cpu: 500m, memory: "2000000000"}
resources: {cpu: "0.5", memory: 1.5G, node_count: 2}
runtime: {predict_concurrency: "4"}
runtime: {predict_concurrency: 4.0, enable_debug_logs: "yes"}
runtime: {transport: {}}
runtime: {transport: {kind: grpc}}
runtime: {transport: {kind: websocket, ping_interval_seconds: 1.5}}
runtime: {is_websocket_endpoint: true}
runtime: {egress_restrictions: {ip_allow_list: [1.1.1.1], fqdn_allow_list: null}}
docker_server: {start_command: x, server_port: 80, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}
docker_server: {no_build: true, server_port: "80", predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}
base_image: {image: x, docker_auth: {auth_method: aws_iam, registry: r}}
weights: [{source: "hf://a/b", mount_location: /m, auth_secret_name: s}]
weights: [{source: "s3://a/b", mount_location: /m, auth: {auth_method: custom_secret, auth_secret_name: s}}]
model_cache: [{repo_id: a/b, use_volume: false}]
model_cache: [{repo_id: a/b, revision: main, use_volume: true, volume_folder: v, kind: s3}]
external_data: [{url: "https://x", local_data_path: y}]
trt_llm: {build: {base_model: decoder, checkpoint_repository: {source: HF, repo: a/b}}}
trt_llm: {inference_stack: v2, runtime: {}, build: {checkpoint_repository: {source: HF, repo: a}}}
""".strip().splitlines()
REFUSED = """
modle_name: x
requirements: numpy
requirements: [{foo: bar}]
requirements: [1]
requirements:
secrets: [x]
secrets: {a: 1}
secrets:
base_image: python:3.11
base_image: {image: 3.11}
base_image: {imgae: x}
base_image: {image: x, docker_auth: {registry: r}}
base_image: {image: x, docker_auth: {auth_method: PASSWORD}}
resources:
resources: {accelerator: [A10G]}
resources: {accelerator: "A100: 2"}
resources: {accelerator: 5}
resources: {accelarator: A10G}
resources: {memory: 16GB}
resources: {memory: 16 Gi}
resources: {memory: lots}
resources: {cpu: two}
resources: {cpu: 4}
resources: {cpu: 4 cores}
resources: {node_count: 0}
resources: {fabric: {use_rmda: true}}
runtime:
runtime: {predict_concurency: 4}
runtime: {predict_concurrency: four}
runtime: {predict_concurrency: 1.5}
runtime: {predict_concurrency: [4]}
runtime: {enable_debug_logs: maybe}
runtime: {transport: websocket}
runtime: {transport: {kind: websockets}}
runtime: {transport: {ping_interval_seconds: 5}}
runtime: {health_checks: {restart_treshold_seconds: 5}}
runtime: {health_checks: {restart_threshold_seconds: soon}}
docker_server: {start_command: x, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}
docker_server: {server_port: 80, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}
docker_server: {start_command: x, server_port: http, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}
model_cache: [{repo_id: a/b, use_volume: false, revision: 0123457}]
model_cache: [{repo_id: a/b}]
model_cache: {repo_id: a/b, use_volume: false}
weights: [{source: "hf://a/b"}]
weights: [{source: "hf://a/b", mount_location: /m, ignore_patterns: "*.md"}]
external_data: [{url: "https://x"}]
build: {model_server: Truss}
build: {secret_to_path_mapping: {a: 1}}
bis_llm: {version: 1.10}
trt_llm: {}
trt_llm: {build: {base_model: lama}}
trt_llm: {build: {max_batch_size: 5000}}
live_reload: sometimes
spec_version: 2.0
system_packages: ffmpeg
build_commands: {run: x}
model_class_name: 5
""".strip().splitlines()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", TAKEN)
def test_what_truss_takes_is_silent(tmp_path: Path, text: str) -> None:
    """Also in the forms that its schema does not tell."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert ("", []) == (refused(path), said(path))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", REFUSED)
def test_what_truss_refuses_is_said_once(tmp_path: Path, text: str) -> None:
    """At its line, with what to write."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert refused(path)
    (problem,) = said(path)
    assert (1, True) == (problem.line, bool(problem.remedy))


SCALARS = st.sampled_from(
    [None, True, False, 0, 1, 4, 2.0, 1.5, "", "x", "4", "1.0", "true", "None", [], {}, [1], {"a": 1}]
)


def _places(node: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths to plain fields of the carried schema, through mappings only."""
    defs = json.loads(TARGET.read_text())["defs"]
    node = {**defs[node["ref"]], **node} if "ref" in node else node
    if "keys" not in node:
        return [path]
    return [each for key, inner in node["keys"].items() for each in _places(inner, (*path, key))]


# Not judged by its type alone: `config_checks` has more to say, or `truss` has a validator of its own.
APART = {
    "environment_variables",
    "python_version",
    "model_name",
    "requirements_file",
    "external_package_dirs",
    "trt_llm",
}
APART |= {"docker_server", "bdn", "hf_cache", "model_class_filename", "model_module_dir", "requirements"}
PLACES = [path for path in _places(json.loads(TARGET.read_text())["root"]) if path[0] not in APART]
PLACES = [path for path in PLACES if path[-1] not in {"accelerator", "count", "cpu", "memory", "use_gpu", "node_count"}]


@pytest.mark.filterwarnings("ignore")
@given(st.sampled_from(PLACES), SCALARS)
@hypothesis_settings(max_examples=600, deadline=None)
@example(("runtime", "predict_concurrency"), "1.0")
def test_types_are_judged_as_truss_does(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[str, ...], value: Any
) -> None:
    """Any value at any place: what the validator refuses is said; what we say it refuses, but for flags as numbers."""
    tree: Any = value
    for key in reversed(path):
        tree = {key: tree}
    file = tmp_path_factory.mktemp("config") / "config.yaml"
    file.write_text(yaml.safe_dump(tree))
    ours = [problem.message for problem in said(file) if "model class" not in problem.message]
    theirs = refused(file)
    if not isinstance(value, bool) and "Value error" not in theirs:  # which is a validator beyond the type
        assert bool(theirs) == bool(ours), (tree, theirs, ours)
