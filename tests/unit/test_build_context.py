"""`scripts/build_context.py`: what a builder without `--target` is given, so that it makes what one with it makes."""

import subprocess

import pytest

from build_context import NoTargetError, context_of, copy_checkout, up_to
from image_engines import Buildah, EngineError
from runner import ROOT

DOCKERFILE = """\
ARG V=1
FROM --platform=$BUILDPLATFORM base:1 AS build
RUN echo one \\
    # a comment in between
    FROM nowhere AS chain
# FROM comment AS chain

FROM base:1 AS action
COPY --from=build / /
from action as Chain
RUN truss
FROM action
CMD last
"""


@pytest.fixture
def checkout(tmp_path):
    """A git checkout with a Dockerfile, a new file, an ignored one, and one that is gone."""
    place = tmp_path / "checkout"
    place.mkdir()
    files = {
        "Dockerfile": DOCKERFILE,
        ".gitignore": "ignored\n",
        "src/a b.py": "A = 1\n",
        "gone": "",
        "tool": "#!/bin/sh\n",
    }
    for name, text in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    (place / "tool").chmod(0o755)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=place, check=True)
    (place / "gone").unlink()
    (place / "ignored").write_text("")
    (place / "new").write_text("")
    return place


def test_what_comes_after_the_stage_is_cut_off():
    """The stage is the last one; a FROM that goes on another instruction, or in a comment, begins none."""
    assert DOCKERFILE[: DOCKERFILE.index("FROM action\n")] == up_to(DOCKERFILE, "chain")
    assert DOCKERFILE[: DOCKERFILE.index("from action")] == up_to(DOCKERFILE, "ACTION")
    assert DOCKERFILE[: DOCKERFILE.index("FROM base:1 AS action")] == up_to(DOCKERFILE, "build")


def test_the_last_stage_needs_no_cut():
    """It stays as it is."""
    assert "FROM a AS b\nRUN c" == up_to("FROM a AS b\nRUN c", "b")


@pytest.mark.parametrize("target", ["base:1", "nowhere", "comment", "", "chai"])
def test_a_stage_that_is_not_there(target):
    """The error has those that are."""
    with pytest.raises(NoTargetError, match=r"it has build, action, chain$"):
        up_to(DOCKERFILE, target)


def test_our_own_dockerfile():
    """The chain's ends with its stage; everything before it is as it was."""
    text = (ROOT / "Dockerfile").read_text()
    cut = up_to(text, "chain")
    assert text.startswith(cut)
    assert "ENV BASETEN_DEPLOY_TRUSS_PYTHON=" in cut.rpartition("FROM ")[2]


def test_a_copy_has_the_files_that_git_knows(checkout, tmp_path):
    """And new ones that are not ignored; modes stay."""
    copy_checkout(checkout, tmp_path / "copy")
    found = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert {".gitignore", "Dockerfile", "new", "src/a b.py", "tool"} == found
    assert 0o755 == (tmp_path / "copy" / "tool").stat().st_mode & 0o777


def test_the_context_of_a_stage(checkout):
    """A copy that goes in the end; the checkout keeps its whole Dockerfile, and is the context of the last stage."""
    with context_of(checkout, "build") as copy:
        assert "FROM base:1 AS action" not in (copy / "Dockerfile").read_text()
        assert "A = 1\n" == (copy / "src" / "a b.py").read_text()
    assert not copy.exists()
    assert DOCKERFILE == (checkout / "Dockerfile").read_text()
    with context_of(checkout) as same:
        assert checkout == same
    assert checkout.exists()


def test_buildah_builds_a_target_from_such_a_context(checkout, tmp_path, monkeypatch):
    """The build script gets it as its context, under a name of its own; what it makes is pushed."""
    told = tmp_path / "told"
    script, buildah = tmp_path / "build.sh", tmp_path / "bin" / "buildah"
    buildah.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$1" "$SOURCE_DATE_EPOCH" > {told}\ntail -n 1 "$2/Dockerfile" >> {told}\n'
    )
    buildah.write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in --digestfile) printf sha256:1 > "$2";; esac; shift; done\n'
    )
    for tool in (script, buildah):
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{buildah.parent}:/usr/bin:/bin")
    engine = Buildah(script)
    assert "sha256:1" == engine.push(checkout, "127.0.0.1:5000/x-chain", "amd64", 7, "chain")
    assert ["localhost/release-chain-amd64", "7", "RUN truss"] == told.read_text().splitlines()
    engine.push(checkout, "127.0.0.1:5000/x", "amd64", 7)
    assert ["localhost/release-amd64", "7", "CMD last"] == told.read_text().splitlines()
    with pytest.raises(EngineError, match="no stage 'nowhere'"):
        engine.push(checkout, "127.0.0.1:5000/x", "amd64", 7, "nowhere")
