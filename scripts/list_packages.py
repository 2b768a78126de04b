"""Prints the packages of the interpreter that reads it, for the bill of materials: `[name, version, licence]` as JSON.

Given on standard input to the `truss` of the image for Chains, which has no `pip`. Nothing but the standard library.
"""

import importlib.metadata
import json
import re

EXPRESSION = "License-Expression"
rows = {
    re.sub(r"[-_.]+", "-", each.name).lower(): (
        each.version,
        str(each.metadata[EXPRESSION]) if EXPRESSION in each.metadata else "",
    )
    for each in importlib.metadata.distributions()
}
print(json.dumps([[name, *row] for name, row in sorted(rows.items())]))
