"""What this run was asked for: one frozen object, made once from a mapping, with every problem of its values.

Reads no file and knows no network. What the inputs are called and default to is `table`, which of them go together
is `combinations`, and whether a model or an environment exists is for later modules to find out.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass
from baseten_deploy.strict_yaml import YamlError, load_texts, refuse_duplicates
from baseten_deploy.strict_yaml import load as load_yaml

from .declaration import Input, Kind
from .table import BY_NAME, INPUTS

if TYPE_CHECKING:
    from .expectation import Expectation

PREFIX = "INPUT_"
_NOT_TEXT = ("has something in it that is no character of UTF-8", "Write whole characters, in UTF-8.")

# Labels that this action owns: the first makes "exactly one deployment" checkable, the second "unchanged".
DEPLOY_KEY_LABEL, CONTENT_DIGEST_LABEL = "deploy-key", "content-digest"
TRIGGER_LABEL, _TRIGGER_DIGITS = "redeploy-trigger", 12  # when it is given: what is content besides the files
_LABELS = frozenset({"labels", "cleanup-labels"})  # whose values are text, taken as it is written


class Mode(StrEnum):
    """What kind of run this is."""

    DEPLOY = "deploy"
    PLAN = "plan"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    CLEANUP = "cleanup"
    DISCOVER = "discover"


class Aftermath(StrEnum):
    """What becomes of a new deployment when the run that made it failed or was cancelled."""

    KEEP = "keep"
    DEACTIVATE = "deactivate"
    DELETE = "delete"


@dataclass(frozen=True)
class Settings:
    """Every input, typed; a field is its input's name with underscores, `None` and `""` are "not given".

    Times keep the unit that the input has; the `*_seconds` properties are what the code waits by.
    """

    mode: Mode
    baseten_api_key: str = field(repr=False)
    truss_directory: str
    chain_entrypoint: str
    config: str
    library_listing: str
    model_name: str
    model_id: str
    chain_id: str
    deployment_id: str
    team: str
    environment: str
    create_environment: bool
    environment_settings: dict[str, Any] | None
    preserve_env_instance_type: bool
    development: bool
    deployment_name: str
    labels: dict[str, str] | None
    include_git_info: bool
    deployment_settings: dict[str, Any] | None
    disable_archive_download: bool
    skip_unchanged: bool
    redeploy_trigger: str
    max_hourly_cost: float | None
    wait: bool
    deploy_timeout_minutes: int
    wait_timeout_minutes: float
    stream_logs: bool
    predict: bool
    predict_payload: Any
    predict_expect: "Expectation | None"
    predict_timeout: float
    checks: str
    checks_report: str
    regional_environment: bool
    deploy_retries: int
    promote_to: str
    promotion_settings: dict[str, Any] | None
    scale_down_previous: bool
    watch_minutes: float
    watch_limits: dict[str, Any] | None
    rollback_on_failure: bool
    on_failure: Aftermath
    on_cancel: Aftermath
    cleanup: bool
    cleanup_labels: dict[str, str] | None
    keep_latest: int
    retire: Aftermath
    nemo_url: str
    nemo_workspace: str
    nemo_token: str = field(repr=False)
    nemo_model_name: str
    nemo_entity: dict[str, Any] | None
    nemo_provider: dict[str, Any] | None
    github_token: str = field(repr=False)
    fail_without_credentials: bool
    api_url: str
    inference_url: str
    app_url: str
    s3_endpoint_url: str

    @property
    def is_chain(self) -> bool:
        """Whether this run is about a Chain: its file, or its id, is given."""
        return self.truss_directory.endswith(".py") or bool(self.chain_id)

    @property
    def wait_timeout_seconds(self) -> float:
        """How long this run waits for the deployment, in seconds."""
        return self.wait_timeout_minutes * 60

    @property
    def trigger(self) -> str:
        """The label of `redeploy-trigger`: its shortened SHA-256, for it may be something private; `""` for none."""
        text = self.redeploy_trigger
        return hashlib.sha256(text.encode()).hexdigest()[:_TRIGGER_DIGITS] if text else ""

    @property
    def library_parts(self) -> tuple[str, str]:
        """Lab and listing id of `library-listing`."""
        lab, _, listing = self.library_listing.partition("/")
        return lab, listing


def read_settings(environment: Mapping[str, str]) -> tuple[Settings, list[Problem]]:
    """Read the `INPUT_*` variables of a step: the settings, and every problem with their values and names.

    With problems the settings are only good for finding more problems: a value that does not parse is its default.

    The API key may also come as `BASETEN_API_KEY`, the variable that Baseten's own tools read, for CI systems whose
    variable names cannot carry hyphens and whose command lines are not the place for a key.
    """
    reader = _Reader(environment)
    values = {spec.name.replace("-", "_"): reader.read(spec) for spec in INPUTS}
    values["baseten_api_key"] = values["baseten_api_key"] or environment.get("BASETEN_API_KEY", "").strip()
    values["wait_timeout_minutes"] = values["wait_timeout_minutes"] or float(values["deploy_timeout_minutes"])
    for name, kind in (("mode", Mode), ("on_failure", Aftermath), ("on_cancel", Aftermath), ("retire", Aftermath)):
        values[name] = kind(values[name])
    return Settings(**values), reader.problems + unknown_inputs(environment)


def variable_of(name: str) -> str:
    """The environment variable in which GitHub's runner passes an input: upper case, hyphens kept."""
    return PREFIX + name.upper()


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values of all secret inputs, for masking before anything else can be printed."""
    names = [variable_of(spec.name) for spec in INPUTS if spec.kind is Kind.SECRET]
    values = (environment.get(name, "").strip() for name in (*names, "BASETEN_API_KEY"))
    return list(dict.fromkeys(value for value in values if value))


def suggestion(word: str, known: list[str], template: str) -> str:
    """`template` with the known word nearest to `word` for `{}`, or `""` when none is near."""
    import difflib  # noqa: PLC0415 - for a word that is wrong

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return template.format(near[0]) if near else ""


class _Reader:
    """Turns the text of one input after the other into a value, collecting problems."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[Problem] = []

    def problem(self, spec: Input, message: str, remedy: str) -> None:
        self.problems.append(Problem(f"`{spec.name}`: {message}", remedy))

    def read(self, spec: Input) -> Any:
        """The value of an input; the default's value when it is empty or does not parse."""
        text = self.environment.get(variable_of(spec.name), "").strip()
        default = self.parse(spec, spec.default)
        if not _is_text(text):
            self.problem(spec, *_NOT_TEXT)
            return default
        return self.parse(spec, text, default) if text else default

    def parse(self, spec: Input, text: str, default: Any = None) -> Any:
        parse: dict[Kind, Callable[[Input, str, Any], Any]] = {
            Kind.FLAG: self._flag,
            Kind.CHOICE: self._choice,
            Kind.INTEGER: self._number,
            Kind.NUMBER: self._number,
            Kind.OBJECT: self._object,
            Kind.JSON: self._json,
        }
        if spec.name == "predict-expect":
            return self._expectation(spec, text, default)
        if spec.kind not in parse:
            return text
        return parse[spec.kind](spec, text, default) if text else None

    def _flag(self, spec: Input, text: str, default: Any) -> Any:
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        self.problem(spec, f"{text!r} is neither true nor false", "Write `true` or `false`.")
        return default

    def _choice(self, spec: Input, text: str, default: Any) -> Any:
        if text in spec.choices:
            return text
        near = suggestion(text, list(spec.choices), " Did you mean `{}`?")
        self.problem(spec, f"{text!r} is not one of its values", f"Write one of {_listed(spec.choices)}.{near}")
        return default

    def _number(self, spec: Input, text: str, default: Any) -> Any:
        low, high = {
            "deploy-timeout-minutes": (10, 1440),
            "wait-timeout-minutes": (0, 10080),
            "predict-timeout": (0, 86400),
            "watch-minutes": (0, 10080),  # the service's metrics go back seven days in one answer
        }.get(spec.name, (0, 10**9))
        whole = spec.kind is Kind.INTEGER
        from_zero = whole or spec.default == "0"
        # 20 digits are more than any limit has, and int() refuses some thousand.
        if len(text) <= 20 and re.fullmatch(r"[+-]?\d+" if whole else r"[+-]?(\d+\.?\d*|\.\d+)", text):
            number = int(text) if whole else float(text)
            if low <= number <= high and (number > 0 or from_zero):
                return number
        kind = "a whole number" if whole else "a number"
        above = "above 0, at most" if not from_zero else f"from {low} to"
        self.problem(spec, f"{text!r} is not {kind} {above} {high}", f"Write {kind} {above} {high}.")
        return default

    def _object(self, spec: Input, text: str, default: Any) -> Any:
        try:
            value = load_texts(text) if spec.name in _LABELS else load_yaml(text).value
        except YamlError as error:
            self.problem(spec, f"line {error.line}, column {error.column}: {error.message}", "Write YAML or JSON.")
            return default
        if spec.name in _LABELS and (value is None or (isinstance(value, dict) and self._is_nested(spec, value))):
            return default
        if isinstance(value, dict) and _is_text(json.dumps(value, ensure_ascii=False)):
            return value
        if isinstance(value, dict):
            self.problem(spec, *_NOT_TEXT)
            return default
        self.problem(
            spec,
            f"must be an object, not {type(value).__name__}",
            'Write `key: value` lines or `{"key": "value"}`.',
        )
        return default

    def _is_nested(self, spec: Input, labels: dict[str, Any]) -> bool:
        """Whether a label's value is no text, which is a problem for each."""
        wrong = {name: value for name, value in labels.items() if not isinstance(value, str)}
        for name, value in wrong.items():
            kind = {type(None): "null", list: "a list"}.get(type(value), "an object")
            remedy = f'Write text, for example `{name}: some text`, or `{name}: ""` for an empty one.'
            self.problem(spec, f"the value of `{name}` is {kind}, and a label's value is text", remedy)
        return bool(wrong)

    def _json(self, spec: Input, text: str, default: Any) -> Any:
        try:
            value = json.loads(text, object_pairs_hook=refuse_duplicates)
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # as it will be sent
        except UnicodeEncodeError:
            self.problem(spec, *_NOT_TEXT)
            return default
        except (ValueError, RecursionError) as error:
            self.problem(spec, f"is not JSON: {error}", """Write JSON, for example `{"prompt": "Hello"}`.""")
            return default
        return value

    def _expectation(self, spec: Input, text: str, default: Any) -> Any:
        try:
            if not text:
                return None
            from .expectation import parse_expectation  # noqa: PLC0415 - few expect anything

            return parse_expectation(text)
        except ValueError as error:
            self.problem(spec, str(error), 'Write JSON such as `{"text": "hello"}` or `"hello"`, or a `/regex/`.')
            return default


