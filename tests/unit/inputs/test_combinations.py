"""Rules: which inputs are refused together, which are malformed, which one lacks another, which have no effect."""

import itertools

import pytest

from baseten_deploy.inputs.base_urls import is_loopback
from baseten_deploy.inputs.combinations import check, find_warnings, is_offline
from baseten_deploy.inputs.settings import Settings, read_settings


def messages(settings: Settings) -> str:
    """Join what is wrong."""
    return "\n".join(problem.message for problem in check(settings))


ECHOES = [
    ({"watch-minutes": "x", "watch-limits": "{error-rate: 0.1}"}, "watch-minutes"),
    ({"watch-minuts": "5", "watch-limits": "{error-rate: 0.1}"}, "watch-minuts"),
    ({"mode": "promotee", "rollback-on-failure": "true"}, "mode"),
    ({"mode": "promote", "model-id": "m", "deployment-id": "d", "enviroment": "e"}, "enviroment"),
    ({"mode": "cleanup", "model-name": "m", "cleanup-labels": "[a]"}, "cleanup-labels"),
    ({"mode": "cleanup", "model-nam": "m", "cleanup-labels": "{a: b}"}, "model-nam"),
    ({"wait": "fals", "promote-to": "production"}, "wait"),
]


@pytest.mark.parametrize(("inputs", "name"), ECHOES)
def test_one_mistake_has_one_message(inputs, name):
    """What goes together with an input that cannot be read, or is misspelled, is not known yet: it is not said."""
    variables = {f"INPUT_{each.upper()}": text for each, text in {"baseten-api-key": "k", **inputs}.items()}
    settings, unread = read_settings(variables)
    (problem,) = [*unread, *check(settings, unread=unread)]
    assert problem.message.startswith(f"`{name}`: ")


def test_another_mistake_is_said_all_the_same():
    """Only what speaks of the input is held back."""
    variables = {"INPUT_BASETEN-API-KEY": "k", "INPUT_WATCH-MINUTES": "x", "INPUT_REGIONAL-ENVIRONMENT": "true"}
    settings, unread = read_settings(variables)
    assert ["`regional-environment` needs an environment: the regional host is the environment's"] == [
        each.message for each in check(settings, unread=unread)
    ]


# Everything that is refused together, one line each: the inputs, and the names that are to be said.
REFUSED = [
    ({"development": "true", "environment": "staging"}, ["development", "environment"]),
    ({"development": "true", "promote_to": "staging"}, ["development", "promote-to"]),
    ({"development": "true", "deployment_name": "d"}, ["development", "deployment-name"]),
    ({"promote_to": "staging", "wait": "false"}, ["promote-to", "wait: false"]),
    ({"checks": "checks.yaml", "predict": "false"}, ["checks", "predict: false"]),
    (
        {"mode": "promote", "model_id": "m", "deployment_id": "d", "environment": "e"}
        | {"rollback_on_failure": "true", "wait": "false"},
        ["rollback-on-failure", "wait: false"],
    ),
    ({"rollback_on_failure": "true"}, ["rollback-on-failure"]),
    ({"rollback_on_failure": "true", "environment": "staging"}, ["rollback-on-failure"]),
    ({"mode": "rollback", "model_id": "m", "environment": "e", "rollback_on_failure": "true"}, ["rollback-on-failure"]),
    ({"promotion_settings": "{rolling_deploy: false}"}, ["promotion-settings"]),
    ({"scale_down_previous": "false"}, ["scale-down-previous"]),
    ({"regional_environment": "true"}, ["regional-environment"]),
    ({"library_listing": "lab/id", "environment": "staging"}, ["library-listing", "environment"]),
    ({"library_listing": "lab/id", "model_id": "m"}, ["library-listing", "model-id"]),
    ({"library_listing": "lab/id", "config": "other.yaml"}, ["library-listing", "config"]),
    ({"model_id": "m", "team": "t"}, ["model-id", "team"]),
]
PROMOTE = {"mode": "promote", "deployment_id": "d", "model_id": "m", "environment": "staging"}
ROLLBACK = {"mode": "rollback", "model_id": "m", "environment": "staging"}
ONE_PROMOTION = {"promotion_settings": "{rolling_deploy: false}", "scale_down_previous": "false"}
CLEANUP = {"mode": "cleanup", "model_name": "m", "cleanup_labels": "{pr: '7'}"}

