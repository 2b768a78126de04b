"""Every output of the action, once, and the record that writes each the moment it is known.

A failed, timed-out or cancelled run still names what it made, because nothing waits for the end to be written.
"""

import json
from collections.abc import Callable
from dataclasses import field

from baseten_deploy.records import dataclass
from baseten_deploy.status import Status

from .foreign_text import without_controls

OUTPUTS: dict[str, str] = {
    "status": f"how the run ended: {', '.join(f'`{status}`' for status in Status)}",
    "model-id": "id of the model; of a Chain it stays empty",
    "chain-id": "id of the Chain",
    "model-name": "name of the model, or of the Chain",
    "model-created": "`true` when this run created the model, or the Chain, else `false`",
    "deployment-id": "id of the deployment",
    "deployment-name": "name of the deployment",
    "deployment-status": "last status of the deployment that was seen",
    "environment": "the environment that was pushed or promoted into",
    "promoted-deployment-id": (
        "id of the deployment that the environment serves in the end because of this run; it may be new, and is empty "
        "after a roll-back"
    ),
    "previous-deployment-id": "id of the deployment that the environment served before",
    "predict-url": (
        "URL of the predict endpoint: the environment's after a push or promotion into one, else the deployment's"
    ),
    "logs-url": "URL of the deployment's logs page",
    "archive-sha256": "SHA-256 of the uploaded archive",
    "archive-bytes": "size of the uploaded archive in bytes",
    "content-digest": "SHA-256 over name, mode, size and SHA-256 of the packed files",
    "deploy-time-seconds": "seconds from the commit until the deployment was live",
    "startup-seconds": "seconds that the replica took to come up, as the service measured it",
    "predict-seconds": "seconds that the smoke test took",
    "predict-response": (
        "the smoke test's last response, an error's too: first 4096 characters, of bytes their size, type and digest"
    ),
    "checks-passed": "how many checks passed",
    "checks-failed": "how many checks failed",
    "changes": "`true` when a deploy changes what serves, else `false`; of `mode: plan` and `mode: deploy`",
    "hourly-cost": (
        "estimated cost in USD per hour, at the largest number of replicas of the environment; empty when it is not "
        "known"
    ),
    "matrix": "`mode: discover`: the Trusses that changed, as JSON for the `matrix` of a job",
    "nemo-entity": "`workspace/name` of the model entity in the NeMo Platform",
    "plan": "the plan, as Markdown",
    "result": "all of it as one JSON object",
}


@dataclass
class Outputs:
    """The outputs of this run so far. `write` gets each (name, text) once more whenever it changes.

    `values` are as they are used; `redact` takes the secrets out of those that are shown together.
    """

    write: Callable[[str, str], None]
    redact: Callable[[str], str] = str
    values: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str | bool | float) -> None:
        """Record an output and write it now. Booleans are written as `true`/`false`; no control character is.

        Raises `KeyError` for a name that `action.yml` does not know: GitHub would drop it without a word.
        """
        if name not in OUTPUTS:
            raise KeyError(name)
        text = str(value).lower() if isinstance(value, bool) else without_controls(str(value))
        if self.values.get(name) != text:
            self.values[name] = text
            self.write(name, text)

    def get(self, name: str) -> str:
        """The text of an output, `""` while it is not known."""
        return self.values.get(name, "")

    def shown(self) -> dict[str, str]:
        """Everything that is known, without secrets, in the order of the outputs table."""
        return {name: self.redact(self.values[name]) for name in OUTPUTS if name in self.values}

    def close(self) -> None:
        """Write `result`: everything that is known, as one JSON object."""
        known = {name: value for name, value in self.shown().items() if name != "result"}
        self.set("result", json.dumps(known, ensure_ascii=False))
