"""The shape of a config: what is said, where, and what to do. Whether it is true is `test_config_oracle`."""

from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy.errors import Problem
from baseten_deploy.truss.config_file import read_config
from baseten_deploy.truss.shape import find_problems, known_keys


def found(directory: Path, text: str) -> list[Problem]:
    """What is found in a config."""
    root = write_tree(directory, {"config.yaml": text})
    return find_problems(read_config(root / "config.yaml", [root], root))


def said(directory: Path, text: str) -> tuple[int, str, str]:
    """Line, message and remedy of the only problem."""
    (problem,) = found(directory, text)
    return problem.line, problem.message, problem.remedy


@pytest.mark.parametrize(
    ("text", "line", "key", "parent", "hint"),
    [
        ("model_nam: x\n", 1, "model_nam", "a Truss config", "model_name"),
        ("resources:\n  accelarator: A10G\n", 2, "accelarator", "`resources`", "accelerator"),
        ("runtime:\n  predict_concurency: 4\n", 2, "predict_concurency", "`runtime`", "predict_concurrency"),
        ("runtime:\n  health_checks:\n    restart_treshold_seconds: 5\n", 3, "restart_treshold_seconds",
         "`runtime.health_checks`", "restart_threshold_seconds"),
        ("runtime:\n  transport:\n    kind: websocket\n    ping_interval_second: 5\n", 4, "ping_interval_second",
         "`runtime.transport`", "ping_interval_seconds"),
        ("model_cache:\n- repo_id: a/b\n  use_volume: false\n  revison: main\n", 4, "revison", "`model_cache[0]`",
         "revision"),
        ("trt_llm:\n  build:\n    plugin_configuration:\n      paged_kv_cach: true\n", 4, "paged_kv_cach",
         "`trt_llm.build.plugin_configuration`", "paged_kv_cache"),
        ("resources:\n  accelerator:\n    acelerator: A10G\n", 3, "acelerator", "`resources.accelerator`", "accelerator"),  # noqa: E501
    ],
)  # fmt: skip
def test_unknown_keys(tmp_path: Path, text: str, line: int, key: str, parent: str, hint: str) -> None:
    """At any depth, at its line, with the nearest that is known there."""
    expected = (line, f"`{key}` is no key of {parent}", f"Did you mean `{hint}`? `truss push` refuses it.")
    assert expected == said(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "model_metadata: {anything: {at: [all, {deep: er}]}, tags: [x]}",
        "environment_variables: {ANY_THING: x, B: 1, C: true, D: 1.5}",
        "secrets: {any_name: null}",
        "build: {arguments: {any: [thing]}, secret_to_path_mapping: {x: /y}}",
        "bis_llm: {config: {any: {thing: 1}}}",
        "trt_llm: {inference_stack: v2, build: {}, runtime: {patch_kwargs: {a: {b: true}}}}",
        "trt_llm: {build: {lora_adapters: {mine: {source: HF, repo: a/b}}}}",
        "resources: {accelerator: null}",
        "resources: {accelerator: {accelerator: A10G, count: 2}}",
        "base_image: {image: x, docker_auth: {auth_method: gcp_oidc}}",
        "hf_cache:",
        "runtime: {transport: {}}",
    ],
)
def test_what_is_free(tmp_path: Path, text: str) -> None:
    """Names of one's own, and the forms that `truss` takes besides its schema."""
    assert [] == found(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("requirements: numpy", "`requirements` is the text `numpy`, and must be a list",
         "Write `- numpy` on a line of its own below `requirements:`."),
        ("system_packages: ffmpeg", "`system_packages` is the text `ffmpeg`, and must be a list",
         "Write `- ffmpeg` on a line of its own below `system_packages:`."),
        ("requirements: [{foo: bar}]", "`requirements[0]` is a mapping, and must be text",
         'Write it in quotes, `- "foo: bar"`, if it is meant to be one text.'),
        ("secrets: [x]", "`secrets` is a list, and must be a mapping of keys to values",
         "Write `hf_access_token: null` on a line of its own below `secrets:`."),
        ("base_image: python:3.11", "`base_image` is the text `python:3.11`, and must be a mapping of keys to values",
         "Write `image: python:3.11` on a line of its own below `base_image:`."),
        ("resources: {accelerator: [A10G]}",
         "`resources.accelerator` is a list, and must be text or a mapping of keys to values",
         "Write `accelerator: A100`, for example."),
        ("runtime: {predict_concurrency: four}",
         "`runtime.predict_concurrency` is the text `four`, and must be a whole number",
         "Write `predict_concurrency: 1`, for example."),
        ("runtime: {predict_concurrency: yes}",
         "`runtime.predict_concurrency` is true or false, and must be a whole number",
         "Write `predict_concurrency: 1`, for example."),
        ("runtime: {enable_debug_logs: maybe}",
         "`runtime.enable_debug_logs` is the text `maybe`, and must be `true` or `false`",
         "Write `enable_debug_logs: false`, for example."),
        ("resources:", "`resources` is empty, and must be a mapping of keys to values",
         "Remove `resources`, or write a mapping of keys to values."),
        ("resources: {cpu: 4}", "`resources.cpu`: `4` is a number, and must be text", 'Write it in quotes: `cpu: "4"`.'),  # noqa: E501
        ("model_cache: [{repo_id: a/b, use_volume: false, revision: 0123457}]",
         "`model_cache[0].revision`: YAML reads `0123457` as the number 42799, and must be text",
         'Write it in quotes: `revision: "0123457"`.'),
        ("bis_llm: {version: 1.10}", "`bis_llm.version`: YAML reads `1.10` as the number 1.1, and must be text",
         'Write it in quotes: `version: "1.10"`.'),
        ("description: off", "`description`: YAML reads `off` as false, and must be text",
         'Write it in quotes: `description: "off"`.'),
        ("secrets: {pin: 0123457}", "`secrets.pin` is a number, and must be text", "Write it in quotes."),
    ],
)  # fmt: skip
def test_wrong_types(tmp_path: Path, text: str, message: str, remedy: str) -> None:
    """What it is, what it must be, and an example of the right one; no value of a secret."""
    assert (1, message, remedy) == said(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("docker_server: {start_command: x, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}",
         "`docker_server` lacks `server_port`", "Add `server_port: 8000`, for example."),
        ("docker_server: {server_port: 1, predict_endpoint: /, readiness_endpoint: /, liveness_endpoint: /}",
         "`docker_server` lacks `start_command`, with which its image is started",
         "Add it, or `no_build: true` for an image that starts by itself."),
        ("model_cache: [{repo_id: a/b}]", "`model_cache[0]` lacks `use_volume`", "Add `use_volume: false`, for example."),  # noqa: E501
        ("weights: [{}]", "`weights[0]` lacks `source`, `mount_location`",
         "Add `source: hf://org/model`, `mount_location: /models/mine`, for example."),
        ("runtime: {transport: {ping_timeout_seconds: 1}}", "`runtime.transport` lacks `kind`",
         "Add `kind: http`, for example."),
    ],
)  # fmt: skip
def test_required_keys(tmp_path: Path, text: str, message: str, remedy: str) -> None:
    """All that a mapping lacks in one message."""
    assert (1, message, remedy) == said(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("build: {model_server: TrussSever}", "`build.model_server`: `TrussSever` is none of its values",
         "Did you mean `TrussServer`?"),
        ("runtime: {transport: {kind: websockets}}", "`runtime.transport.kind`: `websockets` is none of its values",
         "Did you mean `websocket`?"),
        ("model_cache: [{repo_id: a, use_volume: false, kind: ftp}]",
         "`model_cache[0].kind`: `ftp` is none of its values", "Known are `hf`, `gcs`, `s3`, `azure`."),
        ("trt_llm: {build: {max_batch_size: 5000}}", "`trt_llm.build.max_batch_size`: 5000 is not at most 2048",
         "Write a number at most 2048."),
        ("resources: {node_count: 0}", "`resources.node_count`: 0 is not at least 1", "Write a number at least 1."),
    ],
)  # fmt: skip
def test_values(tmp_path: Path, text: str, message: str, remedy: str) -> None:
    """One of a list, or within bounds."""
    assert (1, message, remedy) == said(tmp_path, text)