ACCEPTED = [
    {},
    {"model_name": "m", "team": "t"},
    {"model_id": "m", "model_name": "m"},
    {"environment": "staging", "create_environment": "true", "preserve_env_instance_type": "false"},
    {"environment": "production", "regional_environment": "true"},
    {"environment": "staging", "promote_to": "production", "rollback_on_failure": "true"},
    {"promote_to": "production", "regional_environment": "true"},
    {"environment_settings": "{autoscaling_settings: {min_replica: 1}}", "promote_to": "production"},
    {"development": "true", "labels": "{a: b}"},
    {"library_listing": "lab/id", "model_name": "m", "team": "t"},
    {"library_listing": "lab/id", "promote_to": "production"},
    {"disable_archive_download": "true", "model_name": "new"},
    {"mode": "discover", "environment": "staging", "redeploy_trigger": "t", "team": "t"},
    {"max_hourly_cost": "1.5", "redeploy_trigger": "t", "skip_unchanged": "true"},
    {"library_listing": "lab/id", "max_hourly_cost": "1"},
    {"wait": "false"},
    {"wait": "false", "environment": "staging"},
    PROMOTE,
    PROMOTE | {"rollback_on_failure": "true", "regional_environment": "true"},
    {**PROMOTE, "model_id": "", "model_name": "m"},
    {**PROMOTE, "deployment_id": "", "deployment_name": "v1"},
    PROMOTE | ONE_PROMOTION,
    ROLLBACK,
    ROLLBACK | ONE_PROMOTION | {"deployment_id": "d", "predict_payload": "{}"},
    {"promote_to": "staging"} | ONE_PROMOTION,
    {"environment": "staging"} | ONE_PROMOTION,
    {"scale_down_previous": "true"},
    {"deploy_retries": "2"},
    CLEANUP,
    {**CLEANUP, "model_name": "", "model_id": "m"},
    {"mode": "plan"},
    {"checks": "checks.yaml", "checks_report": "checks.xml"},
    PROMOTE | {"checks": "checks.yaml"},
]


class TestTogether:
    """Inputs that contradict each other."""

    @pytest.mark.parametrize(("inputs", "names"), REFUSED, ids="+".join)
    def test_is_refused(self, make_settings, inputs, names):
        """With one problem that names each input, and a remedy."""
        problems = check(make_settings(**inputs))
        assert 1 == len(problems)
        assert all(f"`{name}`" in problems[0].message for name in names)
        assert problems[0].remedy

    @pytest.mark.parametrize("inputs", ACCEPTED, ids=lambda inputs: "+".join(inputs) or "nothing")
    def test_is_accepted(self, make_settings, inputs):
        """What the contract does not refuse."""
        assert [] == check(make_settings(**inputs))

    def test_all_at_once(self, make_settings):
        """Each contradiction is a problem of its own."""
        settings = make_settings(
            development="true",
            environment="e",
            promote_to="p",
            deployment_name="d",
            model_id="m",
            team="t",
            wait="false",
        )
        assert 5 == len(check(settings))


