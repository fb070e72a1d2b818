"""Every way in which people keep labelled faces, and every way in which that goes wrong."""

import gzip
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge.data.fer2013 import MAX_LINE_BYTES, MAX_ROWS
from fer_edge.data.labels import ALL_EMOTIONS
from fer_edge.data.rows import Found
from fer_edge.data.split import SPLIT_NAMES, Dataset, SplitName
from fer_edge.errors import DataError
from tests.conftest import csv_row, csv_text
from tests.layouts import (
    PHOTOGRAPHED,
    face,
    faces,
    read,
    real_rows,
    write_competition,
    write_face_expression,
    write_fer2013_folders,
    write_fer2013_kaggle,
    write_human_face_emotions,
    write_tar,
    write_tree,
    write_zip,
)

SEVEN = ALL_EMOTIONS[:7]
HELD_OUT = SPLIT_NAMES[1:]
DRAWN = (
    "it gives no splits: 80% train, 10% validation, 10% test, drawn class by class with a fixed "
    "seed, identical images together"
)
DRAWN_VALIDATION = (
    "it gives no validation split: a tenth of train became it, drawn class by class with a fixed "
    "seed, identical images together"
)


@pytest.fixture(scope="module", params=["drawn", "real"])
def rows(request: pytest.FixtureRequest) -> Dataset:
    """Drawn faces, and FER2013's first rows; seven emotions in each split."""
    if request.param == "drawn":
        drawn: Dataset = request.getfixturevalue("drawn")
        return drawn
    return real_rows(request.getfixturevalue("fer2013"))


def counts(found: Found, name: SplitName) -> list[int]:
    return found.data.splits[name].class_counts(len(found.data.emotions))


def total(found: Found) -> NDArray[np.int64]:
    """Returns how many images each class has, over all splits."""
    return np.asarray(np.sum([counts(found, name) for name in SPLIT_NAMES], axis=0), np.int64)


def assert_valid(found: Found) -> None:
    """What everybody who takes a data set may rely on."""
    data = found.data
    assert len(data.emotions) >= 2
    assert list(data.emotions) == [e for e in ALL_EMOTIONS if e in data.emotions]
    assert list(data.splits) == ["train", "validation", "test"]
    ids = np.concatenate([split.ids for split in data.splits.values()])
    assert sorted(ids.tolist()) == list(range(len(ids)))
    assert len(data.names) in (0, len(ids))
    for split in data.splits.values():
        assert split.labels.max(initial=0) < len(data.emotions)
    assert all(note.isprintable() and len(note) < 600 for note in data.notes)


def test_ashishpatel26(rows: Dataset, tmp_path: Path) -> None:
    found = read(write_fer2013_kaggle(tmp_path, rows))
    assert_valid(found)
    assert found.data.format == "FER2013 rows: fer2013/fer2013/fer2013.csv"
    assert found.data.emotions == SEVEN
    assert found.data.notes == ()
    for name, split in rows.splits.items():
        np.testing.assert_array_equal(found.data.splits[name].images, split.images)
        np.testing.assert_array_equal(found.data.splits[name].labels, split.labels)


