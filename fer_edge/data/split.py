"""The typed records that labelled images travel in. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Labelled face crops.

    Attributes:
        images: uint8, (n, 48, 48), gray, 0-255.
        labels: uint8, (n,), indices into the data set's emotions.
        ids: int64, (n,), the row of each image in its source; unique over all splits.
        soft: float32, (n, k), rows that sum to 1, where labels are distributions; else None.

    Raises:
        DataError: The arrays do not belong together.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    ids: NDArray[np.int64]
    soft: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.dtype != np.uint8 or self.images.shape[1:] != (48, 48):
            raise DataError(
                "Expected images as uint8 (n, 48, 48), "
                f"found {self.images.dtype} {self.images.shape}."
            )
        if self.labels.shape != (n,) or self.ids.shape != (n,):
            raise DataError(
                f"Expected {n} labels and ids for {n} images, "
                f"found {self.labels.shape} labels and {self.ids.shape} ids."
            )
        if self.soft is not None and len(self.soft) != n:
            raise DataError(f"Expected {n} soft labels, found {len(self.soft)}.")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Split":
        """Returns the rows picked by indices or by a mask, in that order."""
        soft = None if self.soft is None else self.soft[rows]
        return Split(self.images[rows], self.labels[rows], self.ids[rows], soft)

    def class_counts(self, n_classes: int) -> list[int]:
        """Returns how many images each class has."""
        return [int(count) for count in np.bincount(self.labels, minlength=n_classes)]


@dataclass(frozen=True)
class Dataset:
    """A labelled data set with its official splits.

    Attributes:
        source: What the user named: a path, or `sample`.
        sha256: Hash of the source's bytes, or of the arrays where it was drawn.
        emotions: Class names in label order.
        splits: The splits there are.
    """

    source: str
    sha256: str
    emotions: tuple[str, ...]
    splits: Mapping[SplitName, Split]

    def split(self, name: SplitName) -> Split:
        """Returns one split.

        Raises:
            DataError: The data set has no such split, or it is empty.
        """
        found = self.splits.get(name)
        if found is None or not len(found):
            have = ", ".join(f"{key} ({len(value)})" for key, value in self.splits.items())
            raise DataError(f"{self.source} has no {name} split. It has: {have or 'nothing'}.")
        return found
