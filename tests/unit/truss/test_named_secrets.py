"""The secrets that a config names, at every place where one can."""

import pytest

from baseten_deploy.strict_yaml import load
from baseten_deploy.truss.named_secrets import named_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("secrets: {hf_access_token: null}", [("hf_access_token", ("secrets", "hf_access_token"))]),
        (
            "build: {secret_to_path_mapping: {pip: /root/.pip}}",
            [("pip", ("build", "secret_to_path_mapping", "pip"))],
        ),
        (
            "model_cache: [{repo_id: a/b}, {repo_id: c/d, runtime_secret_name: hf}]",
            [("hf", ("model_cache", 1, "runtime_secret_name"))],
        ),
        ("weights: [{source: s3://b, auth_secret_name: aws}]", [("aws", ("weights", 0, "auth_secret_name"))]),
        (
            "weights: [{source: s3://b, auth: {auth_method: CUSTOM_SECRET, auth_secret_name: aws}}]",
            [("aws", ("weights", 0, "auth", "auth_secret_name"))],
        ),
        (
            "base_image: {image: i, docker_auth: {auth_method: AWS_IAM, aws_access_key_id_secret_name: id, "
            "aws_secret_access_key_secret_name: key}}",
            [
                ("id", ("base_image", "docker_auth", "aws_access_key_id_secret_name")),
                ("key", ("base_image", "docker_auth", "aws_secret_access_key_secret_name")),
            ],
        ),
        (
            "base_image: {image: i, docker_auth: {auth_method: GCP_SERVICE_ACCOUNT_JSON, secret_name: gcp}}",
            [("gcp", ("base_image", "docker_auth", "secret_name"))],
        ),
        (
            "trt_llm: {build: {checkpoint_repository: {source: HF, repo: a/b, runtime_secret_name: hf}}}",
            [("hf", ("trt_llm", "build", "checkpoint_repository", "runtime_secret_name"))],
        ),
    ],
)
def test_each_place(text, expected):
    """With the path of where it stands."""
    assert expected == named_secrets(load(text).value)


@pytest.mark.parametrize(
    "text",
    [
        "model_name: m",
        "secrets: null",
        "secrets: [a]",
        "build: [secret_to_path_mapping]",
        "secrets: {'${TOKEN}': null}",
        "model_cache: [{repo_id: a/b, runtime_secret_name: '{{ secret }}'}]",
        "model_metadata: {secret_name: mine}",
        "environment_variables: {MY_secret_name: mine}",
        "weights: [{source: s, auth_secret_name: null}]",
        "model_cache: [{repo_id: a/b, runtime_secret_name: ''}]",
    ],
)
def test_what_names_none(text):
    """Placeholders have a warning of their own; what users write freely means nothing."""
    assert [] == named_secrets(load(text).value)


def test_each_once():
    """At the first place."""
    config = load("model_cache: [{repo_id: a/b, runtime_secret_name: hf}]\nsecrets: {hf: null}").value
    assert [("hf", ("secrets", "hf"))] == named_secrets(config)
