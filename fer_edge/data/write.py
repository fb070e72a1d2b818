"""A data set as pictures in folders, an emotion each: what other tools read, and `sources` too."""

import itertools
from pathlib import Path

import numpy as np

from fer_edge import files
from fer_edge.data.split import Dataset, Split, SplitName
from fer_edge.errors import OutputError
from fer_edge.images import encode_image


def refuse_target(folder: Path, source: Path, *, force: bool) -> None:
    """Raises OutputError where `write_folders` would destroy what it did not make.

    Args:
        folder: Where it is to write.
        source: Where the data set lies.
        force: Replace an earlier result; pictures by number and nothing else.
    """
    target, origin = folder.resolve(), source.resolve()
    if source.exists() and (target in (origin, *origin.parents) or origin in target.parents):
        raise OutputError(
            f"{folder} is the data set itself, or inside it, or around it. Nothing was written: "
            "choose another folder."
        )
    files.refuse_existing(folder, force=force)
    if folder.exists() and (foreign := _first_foreign(folder)):
        raise OutputError(
            f"{folder} holds {foreign}, which fer-edge data write has not made. It was left as it "
            "is: choose another folder."
        )


def _first_foreign(folder: Path) -> Path | None:
    """Returns something in a folder that `write_folders` does not write."""
    if not folder.is_dir():
        return folder
    for path in folder.rglob("*"):
        numbered = path.suffix == ".png" and path.stem.isdigit() and path.parent != folder
        if not path.is_dir() and not numbered:
            return path
    return None


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
