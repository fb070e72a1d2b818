"""Files by name: the same from a folder, a zip and a tar, and no folder too wide or too deep."""

import os
import tarfile
from pathlib import Path

import pytest

from fer_edge.data import tree
from fer_edge.data.archives import open_archive
from fer_edge.data.tree import Tree, ancestors, open_folder, shown
from fer_edge.errors import DataError
from tests.layouts import write_tar, write_tree, write_zip

FILES = {
    "b/2.jpg": b"two",
    "b/10.jpg": b"",
    "a/deep/x.csv": b"1,2\n",
    "readme.txt": b"hello" * 1000,
    "new\nline/ü.png": b"x",
}
FOLDERS = {"empty/": b"", "a/none/nothing/": b""}
HIDDEN = {".git/config": b"h", "b/._2.jpg": b"mac", "__MACOSX/b/._2.jpg": b"mac"}
ARCHIVES = ("t.zip", "t.tar", "t.tar.gz", "t.tar.xz", "t.tar.bz2")


def pack(path: Path, contents: dict[str, bytes]) -> Path:
    return (write_zip if path.suffix == ".zip" else write_tar)(path, contents)


def contents_of(found: Tree) -> dict[str, bytes]:
    return dict(found.read(list(found.sizes)))


@pytest.mark.parametrize("name", ["folder", *ARCHIVES])
def test_every_packing_gives_the_same_files(name: str, tmp_path: Path) -> None:
    everything = FILES | FOLDERS | HIDDEN
    if name == "folder":
        found: Tree = open_folder(write_tree(tmp_path / name, everything))
    else:
        found = open_archive(pack(tmp_path / name, everything))
    assert list(found.sizes.items()) == sorted((n, len(c)) for n, c in FILES.items())
    assert found.empty_folders == ["a/none/nothing", "empty"]
    assert found.notes == []
    assert contents_of(found) == FILES
    with found.open("readme.txt") as file:
        assert file.read(7) == b"hellohe"
    assert dict(found.read(["b/2.jpg"])) == {"b/2.jpg": b"two"}


def test_links_pipes_and_loops_in_a_folder(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "f", {"a/1.txt": b"1"})
    other = write_tree(tmp_path / "other", {"2.txt": b"2"})
    (folder / "a" / "up").symlink_to("..")
    (folder / "linked").symlink_to(other)
    (folder / "file.txt").symlink_to(other / "2.txt")
    (folder / "itself").symlink_to("itself")
    (folder / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    found = open_folder(folder)
    assert contents_of(found) == {"a/1.txt": b"1", "linked/2.txt": b"2", "file.txt": b"2"}
    assert found.notes == ["3 skipped, links, pipes or devices: broken.jpg, itself, pipe.jpg"]


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"1")
    found = open_folder(folder)
    assert contents_of(found) == {"caf\udce9.txt": b"1"}
    assert shown(*found.sizes) == "caf\\udce9.txt"
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        archive.add(folder, "")
    assert contents_of(open_archive(tmp_path / "t.tar")) == contents_of(found)


def test_shown_names_are_one_short_line() -> None:
    assert shown("a", "b", "c") == "a, b, c"
    assert shown("a", "b", "c", "d") == "a, b, c, …"
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert len(shown("x" * 5000)) == 101


def test_ancestors() -> None:
    assert ancestors(["a/b/c", "a/d", "e"]) == {"a/b", "a"}


def test_a_file_that_goes_between_listing_and_reading_comes_as_no_bytes(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "f", {"a": b"a", "b": b"b"})
    found = open_folder(folder)
    (folder / "a").unlink()
    assert contents_of(found) == {"a": b"", "b": b"b"}


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {f"a/{n}": b"" for n in range(9)}  # and one folder
    folder = write_tree(tmp_path / "f", contents)
    packed = [pack(tmp_path / name, contents) for name in ("t.zip", "t.tar")]
    monkeypatch.setattr(tree, "MAX_FILES", 10)
    assert len(open_folder(folder).sizes) == 9
    monkeypatch.setattr(tree, "MAX_FILES", 9)
    with pytest.raises(DataError, match="over 9 files"):
        open_folder(folder)
    assert [len(open_archive(path).sizes) for path in packed] == [9, 9]
    monkeypatch.setattr(tree, "MAX_FILES", 8)
    for path in packed:
        with pytest.raises(DataError, match="over 8 files"):
            open_archive(path)


def test_too_deep(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "f", {"a/" * 16 + "x.jpg": b""})
    assert len(open_folder(folder).sizes) == 1
    with pytest.raises(DataError, match="over 16 folders deep"):
        open_folder(write_tree(folder, {"a/" * 17 + "x.jpg": b""}))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "f", {"a/b/1.txt": b"1"})
    (folder / "a" / "b").chmod(0)
    try:
        with pytest.raises(DataError, match=r"f/a/b: Permission denied"):
            open_folder(folder)
    finally:
        (folder / "a" / "b").chmod(0o700)
