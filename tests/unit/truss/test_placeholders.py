"""Placeholders that nothing fills in."""

from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.truss.config_file import read_config
from baseten_deploy.truss.placeholders import find_problems, placeholder_in

FORMS = ["${MODEL_NAME}", "'{{ name }}'", "<name>", "'%NAME%'", "TODO", "my-${X:-y}-model", "a/<your-registry>/b"]
FORMS += ["$MODEL_NAME", "'${{ env.NAME }}'", "CHANGEME"]


def found(directory: Path, text: str) -> list[Problem]:
    """What is found in a config."""
    root = write_tree(directory, {"config.yaml": text})
    return find_problems(read_config(root / "config.yaml", [root], root))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nmodel_name: {}\n", "model_name"),
        ("base_image:\n  image: {}\n", "base_image.image"),
        ("secrets:\n  token: {}\n", "secrets.token"),
        ("weights:\n- auth_secret_name: {}\n", "weights.0.auth_secret_name"),
        ("model_cache:\n- repo_id: {}\n", "model_cache.0.repo_id"),
    ],
)
def test_names_secrets_and_images(tmp_path: Path, text: str, place: str, form: str) -> None:
    """Each form in each place, at its line."""
    (problem,) = found(tmp_path, text.replace("{}", form))
    assert 2 == problem.line
    assert problem.message.startswith(f"`{place}` holds the placeholder `")


def test_how_a_name_is_filled_in(tmp_path: Path) -> None:
    """By the input, or a step before."""
    (problem,) = found(tmp_path, "model_name: ${MODEL_NAME}")
    assert "`model_name` holds the placeholder `${MODEL_NAME}`" == problem.message
    assert "`envsubst`" in problem.remedy
    assert problem.remedy.endswith("a name can come from the input `model-name`.")


def test_how_the_rest_is_filled_in(tmp_path: Path) -> None:
    """By `deployment-settings`; a secret not at all."""
    image, secret = found(tmp_path, "base_image: {image: '${TAG}'}\nsecrets: {'${NAME}': null}\n")
    assert "the input `deployment-settings`" in image.remedy
    assert "is kept in the workspace's secrets" in secret.remedy


@pytest.mark.parametrize(
    "text",
    [
        "model_name: Todo list", "model_name: a<b", "model_name: 100% mine 50%", "model_name: costs $5",
        "model_metadata: {image: '<x>', example_model_input: {model_name: '{{ x }}', prompt: '<|im_start|> ${X}'}}",
        "environment_variables: {model_name: '${HOME}/x', PATH: $PATH}", "build_commands: ['echo ${HOME} <x> %x%']",
        "docker_server: {start_command: 'serve --port ${PORT} $X <a>'}", "description: 'TODO: <write>'",
        "model_name: m\nsecrets: {hf_access_token: null, b: ''}", "build: {arguments: {image: '${X}'}}",
    ],
)  # fmt: skip
def test_what_is_meant(tmp_path: Path, text: str) -> None:
    """Shell, prompts and prose have them for good reasons."""
    assert [] == found(tmp_path, text)


@pytest.mark.parametrize("text", ["model_name: {{ name }}", "model_name: {{name}}-x", "model_name: %NAME%"])
def test_what_yaml_cannot_read(tmp_path: Path, text: str) -> None:
    """Stays an error, whose remedy says what a placeholder is."""
    with pytest.raises(InvalidInput) as caught:
        found(tmp_path, f"a: 1\n{text}\n")
    (problem,) = caught.value.problems
    assert 2 == problem.line
    assert "looks like a placeholder. Nothing fills in placeholders of a config." in problem.remedy
    assert "the input `model-name` gives the name of a model" in problem.remedy


def test_any_length() -> None:
    """A line of a hundred thousand openings is read at once."""
    assert ("", "", "") == tuple(placeholder_in(part * 50_000) for part in ("${", "{{", "<a"))
