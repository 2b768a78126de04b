"""Imports a Chain's file and generates its chainlets, or pushes it: what `process` starts.

Runs where `truss_chains` can be imported, and the action's own packages cannot. Standard input: one JSON object, the
request. The descriptor that is the only argument: lines of JSON, what is found out. Standard output and standard error
are the user's code's and truss's own.

The user's code runs in this process, so nothing that it must not have is here: no secret but the key in `.trussrc`, and
that only for a push; and before it is imported this process gives up what root can do. Where everything that it needs
is readable to all, as in the image with a checkout of GitHub's, it becomes nobody: then the action's own files, which
are root's, are not its to change either.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import traceback
from typing import Any

_NOBODY = 65534
# Of `capabilities(7)`, by their numbers.
_CAPABILITIES = 41
_CHANGES_OWNER, _ANY_FILE, _READ_ANY_FILE, _KILLS, _SETS_GROUP, _SETS_USER = 0, 1, 2, 5, 6, 7
# Of `prctl(2)`.
_SET_DUMPABLE, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 4, 24, 38


def main() -> None:
    """Do what the request asks for; the last line of the answer is a result or an error."""
    channel = int(sys.argv[1])
    os.set_inheritable(channel, False)
    request = json.loads(sys.stdin.buffer.readline())
    with pathlib.Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    tell(channel, {"powers": give_up_powers(request["source"])})
    root = str(pathlib.Path(request["source"]).parent)
    code = 0
    try:
        tell(channel, {"result": carry_out(request, channel)})
    except BaseException as error:  # whatever the user's code raises, its exit too
        code = 1
        with contextlib.suppress(OSError):  # it may have closed what it did not open
            tell(channel, {"error": described(error, root)})
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)  # all is said: no thread that the user's code started is waited for


def tell(channel: int, line: dict[str, Any]) -> None:
    """Write one line of the answer."""
    data = json.dumps(line).encode() + b"\n"
    while data:
        data = data[os.write(channel, data) :]


def carry_out(request: dict[str, Any], channel: int) -> dict[str, Any]:
    """Import the file, then generate or push."""
    from truss_chains import framework, private_types
    from truss_chains.deployment import deployment_client

    source = pathlib.Path(request["source"])
    with framework.ChainletImporter.import_target(source, request["entrypoint"] or None) as entrypoint:
        name = request["name"] or entrypoint.meta_data.chain_name or entrypoint.display_name
        tell(channel, {"chain": {"name": name, "entrypoint": entrypoint.display_name}})
        options = private_types.PushOptionsBaseten.create(
            chain_name=name,
            publish=True,
            promote=False,
            only_generate_trusses=not request["push"],
            remote="baseten" if request["push"] else "",
            environment=request["environment"] or None,
            include_git_info=bool(request["git_info"]),
            working_dir=source.parent,
            disable_chain_download=request["locked"],
            deployment_name=request["deployment_name"] or None,
            team_id=request["team_id"] or None,
        )
        if request["push"]:
            announce_commit(channel)
        if request["git_info"]:
            tell_git_facts(request["git_info"])
        service = deployment_client.push(entrypoint, options)
    if not request["push"]:
        return {"chainlets": generated()}
    handle = service._chain_deployment_handle
    return {"chain_id": handle.chain_id, "deployment_id": handle.chain_deployment_id}


def generated() -> list[dict[str, Any]]:
    """What the generated Trusses say of each chainlet."""
    import yaml

    found = []
    for path in pathlib.Path(tempfile.gettempdir()).glob(".chains_generated/*/*/config.yaml"):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        resources, runtime = config.get("resources") or {}, config.get("runtime") or {}
        words = {name: str(resources.get(name) or "") for name in ("cpu", "memory", "accelerator", "instance_type")}
        words["concurrency"] = str(runtime.get("predict_concurrency") or "")
        # truss appends a random suffix to the chainlet's name.
        found.append({"name": str(config.get("model_name") or "").rpartition("-")[0], "resources": words})
    return sorted(found, key=lambda chainlet: chainlet["name"])


def tell_git_facts(facts: dict[str, Any]) -> None:
    """Have the facts of the CI system taken for git's: here is no git, and the checkout is somebody else's."""
    from truss.remote.baseten import custom_types

    custom_types.GitInfo.collect = classmethod(lambda cls, _directory: cls(**facts))


def announce_commit(channel: int) -> None:
    """Have it told when the one request goes out that makes something."""
    from truss.remote.baseten import api

    plain = api.BasetenApi.deploy_chain_atomic

    def told(*arguments: Any, **named: Any) -> Any:
        tell(channel, {"stage": "commit"})
        return plain(*arguments, **named)

    api.BasetenApi.deploy_chain_atomic = told


def described(error: BaseException, root: str) -> dict[str, Any]:
    """What went wrong, and where in the user's files."""
    kinds = kinds_of(error)
    found: dict[str, Any] = {
        "type": type(error).__name__,
        "kinds": kinds,
        "message": text_of(error)[:20000],
        "file": "",
        "line": 0,
    }
    if isinstance(error, SyntaxError):
        found.update(file=error.filename or "", line=error.lineno or 0, column=error.offset or 0)
        found.update(message=error.msg or "", text=(error.text or "").rstrip("\n")[:500])
    else:
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            path = pathlib.Path(frame.filename)
            if path.is_file() and path.resolve().is_relative_to(pathlib.Path(root).resolve()):
                found.update(file=frame.filename, line=frame.lineno or 0)
                break
    if isinstance(error, ImportError):
        found["module"] = error.name or ""
    causes = causes_of(error)
    found["causes"] = [kind for cause in causes for kind in kinds_of(cause)]
    responses = [getattr(each, "response", None) for each in (error, *causes)]
    response = next((each for each in responses if hasattr(each, "status_code")), None)
    found["status"] = getattr(response, "status_code", 0) or 0
    if found["status"]:
        found["body"] = str(getattr(response, "text", ""))[:20000]
    return found


