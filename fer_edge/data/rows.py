"""What a reader found, and how it becomes train, validation and test. NumPy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.contents import content_ids
from fer_edge.data.labels import ALL_EMOTIONS, labels_present
from fer_edge.data.split import SPLIT_NAMES, Split, SplitName
from fer_edge.errors import DataError

HELD_OUT = 0.1
"""Share of the images that a split gets which nobody gave: a tenth, as FER2013's own have."""

SEED = 2013
"""Decides who is held out; fixed, so that two people with one data set compare the same figures."""


@dataclass(frozen=True)
class Rows:
    """Labelled images as they stand in a source.

    Attributes:
        images: uint8, (n, 48, 48), gray.
        labels: uint8, (n,), indices into `ALL_EMOTIONS`.
        splits: int8, (n,), indices into `SPLIT_NAMES`, -1 where the source gives none.
        names: Of the files, one an image; empty where the rows have only numbers.
        notes: What a reader should know of how they were read.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    splits: NDArray[np.int8]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sorted:
    """Rows in their splits.

    Attributes:
        emotions: Those that occur, in label order; the splits' labels count them.
        splits: All three; one that is not there is empty. Ids are positions in the rows.
        notes: Those of the rows, and what was done here.
        names: Those of the rows.
        format: How they were read, in words.
    """

    emotions: tuple[str, ...]
    splits: dict[SplitName, Split]
    notes: tuple[str, ...]
    names: tuple[str, ...]
    format: str


@dataclass(frozen=True)
class Found:
    """A data set that was read.

    Attributes:
        sha256: Of the bytes that it was made from, and of the options that changed it.
        data: Its rows in their splits.
    """

    sha256: str
    data: Sorted


def sort_rows(rows: Rows, source: str, format: str) -> Sorted:
    """Returns rows in the splits that the source gives; what it does not give is held out.

    Without any split a tenth becomes validation and a tenth test; without validation a tenth of
    train becomes validation. Drawn with a fixed seed, class by class; identical images stay
    together, in train where their labels differ.

    Raises:
        DataError: Only some rows have a split, there are fewer than two emotions, or an emotion
            of validation or test is not in train.
    """
    emotions = labels_present({ALL_EMOTIONS[label] for label in np.unique(rows.labels)})
    if len(emotions) < 2:
        raise DataError(
            f"{source}: expected at least two emotions, found {' and '.join(emotions) or 'none'}. "
            "A classifier needs something to tell apart."
        )
    labels = np.array([emotions.index(e) if e in emotions else 0 for e in ALL_EMOTIONS], np.uint8)
    splits, notes = _complete(rows, source)
    whole = Split(rows.images, labels[rows.labels], np.arange(len(rows.labels), dtype=np.int64))
    found = {name: whole.take(splits == number) for number, name in enumerate(SPLIT_NAMES)}
    missing = _missing_classes(found, emotions, source)
    return Sorted(emotions, found, (*rows.notes, *notes, *missing), rows.names, format)


def _complete(rows: Rows, source: str) -> tuple[NDArray[np.int8], list[str]]:
    """Returns a split for every row, and what was decided."""
    given = rows.splits >= 0
    if given.any() and not given.all():
        raise DataError(
            f"{source}: {int(given.sum())} images stand in a train, validation or test folder and "
            f"{int((~given).sum())} do not. Expected all or none: sort the others in, or remove "
            "them."
        )
    n_of = {name: int(np.sum(rows.splits == number)) for number, name in enumerate(SPLIT_NAMES)}
    if not given.any():
        splits = _hold_out(rows, np.zeros(len(given), np.int8), ("validation", "test"))
        return splits, [
            "it gives no splits: 80% train, 10% validation, 10% test, drawn class by class with a "
            "fixed seed, identical images together"
        ]
    if n_of["train"] and not n_of["validation"]:
        splits = _hold_out(rows, rows.splits.copy(), ("validation",))
        return splits, [
            "it gives no validation split: a tenth of train became it, drawn class by class with a "
            "fixed seed, identical images together"
        ]
    return rows.splits, []


def _hold_out(
    rows: Rows, splits: NDArray[np.int8], names: tuple[SplitName, ...]
) -> NDArray[np.int8]:
    """Returns splits with a tenth of each class gone from train to each of those named."""
    (contents,) = content_ids(rows.images)
    free = (splits == 0) & ~_is_conflicting(contents, rows.labels)
    rng = np.random.default_rng(SEED)
    for label in np.unique(rows.labels):
        mine = np.flatnonzero(free & (rows.labels == label))
        groups = rng.permutation(np.unique(contents[mine]))
        n_each = max(1, round(HELD_OUT * len(groups)))
        for position, name in enumerate(names):
            if len(groups) <= (position + 1) * n_each:
                break  # the last one stays in train
            chosen = groups[position * n_each : (position + 1) * n_each]
            splits[mine[np.isin(contents[mine], chosen)]] = SPLIT_NAMES.index(name)
    return splits


def _is_conflicting(contents: NDArray[np.intp], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): which images stand there with another label, too.

    They stay in train: together, and out of what is measured.
    """
    pairs = np.unique(np.stack([contents, labels.astype(np.intp)]), axis=1)
    return np.bincount(pairs[0])[contents] > 1


def _missing_classes(
    splits: dict[SplitName, Split], emotions: tuple[str, ...], source: str
) -> list[str]:
    """Returns a note for each split that lacks an emotion.

    Raises:
        DataError: It is train: what is not there cannot be learnt.
    """
    notes = []
    for name, split in splits.items():
        counts = split.class_counts(len(emotions))
        absent = [emotion for emotion, n in zip(emotions, counts, strict=True) if not n]
        if not len(split) or not absent:
            continue
        if name == "train":
            raise DataError(
                f"{source}: its train split has no image of {', '.join(absent)}, which other "
                "splits have. Add some, or remove the emotion everywhere."
            )
        notes.append(f"its {name} split has no image of {', '.join(absent)}")
    return notes
