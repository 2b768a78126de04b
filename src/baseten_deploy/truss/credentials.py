"""Credentials where they should not be: in the config, and in files that would be packed. Never shows one.

Known by their form, or a file's by its name. Only what is hardly anything else counts: a placeholder, an example of a
manual and a variable that is filled in later are none. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.strict_yaml import Path

from .config_file import ConfigFile
from .ignore_rules import IGNORE_FILE
from .packing_list import listed

_PRIVATE_KEY = "a private key"
# Every repetition within is bounded, or cannot fail once it began: the texts are foreign, and may be long.
_TOKENS = {
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{20,}",
    "an API key": r"\b(?:sk-(?=[A-Za-z0-9_-]{0,60}[A-Za-z0-9]{20})[A-Za-z0-9_-]+|gsk_[A-Za-z0-9]{40,}"
    r"|r8_[A-Za-z0-9]{37})",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30}|github_pat_[A-Za-z0-9_]{30})[A-Za-z0-9_]*",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "a PyPI token": r"\bpypi-AgE[A-Za-z0-9_-]{50,}",
    "a Stripe key": r"\b[sr]k_live_[A-Za-z0-9]{20,}",
    "an NVIDIA API key": r"\bnvapi-[A-Za-z0-9_-]{40,}",
    "an Azure storage key": r"AccountKey=[A-Za-z0-9+/]{86}==",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,200}\.eyJ(?=[A-Za-z0-9_-]{10})[A-Za-z0-9_.-]+",
    # Of a text that only quotes the first line there is no body. In JSON and YAML, line ends may be escaped.
    _PRIVATE_KEY: r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[rn]){1,9}"
    r"(?:[A-Za-z-]{1,40}: [^\n\\]{0,200}(?:\n|\\n|\\r\\n)){0,5}(?:\s|\\[rn]){0,9}[A-Za-z0-9+/=]{20}",
}
_SHOWN = 10
_NAMES = list(_TOKENS)
_ANY = "|".join(f"({form})" for form in _TOKENS.values())
_TOKEN, _TOKEN_IN_BYTES = expression(_ANY), expression(_ANY.encode())
# What they have to contain: to look for that first is many times faster.
_HINTS = (
    *("hf_", "sk-", "gsk_", "r8_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA"),
    *("AIza", "xox", "npm_", "pypi-AgE", "k_live_", "nvapi-", "AccountKey=", "eyJ", "PRIVATE"),
)
# The same of those that are usual in files, in few passes: each looks for one character that is rare in code.
_SIGNS = tuple(
    expression(form)
    for form in (
        *(rb"-(?:(?<=sk-)|(?<=glpat-)|(?<=nvapi-)|(?<=pypi-)AgE)", rb"A(?:KIA|SIA|Iza|ccountKey=)", rb"J(?<=eyJ)"),
        *(rb"g(?:h[pousr]_|ithub_pat_|sk_)", rb"hf_", rb"npm_", rb"xox", rb"PRIVATE"),
    )
)
_URL_PASSWORD = expression(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@?#]{0,200}:([^\s/@]{8,200})@[^\s/]", re.IGNORECASE)
# The last two are the token that jwt.io shows and the key of Azure's storage emulator.
_PLACEHOLDER = expression(
    r"example|change.?me|your|placeholder|redacted|insert|replace|password|x{6}|\*{3}|\.{3}|0{8}|[<>${}%\[\]]"
    r"|eyJzdWIiOiIxMjM0NTY3ODkwIiwi|Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
    re.IGNORECASE,
)
_SECRETIVE_NAME = expression(
    r"(?:^|_)(?:token|secret|password|passwd|pwd|apikey|(?:api|access|secret|private|auth|account)_key)$", re.IGNORECASE
)
_RANDOM = expression(r"[A-Za-z0-9+/=_.~-]{16,}")


@dataclass(frozen=True)
class Credentials:
    """What was found: warnings, and the values, for nothing but to keep them out of what is shown."""

    warnings: tuple[Problem, ...]
    values: tuple[str, ...]


def in_config(config: ConfigFile) -> Credentials:
    """Credentials in the values of a config, at any depth."""
    warnings = []
    values: dict[str, None] = {}
    for path, text in _texts(config.value, ()):
        found = _in_text(text, path)
        if found:
            kind = next(iter(found.values()))
            warnings.append(config.problem(f"`{_dotted(path)}` holds {kind}, in clear", _remedy(path), *path))
            values |= dict.fromkeys(found)
    return Credentials(tuple(warnings), tuple(values))


def secrets_in(value: Any) -> Iterator[str]:
    """The credentials in a config that was not read from a file."""
    for path, text in _texts(value, ()):
        yield from _in_text(text, path)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _in_text(text: str, path: Path) -> dict[str, str]:
    """The credentials in a value of the config, and what they are."""
    found = {}
    if any(hint in text for hint in _HINTS):
        matches = (match for match in _TOKEN.finditer(text) if not _is_placeholder(match[0]))
        kinds = ((match[0], _NAMES[(match.lastindex or 1) - 1]) for match in matches)
        found = {text if kind == _PRIVATE_KEY else value: kind for value, kind in kinds}  # a key has more lines
    found |= {match[1]: "a password" for match in _URL_PASSWORD.finditer(text) if not _is_placeholder(match[1])}
    if not found and _is_meant_to_be_secret(path) and _looks_random(text.strip()):
        found[text.strip()] = "what looks like a credential"
    return found


def _is_placeholder(text: str) -> bool:
    return _PLACEHOLDER.search(text) is not None


def _is_meant_to_be_secret(path: Path) -> bool:
    name = str(path[-1])
    return len(path) == 2 and (
        path[0] == "secrets" or (path[0] == "environment_variables" and _SECRETIVE_NAME.search(name) is not None)
    )


def _looks_random(text: str) -> bool:
    """Whether a text is made as nobody writes or names anything: its kind of character changes all the time."""
    if not _RANDOM.fullmatch(text) or _is_placeholder(text):
        return False
    kinds = "".join(
        "d" if char.isdigit() else "u" if char.isupper() else "l" if char.isalpha() else "" for char in text
    )
    changes = sum(one != other for one, other in pairwise(kinds))
    return "d" in kinds and changes * 4 >= len(text)


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _remedy(path: Path) -> str:
    revoke = "Revoke it: whoever can read the repository or the deployment has it."
    if path[0] == "secrets":
        return (
            f"Write `{path[-1]}: null`: the model gets the workspace's secret of this name, never what stands here. "
            f"{revoke}"
        )
    return f"Keep it in the workspace's secrets, and name it under `secrets` with the value `null`. {revoke}"


# Files that are made for credentials, in lower case: their names, how these begin and end, and ends of paths.
_FILES = frozenset(
    {
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "id_ecdsa_sk",
        "id_ed25519_sk",
        ".boto",
        ".git-credentials",
        ".netrc",
        "_netrc",
        ".pgpass",
        ".s3cfg",
        ".vault-token",
        "kubeconfig",
    }
)
_ENDINGS = (".ppk", ".p12", ".pfx", ".kubeconfig")
_PATHS = (
    "/.aws/credentials",
    "/.azure/accesstokens.json",
    "/.azure/msal_token_cache.json",
    "/.huggingface/token",
    "/huggingface/token",
    "/.kube/config",
    "/.streamlit/secrets.toml",
)
# Of these there is nothing in a template.
_ENVIRONMENT = expression(r"\.env(?:rc|[._-].*)?")
_TEMPLATE = expression(r"[._-](?:example|sample|template|tmpl|tpl|dist|defaults?|schema)(?:$|[._-])")
# Files that may have credentials, and what they have then. `${NAME}` is filled in later.
_DOCKER = expression(rb'"(?:auth|identitytoken|password)"\s*:\s*"[^"$]')
_BY_BOTH = {
    ".npmrc": expression(rb"_(?:authToken|auth|password)[ \t]*=[ \t]*[^\s$]"),
    ".pypirc": expression(rb"(?m)^[ \t]*password[ \t]*[=:][ \t]*[^\s$%]"),
    ".trussrc": expression(rb"(?m)^[ \t]*api_key[ \t]*=[ \t]*[^\s$%]"),
    ".dockercfg": _DOCKER,
    ".dockerconfigjson": _DOCKER,
    "config.json": _DOCKER,  # of `.docker`
}
_SERVICE_ACCOUNT = expression(rb'"type"\s*:\s*"(service_account|authorized_user)"')
_KUBE_CONFIG = expression(rb"(?m)^kind: Config\s*$")


def warn_of_files(names: Iterable[str]) -> list[Problem]:
    """One warning about all the files that hold credentials."""
    names = sorted(names)
    if not names:
        return []
    return [
        Problem(
            f"The archive contains what looks like credentials: {listed(names, _SHOWN)}",
            f"Add them to `{IGNORE_FILE}`, and keep what the model needs in the workspace's secrets. Revoke what the "
            "repository has, too.",
            names[0],
        )
    ]


# One of these is in the name of each, in lower case.
_NAMED = frozenset({*_FILES, *_ENDINGS, ".env", *(path.rpartition("/")[2] for path in _PATHS)})
# A sign or one of these is in the beginning of each, or its name is one of the others.
_HELD = (b"service_account", b"authorized_user", b"kind: Config")


def maybe_named_so(names: Iterable[str]) -> bool:
    """Whether `is_named_so` may be true of one of these: a checkout has hundreds of thousands, mostly none."""
    together = "\n".join(names).lower()
    return any(part in together for part in _NAMED)


def maybe_in_files(files: Iterable[tuple[str, bytes]]) -> bool:
    """Whether `in_file` may be true of one of these names and beginnings; for the same reason."""
    names, contents = zip(*files, strict=True)
    together = b"\n".join(contents)
    if any(sign.search(together) for sign in _SIGNS) or any(hint in together for hint in _HELD):
        return True
    bases = "\n".join(names)
    return any(base in bases for base in _BY_BOTH)


def is_named_so(name: str) -> bool:
    """Whether a file of the archive is called as files with credentials are."""
    path = "/" + name.lower()
    base = path[path.rindex("/") + 1 :]
    if base in _FILES or base.endswith(_ENDINGS) or path.endswith(_PATHS):
        return True
    return base.startswith(".env") and bool(_ENVIRONMENT.fullmatch(base)) and not _TEMPLATE.search(base)


def in_file(name: str, content: bytes) -> bool:
    """Whether a file of the archive holds credentials, by its first bytes."""
    base = name[name.rfind("/") + 1 :]
    if base in _BY_BOTH and (base != "config.json" or "/.docker/" in f"/{name}") and _BY_BOTH[base].search(content):
        return True
    if b"PRIVATE KEY" in content and content.lstrip().startswith(b"-----BEGIN ") and not _TEMPLATE.search(base):
        return re.match(rb"\s*-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s+\S", content) is not None
    if base.endswith(".json") and b"_" in content and _SERVICE_ACCOUNT.search(content):
        return re.search(rb'"(?:private_key|refresh_token)"\s*:\s*"(?![<$.])[^"]{8}', content) is not None
    if (
        b"kind: Config" in content
        and _KUBE_CONFIG.search(content)
        and re.search(rb"(?:client-key-data|token|password):\s*[^\s$<]", content)
    ):
        return True
    return _has_token(content)


def _has_token(content: bytes) -> bool:
    for sign in _SIGNS:  # of thousands of files: a generator would take twice the time
        if sign.search(content):
            found = (match[0].decode(errors="replace") for match in _TOKEN_IN_BYTES.finditer(content))
            return not all(map(_is_placeholder, found))
    return False
