"""Copies, conflicts and blanks: what has to leave Training before a figure can be trusted."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.contents import content_ids, is_blank
from fer_edge.data.near import NearPairs, near_pairs
from fer_edge.data.split import Dataset


@dataclass(frozen=True)
class CleaningReport:
    """How many Training rows went, and why; each row is counted once, in this order.

    Attributes:
        blank: One gray level throughout.
        in_evaluation: The same image stands in validation or test.
        conflicting: The same image carries different labels inside Training; every copy goes.
        redundant: A further copy with the same label; the first one stays.
        kept: Rows that are left.
        near_evaluation: A near copy stands in validation or test; 0 where nobody looked.
        near_conflicting: A near copy inside Training is labelled otherwise; both go; likewise.
    """

    blank: int
    in_evaluation: int
    conflicting: int
    redundant: int
    kept: int
    near_evaluation: int = 0
    near_conflicting: int = 0


def clean_training(dataset: Dataset, *, near: bool = False) -> tuple[Dataset, CleaningReport]:
    """Returns the data set with a cleaned train split, and what went from it.

    Validation and test stay as published, so that figures compare with other people's.

    Args:
        dataset: With a train split.
        near: Look for near copies, too; a quarter of a minute for FER2013.
    """
    train = dataset.split("train")
    held_out = [split for name, split in dataset.splits.items() if name != "train" and len(split)]
    images = np.concatenate([split.images for split in (train, *held_out)])
    (contents,) = content_ids(images)
    own, others = np.split(contents, [len(train)])

    blank = is_blank(train.images)
    conflicting = _label_conflicts(own, train.labels)
    first = np.zeros_like(blank)
    first[np.unique(own, return_index=True)[1]] = True
    reasons = [blank, np.isin(own, others), conflicting, ~first]
    if near:
        reasons += _near_faults(near_pairs(images), contents, train.labels)
    gone = np.zeros_like(blank)
    counts = []
    for reason in reasons:
        counts.append(int(np.sum(reason & ~gone)))
        gone |= reason
    cleaned = train.take(~gone)
    splits = {**dataset.splits, "train": cleaned}
    blanks, evaluated, conflicts, copies, *nearly = counts
    report = CleaningReport(blanks, evaluated, conflicts, copies, len(cleaned), *nearly)
    return dataclasses.replace(dataset, splits=splits), report


def _near_faults(
    pairs: NearPairs, contents: NDArray[np.intp], labels: NDArray[np.uint8]
) -> list[NDArray[np.bool_]]:
    """Returns which Training rows have a near copy outside, and which one that contradicts them.

    Args:
        pairs: Of all rows, Training's first; of equal images they name one.
        contents: intp, (n,), of all rows.
        labels: uint8, of Training's rows.
    """
    own, others = np.split(contents, [len(labels)])
    both = np.stack([contents[pairs.first], contents[pairs.second]])  # (2, m)
    outside = np.isin(both, others)
    leaking = both[outside[::-1]]  # the partners of what stands outside
    label_of = np.full(int(contents.max(initial=0)) + 1, -1)
    label_of[own] = labels
    seen = label_of[both]
    contrary = both[:, (seen.min(axis=0, initial=0) >= 0) & (seen[0] != seen[1])]
    return [np.isin(own, leaking), np.isin(own, contrary)]


def _label_conflicts(numbers: NDArray[np.intp], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): which rows share their content number with a row labelled otherwise."""
    n = int(numbers.max()) + 1
    low, high = np.full(n, 255, np.uint8), np.zeros(n, np.uint8)
    np.minimum.at(low, numbers, labels)
    np.maximum.at(high, numbers, labels)
    return np.not_equal(low, high)[numbers]