def text_of(error: BaseException) -> str:
    """What an error says, nothing where that fails too."""
    try:
        return str(error)
    except Exception:
        return ""


def kinds_of(error: BaseException) -> list[str]:
    """The classes of an error, by module and name."""
    return [each.__module__ + "." + each.__qualname__ for each in type(error).__mro__]


def causes_of(error: BaseException) -> list[BaseException]:
    """What led to an error, the nearest first: truss wraps what its libraries raise."""
    found: list[BaseException] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and cause not in found and len(found) < 10:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def give_up_powers(source: str) -> str:
    """Become nobody, or drop what root can do beyond its own files: read other processes, write what is others'.

    Which of it was done, in words. Without root, or outside of Linux, there is nothing to give up.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        held = permitted(libc)
    except (OSError, AttributeError):
        return "kept"
    needed = (_CHANGES_OWNER, _KILLS, _SETS_GROUP, _SETS_USER)  # who started this must be able to end a nobody
    if os.geteuid() == 0 and all(held >> number & 1 for number in needed) and all_can_read(source):
        become_nobody()
        libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # as any process is; the change of user took that away
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return "nobody"
    kept = held & 1 << _READ_ANY_FILE
    if not kept and held >> _ANY_FILE & 1:
        set_powers(libc, held, 0)
        if not is_readable(source):  # the checkout is its owner's alone, as with a umask of 077
            kept = 1 << _ANY_FILE
        set_powers(libc, held, held)
    for number in range(_CAPABILITIES):
        if not kept >> number & 1:
            libc.prctl(_DROP_FROM_BOUNDING_SET, number, 0, 0, 0)
    done = set_powers(libc, kept, kept)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return "given up" if done else "kept"


def permitted(libc: ctypes.CDLL) -> int:
    """The capabilities that this process may have, a bit each. Raises `OSError`."""
    held = (ctypes.c_uint32 * 6)()
    if libc.capget(_header(), held) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    return held[1] | held[4] << 32


def set_powers(libc: ctypes.CDLL, may_have: int, has: int) -> bool:
    """Set which capabilities this process may have, and which it has; whether that was done."""
    low, high = 0xFFFFFFFF, 32
    data = (ctypes.c_uint32 * 6)(has & low, may_have & low, 0, has >> high, may_have >> high, 0)
    return bool(libc.capset(_header(), data) == 0)


def _header() -> Any:
    return (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, of this process


def all_can_read(source: str) -> bool:
    """Whether nobody in particular can read what this program needs: the Chain's directory, Python and `truss`."""
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        found = importlib.util.find_spec("truss_chains")
        own = (os.__file__, found.origin if found else None)
        return is_readable(source) and all(os.access(path, os.R_OK, effective_ids=True) for path in own if path)
    except (OSError, ImportError):
        return False
    finally:
        os.seteuid(0)
        os.setegid(0)


def is_readable(source: str) -> bool:
    """Whether who this process is now can read a Chain's file and what is in its directory, git's own apart."""
    if not os.access(source, os.R_OK, effective_ids=True):
        return False
    for directory, names, files in os.walk(pathlib.Path(source).parent):
        names[:] = [name for name in names if name != ".git"]
        for name, how in (*((name, os.R_OK | os.X_OK) for name in names), *((name, os.R_OK) for name in files)):
            path = pathlib.Path(directory, name)
            if not path.is_symlink() and not os.access(path, how, effective_ids=True):
                return False
    return True


def become_nobody() -> None:
    """Give up being root for good. The directories that were made for this process go along."""
    top = pathlib.Path(os.environ["HOME"]).parent
    for path in (*sorted(top.rglob("*")), top):
        os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)


if __name__ == "__main__":
    main()
