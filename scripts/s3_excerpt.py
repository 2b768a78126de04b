"""What an upload needs of botocore's description of S3: 97 KB instead of 2.3 MB, which are read on each run.

`make generate` writes it to `src/baseten_deploy/storage/s3.json`; how it is used is `storage.session`. It holds the
operations that are called here, and the rules by which the host of a bucket is found, without those for what no client
here asks for. `tests/unit/test_s3_excerpt.py` compares it with the whole. It changes when that part of the description
does, some times a year; another version of botocore reads it as well.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader

OPERATIONS = (
    *("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    *("AbortMultipartUpload", "ListParts", "ListMultipartUploads"),
    *("HeadBucket", "CreateSession"),  # botocore's own, to find a bucket's region, and for a bucket of S3 Express
)
# What a client of `storage.client` never asks for: botocore hands these to the rules as false.
NEVER = frozenset({"UseFIPS", "UseDualStack", "Accelerate"})
_DOCUMENTATION = ("documentation", "documentationUrl", "deprecatedMessage")


def excerpt() -> str:
    """The file's text."""
    loader = Loader()
    described = {
        "service-2": service(loader.load_service_model("s3", "service-2")),
        "endpoint-rule-set-1": rule_set(loader.load_service_model("s3", "endpoint-rule-set-1")),
    }
    return json.dumps(described, separators=(",", ":"), ensure_ascii=False) + "\n"


def service(whole: Mapping[str, Any]) -> dict[str, Any]:
    """`service-2.json` with the operations alone, and the shapes that they use."""
    operations = {name: whole["operations"][name] for name in OPERATIONS}
    used: set[str] = set()
    waiting = [shape for operation in operations.values() for shape in _shapes(operation)]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _shapes(whole["shapes"][name])
    shapes = {name: shape for name, shape in whole["shapes"].items() if name in used}
    return {**whole, "operations": _undocumented(operations), "shapes": _undocumented(shapes)}


def rule_set(whole: Mapping[str, Any]) -> dict[str, Any]:
    """`endpoint-rule-set-1.json` without what can only be when one of `NEVER` is true."""
    kept = [kept for rule in whole["rules"] if (kept := _rule(rule))]
    return {**whole, "parameters": _undocumented(whole["parameters"]), "rules": _undocumented(kept)}


def _shapes(described: Any) -> Iterator[str]:
    """The names of the shapes that an operation or a shape refers to."""
    if isinstance(described, Mapping):
        for key, value in described.items():
            if key == "shape" and isinstance(value, str):
                yield value
            else:
                yield from _shapes(value)
    elif isinstance(described, list):
        for value in described:
            yield from _shapes(value)


def _rule(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """A rule with the conditions that are still open; `None` when one of them is never met."""
    conditions = []
    for condition in rule["conditions"]:
        met = _is_met(condition)
        if met is False:
            return None
        if met is None:
            conditions.append(condition)
    kept = {**rule, "conditions": conditions}
    if "rules" in rule:
        kept["rules"] = [inner for each in rule["rules"] if (inner := _rule(each))]
    return kept


def _is_met(condition: Mapping[str, Any]) -> bool | None:
    """Whether a condition is met, `None` where that depends on what is asked."""
    if condition["fn"] != "booleanEquals" or "assign" in condition:
        return None
    of, wanted = condition["argv"]
    if isinstance(of, dict) and of.get("ref") in NEVER and isinstance(wanted, bool):
        return not wanted
    return None


def _undocumented(described: Any) -> Any:
    if isinstance(described, Mapping):
        return {
            key: _undocumented(value)
            for key, value in described.items()
            if key not in _DOCUMENTATION or not isinstance(value, str)
        }
    return [_undocumented(value) for value in described] if isinstance(described, list) else described
