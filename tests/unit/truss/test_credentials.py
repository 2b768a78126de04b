"""Credentials in the config and in files: named, never shown, and nothing else is taken for one."""

import json
from pathlib import Path

import pytest
from trees import MODEL, write_tree

from baseten_deploy.errors import Problem
from baseten_deploy.truss.directory import Truss, read_truss

# Made up, and put together here, so that no scanner takes this file for a leak.
LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fG"
HF = "hf_" + LETTERS + "Xy"
TOKENS = {
    "a Hugging Face token": [HF, "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"],
    "an API key": [
        "sk-" + LETTERS * 2,
        "sk-proj-" + LETTERS + "-" + LETTERS,
        "sk-ant-api03-" + LETTERS * 3,
        "gsk_" + LETTERS * 2,
    ],
    "a GitHub token": [
        *(f"gh{kind}_{LETTERS}1234" for kind in "pousr"),
        "github_pat_" + LETTERS + "_" + LETTERS,
    ],
    "a GitLab token": ["glpat-" + LETTERS[:20]],
    "an AWS access key": ["AKIA" + "Q3EGQ7B5ZD2WXKTM", "ASIA" + "Q3EGQ7B5ZD2WXKTM"],
    "a Google API key": ["AIza" + LETTERS + "abc"],
    "a Slack token": ["xoxb-" + "123456789012-" + LETTERS],
    "an npm token": ["npm_" + LETTERS + "wxyz"],
    "a PyPI token": ["pypi-AgE" + LETTERS * 2],
    "an Azure storage key": ["AccountKey=" + (LETTERS * 3)[:86] + "=="],
    "an NVIDIA API key": ["nvapi-" + LETTERS * 2],
    "a JSON web token": ["eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + LETTERS],
    "a private key": [f"-----BEGIN {kind}PRIVATE KEY-----\nMIIEvQ{LETTERS}\n" for kind in ("", "RSA ", "OPENSSH ")],
}
ALL = [(kind, token) for kind, tokens in TOKENS.items() for token in tokens]
NONE = [
    "changeme",
    "change-me-please-now",
    "null",
    "",
    "***",
    "ENTER HF ACCESS TOKEN HERE",
    "set token in baseten workspace",
    "your-hf-token",
    "hf_" + "x" * 34,
    "hf_xxxxxxxxxxxxxxxx",
    "hf_your_token_goes_here",
    "hf_access_token",
    "sk-...",
    "sk-" + "x" * 48,
    "sk-learn-contrib-forest-model",
    "ghp_***",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0." + LETTERS,
    "AccountKey=" + "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "${HF_TOKEN}",
    "{{ secrets.HF_TOKEN }}",
    "<your token>",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "https://user@example.com/x",
    "https://${USER}:${PASSWORD}@example.com/x",
    "https://user:password@localhost/x",
    "meta-llama/Llama-3.1-8B-Instruct",
    "0.0.0.0:8000",
    "a3f5d9c1",
]


def read(directory: Path, files: dict[str, str | bytes], config: object = None) -> Truss:
    """A Truss with these files and config."""
    text = json.dumps({"model_name": "x", **(config or {})}, indent=1)
    root = write_tree(directory, {"config.yaml": text, "model/model.py": MODEL, **files})
    return read_truss(root, root)


def found(directory: Path, files: dict[str, str | bytes]) -> list[Problem]:
    """The warnings about files; each must do without what is in them."""
    return [each for each in read(directory, files).warnings if "credentials" in each.message]


class TestConfig:
    """Values at any depth."""

    @pytest.mark.parametrize(("kind", "token"), ALL)
    @pytest.mark.parametrize(
        ("config", "name", "line"),
        [
            ('{"secrets": {"hf": "TOKEN"}}', "secrets.hf", 4),
            ('{"environment_variables": {"A": "1", "SOME": "TOKEN"}}', "environment_variables.SOME", 5),
            ('{"build_commands": ["ls", "curl -H \'Authorization: TOKEN\' x"]}', "build_commands[1]", 5),
            ('{"model_metadata": {"a": [{"b": "TOKEN"}]}}', "model_metadata.a[0].b", 6),
        ],
    )
    def test_a_token(self, tmp_path, kind, token, config, name, line):
        """Its place and kind are said, and what to do; it is kept from being shown, and not shown."""
        value = json.loads(config.replace("TOKEN", json.dumps(token)[1:-1]))
        truss = read(tmp_path, {}, value)
        (warning,) = truss.warnings
        assert ("config.yaml", line, f"`{name}` holds {kind}, in clear") == (
            warning.file,
            warning.line,
            warning.message,
        )
        assert "Revoke it" in warning.remedy
        assert token.strip() in "".join(truss.secrets)
        assert not any(part in str(warning) for part in (token, token[-12:]))

    @pytest.mark.parametrize("text", NONE)
    @pytest.mark.parametrize("key", ["secrets", "environment_variables"])
    def test_none(self, tmp_path, text, key):
        """A placeholder, a public example, a reference, a name."""
        truss = read(tmp_path, {}, {key: {"hf_access_token": text, "HF_TOKEN": text, "SOME": text}})
        assert () == truss.secrets
        assert [] == [warning for warning in truss.warnings if "in clear" in warning.message]

    @pytest.mark.parametrize(
        ("key", "name", "value"),
        [
            ("secrets", "wandb", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"),
            ("environment_variables", "AWS_SECRET_ACCESS_KEY", "kJ7hG2dF9sA4pQ8wE3rT6yU1iO5zX0cV+bN/mL2k"),
            ("environment_variables", "WANDB_API_KEY", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"),
            ("environment_variables", "BASETEN_API_KEY", "aB3dE6gH.K2mN5pQ8sT1vW4yZ7bC0fG9jL3nR6"),
        ],
    )
    def test_what_is_called_secret_and_is_made_of_chance(self, tmp_path, key, name, value):
        """No form is known, and nobody writes such a thing for anything else."""
        truss = read(tmp_path, {}, {key: {name: value}})
        assert [f"`{key}.{name}` holds what looks like a credential, in clear"] == [w.message for w in truss.warnings]
        assert (value,) == truss.secrets

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("TOKENIZER", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"),
            ("MODEL_SHA", "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"),
            ("HF_TOKEN", "my-model-version-2-2026-04-01"),
            ("API_KEY", "some_name_of_a_secret_v2"),
            ("SECRET_KEY", "/run/secrets/key-2026"),
            ("MAX_TOKEN", "4096"),
        ],
    )
    def test_what_is_not(self, tmp_path, name, value):
        """A hash under another name, a name, a path, a number."""
        assert () == read(tmp_path, {}, {"environment_variables": {name: value}}).warnings

    @pytest.mark.parametrize(
        "piece",
        [
            "a.",
            "sk-",
            "sk-a-",
            "eyJ-",
            "eyJaaaaaaaaaa.",
            "eyJaaaaaaaaaa.eyJ.",
            "hf_",
            "xox",
            "xoxb-",
            "A: ",
            "://",
            "a://:",
            "a://b:c",
            "-----BEGIN ",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY----- A: ",
            "\\n",
            "AKIA",
            "glpat-",
        ],
    )
    def test_a_long_text_is_searched_in_linear_time(self, tmp_path, piece):
        """Our own patterns do not explode either."""
        start = "-----BEGIN PRIVATE KEY-----\n" if piece == "A: " else ""
        read(tmp_path, {}, {"description": start + piece * (100_000 // len(piece))})

    def test_all_of_a_private_key_is_kept_from_being_shown(self, tmp_path):
        """Not only the line by which it is found."""
        key = f"-----BEGIN PRIVATE KEY-----\nMIIE{LETTERS}\n{LETTERS[::-1]}\n-----END PRIVATE KEY-----\n"
        assert (key,) == read(tmp_path, {}, {"environment_variables": {"A": key}}).secrets

    def test_a_password_in_an_address(self, tmp_path):
        """As package indexes and databases have it."""
        truss = read(tmp_path, {}, {"requirements": ["--extra-index-url https://ci:T0ps3cret99@pypi.acme.io/simple"]})
        assert ["`requirements[0]` holds a password, in clear"] == [warning.message for warning in truss.warnings]
        assert ("T0ps3cret99",) == truss.secrets


SERVICE_ACCOUNT = json.dumps(
    {"type": "service_account", "project_id": "p", "private_key": f"-----BEGIN PRIVATE KEY-----\n{LETTERS * 2}\n"}
)
KUBE = f"apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: {LETTERS}\n"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{LETTERS}\n-----END OPENSSH PRIVATE KEY-----\n"


class TestFiles:
    """By name and first bytes."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("id_rsa", "x"),
            ("keys/id_ed25519", "x"),
            (".env.production", "A=1"),
            ("model/.env.local", "A=1"),
            (".envrc", "export A=1"),
            (".aws/credentials", "[default]"),
            ("home/.netrc", "machine x login y password z"),
            (".git-credentials", "https://x"),
            (".npmrc", "//registry.npmjs.org/:_authToken=abc"),
            (".pypirc", "[pypi]\npassword = abc"),
            (".trussrc", "[baseten]\napi_key = abc"),
            (".docker/config.json", '{"auths": {"x": {"auth": "YTpi"}}}'),
            (".kube/config", "x"),
            ("cluster.yaml", KUBE),
            ("gcp.json", SERVICE_ACCOUNT),
            ("adc.json", json.dumps({"type": "authorized_user", "refresh_token": "1//0abcdef"})),
            ("certs/server.key", PEM),
            ("certs/server.pem", f"\n{PEM}"),
            ("key", PEM.replace("OPENSSH ", "")),
            ("key.txt", PEM.replace(LETTERS, "b3BlbnNzaC...")),
            ("token.txt", f"{HF}\n"),
            ("settings.py", f"TOKEN = '{HF}'\n"),
            ("model/settings.py", f"# a\n\nKEY = '{'sk-' + LETTERS * 2}'\n"),
            ("client.p12", b"\x30\x82"),
            ("home/huggingface/token", "x"),
        ],
    )
    def test_with_credentials(self, tmp_path, name, content):
        """They are named in one warning, and nothing of them is shown."""
        (warning,) = found(tmp_path, {name: content})
        assert (name, f"The archive contains what looks like credentials: `{name}`") == (warning.file, warning.message)
        assert LETTERS not in str(warning)
        assert ".truss_ignore" in warning.remedy

    @pytest.mark.parametrize("token", [token for _, token in ALL])
    @pytest.mark.parametrize("before", ["", "# 's-gh_A-J' ", "x" * 1500 + " "])
    def test_every_kind(self, tmp_path, token, before):
        """Wherever it stands in the beginning of a file, whatever stands before it."""
        content = f"{token}\n" if "-----" in token else f"{before}{token}\n"
        (warning,) = found(tmp_path, {"notes.txt": content, "more.txt": "hf_ sk- gh_ AKI eyJ"})
        assert "notes.txt" == warning.file

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("id_rsa.pub", "ssh-rsa AAAA"),
            ("id_rsa", ""),
            (".env.example", "HF_TOKEN=changeme"),
            (".env.sample", "A=1"),
            (".env.template", "A=1"),
            (".env.production.example", "A=1"),
            (".env.example.local", "A=1"),
            (".environment", "A=1"),
            ("environment.py", "A=1"),
            (".npmrc", "//registry.npmjs.org/:_authToken=${NPM_TOKEN}\nregistry=https://x"),
            (".pypirc", "[pypi]\nusername = __token__"),
            ("config.json", '{"auth": "none"}'),
            (".docker/config.json", '{"auths": {}}'),
            ("server.key.example", PEM.replace(LETTERS, "b3BlbnNzaC...")),
            ("cert.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n"),
            ("README.md", f"Put `hf_{'x' * 34}` there, as in\n\n-----BEGIN PRIVATE KEY-----\n...\n"),
            ("docs.md", "export AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE"),
            ("account.json", '{"type": "service_account", "private_key": "<your key>"}'),
            ("account.json", '{"type": "service_account"}'),
            ("map.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  token: abc\n"),
            ("tokenizer.json", '{"vocab": {"sk-": 1, "hf_": 2, "ghp_": 3}}'),
            ("code.py", "if line.startswith('-----BEGIN PRIVATE KEY-----'): token = os.environ['HF_TOKEN']"),
            ("credentials", "x"),
            ("token.py", "x = 1"),
        ],
    )
    def test_without(self, tmp_path, name, content):
        """Templates, public parts, text about them."""
        assert [] == found(tmp_path, {name: content})

    def test_many_are_cut(self, tmp_path):
        """After ten, with the count."""
        (warning,) = found(tmp_path, {f"keys/{number:02}/id_rsa": "x" for number in range(14)})
        assert warning.message.endswith("`keys/09/id_rsa` and 4 more")

    def test_an_ignored_one_is_none(self, tmp_path):
        """Where it stays does not matter."""
        assert [] == found(tmp_path, {"id_rsa": "x", ".truss_ignore": "id_rsa\n.git\n.env\n"})

    def test_each_is_named_once(self, tmp_path):
        """What own ignore rules ship is said there, with the rule that helps."""
        truss = read(tmp_path, {".env": f"T={HF}", ".git/config": HF, "id_rsa": PEM, ".truss_ignore": "*.log\n"})
        (credentials, shipped) = sorted(truss.warnings, key=lambda each: each.file, reverse=True)
        assert ("`id_rsa`", "`.env`, `.git/`") == (
            credentials.message.partition(": ")[2],
            shipped.message.partition("contains ")[2],
        )

    def test_the_config_is_judged_by_its_values(self, tmp_path):
        """And not as a file once more."""
        assert 1 == len(read(tmp_path, {}, {"secrets": {"a": HF}}).warnings)
