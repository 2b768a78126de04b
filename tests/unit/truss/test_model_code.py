"""The model's code: what cannot be right is said at its line, and nothing else."""

import sys
import textwrap
from pathlib import Path

import pytest
from trees import write_tree

from baseten_deploy.errors import InvalidTruss, Problem
from baseten_deploy.truss import model_code
from baseten_deploy.truss.directory import read_truss

PREDICT = "    def predict(self, model_input): ...\n"
MODEL = f"class Model:\n{PREDICT}"


def warnings(directory: Path, files: dict[str, str | bytes]) -> list[Problem]:
    """What is said of a Truss with these files besides a good model and config."""
    root = write_tree(directory, {"config.yaml": "model_name: x\n", "model/model.py": MODEL, **files})
    return list(read_truss(root, root).warnings)


def about(directory: Path, model: str, config: str = "") -> list[Problem]:
    """What is said of a model file."""
    return warnings(directory, {"config.yaml": f"model_name: x\n{config}", "model/model.py": textwrap.dedent(model)})


class TestSyntax:
    """What Python cannot read."""

    @pytest.mark.parametrize(
        ("source", "line"),
        [
            ("class Model:\n    def predict(self x):\n        return f'{x}'\n", 2),
            ("class Model:\n    def predict(self, x)\n        return x\n", 2),
            ("class Model:\n  def predict(self, x):\n\treturn x\n", 3),
            ("class Model:\ndef predict(self, x): ...\n", 2),
            ("class Model:\n    def predict(self, x):\n        return (x\n", 3),
            ("print 'x'\nclass Model:\n    def predict(self, x): ...\n", 1),
            (f"{MODEL}\nx = 'abc\n", 4),
            (f"{MODEL}return 1 +\n", 3),
            (f"{MODEL}<<<<<<< HEAD\n", 3),
            (f"{MODEL}x = {{{{ name }}}} {{% if y %}}\n", 3),
        ],
    )
    def test_is_a_warning_at_its_line(self, tmp_path, source, line):
        """The Truss is deployed all the same: the service has the last word."""
        (warning,) = warnings(tmp_path, {"model/model.py": source})
        assert ("model/model.py", line) == (warning.file, warning.line)
        assert warning.message.startswith("Not valid Python: ")
        assert "Python 3.13 cannot import it" in warning.remedy

    def test_in_any_file_below_the_model_directory(self, tmp_path):
        """And in no other."""
        files = dict.fromkeys(("model/a/b/c.py", "src/x.py", "model.py", "packages/p.py", "model/d.txt"), "def f(:\n")
        assert ["model/a/b/c.py"] == [each.file for each in warnings(tmp_path, files)]

    @pytest.mark.parametrize("folder", ["src", "./src/", "src/../src"])
    def test_in_another_model_directory(self, tmp_path, folder):
        """As the config names it."""
        files = {
            "config.yaml": f"model_name: x\nmodel_module_dir: {folder}\n",
            "src/model.py": MODEL,
            "src/x.py": "def f(:\n",
            "model/y.py": "def f(:\n",
        }
        assert ["src/x.py"] == [each.file for each in warnings(tmp_path, files)]

    def test_not_in_what_is_ignored(self, tmp_path):
        """It is not packed."""
        assert [] == warnings(tmp_path, {"model/x.py": "(", ".truss_ignore": "x.py\n.git\n.env\n"})

    def test_many_are_counted(self, tmp_path):
        """Ten, and the others in one."""
        found = warnings(tmp_path, {f"model/{number:02}.py": "(" for number in range(13)})
        assert 11 == len(found)
        assert "3 more files that cannot be parsed: `model/10.py`, `model/11.py`, `model/12.py`" == found[-1].message

    @pytest.mark.parametrize(
        ("version", "source", "ok"),
        [
            ("py39", "match x:\n    case 1: ...\n", False),
            ("py310", "match x:\n    case 1: ...\n", True),
            ("py39", "try: ...\nexcept* ValueError: ...\n", False),
            ("py311", "try: ...\nexcept* ValueError: ...\n", True),
            ("py38", "with (a as b, c as d): ...\n", False),
        ],
    )
    def test_follows_the_python_of_the_config(self, tmp_path, version, source, ok):
        """What only a newer one reads is wrong."""
        found = warnings(tmp_path, {"config.yaml": f"model_name: x\npython_version: {version}\n", "model/a.py": source})
        assert ok == (not found)

    @pytest.mark.parametrize(
        "source",
        [
            "type X = int\n",
            "def f[T](x: T) -> T: return x\n",
            "class A[T]: ...\n",
            """x = f"{y["a"]}"\n""",
            'x = f"{"\\n".join(y)}"\n',
            'x = f"{\n  y  # comment\n}"\n',
            'x = rf"{y["a"]!r:{"x"}}"\n',
            't"{x}"\n',
            "try: ...\nexcept A, B: ...\n",
        ],
    )
    def test_what_is_newer_than_this_python_is_not_judged(self, tmp_path, source):
        """The config's `python_version` may know it."""
        config = "model_name: x\npython_version: py314\n"
        if sys.version_info < (3, 14):
            assert [] == warnings(tmp_path, {"config.yaml": config, "model/a.py": source})

    def test_says_nothing_on_stderr(self, tmp_path, capfd, recwarn):
        """Of invalid escapes and the like, which are no error."""
        source = f"{MODEL}x = '\\d'\nx is 1\nassert (x, 'always')\n"
        assert [] == warnings(tmp_path, {"model/model.py": source})
        assert ("", "") == capfd.readouterr()
        assert [] == list(recwarn)

    @pytest.mark.parametrize(
        "source",
        ["-" * 200_000 + "1\n", "(" * 150 + ")" * 150, "x" + ".y" * 20_000, "[" * 90 + "]" * 90, "1" + "+1" * 20_000],
    )
    def test_deep_nesting_is_no_crash(self, tmp_path, source):
        """Nor is it said to be wrong."""
        assert [] == warnings(tmp_path, {"model/deep.py": f"x = {source}\n"})

    def test_a_huge_file_is_skipped(self, tmp_path):
        """Nobody wrote it; and it would take seconds."""
        assert [] == warnings(tmp_path, {"model/huge.py": "x = [\n" + "1,\n" * 300_000})

    def test_many_files_are_parsed_up_to_a_bound(self, tmp_path, monkeypatch):
        """The model's own first, then those that are near it."""
        monkeypatch.setattr(model_code, "_ALL_BYTES", len(MODEL) + 4)
        assert ["model/z.py"] == [
            each.file for each in warnings(tmp_path, {"model/a/b.py": "(((", "model/z.py": "((("})
        ]


