"""Every input of the action, once: `action.yml`, the README table, the command line and `settings` follow this table.

Only names, defaults, kinds and texts live here. What a value means, and which values go together, is `settings`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How the text of an input is read."""

    TEXT = "text"
    SECRET = "masked text"  # noqa: S105 - as TEXT, and masked before anything else happens
    FLAG = "true or false"
    CHOICE = "choice"
    INTEGER = "integer"
    NUMBER = "number"
    OBJECT = "YAML or JSON object"
    JSON = "JSON"


@dataclass(frozen=True)
class Input:
    """One input. `default` is the text that an empty value stands for; `""` means that there is none."""

    name: str
    default: str
    kind: Kind
    group: str
    description: str
    choices: tuple[str, ...] = ()


def _group(group: str, *rows: tuple[str, str, Kind, str] | tuple[str, str, Kind, str, tuple[str, ...]]) -> list[Input]:
    return [Input(row[0], row[1], row[2], group, row[3], row[4] if len(row) == 5 else ()) for row in rows]


_AFTERMATH = ("keep", "deactivate", "delete")

INPUTS: tuple[Input, ...] = (
    *_group(
        "Run",
        (
            "mode",
            "deploy",
            Kind.CHOICE,
            "`deploy`, `plan` (change nothing, say what would happen), `promote` (an existing deployment into an "
            "environment), `rollback` (an environment back to what it served before) or `cleanup` (retire old "
            "deployments)",
            ("deploy", "plan", "promote", "rollback", "cleanup"),
        ),
        ("baseten-api-key", "", Kind.SECRET, "Baseten API key, from the secrets; masked at once"),
    ),
    *_group(
        "What",
        (
            "truss-directory",
            ".",
            Kind.TEXT,
            "the Truss (a directory with `config.yaml`), relative to the workspace; a Chain's `.py` file with the "
            "sub-action `chain`",
        ),
        (
            "chain-entrypoint",
            "",
            Kind.TEXT,
            "class of the Chain's entry point, by default the one marked with `@chains.mark_entrypoint`",
        ),
        ("config", "", Kind.TEXT, "another config file in the Truss directory, used as its `config.yaml`"),
        (
            "library-listing",
            "",
            Kind.TEXT,
            "`lab/listing-id`: create the model from a library listing instead of an archive",
        ),
        (
            "model-name",
            "",
            Kind.TEXT,
            "name of the model, by default `model_name` of the config; created if no model has it, else it gets a new "
            "deployment",
        ),
        ("model-id", "", Kind.TEXT, "add a deployment to exactly this model"),
        ("chain-id", "", Kind.TEXT, "exactly this Chain; then `model-name` is not needed"),
        ("deployment-id", "", Kind.TEXT, "the existing deployment, for `mode: promote` and `mode: rollback`"),
        ("team", "", Kind.TEXT, "team name or id"),
    ),
    *_group(
        "How",
        ("environment", "", Kind.TEXT, "push into this environment"),
        ("create-environment", "false", Kind.FLAG, "create that environment if the model lacks it"),
        (
            "environment-settings",
            "",
            Kind.OBJECT,
            "`autoscaling_settings`, `promotion_settings`, `request_backpressure_settings`, "
            "`autoscaling_schedule_settings` and `traffic_routing_settings` of `environment` / `promote-to`: they take "
            "effect with the push or promotion, and not at all when it fails",
        ),
        ("preserve-env-instance-type", "true", Kind.FLAG, "keep the environment's instance type"),
        ("development", "false", Kind.FLAG, "push to the development slot"),
        (
            "deployment-name",
            "",
            Kind.TEXT,
            "name of the deployment, by default `PR-<number>_<sha7>` on a pull request and `<sha7>` otherwise, of the "
            "pull request's head commit; `mode: promote`: instead of `deployment-id`, the one deployment of that name",
        ),
        ("labels", "", Kind.OBJECT, "labels of the deployment"),
        ("include-git-info", "true", Kind.FLAG, "attach git facts as `user_env` and as the default labels"),
        (
            "deployment-settings",
            "",
            Kind.OBJECT,
            "merged into the deployment payload: fields newer than this action (`region`, `instance_type_id`, "
            "`autoscaling_settings`, ...)",
        ),
        ("disable-archive-download", "false", Kind.FLAG, "make the archive not downloadable; only for a new model"),
        (
            "skip-unchanged",
            "false",
            Kind.FLAG,
            "do nothing when what is live in the target already has this content digest",
        ),
    ),
    *_group(
        "Wait and prove",
        ("wait", "true", Kind.FLAG, "wait until the deployment is live"),
        ("deploy-timeout-minutes", "45", Kind.INTEGER, "the server's deploy timeout in minutes, 10 to 1440"),
        (
            "wait-timeout-minutes",
            "",
            Kind.NUMBER,
            "how long to wait here, in minutes, by default `deploy-timeout-minutes`; decimals allowed",
        ),
        ("stream-logs", "true", Kind.FLAG, "print build and runtime logs while waiting"),
        ("predict", "true", Kind.FLAG, "smoke-test the live deployment when a payload is known"),
        (
            "predict-payload",
            "",
            Kind.JSON,
            "JSON payload of the smoke test, by default `model_metadata.example_model_input` of the config",
        ),
        (
            "predict-expect",
            "",
            Kind.TEXT,
            "what the response must contain: JSON (objects by subset, arrays by element, scalars by equality) or "
            "`/regex/`",
        ),
        ("predict-timeout", "300", Kind.NUMBER, "time for the smoke test, in seconds"),
        (
            "checks",
            "",
            Kind.TEXT,
            "a YAML or JSON file with requests and what their answers must be, relative to the Truss directory or the "
            "workspace; see `docs/checks.md`",
        ),
        (
            "checks-report",
            "",
            Kind.TEXT,
            "write the results of `checks` as JUnit XML to this path below the workspace",
        ),
        ("regional-environment", "false", Kind.FLAG, "smoke-test through the environment's regional host"),
        (
            "deploy-retries",
            "0",
            Kind.INTEGER,
            "have the service try a deployment again that failed to come up, at most so often",
        ),
        (
            "promote-to",
            "",
            Kind.TEXT,
            "after it is live and the smoke test passed, promote it into this environment and wait for that",
        ),
        ("promotion-settings", "", Kind.OBJECT, "promotion settings for this promotion only"),
        (
            "scale-down-previous",
            "true",
            Kind.FLAG,
            "after a promotion, have the service scale down what the environment served before",
        ),
        (
            "rollback-on-failure",
            "false",
            Kind.FLAG,
            "after a promotion, smoke-test the environment; on failure promote what was there before",
        ),
        ("on-failure", "keep", Kind.CHOICE, "what to do with a new deployment that failed", _AFTERMATH),
        ("on-cancel", "keep", Kind.CHOICE, "the same, when the workflow is cancelled", _AFTERMATH),
        ("cleanup", "false", Kind.FLAG, "deactivate the deployment after a successful run (PR checks)"),
        (
            "cleanup-labels",
            "",
            Kind.OBJECT,
            "`mode: cleanup`: labels that a deployment must carry to be retired; never one that an environment "
            "serves or is being promoted into it, never the development slot",
        ),
        ("keep-latest", "0", Kind.INTEGER, "`mode: cleanup`: keep the newest N of them"),
        ("retire", "deactivate", Kind.CHOICE, "`mode: cleanup`: how to retire them", ("deactivate", "delete")),
    ),
    *_group(
        "Register",
        (
            "nemo-url",
            "",
            Kind.TEXT,
            "NeMo Platform base URL: register the deployed model there as a model entity",
        ),
        ("nemo-workspace", "default", Kind.TEXT, "workspace of the model entity"),
        ("nemo-token", "", Kind.SECRET, "bearer token for the NeMo Platform; masked"),
        ("nemo-model-name", "", Kind.TEXT, "name of the model entity, by default the slug of the model name"),
        ("nemo-entity", "", Kind.OBJECT, "any further field of the entity"),
        (
            "nemo-provider",
            "",
            Kind.OBJECT,
            "`{name, api_key_secret_name, ...}`: also register the endpoint as a model provider",
        ),
    ),
    *_group(
        "Report",
        (
            "github-token",
            "",
            Kind.SECRET,
            "with it, one sticky pull-request comment per model and target environment; masked",
        ),
        (
            "fail-without-credentials",
            "false",
            Kind.FLAG,
            "on a fork or Dependabot run without a key: fail instead of the offline plan",
        ),
    ),
    *_group(
        "Where",
        ("api-url", "https://api.baseten.co", Kind.TEXT, "base URL of the management API"),
        (
            "inference-url",
            "https://model-{model_id}.api.baseten.co",
            Kind.TEXT,
            "base URL of the inference endpoint; `{model_id}` is filled in. For a Chain "
            "`https://chain-{chain_id}.api.baseten.co`",
        ),
        ("app-url", "https://app.baseten.co", Kind.TEXT, "where a Chain is pushed to, and where its pages are"),
        ("s3-endpoint-url", "", Kind.TEXT, "S3 endpoint (private link, sandbox)"),
    ),
)

BY_NAME: dict[str, Input] = {spec.name: spec for spec in INPUTS}
