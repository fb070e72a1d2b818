"""FER2013's CSV: what it says is what we read, and what is wrong is named by its line."""

import gzip
import lzma
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.data.fer2013 import MAX_LINE_BYTES, read_fer2013
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import SPLIT_NAMES, Dataset, Split, SplitName
from fer_edge.errors import DataError
from tests.conftest import csv_row, csv_text

IMAGE = np.arange(2304, dtype=np.int64).reshape(48, 48).astype(np.uint8)
HEADER = "emotion,pixels,Usage\n"
GOOD = csv_row(3, IMAGE, "Training")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(path: Path) -> dict[SplitName, Split]:
    """Returns the rows by their Usage; ids are row numbers."""
    rows = read_fer2013(lambda: path.open("rb"), str(path))
    whole = Split(rows.images, rows.labels, np.arange(len(rows.labels)))
    return {name: whole.take(rows.splits == number) for number, name in enumerate(SPLIT_NAMES)}


def test_splits_labels_pixels_and_ids(tmp_path: Path) -> None:
    rows = [
        csv_row(3, IMAGE, "Training"),
        csv_row(0, IMAGE[::-1], "PrivateTest"),
        csv_row(6, 255 - IMAGE, "PublicTest"),
        csv_row(1, IMAGE.T, "Training"),
    ]
    splits = read(write(tmp_path / "f.csv", HEADER + "\n".join(rows)))
    np.testing.assert_array_equal(splits["train"].images, [IMAGE, IMAGE.T])
    np.testing.assert_array_equal(splits["validation"].images, [255 - IMAGE])
    np.testing.assert_array_equal(splits["test"].images, [IMAGE[::-1]])
    assert splits["train"].labels.tolist() == [3, 1]
    assert splits["train"].ids.tolist() == [0, 3]
    assert splits["test"].ids.tolist() == [1]


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda text: text, id="plain"),
        pytest.param(lambda text: text.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lzma.compress, id="xz"),
        pytest.param(
            lambda text: lzma.compress(text[:9999]) + bytes(8) + lzma.compress(text[9999:]),
            id="xz of two streams",
        ),
        pytest.param(lambda text: text.rstrip(b"\n"), id="no newline at the end"),
    ],
)
def test_packed_or_not_gives_the_same(pack, drawn: Dataset, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "f.csv"
    path.write_bytes(pack(csv_text(drawn).encode()))
    for name, split in read(path).items():
        np.testing.assert_array_equal(split.images, drawn.split(name).images)
        np.testing.assert_array_equal(split.labels, drawn.split(name).labels)


def test_columns_may_stand_in_another_order_with_spaces(tmp_path: Path) -> None:
    pixels = " ".join(map(str, IMAGE.ravel()))
    path = write(tmp_path / "f.csv", f"emotion, Usage, pixels\n2,Training,{pixels}\n")
    assert read(path)["train"].labels.tolist() == [2]


ONES = ["1"] * 2304


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is empty", id="empty file"),
        pytest.param(HEADER, "no rows", id="no rows"),
        pytest.param("emotion,Usage\n1,Training\n", "no column pixels", id="missing column"),
        pytest.param("pixels\n1 2 3\n", "nothing to learn from it", id="test.csv"),
        pytest.param(HEADER + GOOD + "\n3,1 2 3\n", "line 3: expected 3 fields", id="short row"),
        pytest.param(
            HEADER + GOOD + "\n" + csv_row(3, IMAGE[:47], "Training"),
            "line 3: expected 2304 pixels (48 x 48), found 2256",
            id="short image",
        ),
        pytest.param(
            f"{HEADER}3,{' '.join(['256', *ONES[1:]])},Training\n", "found '256'", id="pixel 256"
        ),
        pytest.param(
            f"{HEADER}3,{' '.join(['x7', *ONES[1:]])},Training\n", "found 'x7'", id="text pixel"
        ),
        pytest.param(
            f"{HEADER}3,{' '.join(['-1', *ONES[1:]])},Training\n", "found '-1'", id="negative"
        ),
        pytest.param(
            f"{HEADER}3,{' '.join(['1.5', *ONES[1:]])},Training\n", "found '1.5'", id="fraction"
        ),
        pytest.param(f"{HEADER}3,{'  '.join(ONES)},Training\n", "one space", id="two spaces"),
        pytest.param(
            f"{HEADER}3,{' '.join(ONES[1:])},Training\n3,{' '.join([*ONES, '1'])},Training\n",
            "line 2: expected 2304 pixels",
            id="one short and one long row",
        ),
        pytest.param(HEADER + GOOD.replace("3,", "7,", 1), "found '7'", id="label 7"),
        pytest.param(HEADER + GOOD.replace("3,", "happy,", 1), "found 'happy'", id="text label"),
        pytest.param(HEADER + GOOD.replace("Training", "Train"), "a Usage of", id="usage"),
        pytest.param(HEADER + "3," + "1 " * MAX_LINE_BYTES, "line 2: expected at most", id="long"),
    ],
)
def test_faults_are_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "f.csv", text))
    assert says in str(caught.value)