class TestMissing:
    """Inputs that need another one."""

    @pytest.mark.parametrize("mode", ["deploy", "plan"])
    def test_a_run_without_secrets_needs_no_api_key(self, make_settings, mode):
        """On a fork or from Dependabot it does the half that needs none, unless that is to fail."""
        settings = make_settings(baseten_api_key="", mode=mode)
        assert "baseten-api-key" not in "".join(problem.message for problem in check(settings, secretless=True))
        assert is_offline(settings, secretless=True)
        strict = make_settings(baseten_api_key="", mode=mode, fail_without_credentials="true")
        assert "baseten-api-key" in "".join(problem.message for problem in check(strict, secretless=True))

    def test_a_run_with_a_key_is_not_offline(self, make_settings):
        """Wherever it comes from; and neither is a mode that can do nothing without one."""
        assert not is_offline(make_settings(), secretless=True)
        assert not is_offline(make_settings(baseten_api_key=""), secretless=False)
        settings = make_settings(**PROMOTE, baseten_api_key="")
        assert not is_offline(settings, secretless=True)
        assert "baseten-api-key" in "".join(problem.message for problem in check(settings, secretless=True))

    def test_the_api_key(self, make_settings):
        """The remedy shows what to write, and names the usual reason."""
        (problem,) = check(make_settings(baseten_api_key=""))
        assert "`baseten-api-key`" in problem.message
        assert "${{ secrets.BASETEN_API_KEY }}" in problem.remedy

    def test_discover_needs_no_key(self, make_settings):
        """All counts as changed then; only where a run without one is to fail, it fails."""
        settings = make_settings(mode="discover", baseten_api_key="")
        assert ([], []) == (check(settings), check(settings, secretless=True))
        strict = make_settings(mode="discover", baseten_api_key="", fail_without_credentials="true")
        assert ([], 1) == (check(strict), len(check(strict, secretless=True)))

    @pytest.mark.parametrize(
        ("inputs", "missing", "names"),
        [
            (PROMOTE, "deployment_id", ["deployment-id", "deployment-name"]),
            (ROLLBACK, "model_id", ["model-id", "model-name"]),
            (ROLLBACK, "environment", ["environment"]),
            (PROMOTE, "model_id", ["model-id", "model-name"]),
            (PROMOTE, "environment", ["environment"]),
            (CLEANUP, "model_name", ["model-id", "model-name"]),
            (CLEANUP, "cleanup_labels", ["cleanup-labels"]),
        ],
    )
    def test_of_a_mode(self, make_settings, inputs, missing, names):
        """`promote` and `cleanup` say what they work on."""
        (problem,) = check(make_settings(**{**inputs, missing: ""}))
        assert all(f"`{name}`" in problem.message and f"`{name}`" in problem.remedy for name in names)

    def test_cleanup_labels_cannot_be_empty(self, make_settings):
        """No labels would select every deployment."""
        assert "cleanup-labels" in messages(make_settings(**{**CLEANUP, "cleanup_labels": "{}"}))

    def test_environment_settings_need_an_environment(self, make_settings):
        """Else they would silently apply to nothing."""
        settings = make_settings(environment_settings="{autoscaling_settings: {min_replica: 1}}")
        assert "environment-settings" in messages(settings)


class TestMalformed:
    """Values that no run can use."""

    @pytest.mark.parametrize("name", ["v1", "PR-7_0a1b2c3", "1.2.3", "_", "-x", "a" * 200])
    def test_deployment_name(self, make_settings, name):
        """Letters, digits, `_`, `.` and `-`."""
        assert [] == check(make_settings(deployment_name=name))

    @pytest.mark.parametrize("name", ["a b", "a/b", "ü", "a:b", "٣", "a\nb", "${{ x }}", "feature/x"])
    def test_bad_deployment_name(self, make_settings, name):
        """Everything else, branch names above all."""
        assert "`deployment-name`" in messages(make_settings(deployment_name=name))

    @pytest.mark.parametrize("listing", ["acme", "/", "acme/", "/llama"])
    def test_library_listing(self, make_settings, listing):
        """Lab and listing, both."""
        assert "`library-listing`" in messages(make_settings(library_listing=listing))

    @pytest.mark.parametrize("key", ["two words", "line\nbreak", "k\u00e4y", "tab\there", "quote\u201d"])
    def test_api_key(self, make_settings, key):
        """It goes into a header. The problem does not repeat it."""
        settings = make_settings(baseten_api_key=key)
        assert "`baseten-api-key`" in messages(settings)
        assert key not in messages(settings)

    @pytest.mark.parametrize(
        "name",
        [
            *("raw_config", "environment_name", "create_environment_if_missing", "preserve_env_instance_type"),
            *("deploy_timeout_minutes", "deployment_name", "labels", "is_development"),
        ],
    )
    def test_deployment_settings_with_an_input(self, make_settings, name):
        """What has an input is said there, so that the rules about it hold."""
        problems = check(make_settings(deployment_settings=f"{{{name}: x, region: us}}"))
        assert [f"`deployment-settings`: `{name}` has an input of its own"] == [each.message for each in problems]

    def test_deployment_settings_for_newer_fields(self, make_settings):
        """Fields that this action does not know pass, the config's too."""
        text = "{region: us, instance_type_id: i, autoscaling_settings: {min_replica: 1}, config: {build: {}}, new: 1}"
        assert [] == check(make_settings(deployment_settings=text))

    @pytest.mark.parametrize("config", ["null", "text", "[1]"])
    def test_deployment_settings_with_another_config(self, make_settings, config):
        """It is merged into the config key by key."""
        assert "`config` must be an object" in messages(make_settings(deployment_settings=f"{{config: {config}}}"))

    def test_environment_settings(self, make_settings):
        """Each wrong key and value; `test_environment_settings` has the details."""
        settings = make_settings(environment="e", environment_settings="{autoscaling: 1, promotion_settings: 2}")
        assert 2 == len(check(settings))

    def test_instance_type_of_the_environment(self, make_settings):
        """The service refuses another instance type while the environment's is to be kept."""
        inputs = {"environment": "e", "deployment_settings": "{instance_type_id: i}"}
        assert "instance_type_id" in messages(make_settings(**inputs))
        assert [] == check(make_settings(**inputs, preserve_env_instance_type="false"))


