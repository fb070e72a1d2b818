"""The cache: the same data set, a changed file is noticed, and damage is only slower."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.data import cache
from fer_edge.data.rows import Found
from fer_edge.data.split import Dataset
from tests.conftest import csv_text
from tests.layouts import faces, read, write_tar, write_tree, write_zip

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(fresh: Path, kind: str = "data") -> list[Path]:
    return sorted(fresh.glob(f"{kind}-v*/*"))


def assert_same(found: Found, expected: Found) -> None:
    assert found.sha256 == expected.sha256
    assert found.data.emotions == expected.data.emotions
    assert found.data.notes == expected.data.notes
    assert found.data.names == expected.data.names
    assert found.data.format == expected.data.format
    assert list(found.data.splits) == list(expected.data.splits)
    for name, split in expected.data.splits.items():
        for field in ("images", "labels", "ids"):
            own, other = getattr(found.data.splits[name], field), getattr(split, field)
            np.testing.assert_array_equal(own, other)
            assert own.dtype == other.dtype


def folder_of(tmp_path: Path) -> Path:
    """Pictures of one size, in names of which one is not UTF-8."""
    contents = faces("train/happy", "train/Sad", "test/happy", suffix=".bmp", n=6)
    return write_tree(
        tmp_path / "faces", contents | {"test/sad/caf\udce9\n.bmp": contents.popitem()[1]}
    )


def test_cached_equals_parsed(fresh: Path, drawn_csv: Path, tmp_path: Path) -> None:
    for path in (drawn_csv, folder_of(tmp_path)):
        first = read(path)
        assert_same(read(path), first)
        read(path).data.splits["train"].images[0] = 7  # belongs to who asked for it
        assert_same(read(path), first)
    assert len(kept(fresh)) == 2


def test_it_is_the_cache_that_answers(fresh: Path, drawn_csv: Path) -> None:
    found = read(drawn_csv)
    (path,) = kept(fresh)
    path.with_stem(cache.store(Found("another", found.data))).replace(path)
    assert read(drawn_csv).sha256 == "another"


def test_a_changed_csv_is_read_again(drawn: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    text = csv_text(drawn)
    path.write_text(text)
    before = read(path)
    path.write_text(text.replace("Training", "PublicTest", 1))
    after = read(path)
    assert after.sha256 != before.sha256
    n = len(before.data.splits["validation"])
    assert len(after.data.splits["validation"]) == n + 1


def write_same_size_and_time(path: Path, content: bytes) -> None:
    stat = path.stat()
    assert len(content) == stat.st_size
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns


@pytest.mark.parametrize("name", ["f.csv", "faces.zip", "faces.tar"])
def test_a_file_of_the_same_size_and_time_is_noticed(
    name: str, drawn: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name == "f.csv":
        path.write_text(csv_text(drawn))
        at, value = path.read_bytes().index(b" "), b"9"  # in the middle of a picture
        content = path.read_bytes()
        content = (
            content[: at - 1] + (b"8" if content[at - 1 : at] == value else value) + content[at:]
        )
    else:
        write = write_zip if name == "faces.zip" else write_tar
        write(path, faces("happy", "sad", suffix=".bmp"))
        other = write(
            tmp_path / f"other{path.suffix}", faces("happy", "sad", suffix=".bmp", start=99)
        )
        content = other.read_bytes()[: path.stat().st_size].ljust(path.stat().st_size, b"\0")
    before = read(path)
    write_same_size_and_time(path, content)
    assert read(path).sha256 != before.sha256


PICTURE = "test/happy/0.bmp"
OTHER = faces("x", n=1, suffix=".bmp", start=999)["x/0.bmp"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: write_same_size_and_time(f / PICTURE, OTHER), id="changed"),
        pytest.param(lambda f: write_tree(f, {"test/happy/new.bmp": OTHER}), id="added"),
        pytest.param(lambda f: (f / PICTURE).unlink(), id="removed"),
        pytest.param(lambda f: (f / PICTURE).rename(f / "test/happy/new.bmp"), id="renamed"),
        pytest.param(lambda f: (f / PICTURE).rename(f / "test/sad/0.bmp"), id="another label"),
        pytest.param(lambda f: (f / PICTURE).rename(f / "train/happy/x.bmp"), id="another split"),
    ],
)
def test_a_change_in_a_folder_is_noticed(change: Callable[[Path], object], tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    before = read(folder)
    change(folder)
    after = read(folder)
    assert after.sha256 != before.sha256
    assert_same(read(folder), after)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: write_tree(f, {"test/happy/Thumbs.db": b""}), id="no picture"),
        pytest.param(lambda f: write_tree(f, {"train.csv": b"a,b"}), id="CSV"),
        pytest.param(lambda f: write_tree(f, {"test/fear/": b""}), id="empty folder"),
        pytest.param(lambda f: (f / "test/x.bmp").symlink_to("nowhere"), id="broken link"),
    ],
)
def test_what_changes_no_picture_changes_the_notes_alone(
    change: Callable[[Path], object], tmp_path: Path
) -> None:
    folder, other = folder_of(tmp_path / "a"), folder_of(tmp_path / "b")
    before = read(folder)
    assert_same(read(other), before)
    change(folder)
    after = read(folder)
    assert after.sha256 == before.sha256
    assert len(after.data.notes) == len(before.data.notes) + 1
    assert_same(read(other), before)
    assert_same(read(folder), after)


def test_the_hash_knows_names_and_so_labels(tmp_path: Path) -> None:
    """The same pictures in the same order."""
    contents = faces("happy", "sad", n=3)
    renamed = {name.replace("happy", "fear"): content for name, content in contents.items()}
    first = read(write_tree(tmp_path / "a", contents))
    assert read(write_tree(tmp_path / "b", renamed)).sha256 != first.sha256


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:0], id="empty"),
        pytest.param(lambda content: content[:7], id="cut in the lengths"),
        pytest.param(lambda content: content[:300], id="cut in the text"),
        pytest.param(lambda content: content[:-1], id="cut at the end"),
        pytest.param(lambda content: content + b"\0", id="longer"),
        pytest.param(lambda content: content[::-1], id="junk"),
        pytest.param(
            lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
            id="one bit",
        ),
    ],
)
def test_a_damaged_cache_is_made_again(
    damage: Callable[[bytes], bytes], fresh: Path, drawn_csv: Path
) -> None:
    good = read(drawn_csv)
    (path,) = kept(fresh)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    assert_same(read(drawn_csv), good)
    assert path.read_bytes() == content


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300),
    head=st.integers(0, 300),
    kind=st.sampled_from(["data", "hashes"]),
)
def test_arbitrary_bytes_in_the_cache_change_nothing(
    content: bytes, head: int, kind: str, fresh: Path, tmp_path: Path
) -> None:
    folder = write_tree(tmp_path / "few", faces("happy", "sad", n=2))
    good = read(folder)
    (path,) = kept(fresh, kind)
    path.write_bytes(path.read_bytes()[:head] + content)
    assert_same(read(folder), good)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"1 2 3", b"", b"../.. x"])
def test_a_damaged_memo_is_no_memo(content: bytes, fresh: Path, drawn_csv: Path) -> None:
    good = read(drawn_csv)
    (path,) = kept(fresh, "hashes")
    path.write_bytes(content)
    assert_same(read(drawn_csv), good)


def test_a_folder_in_a_caches_place_is_no_error(fresh: Path, drawn_csv: Path) -> None:
    good = read(drawn_csv)
    for kind in ("data", "hashes"):
        (path,) = kept(fresh, kind)
        path.unlink()
        path.mkdir()
    assert_same(read(drawn_csv), good)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_csv: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file"))
    assert len(read(drawn_csv).data.splits["train"]) == 210


PROGRAM = """
import json, resource, sys
from pathlib import Path
from fer_edge.data.formats import read_path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
found = read_path(Path(sys.argv[1]), progress=lambda what, share: None)
print(json.dumps([found.sha256, {name: len(s) for name, s in found.data.splits.items()}]))
"""


def start(path: Path, *, max_file_bytes: int = 2**30) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(max_file_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_full_disk_leaves_nothing_half_written(fresh: Path, drawn_csv: Path) -> None:
    """No file over 100 KB can be written; the faces take 800."""
    sha256, sizes = json.loads(start(drawn_csv, max_file_bytes=100_000).communicate()[0])
    assert sizes == {"train": 210, "validation": 70, "test": 70}
    assert [path for path in fresh.rglob("*") if not path.is_dir()] == []
    assert kept(fresh) == []
    assert read(drawn_csv).sha256 == sha256


def test_processes_may_fill_a_cache_at_once(fresh: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    answers = {process.communicate()[0] for process in [start(folder) for _ in range(3)]}
    assert len(answers) == 1
    assert len(kept(fresh)) == len(kept(fresh, "hashes")) == 1
    found = read(folder)
    sizes = {name: len(split) for name, split in found.data.splits.items()}
    assert [found.sha256, sizes] == json.loads(answers.pop())
