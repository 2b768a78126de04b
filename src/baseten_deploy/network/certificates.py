"""The certificates to trust: the public ones that are built in, and those that the environment names, together.

For OpenSSL and requests each variable takes the place of what is built in. Here it adds to it: with an authority that
only a company's proxy uses, GitHub and S3 still prove themselves by public ones, and nobody has to make one file of
both. Whoever can set the variable can set `HTTPS_PROXY` and the inputs too, so nothing is lost by it.
"""

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path

from .proxies import Unusable

FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
DIRECTORIES = ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_LARGEST_BYTES = 16 * 1024 * 1024  # the public authorities together have 300 KB
_MOST_FILES = 2000
_SUFFIXES = frozenset({".pem", ".crt", ".cer"})
_SEEN = "Name a file that this step sees, for example one in the workspace, or unset the variable."


def named(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that name certificates."""
    return tuple(name for name in VARIABLES if environment.get(name, "").strip())


def load(environment: Mapping[str, str]) -> tuple[ssl.SSLContext, dict[str, Unusable]]:
    """A context for clients, and what is wrong with which variable; those are left out.

    OpenSSL reads the files without the GIL, so a thread may do it meanwhile. Unlike `ssl.create_default_context` it
    writes no keys to `SSLKEYLOGFILE`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name, TLS 1.2 or newer
    context.load_verify_locations(public())
    wrong: dict[str, Unusable] = {}
    variables = named(environment)
    if variables:  # an authority in the middle of a chain is enough, as for OpenSSL's own tools and Go
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for variable in variables:
        try:
            _add(context, variable, environment[variable].strip())
        except Unusable as problem:
            wrong[variable] = problem
    return context, wrong


def public() -> str:
    """The file of the public authorities: the one beside certifi; where there is none, certifi is asked, and loaded."""
    found = PathFinder.find_spec("certifi")
    if found and found.origin and (file := Path(found.origin).with_name("cacert.pem")).is_file():
        return str(file)
    sys.modules.pop("certifi", None)  # `launch` keeps it out
    import certifi  # noqa: PLC0415, TID251 - only it knows where its file is

    return certifi.where()


def files(environment: Mapping[str, str]) -> list[str]:
    """The files that the variables name, for a program that takes one file: of a directory those that look like it."""
    found: list[Path] = []
    for variable in named(environment):
        value = environment[variable].strip()
        if Path(value).is_file():
            found.append(Path(value))
        for directory in value.split(os.pathsep):
            with suppress(OSError):
                found += _certificates(Path(directory)) if Path(directory).is_dir() else ()
    return list(dict.fromkeys(map(str, found)))


def _add(context: ssl.SSLContext, variable: str, value: str) -> None:
    if variable in DIRECTORIES and (variable not in FILES or Path(value).is_dir()):
        directories = [Path(each) for each in value.split(os.pathsep) if each and Path(each).is_dir()]
        if not directories:
            raise Unusable("the certificates cannot be read: there is no such directory", _SEEN)
        for directory in directories:
            _add_directory(context, directory)
        return
    try:
        path = Path(value)
        if not path.is_file():  # a pipe or a device would be read for ever
            raise Unusable("the certificates cannot be read: there is no such file", _SEEN)
        if path.stat().st_size > _LARGEST_BYTES:
            raise Unusable("the certificates cannot be read: the file is larger than 16 MiB", _SEEN)
        context.load_verify_locations(cafile=value)
    except ssl.SSLError:
        raise Unusable(
            "the certificates cannot be read: the file has none in PEM, or one that is damaged",
            "Name a file with `-----BEGIN CERTIFICATE-----` in it. `openssl x509 -inform der -in ca.cer -out ca.pem` "
            "makes one of a DER file.",
        ) from None
    except (OSError, ValueError) as error:  # a ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or "its name is none"
        raise Unusable(f"the certificates cannot be read: {reason}", _SEEN) from None


def _add_directory(context: ssl.SSLContext, directory: Path) -> None:
    """Its files by the names that `openssl rehash` gives them, and those that are called as certificates are."""
    with suppress(OSError):  # one that may not be listed has nothing to give, as for OpenSSL
        context.load_verify_locations(capath=str(directory))
        for file in _certificates(directory):
            with suppress(OSError):
                context.load_verify_locations(cafile=str(file))


def _certificates(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir())[:_MOST_FILES]:
        if entry.suffix in _SUFFIXES and entry.is_file() and entry.stat().st_size <= _LARGEST_BYTES:
            yield entry
