"""Files that stand in for others: recognised by their whole form, listed, with what to do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import MINIMAL_TRUSS, write_tree

from baseten_deploy.errors import InvalidInput
from baseten_deploy.truss.directory import Truss, read_truss
from baseten_deploy.truss.stand_ins import Kind, kind_of

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 5000000000\n"
ANNEX = f"/annex/objects/SHA256E-s5000000000--{OID}.safetensors\n"
ANNEX_LINK = f".git/annex/objects/Xq/9k/SHA256E-s5--{OID}.bin/SHA256E-s5--{OID}.bin"
README = f"# How it works\n\nGit LFS leaves this:\n\n{LFS}\nRun `git lfs pull`.\n"


def read(directory: Path, files: dict[str, str], truss: str = "") -> Truss:
    """A Truss with these files besides its own, in a workspace."""
    root = write_tree(directory, {f"{truss}{name}": content for name, content in MINIMAL_TRUSS.items()})
    write_tree(root, files)
    return read_truss(root / truss if truss else root, root)


def problem(directory: Path, files: dict[str, str], truss: str = "") -> tuple[str, str, str]:
    """File, message and remedy of the only problem."""
    with pytest.raises(InvalidInput) as caught:
        read(directory, files, truss)
    (found,) = caught.value.problems
    return found.file, found.message, found.remedy


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (LFS, Kind.LFS),
        (LFS.rstrip("\n"), Kind.LFS),
        (LFS.replace("\n", "\r\n"), Kind.LFS),
        (LFS.replace("https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"), Kind.LFS),
        (LFS.replace("oid ", f"ext-0-clean sha256:{OID}\noid "), Kind.LFS),
        (LFS.replace("5000000000", "0"), Kind.LFS),
        (ANNEX, Kind.ANNEX),
        (ANNEX.rstrip("\n"), Kind.ANNEX),
        (f"/annex/objects/MD5-s3--{OID[:32]}\n/annex/ is where git-annex keeps it\n", Kind.ANNEX),
        (f"../../{ANNEX_LINK}", Kind.ANNEX),
        (ANNEX_LINK.replace(".git/", ".git/modules/weights/"), Kind.ANNEX),
    ],
)
def test_a_pointer(content: str, kind: Kind) -> None:
    """Whatever writes it: newer and older versions, other line ends, extensions."""
    assert kind is kind_of(content.encode())


@pytest.mark.parametrize(
    "content",
    [
        "",
        README,
        f"\n{LFS}",
        f"{LFS}\nThis is what Git LFS leaves.\n",
        f"    {LFS}",
        LFS.replace("sha256:", "md5:"),
        LFS.replace(OID, OID[:-1]),
        LFS.replace(OID, OID.upper()),
        LFS.replace("size 5000000000", "size large"),
        LFS.replace("size 5000000000\n", ""),
        LFS.replace("v1", "v1.example"),
        "version: 1\n",
        "version https://git-lfs.github.com/spec/v1\n",
        "/annex/objects/\n",
        "/annex/objects is a directory\n",
        f"see {ANNEX}",
        "../.git/config",
    ],
)
def test_no_pointer(content: str) -> None:
    """A text that quotes or resembles one is none."""
    assert kind_of(content.encode()) is None


@given(st.sampled_from([LFS, ANNEX]), st.text(min_size=1).filter(lambda text: text.strip("\r\n")))
def test_more_text_makes_it_none(pointer: str, text: str) -> None:
    """Before or after it, whatever it is."""
    assert kind_of((pointer + text).encode("utf-8", "replace")) is None
    assert kind_of((text + pointer).encode("utf-8", "replace")) is None


def test_pointers_are_named_with_the_remedy(tmp_path: Path) -> None:
    """In one problem at the first of them, wherever they are."""
    files = {"t/data/weights.safetensors": LFS, "t/model/a.bin": LFS, "t/README.md": README}
    assert (
        "t/data/weights.safetensors",
        "2 Git LFS pointers in place of the content: `t/data/weights.safetensors`, `t/model/a.bin`",
    ) == (found := problem(tmp_path, files, "t/"))[:2]
    assert "`lfs: true` in the `with:` of `actions/checkout`" in found[2]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    """After ten, with the count."""
    _, message, _ = problem(tmp_path, {f"data/{number:02}.bin": LFS for number in range(25)})
    assert message.startswith("25 Git LFS pointers in place of the content: `data/00.bin`, ")
    assert message.endswith("`data/09.bin` and 15 more")


def test_an_ignored_pointer_is_none(tmp_path: Path) -> None:
    """What is not packed can be whatever it is."""
    truss = read(tmp_path, {"data/a.bin": LFS, ".truss_ignore": "data/\n.git\n.env\n"})
    assert () == truss.warnings


def test_a_pointer_in_an_external_package(tmp_path: Path) -> None:
    """It is packed as well."""
    files = {"t/config.yaml": "model_name: x\nexternal_package_dirs: [../shared]\n", "shared/pkg/w.bin": LFS}
    assert "shared/pkg/w.bin" == problem(tmp_path, files, "t/")[0]


def test_a_symlink_to_a_pointer(tmp_path: Path) -> None:
    """The file itself is named, once."""
    write_tree(tmp_path, {"real.bin": LFS})
    (tmp_path / "link.bin").symlink_to("real.bin")
    assert "1 Git LFS pointer in place of the content: `real.bin`" == problem(tmp_path, {})[1]


def test_a_config_that_is_a_pointer(tmp_path: Path) -> None:
    """Also where nothing else can be read."""
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, {"config.yaml": LFS})
    assert "1 Git LFS pointer in place of the content: `config.yaml`" in [
        each.message for each in caught.value.problems
    ]


@pytest.mark.parametrize("there", [False, True])
def test_a_link_of_git_annex(tmp_path: Path, there: bool) -> None:
    """Whether or not its content was fetched: it is in `.git`, from where nothing is packed."""
    if there:
        write_tree(tmp_path, {ANNEX_LINK: "weights"})
    (tmp_path / "data").mkdir()
    (tmp_path / "data/w.bin").symlink_to(f"../{ANNEX_LINK}")
    file, message, remedy = problem(tmp_path, {"p.bin": ANNEX})
    assert ("data/w.bin", "2 git-annex pointers in place of the content: `data/w.bin`, `p.bin`") == (file, message)
    assert "git annex unlock" in remedy


MODULES = '[submodule "x"]\n\tpath = {}\n\turl = https://example.com/x.git\n'


class TestSubmodules:
    """Directories that a checkout without submodules leaves empty."""

    @pytest.mark.parametrize(
        ("modules", "declared"),
        [
            (".gitmodules", "t/vendor/x"),
            ("t/.gitmodules", "vendor/x"),
            ("t/vendor/.gitmodules", "x"),
            (".gitmodules", '"t/vendor/x" # comment'),
            (".gitmodules", "t/vendor/x/"),
        ],
    )
    def test_an_empty_one(self, tmp_path: Path, modules: str, declared: str) -> None:
        """Of the Truss, of the repository around it, of a submodule within."""
        found = problem(tmp_path, {modules: MODULES.format(declared), "t/vendor/x/": ""}, "t/")
        assert ("t/vendor/x", "1 submodule not fetched, with nothing in its directory: `t/vendor/x`") == found[:2]
        assert "`submodules: true` in the `with:` of `actions/checkout`" in found[2]

    @pytest.mark.parametrize(
        "files",
        [
            {".gitmodules": MODULES.format("t/vendor/x"), "t/vendor/x/a.py": "a = 1\n"},
            {".gitmodules": MODULES.format("t/vendor/y"), "t/vendor/x/": ""},
            {".gitmodules": MODULES.format("t/vendor/x"), "t/vendor/x/": "", "t/.truss_ignore": "vendor\n.git\n.env\n"},
            {".gitmodules": MODULES.format("other"), "other/": ""},
            {"t/.gitmodules": MODULES.format("../vendor/x"), "t/vendor/x/": ""},
            {".gitmodules": "\0\xff[submodule", "t/vendor/x/": ""},
            {".gitmodules/": "", "t/vendor/x/": ""},
        ],
    )
    def test_none(self, tmp_path: Path, files: dict[str, str]) -> None:
        """Fetched, not declared, ignored, outside of the Truss, or the file cannot be understood."""
        assert () == read(tmp_path, files, "t/").warnings

    def test_as_an_external_package(self, tmp_path: Path) -> None:
        """It is packed as well."""
        files = {
            ".gitmodules": MODULES.format("shared"),
            "shared/": "",
            "t/config.yaml": "model_name: x\nexternal_package_dirs: [../shared]\n",
        }
        assert "shared" == problem(tmp_path, files, "t/")[0]

    @pytest.mark.parametrize("directory", ["sub", "sub/model/truss"])
    def test_around_the_truss(self, tmp_path: Path, directory: str) -> None:
        """Nothing is where the Truss should be: not a wrong path, but a submodule that was not fetched."""
        root = write_tree(tmp_path, {".gitmodules": MODULES.format("sub"), "sub/": ""})
        with pytest.raises(InvalidInput, match=r"1 submodule not fetched.*`sub`"):
            read_truss(root / directory, root)

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        """`.gitmodules` is what is checked out, not what it leads to."""
        write_tree(tmp_path, {"elsewhere": MODULES.format("t/vendor/x")})
        (tmp_path / ".gitmodules").symlink_to("elsewhere")
        assert () == read(tmp_path, {"t/vendor/x/": ""}, "t/").warnings


class TestDvc:
    """A `.dvc` file whose output was not pulled: it may be fetched when the model starts, so it is a warning."""

    @pytest.mark.parametrize(
        ("file", "content", "missing"),
        [
            ("data/w.bin.dvc", "outs:\n- md5: 1\n  size: 5\n  path: w.bin\n", "data/w.bin"),
            ("w.dvc", "wdir: data\nouts:\n- path: w.bin\n", "data/w.bin"),
            ("w.dvc", "outs:\n- path: a.bin\n- path: b.bin\n", "a.bin`, `b.bin"),
            ("w.dvc", "deps:\n- path: x\nouts:\n- path: dir\n", "dir"),
        ],
    )
    def test_a_missing_output(self, tmp_path: Path, file: str, content: str, missing: str) -> None:
        """It is named, at the file that stands for it."""
        (warning,) = read(tmp_path, {file: content}).warnings
        assert (file, f"Not there, only a `.dvc` file that stands for it: `{missing}`") == (
            warning.file,
            warning.message,
        )
        assert "dvc pull" in warning.remedy

    @pytest.mark.parametrize(
        "files",
        [
            {"w.dvc": "outs:\n- path: w.bin\n", "w.bin": "x"},
            {"w.dvc": "outs:\n- path: w\n", "w/a": "x"},
            {"w.dvc": "outs:\n- path: w.bin\n", ".truss_ignore": "*.bin\n"},
            {"w.dvc": "outs:\n- path: out/w.bin\n", ".truss_ignore": "out\n"},
            {"w.dvc": "outs:\n- path: w.bin\n", ".truss_ignore": "*.dvc\n"},
            {"w.dvc": "outs: 3\n"},
            {"w.dvc": "{"},
            {"w.dvc": "outs:\n- w.bin\n"},
            {"w.dvc": "outs:\n- path: ../w.bin\n"},
            {"w.dvc": b"\xff\xfe"},
            {".dvc/config": "[core]\n"},
        ],
    )
    def test_none(self, tmp_path: Path, files: dict[str, str]) -> None:
        """The output is there or would not be packed, or the file is none of DVC's."""
        assert () == read(tmp_path, files).warnings
