"""A data set as pictures in folders, an emotion each: what other tools read, and `sources` too."""

import itertools
from pathlib import Path

import numpy as np

from fer_edge import files
from fer_edge.data.split import Dataset, Split, SplitName
from fer_edge.images import encode_image


def write_folders(
    dataset: Dataset, folder: Path, *, split: SplitName | None = None, limit: int | None = None
) -> int:
    """Writes PNGs into `folder/split/emotion`, or of one split into `folder/emotion`.

    Args:
        dataset: What to write; files are named by the images' ids.
        folder: Appears whole or not at all; replaces what is there.
        split: Only this one.
        limit: Of images an emotion and split, the first ones; None is all.

    Returns:
        How many pictures were written.

    Raises:
        DataError: There is no such split.
        OutputError: The folder cannot be written.
    """
    chosen = {name: part for name, part in dataset.splits.items() if len(part)}
    if split:
        chosen = {split: dataset.split(split)}
    n = 0
    with files.replacing(folder) as target:
        for (name, part), (label, emotion) in itertools.product(
            chosen.items(), enumerate(dataset.emotions)
        ):
            place = target / emotion if split else target / name / emotion
            place.mkdir(parents=True)
            n += _write_class(part, label, place, limit)
    return n


def _write_class(split: Split, label: int, folder: Path, limit: int | None) -> int:
    rows = np.flatnonzero(split.labels == label)[:limit]
    for row in rows:
        path = folder / f"{split.ids[row]:05d}.png"
        path.write_bytes(encode_image(split.images[row], ".png"))
    return len(rows)
