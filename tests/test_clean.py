"""Cleaning: each row that goes, goes for one stated reason."""

from pathlib import Path

import numpy as np

from fer_edge.contract import EMOTIONS
from fer_edge.data.clean import CleaningReport, clean_training
from fer_edge.data.contents import content_ids, is_blank, is_leaked
from fer_edge.data.sample import draw_face
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset, Source, Split

FACES = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
BLANK = np.full((48, 48), 7, np.uint8)


def split(*rows: tuple[np.ndarray, int], first_id: int = 0) -> Split:
    images = np.array([image for image, _ in rows])
    labels = np.array([label for _, label in rows], np.uint8)
    return Split(images, labels, np.arange(first_id, first_id + len(rows)))


def test_each_reason_is_counted_once() -> None:
    train = split(
        (FACES[0], 1),
        (FACES[0], 1),  # repeated
        (FACES[0], 1),  # and again
        (FACES[1], 2),
        (FACES[1], 3),  # labelled in two ways: both go
        (FACES[2], 4),  # in validation
        (FACES[2], 4),  # in validation, and repeated: counted as in validation
        (BLANK, 0),
        (FACES[3], 5),
    )
    validation = split((FACES[2], 4), first_id=100)
    dataset = Dataset(Source("made"), "", EMOTIONS, {"train": train, "validation": validation})
    cleaned, report = clean_training(dataset)
    assert report == CleaningReport(blank=1, in_evaluation=2, conflicting=2, redundant=2, kept=2)
    assert cleaned.split("train").ids.tolist() == [0, 8]
    assert cleaned.split("validation") is validation


def test_near_copies_go_when_asked_for() -> None:
    rng = np.random.default_rng(3)
    a, b, c, d, e = (draw_face(EMOTIONS[k], rng) for k in range(5))
    brighter = np.clip(a.astype(int) + 5, 0, 255).astype(np.uint8)
    train = split(
        (a[:, ::-1], 0),  # mirrored in validation: goes
        (a[:, ::-1], 0),  # repeated
        (brighter, 0),  # relit in validation: goes
        (b, 1),
        (b[:, ::-1], 2),  # contradicts the one before: both go
        (c, 2),
        (c[:, ::-1], 2),  # a near copy that says the same: stays
        (d, 3),  # in validation
        (np.roll(d, 1, axis=0), 3),  # near to a row that stands in both: goes
        (e, 4),
    )
    validation = split((a, 0), (d, 3), first_id=100)
    dataset = Dataset(Source("made"), "", EMOTIONS, {"train": train, "validation": validation})
    plain, _ = clean_training(dataset)
    assert plain.split("train").ids.tolist() == [0, 2, 3, 4, 5, 6, 8, 9]
    cleaned, report = clean_training(dataset, near=True)
    assert cleaned.split("train").ids.tolist() == [5, 6, 9]
    assert report == CleaningReport(
        blank=0,
        in_evaluation=1,
        conflicting=0,
        redundant=1,
        near_evaluation=3,
        near_conflicting=2,
        kept=3,
    )


def test_content_ids_are_equal_where_pixels_are() -> None:
    first, second = content_ids(FACES[[0, 1, 0]], FACES[[1, 2]])
    assert first[0] == first[2] != first[1] == second[0] != second[1]


def test_blank_and_leaked() -> None:
    assert is_blank(np.array([BLANK, FACES[0]])).tolist() == [True, False]
    one_pixel_off = FACES[0].copy()
    one_pixel_off[0, 0] ^= 1
    own = split((FACES[0], 0), (one_pixel_off, 0))
    assert is_leaked(own, split((FACES[0], 3), (FACES[5], 1))).tolist() == [True, False]


def test_the_real_rows(fer2013: Path) -> None:
    """Figures from the data's README; 11 of the 12 blanks stand in Training."""
    dataset = load_dataset(str(fer2013))
    train, validation = dataset.split("train"), dataset.split("validation")
    (numbers,) = content_ids(train.images)
    assert len(train) - len(np.unique(numbers)) == 1236
    assert int(is_leaked(validation, train).sum()) == 280
    assert train.ids[is_blank(train.images)].tolist() == [
        *(6458, 7629, 10423, 11286, 13148, 13402, 13988, 15894, 22198, 22927, 28601)
    ]
    cleaned, report = clean_training(dataset)
    assert report.kept == 27170 == len(cleaned.split("train"))
    assert not is_leaked(validation, cleaned.split("train")).any()