def unknown_inputs(environment: Mapping[str, str]) -> list[Problem]:
    """A problem for each `INPUT_*` variable that looks like an input of this action and is none."""
    problems = []
    for variable, name, near in _strangers(environment):
        if name in BY_NAME:  # only outside of GitHub, whose runner writes upper case
            remedy = f"Write the variable's name in upper case: `{variable_of(name)}`."
            problems.append(Problem(f"`{variable}`: nothing reads this variable", remedy))
        elif near:
            problems.append(
                Problem(f"`{name}`: there is no such input", f"Did you mean `{near}`? Correct or remove it.")
            )
    return problems


def stray_inputs(environment: Mapping[str, str]) -> list[Problem]:
    """A warning for each `INPUT_*` variable that is like no input: a job's own `env: INPUT_VERSION` arrives too."""
    return [
        Problem(
            f"`{variable}`: no input of this action is called `{name}`",
            "Remove it, unless it is a variable of the job's own: this action does not read it.",
        )
        for variable, name, near in _strangers(environment)
        if not near and name not in BY_NAME
    ]


def _strangers(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Each `INPUT_*` variable that no input has, the input that it would be, and the known one that is near, if any."""
    known = {variable_of(name) for name in BY_NAME}
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            name = variable.removeprefix(PREFIX).lower()
            yield variable, name, suggestion(name.replace("_", "-"), list(BY_NAME), "{}")


def _is_text(text: str) -> bool:
    """Whether it can be sent: no half of a surrogate pair, as which Python shows bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
