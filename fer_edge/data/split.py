"""The typed records that labelled images travel in. NumPy only."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ConfigError, DataError

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

LabelSet = Literal["fer2013", "ferplus7", "ferplus8"]
"""Whose labels count: the data set's own, or FER+'s majority of 7 or 8 classes."""


@dataclass(frozen=True)
class Source:
    """What a user named, and how it is to be read.

    Attributes:
        name: `sample`, a path, or the name of a Kaggle set.
        detect: A detector that finds the face in photographs; empty when they are crops.
        ferplus: Path of FER+'s votes for the rows; empty without.
        labels: Whose labels count; the others than `fer2013` need `ferplus`.
    """

    name: str
    detect: str = ""
    ferplus: str = ""
    labels: LabelSet = "fer2013"

    def __post_init__(self) -> None:
        if self.labels not in get_args(LabelSet):
            options = ", ".join(get_args(LabelSet))
            raise ConfigError(f"Expected the labels {options}, found {self.labels!r}.")
        if self.labels != "fer2013" and not self.ferplus:
            raise ConfigError(f"The labels {self.labels} need FER+'s votes: add --ferplus FILE.")
        if self.name == "sample" and (self.detect or self.ferplus):
            raise ConfigError(
                "The drawn sample takes no --detect and no --ferplus. Name other data with --data."
            )

    @property
    def title(self) -> str:
        """Of tables: what was named, without folders, and what was done to it."""
        words = [Path(self.name).name or self.name]
        words += [f"faces by {self.detect.partition(':')[0]}"] if self.detect else []
        words += [f"FER+ votes ({self.labels} labels)"] if self.ferplus else []
        return ", ".join(words)


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

    def images_sha256(self) -> str:
        """Returns the SHA-256 of the images in the order of their ids, whatever file held them."""
        return hashlib.sha256(self.images[np.argsort(self.ids)].tobytes()).hexdigest()

    def class_counts(self, n_classes: int) -> list[int]:
        """Returns how many images each class has."""
        return [int(count) for count in np.bincount(self.labels, minlength=n_classes)]


@dataclass(frozen=True)
class Dataset:
    """A labelled data set with its splits.

    Attributes:
        source: What the user named.
        sha256: Of the source's bytes, or of the arrays where it was drawn.
        emotions: Class names in label order.
        splits: The splits there are.
        format: How the source was read, in words.
        notes: What a user should know of how it was read: skipped files, splits that were drawn.
        names: Of the files, by id; empty where rows have only numbers.
    """

    source: Source
    sha256: str
    emotions: tuple[str, ...]
    splits: Mapping[SplitName, Split]
    format: str = ""
    notes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def describe(self) -> str:
        """Returns how the data set was read and what is in it, as lines of text."""
        sizes = ", ".join(f"{name} {len(split)}" for name, split in self.splits.items())
        first = f"{self.source.title}: {self.format}; {sizes}"
        return "\n".join([first, *(f"  note: {note}" for note in self.notes)])

    def split(self, name: SplitName) -> Split:
        """Returns one split.

        Raises:
            DataError: The data set has no such split, or it is empty.
        """
        found = self.splits.get(name)
        if found is None or not len(found):
            have = ", ".join(f"{key} ({len(value)})" for key, value in self.splits.items())
            raise DataError(f"{self.source.name} has no {name} split. It has: {have or 'nothing'}.")
        return found
