"""Every input of the action, once: `action.yml`, the README table, the command line and `settings` follow this table.

Only names, defaults, kinds and texts live here. What a value means, and which values go together, is `settings`.
"""

from .declaration import Input, Kind, group

_AFTERMATH = ("keep", "deactivate", "delete")

INPUTS: tuple[Input, ...] = (
    *group(
        "Run",
        (
            "mode",
            "deploy",
            Kind.CHOICE,
            "`deploy`, `plan` (change nothing, say what would happen), `promote` (an existing deployment into an "
            "environment), `rollback` (an environment back to what it served before), `cleanup` (retire old "
            "deployments) or `discover` (find the repository's Trusses, and those that changed)",
            ("deploy", "plan", "promote", "rollback", "cleanup", "discover"),
        ),
        ("baseten-api-key", "", Kind.SECRET, "Baseten API key, from the secrets; masked at once"),
    ),
    *group(
        "What",
        ("truss-directory", ".", Kind.TEXT, "the Truss (a directory with `config.yaml`), relative to the workspace"),
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
        (
            "model-id",
            "",
            Kind.TEXT,
            "id of an existing model: work with exactly this one, instead of looking `model-name` up",
        ),
        ("deployment-id", "", Kind.TEXT, "id of the existing deployment, for `mode: promote` and `mode: rollback`"),
        (
            "team",
            "",
            Kind.TEXT,
            "name or id of the Baseten team in which the model is looked up or made; needed where several teams have a "
            "model of that name",
        ),
    ),
    *group(
        "How",
        (
            "environment",
            "",
            Kind.TEXT,
            "Baseten's environment (not GitHub's) that is pushed into, for example `staging`: it serves the deployment "
            "as soon as that is up (to smoke-test first, use `promote-to`); with `mode: promote` and `mode: rollback` "
            "the one to change",
        ),
        (
            "create-environment",
            "false",
            Kind.FLAG,
            "create the environment of `environment` or `promote-to` if the model lacks it",
        ),
        (
            "environment-settings",
            "",
            Kind.OBJECT,
            "`autoscaling_settings`, `promotion_settings`, `request_backpressure_settings`, "
            "`autoscaling_schedule_settings` and `traffic_routing_settings` of `environment` / `promote-to`: they take "
            "effect with the push or promotion, and not at all when it fails",
        ),
        (
            "preserve-env-instance-type",
            "true",
            Kind.FLAG,
            "keep the instance type that the environment has, whatever `resources` of the config ask for; `false` "
            "takes that of the config",
        ),
        (
            "development",
            "false",
            Kind.FLAG,
            "push to the model's one development deployment, as `truss push --watch` uses it, instead of making a new "
            "deployment; it has no name and no environment",
        ),
        (
            "deployment-name",
            "",
            Kind.TEXT,
            "name of the deployment, by default `PR-<number>_<sha7>` on a pull request and `<sha7>` otherwise, of the "
            "pull request's head commit; `mode: promote`: instead of `deployment-id`, the one deployment of that name",
        ),
        (
            "labels",
            "",
            Kind.OBJECT,
            "labels of the new deployment, beside those that are always set (`deploy-key`, `content-digest`)",
        ),
        (
            "include-git-info",
            "true",
            Kind.FLAG,
            "attach commit, ref and run to the deployment, as `user_env` and as labels",
        ),
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
        (
            "redeploy-trigger",
            "",
            Kind.TEXT,
            "any text (a rotated secret's date): as a label, shortened SHA-256, it counts as content for "
            "`skip-unchanged`, `changes` and `mode: discover`",
        ),
        (
            "max-hourly-cost",
            "",
            Kind.NUMBER,
            "USD: refuse a deploy that can cost more per hour at its environment's largest number of replicas, or that "
            "costs nobody knows what",
        ),
    ),
    *group(
        "Wait and prove",
        (
            "wait",
            "true",
            Kind.FLAG,
            "wait until the deployment is live; with `false` the run is green once the service has taken it",
        ),
        (
            "deploy-timeout-minutes",
            "45",
            Kind.INTEGER,
            "after how many minutes the service gives the deployment up, 10 to 1440",
        ),
        (
            "wait-timeout-minutes",
            "",
            Kind.NUMBER,
            "how many minutes this step waits for the deployment, decimals allowed; by default "
            "`deploy-timeout-minutes`",
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
            "what the smoke test's response must contain: JSON (objects by subset, arrays by element, scalars by "
            "equality) or `/regex/`",
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
        (
            "regional-environment",
            "false",
            Kind.FLAG,
            "send smoke test and checks through the host that a regional environment of Baseten has for itself",
        ),
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
            "Baseten's environment (not GitHub's), for example `production`, into which the deployment is promoted "
            "once it is live and has passed smoke test and checks; the run waits for that",
        ),
        (
            "promotion-settings",
            "",
            Kind.OBJECT,
            "settings of the promotion (of `promote-to`, `mode: promote`) for this one time, for example "
            "`rolling_deploy`",
        ),
        (
            "scale-down-previous",
            "true",
            Kind.FLAG,
            "after a promotion, have the service scale down what the environment served before",
        ),
        ("watch-minutes", "0", Kind.NUMBER, "watch the metrics so many minutes once it is live (and promoted)"),
        (
            "watch-limits",
            "",
            Kind.OBJECT,
            "what the watched metrics may be: `error-rate` (0.05 by default, alone), `p95-seconds`, `p95-ratio` to the "
            "hour before (also of `p50` and `p99`), `min-requests` (20)",
        ),
        (
            "rollback-on-failure",
            "false",
            Kind.FLAG,
            "after a promotion, ask the environment the smoke test and the checks again, and watch it where "
            "`watch-minutes` says so; on failure promote what it served before",
        ),
        (
            "on-failure",
            "keep",
            Kind.CHOICE,
            "what becomes of this run's deployment when it did not become live or failed its smoke test or a check",
            _AFTERMATH,
        ),
        (
            "on-cancel",
            "keep",
            Kind.CHOICE,
            "what becomes of this run's deployment when the workflow is cancelled",
            _AFTERMATH,
        ),
        (
            "cleanup",
            "false",
            Kind.FLAG,
            "deactivate this run's own deployment after it has passed, as for the check of a pull request; older ones "
            "are retired by `mode: cleanup`",
        ),
        (
            "cleanup-labels",
            "",
            Kind.OBJECT,
            "`mode: cleanup`: labels that a deployment must carry to be retired; never one that an environment "
            "serves or is being promoted into it, never the development slot",
        ),
        (
            "keep-latest",
            "0",
            Kind.INTEGER,
            "`mode: cleanup`: of the deployments that `cleanup-labels` finds, keep the newest N",
        ),
        (
            "retire",
            "deactivate",
            Kind.CHOICE,
            "`mode: cleanup`: what is done with the deployments that `cleanup-labels` finds; a deactivated one can be "
            "activated again",
            ("deactivate", "delete"),
        ),
    ),
    *group(
        "Register",
        (
            "nemo-url",
            "",
            Kind.TEXT,
            "NeMo Platform base URL: register the deployed model there as a model entity",
        ),
        ("nemo-workspace", "default", Kind.TEXT, "NeMo Platform workspace of the model entity"),
        ("nemo-token", "", Kind.SECRET, "bearer token for the NeMo Platform; masked"),
        ("nemo-model-name", "", Kind.TEXT, "name of the NeMo model entity, by default the slug of the model name"),
        ("nemo-entity", "", Kind.OBJECT, "further fields of the NeMo model entity, as its API names them"),
        (
            "nemo-provider",
            "",
            Kind.OBJECT,
            "`{name, api_key_secret_name, ...}`: also register the endpoint as a model provider of the NeMo Platform",
        ),
    ),
    *group(
        "Report",
        (
            "github-token",
            "",
            Kind.SECRET,
            "the job's `github.token`, with the permission `pull-requests: write`: with it, the result stands in a "
            "comment on the pull request, one for each model and target environment; masked",
        ),
        (
            "fail-without-credentials",
            "false",
            Kind.FLAG,
            "on a run of a fork or of Dependabot, which has no API key: fail, instead of checking the Truss and being "
            "green",
        ),
    ),
    *group(
        "Where",
        ("api-url", "https://api.baseten.co", Kind.TEXT, "base URL of Baseten's management API"),
        (
            "inference-url",
            "https://model-{model_id}.api.baseten.co",
            Kind.TEXT,
            "base URL at which the model is asked; `{model_id}` is filled in",
        ),
        ("s3-endpoint-url", "", Kind.TEXT, "S3 endpoint for the upload, instead of AWS's own (private link, sandbox)"),
    ),
)

BY_NAME: dict[str, Input] = {spec.name: spec for spec in INPUTS}