@pytest.mark.parametrize(
    ("memory", "example"),
    [("16GB", "16Gi"), ("16 Gi", "16Gi"), ("512MB", "512Mi"), ("lots", "16Gi"), ("16gi", "16Gi"), ("", "16Gi"), ("'4'", "4Gi")],  # noqa: E501
)  # fmt: skip
def test_memory(tmp_path: Path, memory: str, example: str) -> None:
    """What is taken, with an example near what was written."""
    line, message, remedy = said(tmp_path, f"resources:\n  memory: {memory or repr('')}\n")
    assert (2, True) == (line, message.startswith("`resources.memory`"))
    expected = f"Write a number with a unit, one of `Ki`, `Mi`, `Gi`, `Ti`, `k`, `M`, `G`, `T`: `memory: {example}`."
    assert expected == remedy


@pytest.mark.parametrize("cpu", ["two", "4 cores", "4c", "-1", "500mi", "''"])
def test_cpu(tmp_path: Path, cpu: str) -> None:
    """A number, or thousandths of one."""
    line, message, _ = said(tmp_path, f"resources:\n  cpu: {cpu if cpu != '-1' else repr('-1')}\n")
    assert (2, True) == (line, message.endswith("is no number of CPUs"))


@pytest.mark.parametrize(
    "text", ["{cpu: '4', memory: 16Gi}", "{cpu: 500m}", "{cpu: '0.5', memory: 1.5G}", "{memory: 2e9k}"]
)
def test_quantities_that_are_fine(tmp_path: Path, text: str) -> None:
    """In the units of Kubernetes."""
    assert [] == found(tmp_path, f"resources: {text}")


def test_the_keys_at_the_top() -> None:
    """Among them the older name that `truss` still reads."""
    assert {"model_name", "resources", "hf_cache", "bdn"} <= {*known_keys()}