@pytest.fixture(scope="module")
def competition(rows: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_competition(tmp_path_factory.mktemp("competition"), rows)


def test_the_competition(rows: Dataset, competition: Path) -> None:
    found = read(competition)
    assert_valid(found)
    assert found.data.format == "FER2013 rows: icml_face_data.csv"
    assert found.data.notes == ("also there, and not read: fer2013.tar.gz, test.csv, train.csv",)
    packed = read(competition / "fer2013.tar.gz")
    assert packed.data.format == "FER2013 rows: fer2013/fer2013.csv in fer2013.tar.gz"
    assert packed.data.notes == ()
    for name, split in rows.splits.items():
        for own in (found, packed):
            np.testing.assert_array_equal(own.data.splits[name].images, split.images)
            np.testing.assert_array_equal(own.data.splits[name].labels, split.labels)


def test_the_competitions_train_and_test(rows: Dataset, competition: Path) -> None:
    found = read(competition / "train.csv")
    assert_valid(found)
    train = rows.split("train")
    expected = np.array(train.class_counts(7))
    assert total(found).tolist() == expected.tolist()
    for name in HELD_OUT:
        assert np.abs(counts(found, name) - expected / 10).max() <= 1
    assert found.data.notes == (DRAWN,)
    with pytest.raises(DataError, match="nothing to learn from it"):
        read(competition / "test.csv")


def test_jonathanoheix(rows: Dataset, tmp_path: Path) -> None:
    folder = write_face_expression(tmp_path, rows)
    found = read(folder)
    assert_valid(found)
    assert found.data.format == "pictures in folders: train, validation / 7 emotions"
    assert found.data.emotions == SEVEN
    n = len(rows.split("train")) + len(rows.split("validation"))
    assert len(found.data.names) == n
    (note,) = found.data.notes
    assert note.startswith(f"{n} pictures stand there twice, such as images/images/train/angry/")
    for name in SPLIT_NAMES[:2]:
        assert counts(found, name) == rows.split(name).class_counts(7)
    number = int(found.data.splits["train"].ids[0])
    assert found.data.names[number].startswith("images/train/angry/")
    row = int(Path(found.data.names[number]).stem)
    (original,) = rows.split("train").images[rows.split("train").ids == row]
    difference = np.abs(found.data.splits["train"].images[0].astype(int) - original)
    assert difference.mean() < 5  # JPEG
    shutil.rmtree(folder / "images" / "images")
    assert read(folder).sha256 == found.sha256


def test_sanidhyak(rows: Dataset, tmp_path: Path) -> None:
    found = read(write_human_face_emotions(tmp_path, rows))
    assert_valid(found)
    assert found.data.format == "pictures in folders: 5 emotions"
    assert found.data.emotions == tuple(emotion for emotion in SEVEN if emotion in PHOTOGRAPHED)
    assert found.data.notes == (DRAWN,)
    all_counts = np.sum([split.class_counts(7) for split in rows.splits.values()], axis=0)
    expected = np.array([all_counts[SEVEN.index(emotion)] for emotion in found.data.emotions])
    assert total(found).tolist() == expected.tolist()
    for name in HELD_OUT:
        assert np.abs(counts(found, name) - expected / 10).max() <= 1
    originals = [image for split in rows.splits.values() for image in split.images]
    for split in found.data.splits.values():
        for image, number in zip(split.images, split.ids, strict=True):
            digits = "".join(c if c.isdigit() else " " for c in found.data.names[number])
            original = originals[int(digits.split()[-1])]
            assert np.abs(image.astype(int) - original).mean() < 8  # some colours are cut off


def test_msambare(rows: Dataset, tmp_path: Path) -> None:
    found = read(write_fer2013_folders(tmp_path, rows))
    assert_valid(found)
    assert found.data.format == "pictures in folders: train, test / 7 emotions"
    assert found.data.notes == (DRAWN_VALIDATION,)
    merged = [rows.split(name).class_counts(7) for name in HELD_OUT]
    assert counts(found, "test") == np.sum(merged, axis=0).tolist()
    train = np.array(rows.split("train").class_counts(7))
    assert np.add(counts(found, "train"), counts(found, "validation")).tolist() == train.tolist()
    assert np.abs(np.array(counts(found, "validation")) - train / 10).max() <= 1


PACKINGS = ("f.csv", "f.csv.gz", "f.csv.xz", "f.zip", "f.tar.gz", "f.tar.xz", "f.tar", "folder")


@pytest.mark.parametrize("name", PACKINGS)
@pytest.mark.parametrize("csv", ["fer2013.csv", "icml_face_data.csv", "train.csv", "mine.CSV"])
def test_a_csv_in_every_packing(csv: str, name: str, tmp_path: Path) -> None:
    text = "\n".join(["emotion,pixels", *(csv_row(n % 2, face(n), "")[:-1] for n in range(20))])
    content = text.encode()
    path = tmp_path / name
    if name == "folder":
        write_tree(path, {csv: content})
    elif path.suffix == ".zip":
        write_zip(path, {f"a/{csv}": content})
    elif ".tar" in name:
        write_tar(path, {f"a/{csv}": content})
    else:
        packers: dict[str, Callable[[bytes], bytes]]
        packers = {".csv": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
        path.write_bytes(packers[path.suffix](content))
    found = read(path)
    assert_valid(found)
    assert csv in found.data.format or path.name in found.data.format
    assert [len(split) for split in found.data.splits.values()] == [16, 2, 2]
    validation = found.data.splits["validation"]
    assert {int(i) % 2 for i in validation.ids} == {0, 1}
    for image, number in zip(validation.images, validation.ids, strict=True):
        np.testing.assert_array_equal(image, face(int(number)))


def test_pictures_are_the_same_in_every_packing_and_order(tmp_path: Path) -> None:
    contents = faces("Happy", "sad", "ANGER", n=30) | faces("Happy", n=3, start=500, suffix=".webp")
    contents |= {"Happy/damaged.png": b"no", "notes.txt": b""}
    backwards = dict(reversed(contents.items()))
    folder = read(write_tree(tmp_path / "f", contents))
    assert_valid(folder)
    assert folder.data.notes[0] == "1 skipped, damaged, too large or no picture: Happy/damaged.png"
    for other in (
        write_zip(tmp_path / "f.zip", contents),
        write_zip(tmp_path / "backwards.zip", backwards),
        write_tar(tmp_path / "backwards.tar.gz", backwards),
        write_tar(tmp_path / "f.tar.xz", contents),
    ):
        found = read(other)
        assert found.sha256 == folder.sha256
        assert found.data.names == folder.data.names
        assert found.data.notes == folder.data.notes
        for name, split in folder.data.splits.items():
            np.testing.assert_array_equal(found.data.splits[name].images, split.images)
            np.testing.assert_array_equal(found.data.splits[name].ids, split.ids)


def test_splits_do_not_depend_on_names_or_on_what_is_beside(tmp_path: Path) -> None:
    contents = faces("happy", "sad", n=30)
    renamed = {f"x/{name[::-1][4:][::-1].title()}b.png": c for name, c in contents.items()}
    first, second = (
        read(write_tree(tmp_path / str(n), files)) for n, files in enumerate((contents, renamed))
    )
    assert first.sha256 != second.sha256
    for name, split in first.data.splits.items():
        own, other = (
            {image.tobytes() for image in images}
            for images in (split.images, second.data.splits[name].images)
        )
        assert own == other


def test_an_official_test_split_stays_even_where_its_images_are_in_train(tmp_path: Path) -> None:
    contents = faces("train/happy", "train/sad", n=20)
    contents |= {f"test/{name[6:]}": content for name, content in list(contents.items())[::3]}
    found = read(write_tree(tmp_path, contents))
    tested = {found.data.names[n] for n in found.data.splits["test"].ids}
    assert tested == {name for name in contents if name.startswith("test/")}
    assert [len(split) for split in found.data.splits.values()] == [36, 4, 14]


def test_a_second_copy_counts_once_and_a_namesake_twice(tmp_path: Path) -> None:
    """Pictures as BMP have all one size: only their contents tell."""
    once = faces("happy", "sad", n=10, suffix=".bmp")
    copies = {f"faces/{name}": content for name, content in once.items()}
    others = faces("faces/happy", "faces/sad", n=10, suffix=".bmp", start=100)
    found = read(write_tree(tmp_path / "copies", once | copies))
    assert len(found.data.names) == 20
    assert found.data.notes[0] == (
        "20 pictures stand there twice, such as faces/happy/0.bmp: they count once, as happy/0.bmp"
    )
    assert found.sha256 == read(write_tree(tmp_path / "once", once)).sha256
    found = read(write_tree(tmp_path / "others", once | others))
    assert len(found.data.names) == 40
    assert found.data.notes == (DRAWN,)


@pytest.mark.parametrize(
    ("extra", "reads", "notes"),
    [
        ({"train.csv": b"file,label\n0.png,happy\n"}, "pictures", ["train.csv"]),
        ({"labels.csv": b"a", "more.zip": b"b"}, "pictures", ["labels.csv, more.zip"]),
        (None, "fer2013.csv", ["20 pictures"]),
    ],
)
def test_csvs_beside_pictures(
    extra: dict[str, bytes] | None, reads: str, notes: list[str], drawn: Dataset, tmp_path: Path
) -> None:
    extra = {"data/fer2013.csv": csv_text(drawn).encode()} if extra is None else extra
    found = read(write_tree(tmp_path, faces("happy", "sad") | extra))
    assert reads in found.data.format
    said = [f"also there, and not read: {what}" for what in notes]
    assert list(found.data.notes[: len(said)]) == said


def test_of_equal_csvs_the_outermost_is_read(drawn: Dataset, tmp_path: Path) -> None:
    text = csv_text(drawn).encode()
    names = ("b/fer2013.csv", "a/a/FER2013.csv.gz", "c/c/fer2013.csv", "icml_face_data.csv")
    contents = dict.fromkeys(names, text)
    found = read(write_tree(tmp_path, contents))
    assert found.data.format == "FER2013 rows: b/fer2013.csv"
    others = "a/a/FER2013.csv.gz, c/c/fer2013.csv, icml_face_data.csv"
    assert found.data.notes == (f"also there, and not read: {others}",)


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        pytest.param({}, "found nothing", id="empty"),
        pytest.param(faces("photos", "others", n=1), "found others, photos", id="no emotion"),
        pytest.param({"happy.png": b""}, "found happy.png", id="no folder"),
        pytest.param(
            {"a.zip": b"PK"}, "found a.zip. Name that archive itself", id="archive inside"
        ),
        pytest.param({"a.csv": b"", "b.csv": b""}, "holds 2 CSVs: a.csv, b.csv", id="two CSVs"),
        pytest.param({"happy/": b"", "sad/": b""}, "found nothing", id="empty emotions"),
        pytest.param(faces("happy", "ahegao", n=1), "ahegao stands among", id="unknown emotion"),
        pytest.param(faces("happy", n=3), "at least two emotions, found happy", id="one emotion"),
        pytest.param(
            {"happy/1.png": b"", "sad/1.png": b"no"},
            "none of its 2 pictures could be used. 1 skipped, empty or cannot be read: happy/1.png",
            id="no good picture",
        ),
        pytest.param(
            faces("train/happy", "test/happy", "test/sad"), "has no image of sad", id="not in train"
        ),
        pytest.param(faces("train/happy", "train/sad", "fear"), "do not", id="some in splits"),
    ],
)
def test_trees_that_are_refused(contents: dict[str, bytes], says: str, tmp_path: Path) -> None:
    """In a folder as in an archive."""
    for path in (
        write_tree(tmp_path / "f", contents | {".hidden": b""}),
        write_zip(tmp_path / "f.zip", contents),
        write_tar(tmp_path / "f.tar.gz", contents),
    ):
        with pytest.raises(DataError) as caught:
            read(path)
        assert says in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("contents", "notes"),
    [
        pytest.param(
            faces("happy", "sad") | {"fear/": b""}, ("no picture in fear", DRAWN), id="empty class"
        ),
        pytest.param(
            faces("happy", "sad") | {"fear/1.png": b"", "fear/2.png": b"", "sad/no.jpg": b"no"},
            (
                "2 skipped, empty or cannot be read: fear/1.png, fear/2.png",
                "1 skipped, damaged, too large or no picture: sad/no.jpg",
                "no picture of fear could be used",
                DRAWN,
            ),
            id="unusable class",
        ),
        pytest.param(
            faces("train/happy", "train/sad", "val/happy", "test/sad"),
            ("its validation split has no image of sad", "its test split has no image of happy"),
            id="not in every split",
        ),
        pytest.param(
            faces("happy", "sad") | {"x.png": b"", "happy/a.gif": b"", ".a/b.png": b""},
            (
                "1 skipped, in no emotion's folder: x.png",
                "1 skipped, not JPEG, PNG, BMP or WebP: happy/a.gif",
                DRAWN,
            ),
            id="strays",
        ),
    ],
)
def test_what_is_left_out_is_said(
    contents: dict[str, bytes], notes: tuple[str, ...], tmp_path: Path
) -> None:
    found = read(write_tree(tmp_path, contents))
    assert_valid(found)
    assert found.data.notes == notes
    assert found.data.emotions == ("happy", "sad")
    assert found.data.format.endswith(" 2 emotions")


