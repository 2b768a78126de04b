"""The packages of the interpreter that runs this, with the licence that each says of itself.

As a program it prints them for the bill of materials: `[name, version, licence]` as JSON. The image for Chains, whose
`truss` has no `pip`, gets it on standard input: so nothing but the standard library.
"""

import importlib.metadata
import json
import re

EXPRESSION = "License-Expression"


def installed() -> dict[str, tuple[str, str]]:
    """Version and licence by normalized name. The licence is an SPDX expression (PEP 639), `""` where there is none."""
    return {
        re.sub(r"[-_.]+", "-", each.name).lower(): (
            each.version,
            str(each.metadata[EXPRESSION]) if EXPRESSION in each.metadata else "",
        )
        for each in importlib.metadata.distributions()
    }


if __name__ == "__main__":
    print(json.dumps([[name, *row] for name, row in sorted(installed().items())]))