CREDENTIAL_URLS = ["api_url", "inference_url", "nemo_url"]
URLS = [*CREDENTIAL_URLS, "s3_endpoint_url"]


class TestUrls:
    """Where keys travel."""

    @pytest.mark.parametrize("name", URLS)
    @pytest.mark.parametrize(
        "url",
        [
            *("https://api.example", "https://api.example:8443/base/", "HTTPS://API.EXAMPLE", "https://[2001:db8::1]/"),
            *("http://127.0.0.1:8080", "http://localhost", "http://[::1]:9", "http://127.8.9.1", "http://LOCALHOST:1"),
        ],
    )
    def test_https_or_loopback(self, make_settings, name, url):
        """A path, a port and any case are fine."""
        assert [] == [each for each in check(make_settings(**{name: url})) if "-url`" in each.message]

    def test_a_model_id_goes_into_the_inference_url(self, make_settings):
        """As the default has it, or in a path."""
        assert [] == check(make_settings(inference_url="https://gateway.example/{model_id}/"))

    @pytest.mark.parametrize("name", URLS)
    @pytest.mark.parametrize(
        "url",
        [
            *("api.example", "//api.example", "ftp://api.example", "https://", "https:///path", "file:///etc/passwd"),
            *("https://api.example:99999", "https://[::1", "https://api.example/?a=b", "https://api.example/#a"),
            *("https://user@api.example", "https://api .example", "https://api.\nexample", "https://good\\@evil"),
            *("https://api.example\u2028/", "https://a\x00b", "javascript:alert(1)", "https://xn--/"),
            *("https://xn--a.example",),
        ],
    )
    def test_malformed(self, make_settings, name, url):
        """Neither a URL of ours nor one that two programs could read differently."""
        assert f"`{name.replace('_', '-')}`" in messages(make_settings(**{name: url}))

    @pytest.mark.parametrize("name", CREDENTIAL_URLS)
    @pytest.mark.parametrize(
        "url",
        [
            *("http://api.example", "http://127.evil.example", "http://127.0.0.1.nip.example", "http://localhost.evil"),
            *("http://10.0.0.1", "http://0.0.0.0", "http://1270.0.1", "http://[2001:db8::1]", "http://host/127.0.0.1"),
        ],
    )
    def test_not_https(self, make_settings, name, url):
        """A key would travel in clear; what only begins like loopback is not loopback."""
        (problem,) = [each for each in check(make_settings(**{name: url})) if "-url`" in each.message]
        assert "is not https" in problem.message
        assert "https URL" in problem.remedy

    @pytest.mark.parametrize("name", URLS)
    @pytest.mark.parametrize(
        "url",
        [
            *("https://me:s3cret@host", "https://me:s3cret@host:99999", "ftp://s3cret@host", "http://me:s3cret@evil"),
            *("https://host/?token=s3cret", "https://[?s3cret", "https://host/#s3cret", "//me:s3cret@host"),
        ],
    )
    def test_a_secret_in_a_url_is_not_repeated(self, make_settings, name, url):
        """Refused, without its text."""
        text = messages(make_settings(**{name: url}))
        assert f"`{name.replace('_', '-')}`" in text
        assert "s3cret" not in text

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            *(("localhost", True), ("127.0.0.1", True), ("127.255.0.3", True), ("::1", True)),
            *(("", False), ("127.example", False), ("localhost.example", False), ("10.0.0.1", False), ("::2", False)),
        ],
    )
    def test_is_loopback(self, host, expected):
        """By address, and the one name."""
        assert expected == is_loopback(host)


