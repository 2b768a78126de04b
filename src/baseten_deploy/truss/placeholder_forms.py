"""What a placeholder looks like in a text, and what to do about one. Where one matters is `placeholders`. Pure."""

from baseten_deploy.expressions import expression

WHAT_TO_DO = (
    "Nothing fills in placeholders of a config. Write the value, or fill it in in a step before this one, with "
    "`envsubst` for example"
)
# No name is longer than a hundred characters: a line full of openings is not searched to its end for each of them.
_PLACEHOLDER = expression(
    r"\$\{[^{}\n]{0,100}\}|\$\{\{[^\n]{0,100}?\}\}|\{\{[^\n]{0,100}?\}\}|<[A-Za-z][\w .:/-]{0,100}>"
    r"|%[A-Za-z_]\w{0,100}%|\$[A-Z_][A-Z0-9_]*\b|\b(?:TODO|FIXME|CHANGEME|CHANGE_ME|REPLACE_ME)\b"
)


def placeholder_in(text: str) -> str:
    """The first placeholder in a text, or `""`."""
    match = _PLACEHOLDER.search(text)
    return match[0] if match else ""
