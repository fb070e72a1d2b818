"""From what a user names to a typed data set: the one door into labelled images."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

from fer_edge import files
from fer_edge.data.formats import read_path
from fer_edge.data.kaggle import KAGGLE_SETS, cached_folder
from fer_edge.data.split import Dataset, Source
from fer_edge.errors import DataError


def load_dataset(
    source: Source | str, *, progress: Callable[[str, float], None] = lambda _what, _share: None
) -> Dataset:
    """Returns the data set that a source names. What was read once comes from the cache.

    Args:
        source: `sample` for the faces that fer-edge draws; the path of a FER2013 CSV, of a folder
            with a folder an emotion, or of an archive of either; or the name of a Kaggle set that
            was fetched. A path goes before a name.
        progress: Gets what is being done and the share that is done.

    Raises:
        DataError: There is no such data set, or it cannot be read.
        ConfigError: There is no such detector.
    """
    source = Source(source) if isinstance(source, str) else source
    if source.name == "sample":
        from fer_edge.data.sample import sample_dataset

        return sample_dataset()
    path, note = _locate(source.name)
    found = read_path(path, detect=source.detect, progress=progress)
    data = found.data
    notes = (*data.notes, *note)
    dataset = Dataset(
        source, found.sha256, data.emotions, data.splits, data.format, notes, data.names
    )
    return _with_votes(dataset) if source.ferplus else dataset


def _locate(name: str) -> tuple[Path, tuple[str, ...]]:
    """Returns where a data set lies, and what is to be known of it."""
    path = Path(name)
    if _exists(path):
        return path, ()
    if name in KAGGLE_SETS:
        folder = cached_folder(name)
        if folder is None:
            raise DataError(
                f"The Kaggle set {name} is not on this machine yet. Fetch it with: "
                f"fer-edge data fetch {name}"
            )
        note = KAGGLE_SETS[name].note
        return folder, (note,) if note else ()
    raise DataError(
        f"There is no data set {name!r}. Expected the word sample; the path of a FER2013 CSV, of "
        "a folder with a folder of pictures an emotion, or of a zip or tar of either; or one of "
        f"Kaggle's: {', '.join(KAGGLE_SETS)}."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any file's
        return False


def _with_votes(dataset: Dataset) -> Dataset:
    from fer_edge.data.ferplus import read_votes, with_votes

    path, labels = Path(dataset.source.ferplus), dataset.source.labels
    joined, report = with_votes(dataset, read_votes(path), labels=labels)
    own = f"{dataset.sha256} {files.sha256_of(path)} {labels}"
    return dataclasses.replace(
        joined,
        sha256=hashlib.sha256(own.encode()).hexdigest(),
        notes=(*joined.notes, *report.notes()),
    )