class TestEncoding:
    """What no Python can read."""

    @pytest.mark.parametrize(
        ("content", "message", "line"),
        [
            (MODEL.encode("utf-16"), "UTF-16, which Python does not read", 1),
            (MODEL.encode("utf-16-le"), "A NUL byte, which no Python source has", 1),
            (MODEL.encode() + b"x = '\xe9'\n", "Not UTF-8, in which Python reads it", 3),
            (b"# \xfc\n" + MODEL.encode(), "Not UTF-8, in which Python reads it", 1),
            (b"\n\n\n# coding: latin-1\n# \xfc\n" + MODEL.encode(), "Not UTF-8, in which Python reads it", 5),
            (b"# coding: ascii\n# \xfc\n" + MODEL.encode(), "Not ASCII, in which Python reads it", 2),
            (b"# coding: nonsense\n" + MODEL.encode(), "unknown encoding: nonsense", 1),
            (b"# coding: hex\n" + MODEL.encode(), "unknown encoding: hex", 1),
            (b"# coding: undefined\n" + MODEL.encode(), "Not UNDEFINED", 1),
        ],
    )
    def test_of_the_model_class_is_an_error(self, tmp_path, content, message, line):
        """It cannot start."""
        with pytest.raises(InvalidTruss) as caught:
            warnings(tmp_path, {"model/model.py": content})
        (problem,) = caught.value.problems
        assert ("model/model.py", line) == (problem.file, problem.line)
        assert problem.message.startswith(message)

    @pytest.mark.parametrize("content", [b"\xff\xfe", b"x = '\xe9'\n", b"\0"])
    def test_elsewhere_is_a_warning(self, tmp_path, content):
        """Perhaps nobody imports it."""
        assert ["model/x.py"] == [each.file for each in warnings(tmp_path, {"model/x.py": content})]

    @pytest.mark.parametrize(
        "content",
        [
            b"\xef\xbb\xbf" + MODEL.encode(),
            b"# -*- coding: latin-1 -*-\n" + MODEL.encode() + b"x = '\xe9'\n",
            MODEL.replace("\n", "\r\n").encode(),
            f"{MODEL}ü = 'é'\n".encode(),
            f"{MODEL}\f\n".encode(),
        ],
    )
    def test_what_python_reads(self, tmp_path, content):
        """A byte-order mark, a declared encoding, any line ends."""
        assert [] == warnings(tmp_path, {"model/model.py": content})