def test_paths_that_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "loop.zip").symlink_to("loop.zip")
    for path, says in (
        (tmp_path / "absent.csv", "No such file"),
        (tmp_path / ("x" * 5000), "File name too long"),
        (tmp_path / "a\0b", "embedded null"),
        (tmp_path / "pipe.csv", "a pipe or a device"),
        (Path(os.devnull), "a pipe or a device"),
        (Path("/dev/zero"), "a pipe or a device"),  # took 23 GB once
        (tmp_path / "loop.zip", "symbolic links"),
        (tmp_path / "notes.txt", "not a data set that fer-edge can read"),
    ):
        with pytest.raises(DataError, match=says):
            read(path)


def test_a_csv_that_no_limit_allows_is_not_even_opened(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.touch()
    os.truncate(path, 10 * 10**9)  # a hole; it takes no room
    assert path.stat().st_size > MAX_ROWS * MAX_LINE_BYTES
    with pytest.raises(DataError, match=r"takes 9.3 GiB. Expected a CSV of at most 500,000 rows"):
        read(path)


PROGRAM = """
import sys
from pathlib import Path
from fer_edge.coldstart import peak_memory_bytes
from fer_edge.data import fer2013, formats
from fer_edge.errors import DataError
fer2013.MAX_ROWS = 2000
before = peak_memory_bytes()
try:
    found = formats.read_path(Path(sys.argv[1]), progress=lambda what, share: None)
    print("read", ", ".join(found.data.notes))
except DataError as exc:
    print(exc)
print((peak_memory_bytes() - before) // 2**20)
"""


def endless_csv(path: Path) -> None:
    """100 MB of good rows; what is read of it ends with the 2,000th."""
    row = f"0,{' '.join(['7'] * 2304)},Training\n1,{' '.join(['8'] * 2304)},Training\n".encode()
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"emotion,pixels,Usage\n")
        for _ in range(100):
            file.write(row * 100)


