"""Record how the real NeMo Platform answers what it refuses and what it takes: writes `nemo_answers.json` anew.

    ../shared/nemo/run_local_nemo.sh /tmp/nemo 18080 core
    python tests/fakes/record_nemo.py http://127.0.0.1:18080

The platform must run without authentication. Each row is one field of one call with a value that is the only odd thing
about it. `tests/integration/test_nemo_real.py` asks the real service again, and holds the fake and our checks to it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import httpx

ANSWERS = Path(__file__).with_name("nemo_answers.json")
SPEC = {
    "checkpoint_model_name": "qwen",
    "family": "qwen3",
    "num_layers": 1,
    "hidden_size": 1,
    "num_attention_heads": 1,
    "num_kv_heads": 1,
    "ffn_hidden_size": 1,
    "vocab_size": 1,
    "tied_embeddings": True,
    "gated_mlp": True,
    "base_num_parameters": 1,
    "precision": "bf16",
}
MOE = {"num_experts": 1, "num_experts_per_tok": 1, "num_expert_layers": 1}
MAMBA = {"is_hybrid": True, "num_mamba_layers": 1}
FULL_SPEC = {
    **SPEC,
    "context_size": 1,
    "num_virtual_tokens": None,
    "is_chat": True,
    "is_embedding_model": False,
    "moe_config": {**MOE, "expert_ffn_size": 1, "num_shared_experts": 0},
    "mamba_config": {**MAMBA, "num_attention_layers": 0, "num_mlp_layers": 0, "state_size": 16, "conv_kernel": 4},
    "sliding_window_config": {"window_size": 1},
    "linear_layers": [{"name": "q", "in_features": 1, "out_features": 1}],
    "chat_template": "{{ messages }}",
    "tool_call_config": {"tool_call_parser": "hermes", "auto_tool_choice": True},
    "minimum_gpus_all_weights": 1,
    "minimum_gpus_lora": 1,
}
PARAMETERS = {"model": "m", "temperature": 2, "max_tokens": 1, "top_p": 0, "stop": ["."], "min_p": 0.5}
# What the service refuses, by call and field; our checks must refuse it before anything is deployed.
REFUSED: dict[str, dict[str, list[Any]]] = {
    "create": {
        "name": [
            "a",
            "A1",
            "1a",
            "-a",
            "_a",
            "a--b",
            "ab-",
            "a" * 64,
            "a" * 256,
            "a@b",
            "a+b",
            "a b",
            "a/b",
            "é1",
            "..",
        ],
        "project": ["", "a b", "p" * 256, 5],
        "description": ["d" * 1001, 5, ["x"]],
        "spec": [
            "x",
            {"family": "qwen3"},
            SPEC | {"num_layers": "one"},
            SPEC | {"num_layers": 1.5},
            SPEC | {"gated_mlp": "maybe"},
            SPEC | {"is_embedding_model": None},
            SPEC | {"moe_config": {"num_experts": 1}},
            SPEC | {"mamba_config": {**MAMBA, "state_size": None}},
            SPEC | {"sliding_window_config": {}},
            SPEC | {"linear_layers": [{"name": "q"}]},
            SPEC | {"linear_layers": [None]},
            SPEC | {"tool_call_config": {"tool_call_parser": "x" * 256}},
        ],
        "finetuning_type": ["sft", "LORA"],
        "fileset": ["a/b/c", "/a", "a/"],
        "base_model": [5],
        "api_endpoint": [
            "https://h/v1",
            {"url": "nope"},
            {"url": ""},
            {"url": "//h/x"},
            {"url": "https://h h/"},
            {"url": 5},
        ],
        "backend_format": ["openai_chat", "OPENAI"],
        "prompt": [
            "x",
            {"system_prompt": 5},
            {"inference_params": {"temperature": 2.1}},
            {"inference_params": {"temperature": "warm"}},
            {"inference_params": {"top_p": -0.1}},
            {"inference_params": {"max_tokens": 0}},
            {"inference_params": {"max_tokens": 1, "max_completion_tokens": 1}},
            {"inference_params": {"stop": "."}},
        ],
        "custom_fields": [["x"], "x"],
        "ownership": ["x"],
        "model_providers": ["default/p", [1], [None]],
        "trust_remote_code": ["maybe", 2, None],
    },
    "provider": {
        "name": ["a", "A--"],  # not "a@b": it is refused and stored, and no list of providers is answered ever after
        "project": ["", "a b", "p" * 256],
        "description": ["d" * 1001],
        "host_url": [None, 5, "https://h/" + "x" * 2048],
        "api_key_secret_name": ["s" * 256, 5],
        "enabled_models": ["m", [1]],
        "default_extra_body": ["x"],
        "default_extra_headers": ["x", {"x": 1}, {"Authorization": "x"}],
        "required_extra_body": ["x"],
        "required_extra_headers": [{"cookie": "x"}],
        "model_deployment_id": ["d" * 256, "a/b/c"],
        "status": ["ready"],
        "status_message": ["m" * 1001],
        "auth_header_format": [
            "X-Key: key",
            "X-Key: {{ key }}",
            "X-Key: {{ auth_secret }}{{ auth_secret }}",
            "{{ auth_secret }}",
            "X-Key: {{ auth_secret",
            "X-Key: {{ auth_secret }}" + " " * 1024,
        ],
    },
}
# What only the service can know: things that do not exist there, or that its operator forbids.
UNKNOWABLE: dict[str, dict[str, list[Any]]] = {
    "create": {
        "project": ["no-such-project"],
        "fileset": ["no-such-fileset", "default/no-such-fileset"],
        "spec": [SPEC | {"tool_call_config": {"tool_call_plugin": "default/plugin"}}],
    },
    "update": {"fileset": ["no-such-fileset"]},
    "provider": {"project": ["no-such-project"], "api_key_secret_name": ["no-such-secret"]},
}
# What the service takes; our checks must take it too.
ACCEPTED: dict[str, dict[str, list[Any]]] = {
    "create": {
        "name": ["ab", "a_b.c-d", "a.", "a" * 63],
        "project": [None],
        "description": [None, "", "😀" * 1000],
        "spec": [None, SPEC, FULL_SPEC, SPEC | {"num_layers": "1", "hidden_size": 1.0, "gated_mlp": "yes"}],
        "finetuning_type": [None, "lora_merged", "all_weights", "lora", "p_tuning_v2", "dpo", "grpo"],
        "fileset": [None],
        "base_model": [None, "", "meta/llama-3.1-8b"],
        "api_endpoint": [None, {}, {"url": None, "format": "nim"}, {"url": "https://h:8443/a/b?c=d"}],
        "backend_format": [None, "OPENAI_CHAT", "ANTHROPIC_MESSAGES"],
        "prompt": [
            None,
            {"system_prompt": "Be brief.", "icl_few_shot_examples": "x", "system_prompt_template": "y"},
            {"inference_params": PARAMETERS},
            {"inference_params": {"max_completion_tokens": "7", "temperature": "1.5"}},
        ],
        "custom_fields": [None, {}, {"a": {"b": [1, 2.5, None, True]}}],
        "ownership": [None, {}, {"team": "search", "on_call": ["a", "b"]}],
        "model_providers": [None, [], ["default/p"]],
        "trust_remote_code": [True, False, "true", 0],
    },
    "provider": {
        "name": ["ab", "a_b.c-d", "a" * 63],
        "project": [None],
        "description": [None, "d"],
        "host_url": ["http://10.0.0.1:8000/v1"],
        "api_key_secret_name": [None],
        "enabled_models": [None, [], ["m"]],
        "default_extra_body": [None, {"a": {"b": 1}}],
        "default_extra_headers": [None, {"X-Trace": "1"}],
        "required_extra_body": [None, {"a": 1}],
        "required_extra_headers": [None, {"X-Trace": "1"}],
        "model_deployment_id": [None, "default/d"],
        "status": [None, "READY", "LOST"],
        "status_message": [None, "m"],
        "auth_header_format": [None, "Authorization: Bearer {{ auth_secret }}", "X-Key: {{auth_secret}}"],
    },
}


def ask(client: httpx.Client, call: str, field: str, value: Any, number: int) -> httpx.Response:
    """Send one call to the workspace `default` in which everything but `field` is ordinary. `number` makes a name."""
    models = "/apis/models/v2/workspaces/default"
    if call == "provider":
        body = {"host_url": "http://127.0.0.1:9/v1"} | ({} if field == "name" else {field: value})
        name = value if field == "name" else f"recorded-{number}"
        return client.put(f"{models}/providers/{name}", json=body)
    if call == "update":
        client.post(f"{models}/models", json={"name": f"recorded-{number}"})
        return client.patch(f"{models}/models/recorded-{number}", json={field: value})
    return client.post(f"{models}/models", json={"name": f"recorded-{number}", field: value})


def rows(client: httpx.Client, start: int = 0) -> list[dict[str, Any]]:
    """Ask everything, and return the answers; of what was taken only that it was. `start` keeps names apart."""
    found = []
    for kind, table in (("refused", REFUSED), ("unknowable", UNKNOWABLE), ("accepted", ACCEPTED)):
        for call, fields in table.items():
            for field, values in fields.items():
                for value in values:
                    response = ask(client, call, field, value, start + len(found))
                    row = {"kind": kind, "call": call, "field": field, "value": value, "status": response.status_code}
                    found.append(row | ({"answer": response.json()} if response.is_error else {}))
    return found


if __name__ == "__main__":
    with httpx.Client(base_url=sys.argv[1], timeout=60) as nemo:
        recorded = rows(nemo)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in recorded)
    ANSWERS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
