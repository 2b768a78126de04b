"""The Trusses that are deployed, made the same in every run: code that compresses like code, weights that do not."""

import random
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

KB = 1000
MB = 1000 * KB
WEIGHTS_PIECE = 16 * MB
CONFIG = "model_name: bench\npython_version: py311\nrequirements: []\nresources:\n  cpu: '1'\n  memory: 2Gi\n"
MODEL = '''"""A model."""


class Model:
    """Answers what it is asked."""

    def __init__(self, **kwargs):
        self._secrets = kwargs.get("secrets")

    def load(self):
        """Nothing to load."""

    def predict(self, model_input):
        """Echo."""
        return {"echo": model_input}
'''


@dataclass(frozen=True)
class Shape:
    """How much of what a Truss has, in bytes, and how many files of a few bytes."""

    name: str
    code: int
    weights: int = 0
    tiny: int = 0

    @property
    def is_large(self) -> bool:
        """Whether a round of it takes more than a moment."""
        return self.code + self.weights > 100 * MB or self.tiny > 10_000


SHAPES = (
    Shape("5 KB", 5 * KB),
    Shape("60 MB code", 60 * MB),
    Shape("200,000 files", 5 * KB, tiny=200_000),
    Shape("512 MB mixed", 60 * MB, 452 * MB),
    Shape("1 GB weights", 5 * KB, 1000 * MB),
)
QUICK_SHAPES = (
    Shape("5 KB", 5 * KB),
    Shape("2 MB code", 2 * MB),
    Shape("12 MB mixed", 2 * MB, 10 * MB),
    Shape("500 files", 5 * KB, tiny=500),
)
PLANNED = Shape("30,000 files", 5 * KB, tiny=30_000)
QUICK_PLANNED = Shape("300 files", 5 * KB, tiny=300)


def make_truss(shape: Shape, directory: Path) -> Path:
    """Write a Truss of that shape, and return where it is."""
    truss = directory / shape.name.replace(" ", "-").replace(",", "")
    (truss / "model").mkdir(parents=True)
    (truss / "config.yaml").write_text(CONFIG)
    (truss / "model" / "model.py").write_text(MODEL)
    missing = shape.code - len(CONFIG) - len(MODEL)
    for number, content in enumerate(_sources()):
        if missing <= 0:
            break
        file = truss / "packages" / f"part{number % 40:02}" / f"module_{number:05}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        missing -= file.write_bytes(content[:missing])
    for number in range(shape.tiny):
        file = truss / "data" / f"d{number // 500:04}" / f"f{number:06}.txt"
        if number % 500 == 0:
            file.parent.mkdir(parents=True)
        file.write_text(f"{number}\n")
    source = random.Random(shape.name)  # noqa: S311 - no secret, and the same in every run
    for number in range(-(-shape.weights // (256 * MB))):
        file = truss / "data" / f"model-{number:05}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_weights(source, file, min(256 * MB, shape.weights - number * 256 * MB))
    return truss


def _sources() -> Iterator[bytes]:
    """Real code: the Python files of the standard library, over and over."""
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(file for file in library.rglob("*.py") if "site-packages" not in file.parts)
    return cycle(content for file in files if (content := file.read_bytes()))


def _write_weights(source: random.Random, file: Path, size: int) -> None:
    """Noise as bfloat16 weights have it: the mantissa is random, of the exponent few values occur."""
    exponents = bytes(source.choices(range(0x38, 0x3E), weights=(1, 2, 4, 8, 8, 4), k=251))
    with file.open("wb") as output:
        while size > 0:
            piece = bytearray(source.randbytes(min(WEIGHTS_PIECE, size)))
            count = len(piece[1::2])
            sign = bytes(source.randbytes(509))
            high = bytes(e | (s & 0x80) for e, s in zip(exponents * 509, sign * 251, strict=True))
            piece[1::2] = (high * (count // len(high) + 1))[:count]
            size -= output.write(piece)
