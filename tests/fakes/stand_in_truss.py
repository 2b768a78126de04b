"""An interpreter whose `truss_chains` is a stand-in: it imports a Chain's file as the real one does, pushes as told.

What a push does is written beside the Chain's file, in `push.py`: a function `push(api, options)` that returns the ids,
raises, ends the process, or calls `api.deploy_chain_atomic()` first, which is the request that makes something. So the
program and the process around it are the real ones, without the seconds that the real `truss` takes to be imported.
"""

import venv
from pathlib import Path

_FILES = {
    "truss_chains/__init__.py": """
ENTRYPOINTS = []
class ChainletBase:
    pass
def mark_entrypoint(cls):
    ENTRYPOINTS.append(cls)
    return cls
class ChainsUsageError(Exception):
    pass
""",
    "truss_chains/private_types.py": """
class PushOptionsBaseten:
    @classmethod
    def create(cls, **options):
        made = cls()
        made.__dict__.update(options)
        return made
""",
    "truss_chains/framework.py": """
import contextlib, importlib.util, sys, types
import truss_chains
class ChainletImporter:
    @staticmethod
    @contextlib.contextmanager
    def import_target(path, name=None):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not truss_chains.ENTRYPOINTS:
            raise ValueError("No `target_name` was specified and none was tagged with `@chains.mark_entrypoint`.")
        target = truss_chains.ENTRYPOINTS[0]
        target.meta_data = types.SimpleNamespace(chain_name=getattr(target, "chain", None))
        target.display_name = target.__name__
        yield target
""",
    "truss_chains/deployment/__init__.py": "",
    "truss_chains/deployment/deployment_client.py": """
import importlib.util, json, os, pathlib, tempfile, types
from truss.remote.baseten.api import BasetenApi
def push(entrypoint, options):
    directory = pathlib.Path(tempfile.gettempdir()) / ".chains_generated" / "chain" / "chainlet"
    directory.mkdir(parents=True)
    config = {"model_name": entrypoint.display_name + "-12345678", "resources": {"cpu": "1", "memory": "2Gi"}}
    (directory / "config.yaml").write_text(json.dumps(config))
    if options.only_generate_trusses:
        return None
    spec = importlib.util.spec_from_file_location("push", options.working_dir / "push.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    chain_id, deployment_id = module.push(BasetenApi(), options)
    handle = types.SimpleNamespace(chain_id=chain_id, chain_deployment_id=deployment_id)
    return types.SimpleNamespace(_chain_deployment_handle=handle)
""",
    "truss/__init__.py": "",
    "truss/remote/__init__.py": "",
    "truss/remote/baseten/__init__.py": "",
    "truss/remote/baseten/api.py": """
class BasetenApi:
    def deploy_chain_atomic(self):
        pass
""",
    "yaml.py": "import json\nsafe_load = json.loads\n",
}


def make(directory: Path) -> str:
    """Make such an environment; its interpreter's path."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(directory)
    (packages,) = directory.glob("lib/python*/site-packages")
    for name, text in _FILES.items():
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(directory / "bin" / "python")
