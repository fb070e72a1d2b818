"""The cache: the same arrays, and a changed file is noticed."""

import os
from pathlib import Path

import numpy as np
import pytest

from fer_edge.data import cache
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset
from tests.conftest import csv_text


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cached_equals_parsed(fresh: Path, drawn_csv: Path) -> None:
    first, second = load_dataset(str(drawn_csv)), load_dataset(str(drawn_csv))
    assert cache.load(first.sha256) is not None
    assert list(fresh.glob("data-v2/*/images.npy"))
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.images, second.split(name).images)
        np.testing.assert_array_equal(split.ids, second.split(name).ids)


def test_a_changed_file_is_read_again(drawn: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    text = csv_text(drawn)
    path.write_text(text)
    before = load_dataset(str(path))
    path.write_text(text.replace("Training", "PublicTest", 1))
    after = load_dataset(str(path))
    assert after.sha256 != before.sha256
    assert len(after.split("validation")) == len(before.split("validation")) + 1


def test_a_change_of_the_same_size_is_noticed(drawn: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    text = csv_text(drawn)
    path.write_text(text)
    before = load_dataset(str(path))
    digit = text.index("\n") + 1
    path.write_text(text[:digit] + ("1" if text[digit] == "0" else "0") + text[digit + 1 :])
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert load_dataset(str(path)).sha256 != before.sha256


@pytest.mark.parametrize("damage", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_a_damaged_cache_is_made_again(damage: bytes, fresh: Path, drawn_csv: Path) -> None:
    good = load_dataset(str(drawn_csv))
    (images,) = fresh.glob("data-v2/*/images.npy")
    images.write_bytes(damage)
    again = load_dataset(str(drawn_csv))
    np.testing.assert_array_equal(again.split("train").images, good.split("train").images)


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_csv: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file"))
    assert len(load_dataset(str(drawn_csv)).split("train")) == 210
