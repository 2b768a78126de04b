"""What ignore rules do behind a user's back, said in a few warnings.

The default rules leave out `lib/` and `*.so`; a `.truss_ignore` replaces them, so that it ships `.git/` and `.env`;
and the image build applies both again, so that a `lib/` that such a file lets through is in the archive and not in the
image. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from baseten_deploy.errors import Problem

from .ignore_rules import DEFAULT_PATTERNS, DEFAULT_RULES, IGNORE_FILE, UNREMARKABLE, IgnoreRules
from .packing_list import Dropped, listed


def find_warnings(
    rules: IgnoreRules, names: Sequence[str], dropped: Sequence[Dropped], ignore_file: str
) -> list[Problem]:
    """Warnings about a Truss whose archive has `names`. `ignore_file` is its `.truss_ignore`, for annotations."""
    by_default = [each.name for each in dropped if not each.rules.custom]
    warnings = []
    if by_default and not rules.custom:
        warnings.append(_left_out(by_default))
    elif by_default:
        warnings.append(_left_out_of_packages(by_default, ignore_file))
    if rules.custom:
        warnings += [*_shipped(names, ignore_file), *_not_in_image(rules, names, ignore_file)]
    return warnings


def _left_out(names: list[str]) -> Problem:
    negations = _negations(DEFAULT_RULES, names)
    return Problem(
        f"The default ignore rules leave out {listed(names)}",
        f"If the model needs that, put a `{IGNORE_FILE}` into the Truss. It replaces the default rules here, and the "
        "image build applies it after them, so it lists what to ignore and then what not to, a line each, for example: "
        f"`.git`, `.env`, `__pycache__/`, {negations}.",
    )


def _left_out_of_packages(names: list[str], ignore_file: str) -> Problem:
    return Problem(
        f"With `external_package_dirs`, the default ignore rules leave out {listed(names)}",
        f"They apply before `{IGNORE_FILE}` then, as with `truss push`. If the model needs that, rename it, or put the "
        "packages into the Truss.",
        ignore_file,
    )


def _shipped(names: Sequence[str], ignore_file: str) -> Iterator[Problem]:
    found = dict.fromkeys(part for name in names if (part := secretive_part(name)))
    if found:
        yield Problem(
            f"`{IGNORE_FILE}` replaces the default ignore rules, so the archive contains {listed(found)}",
            "Such files hold secrets: CI checkouts keep a token in `.git/config`. Add `.git` and `.env` to "
            f"`{IGNORE_FILE}`.",
            ignore_file,
        )


def secretive_part(name: str) -> str:
    """`name` up to a `.git` directory or a `.env` in it, or `""`; a directory's with a slash.

    Only own rules ship one of these. Other files with credentials are `credentials`.
    """
    parts = name.split("/")
    for index, part in enumerate(parts):
        is_directory = index + 1 < len(parts)
        if part == ".env" or (part == ".git" and is_directory):
            return "/".join(parts[: index + 1]) + ("/" if is_directory else "")
    return ""


def _not_in_image(rules: IgnoreRules, names: Sequence[str], ignore_file: str) -> Iterator[Problem]:
    image = IgnoreRules(custom=True, patterns=(*DEFAULT_PATTERNS, *rules.patterns))
    lost = [name for name in _outermost_ignored(image, names) if not UNREMARKABLE.ignores(name)]
    if lost:
        yield Problem(
            f"In the archive, but not in the image: {listed(lost)}",
            f"The image build applies the default ignore rules and then `{IGNORE_FILE}`. Add a line for each that the "
            f"model needs: {_negations(image, lost)}.",
            ignore_file,
        )


def _outermost_ignored(rules: IgnoreRules, names: Iterable[str]) -> list[str]:
    """The directories and files that `rules` ignore, without what is in such a directory."""
    ignores = cache(rules.ignores)
    found: dict[str, None] = {}
    for name in names:
        ends = [index + 1 for index, character in enumerate(name) if character == "/"]
        around = (name[:end] for end in [*ends, len(name)])
        found[next((part for part in around if ignores(part)), "")] = None
    found.pop("", None)
    return list(found)


def _negations(rules: IgnoreRules, names: Iterable[str]) -> str:
    patterns = dict.fromkeys(rules.pattern_for(name) or rules.pattern_for(name.removesuffix("/")) for name in names)
    return listed(f"!{pattern}" for pattern in patterns)