def test_truncated_xz(drawn_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.xz"
    path.write_bytes(drawn_csv.read_bytes()[:-2000])
    with pytest.raises(DataError, match="Cannot read"):
        read(path)


def test_truncated_gzip(drawn: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(csv_text(drawn).encode())[:-2000])
    with pytest.raises(DataError, match="Cannot read"):
        read(path)


@pytest.mark.parametrize("line", [b"\x00" * 1_000_000, b"\n" * 1_000_000], ids=["zeros", "blank"])
def test_a_decompression_bomb_ends_early(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.xz"
    packer = lzma.LZMACompressor(preset=0)
    with path.open("wb") as file:
        file.write(packer.compress(HEADER.encode()))
        for _ in range(300):  # 300 MB from some 50 kB
            file.write(packer.compress(line))
        file.write(packer.flush())
    with pytest.raises(DataError, match="at most"):
        read(path)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400))
def test_arbitrary_bytes_are_an_error_of_ours(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("junk") / "f.csv"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read(path)


def test_a_faulty_file_leaves_no_thread_even_while_its_error_is_looked_at(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(DataError, match="no column emotion") as caught:
        read(write(tmp_path / "f.csv", "(#"))
    assert caught.value.__traceback__ is not None  # holds what read() held
    assert threading.active_count() == before


def test_sources_name_what_they_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no data set"):
        load_dataset(str(tmp_path / "absent.csv"))
    with pytest.raises(DataError, match="not a data set that fer-edge can read"):
        load_dataset(str(write(tmp_path / "notes.txt", "hello")))


def test_the_real_rows(fer2013: Path) -> None:
    """Counts as published; see the data's README."""
    dataset = load_dataset(str(fer2013))
    assert dataset.split("train").class_counts(7) == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert dataset.split("validation").class_counts(7) == [467, 56, 496, 895, 653, 415, 607]
    with pytest.raises(DataError, match="no test split"):
        dataset.split("test")


def test_an_xz_that_asks_for_gigabytes_of_dictionary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.csv.xz"
    packed = lzma.compress(HEADER.encode(), preset=0)
    at = packed.index(b"\x21\x01") + 2  # the filter's one property: 2 ^ 30 bytes of dictionary
    header = bytearray(packed[12 : 12 + (packed[12] + 1) * 4])
    header[at - 12] = 36
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    path.write_bytes(packed[:12] + header + packed[12 + len(header) :])
    with pytest.raises(DataError, match="Memory usage limit"):
        read(path)


def test_a_name_longer_than_any_file_has_is_an_error_of_ours() -> None:
    with pytest.raises(DataError, match="There is no data set"):
        load_dataset("x" * 5000)
