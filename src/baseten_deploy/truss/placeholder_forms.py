"""What a placeholder looks like in a text, and what to do about one. Where one matters is `placeholders`. Pure."""

import re

WHAT_TO_DO = (
    "Nothing fills in placeholders of a config. Write the value, or fill it in in a step before this one, with "
    "`envsubst` for example"
)
_PLACEHOLDER = re.compile(
    r"\$\{[^{}\n]*\}|\$\{\{[^\n]*?\}\}|\{\{[^\n]*?\}\}|<[A-Za-z][\w .:/-]*>|%[A-Za-z_]\w*%|\$[A-Z_][A-Z0-9_]*\b"
    r"|\b(?:TODO|FIXME|CHANGEME|CHANGE_ME|REPLACE_ME)\b"
)


def placeholder_in(text: str) -> str:
    """The first placeholder in a text, or `""`."""
    match = _PLACEHOLDER.search(text)
    return match[0] if match else ""
