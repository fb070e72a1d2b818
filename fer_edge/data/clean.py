"""Exact duplicates and blanks: what has to leave Training before a figure can be trusted."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.split import Dataset, Split


@dataclass(frozen=True)
class CleaningReport:
    """How many Training rows went, and why; each row is counted once, in this order.

    Attributes:
        blank: One gray level throughout.
        in_evaluation: The same image stands in validation or test.
        conflicting: The same image carries different labels inside Training; every copy goes.
        redundant: A further copy with the same label; the first one stays.
        kept: Rows that are left.
    """

    blank: int
    in_evaluation: int
    conflicting: int
    redundant: int
    kept: int


def content_ids(*groups: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Returns, for each group of images, one number an image: equal exactly where pixels are.

    Args:
        groups: Arrays of images, uint8, (n, h, w), all of one height and width.
    """
    rows = np.ascontiguousarray(np.concatenate(groups)).reshape(sum(map(len, groups)), -1)
    _, numbers = np.unique(rows.view(f"V{rows.shape[1]}").ravel(), return_inverse=True)
    return np.split(numbers, np.cumsum([len(group) for group in groups])[:-1])


def is_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): which images, uint8 (n, h, w), have one gray level throughout."""
    flat = images.reshape(len(images), -1)
    return np.asarray(flat.min(axis=1) == flat.max(axis=1))


def is_leaked(split: Split, train: Split) -> NDArray[np.bool_]:
    """Returns bool, (n,): which images of `split` stand, pixel for pixel, in `train` as well."""
    own, other = content_ids(split.images, train.images)
    return np.isin(own, other)


def clean_training(dataset: Dataset) -> tuple[Dataset, CleaningReport]:
    """Returns the data set with a cleaned train split, and what went from it.

    Validation and test stay as published, so that figures compare with other people's.
    """
    train = dataset.split("train")
    held_out = [split for name, split in dataset.splits.items() if name != "train" and len(split)]
    own, *others = content_ids(train.images, *(split.images for split in held_out))

    blank = is_blank(train.images)
    in_evaluation = np.isin(own, np.concatenate(others)) if others else np.zeros_like(blank)
    conflicting = _label_conflicts(own, train.labels)
    first = np.zeros_like(blank)
    first[np.unique(own, return_index=True)[1]] = True

    reasons = [blank, in_evaluation, conflicting, ~first]
    gone = np.zeros_like(blank)
    counts = []
    for reason in reasons:
        counts.append(int(np.sum(reason & ~gone)))
        gone |= reason
    cleaned = train.take(~gone)
    splits = {**dataset.splits, "train": cleaned}
    blanks, evaluated, conflicts, copies = counts
    report = CleaningReport(blanks, evaluated, conflicts, copies, kept=len(cleaned))
    return dataclasses.replace(dataset, splits=splits), report


def _label_conflicts(numbers: NDArray[np.intp], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): which rows share their content number with a row labelled otherwise."""
    n = int(numbers.max()) + 1
    low, high = np.full(n, 255, np.uint8), np.zeros(n, np.uint8)
    np.minimum.at(low, numbers, labels)
    np.maximum.at(high, numbers, labels)
    return np.not_equal(low, high)[numbers]
