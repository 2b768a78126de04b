"""What packages and all that they need take on disk, where this runs: `installed.py NAME...` prints MB and number.

Without bytecode, which is made on the first import. What is declared and not installed is not counted.
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from pip._vendor.packaging.requirements import Requirement


def needed(names: Iterable[str]) -> dict[str, Distribution]:
    """The installed ones of these packages and, in turn, of what they need."""
    found: dict[str, Distribution] = {}
    pending = list(names)
    while pending:
        name = re.sub(r"[-_.]+", "-", pending.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                pending.append(requirement.name)
    return found


def size(package: Distribution) -> int:
    """The bytes of its files."""
    paths = (each.locate() for each in package.files or () if each.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())  # type: ignore[attr-defined] # a Path


if __name__ == "__main__":
    packages = needed(sys.argv[1:])
    print(f"{sum(map(size, packages.values())) / 1e6:.0f} MB in {len(packages)} packages")