def bomb(path: Path) -> None:
    """A picture that unpacks to 300 MiB beside good ones."""
    write_zip(path, faces("happy", "sad") | {"happy/x.png": bytes(300 * 2**20)})


def many_large(path: Path) -> None:
    """Twenty pictures of 16 MiB that are none: 320 MiB in all."""
    large = {f"happy/x{n}.bmp": bytes(16 * 2**20) for n in range(20)}
    write_zip(path, faces("happy", "sad") | large)


@pytest.mark.parametrize(
    ("name", "write", "says", "limit_mib"),
    [
        ("f.csv.gz", endless_csv, "expected at most 2000 rows", 120),
        ("f.zip", bomb, "read 1 skipped, over 64 MiB: happy/x.png", 80),
        ("many.zip", many_large, "read 20 skipped, damaged", 200),
    ],
)
def test_memory_is_bounded(
    name: str, write: Callable[[Path], None], says: str, limit_mib: int, tmp_path: Path
) -> None:
    write(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    said, mib = done.stdout.rsplit("\n", 2)[:2]
    assert says in said
    assert int(mib) < limit_mib


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=400),
    head=st.integers(0, 400),
    name=st.sampled_from(["f.csv", "f.csv.gz", "f.csv.xz", "f.zip", "f.tar.gz", "f.tar"]),
)
def test_arbitrary_bytes_are_a_data_set_or_an_error_of_ours(
    content: bytes, head: int, name: str, drawn_csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    good = drawn_csv.read_bytes() if name.startswith("f.csv") else _small(name, tmp_path)
    path.write_bytes(good[:head] + content)
    with pytest.raises(DataError):
        read(path)


def _small(name: str, tmp_path: Path) -> bytes:
    path = tmp_path / f"small-{name}"
    write = write_zip if name == "f.zip" else write_tar
    return write(path, faces("happy", "sad", n=2)).read_bytes()