IDLE = [
    ({"cleanup_labels": "{a: b}"}, "cleanup-labels"),
    ({"keep_latest": "3"}, "keep-latest"),
    ({"retire": "delete"}, "retire"),
    ({"deployment_id": "d"}, "deployment-id"),
    (PROMOTE | {"deployment_name": "v1"}, "deployment-name"),
    (ROLLBACK | {"deployment_name": "v1"}, "deployment-name"),
    ({"wait": "false", "deploy_retries": "1"}, "deploy-retries"),
    ({"create_environment": "true"}, "create-environment"),
    ({"predict": "false", "predict_payload": "{}"}, "predict-payload"),
    ({"predict": "false", "predict_expect": "1"}, "predict-expect"),
    ({"wait": "false", "predict_expect": "1"}, "predict-expect"),
    ({"wait": "false", "checks": "checks.yaml"}, "checks"),
    ({**CLEANUP, "checks": "checks.yaml"}, "checks"),
    ({"checks_report": "checks.xml"}, "checks-report"),
    ({"nemo_token": "t0ken"}, "nemo-token"),
    ({"nemo_entity": "{a: b}"}, "nemo-entity"),
    ({"nemo_provider": "{name: n}"}, "nemo-provider"),
    ({"nemo_model_name": "n"}, "nemo-model-name"),
    *(
        ({"library_listing": "lab/id", name: value}, name.replace("_", "-"))
        for name, value in {
            "development": "true",
            "deployment_name": "d",
            "labels": "{a: b}",
            "deployment_settings": "{a: b}",
            "disable_archive_download": "true",
        }.items()
    ),
    *(
        ({"mode": "discover", name: value}, name.replace("_", "-"))
        for name, value in {
            "config": "c.yaml",
            "model_name": "m",
            "labels": "{a: b}",
            "max_hourly_cost": "1",
            "skip_unchanged": "true",
            "library_listing": "l/i",
        }.items()
    ),
    ({"library_listing": "lab/id", "redeploy_trigger": "t"}, "redeploy-trigger"),
    *(
        (mode | {name: value}, name.replace("_", "-"))
        for mode, (name, value) in itertools.product(
            [PROMOTE, ROLLBACK, CLEANUP],
            {
                "deploy_retries": "1",
                "config": "c.yaml",
                "labels": "{a: b}",
                "deployment_settings": "{a: b}",
                "promote_to": "p",
                "cleanup": "true",
                "library_listing": "l/i",
                "redeploy_trigger": "t",
                "max_hourly_cost": "1.5",
            }.items(),
        )
    ),
]


class TestWarnings:
    """Inputs without effect."""

    @pytest.mark.parametrize(("inputs", "name"), IDLE, ids=lambda value: value if isinstance(value, str) else "")
    def test_is_said(self, make_settings, inputs, name):
        """None is ignored without a word."""
        warnings = [each for each in find_warnings(make_settings(**inputs)) if f"`{name}`" in each.message]
        assert 1 == len(warnings)
        assert "has no effect" in warnings[0].message
        assert warnings[0].remedy

    @pytest.mark.parametrize("inputs", ACCEPTED, ids=lambda inputs: "+".join(inputs) or "nothing")
    def test_nothing_is_said_of_what_works(self, make_settings, inputs):
        """A warning on a good run teaches people to ignore warnings."""
        assert [] == find_warnings(make_settings(**inputs))

    def test_labels_of_the_action(self, make_settings):
        """They win, so a label of the same name would be lost."""
        settings = make_settings(labels='{"deploy-key": "x", "content-digest": "y", "other": "z"}')
        assert ["deploy-key", "content-digest"] == [each.message.split("`")[3] for each in find_warnings(settings)]

    def test_cleanup_without_waiting(self, make_settings):
        """It has an effect, if hardly the one that was wanted."""
        (warning,) = find_warnings(make_settings(cleanup="true", wait="false"))
        assert "still being built" in warning.message