class TestClass:
    """`model_class_name`."""

    def test_is_missing(self, tmp_path):
        """Both files are named, with what is there, at the key."""
        (warning,) = about(tmp_path, MODEL, "model_class_name: MyModel\n")
        assert ("config.yaml", 2) == (warning.file, warning.line)
        assert (
            "`model/model.py` has no class `MyModel`, which `config.yaml` names as `model_class_name`; it has `Model`"
            == warning.message
        )
        assert "Write `model_class_name: Model`, or rename the class." == warning.remedy

    def test_is_missing_without_the_key(self, tmp_path):
        """Then it is `Model`, and the place is the file."""
        (warning,) = about(tmp_path, "class Classifier:\n    def predict(self, x): ...\n")
        assert ("model/model.py", 1) == (warning.file, warning.line)
        assert "has no class `Model`, which it needs unless `config.yaml` has `model_class_name`" in warning.message
        assert "`model_class_name: Classifier` in `config.yaml`" in warning.remedy

    @pytest.mark.parametrize(
        "source",
        [
            "from elsewhere import Model\n",
            "from elsewhere import Other as Model\n",
            "import Model\n",
            "from elsewhere import *\n",
            "import elsewhere\nModel = elsewhere.make()\n",
            "Model = type('Model', (), {})\n",
            "Model: type = make()\n",
            "if True:\n    class Model:\n        def predict(self, x): ...\n",
            "try:\n    from a import Model\nexcept ImportError:\n    from b import Model\n",
            "globals()['Mod' + 'el'] = make()\n",
            "exec('class Model: ...')\n",
            "def __getattr__(name): return make(name)\n",
            "import sys\nsetattr(sys.modules[__name__], 'Model', make())\n",
            "import sys\nsys.modules[__name__].Model = 1\n",
            "def f():\n    global Model\n    Model = make()\nf()\n",
            "def Model(**kwargs): return make()\n",
            "(Model := make())\n",
            "for Model in [make()]: pass\n",
            "A, Model = make()\n",
            "with make() as Model: pass\n",
        ],
    )
    def test_is_made_somehow(self, tmp_path, source):
        """Whatever may bind the name."""
        assert [] == about(tmp_path, source)

    @pytest.mark.parametrize(
        "config",
        [
            "docker_server: {start_command: x, server_port: 80, predict_endpoint: /, readiness_endpoint: /, "
            "liveness_endpoint: /}\n",
            "trt_llm: {build: {base_model: llama}}\n",
            "build: {model_server: VLLM}\n",
        ],
    )
    def test_is_not_needed(self, tmp_path, config):
        """A Truss with a server of its own."""
        about_class = [each for each in about(tmp_path, "x = 1\n", config) if "class" in each.message]
        assert [] == about_class


class TestPredict:
    """A model class has `predict`."""

    @pytest.mark.parametrize(
        ("source", "line"),
        [
            ("class Model:\n    def __init__(self, **kwargs): ...\n    def load(self): ...\n", 1),
            ("import torch\n\nclass Model(object):\n    def Predict(self, x): return self.model.predict(x)\n", 3),
            ("class Base:\n    def load(self): ...\n\nclass Model(Base):\n    pass\n", 4),
            ("class Model:\n    def load(self):\n        self.model.eval()\n", 1),
            ("class Model:\n    pass\n\ndef predict(self, x): ...\n", 1),
            ("from x import predict\nclass Model: ...\n", 2),
        ],
    )
    def test_is_missing(self, tmp_path, source, line):
        """At the class, with the config that names it."""
        (warning,) = about(tmp_path, source)
        assert ("model/model.py", line) == (warning.file, warning.line)
        assert "`model/model.py`: the class `Model` has no method `predict`, which answers requests" == warning.message
        assert "`config.yaml`" in warning.remedy

    @pytest.mark.parametrize(
        "source",
        [
            "class Model:\n    async def predict(self, x): ...\n",
            "class Model:\n    async def websocket(self, socket): ...\n",
            "class Model:\n    predict = staticmethod(len)\n",
            "class Model:\n    from helpers import predict\n",
            "class Model:\n    if True:\n        def predict(self, x): ...\n",
            "class Model:\n    def __init__(self):\n        self.predict = lambda x: x\n",
            "class Model:\n    def __getattr__(self, name): ...\n",
            "class Model: ...\nModel.predict = lambda self, x: x\n",
            "class Model: ...\nsetattr(Model, 'pre' + 'dict', len)\n",
            "from base import Base\nclass Model(Base): ...\n",
            "import base\nclass Model(base.Base): ...\n",
            "class Base:\n    def predict(self, x): ...\nclass Model(Base): ...\n",
            "from a import A\nclass Base(A): ...\nclass Model(Base): ...\n",
            "class Model(make()): ...\n",
            "class Model(metaclass=Meta): ...\n",
            "@with_predict\nclass Model: ...\n",
            "class Model: ...\nModel = wrap(Model)\n",
            "from mixins import *\nclass Model: ...\n",
            "class Model(Model): ...\n",
            "if x:\n    class Model: ...\nelse:\n    class Model:\n        def predict(self, x): ...\n",
        ],
    )
    def test_is_there_somehow(self, tmp_path, source):
        """Defined, inherited from elsewhere, put there by something."""
        assert [] == about(tmp_path, source)


def test_what_is_valid_here_gives_no_false_alarm(tmp_path):
    """The standard library of this Python, as code of a model."""
    library = Path(textwrap.__file__).parent
    names = [
        "argparse",
        "ast",
        "dataclasses",
        "enum",
        "inspect",
        "subprocess",
        "tarfile",
        "typing",
        "zipfile",
        "string",
    ]
    files = {
        f"model/{name}.py": (library / f"{name}.py").read_bytes() for name in names if (library / f"{name}.py").exists()
    }
    assert [] == warnings(tmp_path, files)
