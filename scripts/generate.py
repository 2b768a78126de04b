"""Write what the code says once into the files that repeat it: both action.yml, README.md, docs/ and CONTRIBUTING.md.

    python scripts/generate.py            rewrite the blocks between the markers, and the whole files
    python scripts/generate.py --check    change nothing; exit 1 and name the files whose blocks are out of date

A block stands between a pair of markers on lines of their own: `# inputs` ... `# /inputs` in action.yml and
`<!-- inputs -->` ... `<!-- /inputs -->` in Markdown, likewise `outputs`, `check-fields`, `expect-fields` and `map` (see
`architecture`). Everything outside of them is written by hand. `schemas/checks.schema.json` and
`src/baseten_deploy/storage/s3.json` (see `s3_excerpt`) are generated whole.
"""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import architecture
import s3_excerpt
from baseten_deploy.checks import field_table
from baseten_deploy.ci.outputs import OUTPUTS
from baseten_deploy.inputs.declaration import Input, Kind
from baseten_deploy.inputs.table import INPUTS

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 116


def sentence(spec: Input) -> str:
    """The description of an input as a sentence, followed by what can be written there unless the text says so."""
    text = _sentence(spec.description)
    if spec.kind is Kind.FLAG:
        text += " `true` or `false`."
    elif spec.kind is Kind.OBJECT:
        text += f" {spec.kind}."
    elif any(f"`{choice}`" not in spec.description for choice in spec.choices):
        text += f" One of {_listed(spec.choices)}."
    return text


def _sentence(fragment: str) -> str:
    return f"{fragment[0].upper()}{fragment[1:]}."


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _scalar(text: str, indent: str) -> str:
    """`text` as a YAML scalar: quoted on the key's line, or folded below it when it is long."""
    if len(text) < WIDTH - len(indent) - len("description: "):
        return json.dumps(text, ensure_ascii=False)  # a JSON string is a YAML string
    # break_on_hyphens: a fold becomes a space, which a word must not get in its middle.
    lines = textwrap.wrap(text, WIDTH - len(indent) - 2, break_on_hyphens=False, break_long_words=False)
    return ">-\n" + "\n".join(f"{indent}  {line}" for line in lines)


def action_inputs() -> Iterator[str]:
    """The `inputs:` block of action.yml."""
    yield "inputs:"
    for group, specs in groupby(INPUTS, lambda spec: spec.group):
        yield f"  # {group}"
        for spec in specs:
            yield f"  {spec.name}:"
            yield f"    description: {_scalar(sentence(spec), '    ')}"
            yield f"    default: {json.dumps(spec.default)}"


def action_outputs() -> Iterator[str]:
    """The `outputs:` block of action.yml."""
    yield "outputs:"
    for name, description in OUTPUTS.items():
        yield f"  {name}:"
        yield f"    description: {_scalar(_sentence(description), '    ')}"


def markdown_inputs() -> Iterator[str]:
    """The table of inputs; the groups are rows in bold."""
    yield "| input | default | value | meaning |"
    yield "|---|---|---|---|"
    for group, specs in groupby(INPUTS, lambda spec: spec.group):
        yield f"| **{group}** | | | |"
        for spec in specs:
            default = f"`{spec.default}`" if spec.default else ""
            value = _listed(spec.choices) if spec.choices else str(spec.kind)
            yield f"| `{spec.name}` | {default} | {_cell(value)} | {_cell(spec.description)} |"


def markdown_outputs() -> Iterator[str]:
    """The table of outputs."""
    yield "| output | meaning |"
    yield "|---|---|"
    for name, description in OUTPUTS.items():
        yield f"| `{name}` | {_cell(description)} |"


def _fields(fields: tuple[field_table.Field, ...]) -> Iterator[str]:
    yield "| field | value | meaning |"
    yield "|---|---|---|"
    for field in fields:
        value = _listed(field.choices) if field.choices else str(field.kind)
        if field.bounds:
            value = f"{field.kind} {field.bounds}"
        yield f"| `{field.name}` | {_cell(value)} | {_cell(field.meaning)} |"


def check_fields() -> Iterator[str]:
    """The table of a check's fields."""
    return _fields(field_table.CHECK)


def expect_fields() -> Iterator[str]:
    """The table of the fields of `expect`."""
    return _fields(field_table.EXPECT)


def whole_files() -> dict[str, str]:
    """The files that are generated whole, by their path."""
    schema = json.dumps(field_table.json_schema(), indent=2, ensure_ascii=False)
    return {
        "schemas/checks.schema.json": f"{schema}\n",
        "src/baseten_deploy/storage/s3.json": s3_excerpt.excerpt(),
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


BLOCKS: dict[str, dict[str, Callable[[], Iterator[str]]]] = {
    ".yml": {"inputs": action_inputs, "outputs": action_outputs},
    ".md": {
        "inputs": markdown_inputs,
        "outputs": markdown_outputs,
        "check-fields": check_fields,
        "expect-fields": expect_fields,
        "map": lambda: architecture.blocks(ROOT),
    },
}
MARKERS = {".yml": ("# {}", "# /{}"), ".md": ("<!-- {} -->", "<!-- /{} -->")}


def regenerated(text: str, suffix: str) -> str:
    """`text` of a `.yml` or `.md` file with every block between its markers written anew."""
    for name, block in BLOCKS[suffix].items():
        start, end = (marker.format(name) for marker in MARKERS[suffix])
        if start not in text:
            continue
        pattern = rf"^{re.escape(start)}\n.*?^{re.escape(end)}$"
        body = "\n".join([start, *block(), end])
        # A function as the replacement: the texts hold backslashes.
        text = re.sub(pattern, lambda _, body=body: body, text, flags=re.MULTILINE | re.DOTALL)  # type: ignore[misc]
    return text


def targets(root: Path = ROOT) -> list[Path]:
    """The files that may hold blocks."""
    names = ("action.yml", "chain/action.yml", "README.md", "CONTRIBUTING.md")
    paths = (*(root / name for name in names), *sorted(root.glob("docs/*.md")))
    return [path for path in paths if path.exists()]


def main(arguments: list[str]) -> int:
    """Rewrite or check; returns the exit code."""
    check = arguments == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    stale = []
    for path in targets():
        before = path.read_text(encoding="utf-8")
        after = regenerated(before, path.suffix)
        if after != before:
            stale.append(path)
            if not check:
                path.write_text(after, encoding="utf-8")
    for name, after in whole_files().items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != after:
            stale.append(path)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(after, encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'out of date, run `make generate`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
