"""From what a user names to a typed data set: the one door into labelled images."""

from pathlib import Path

from fer_edge.contract import EMOTIONS
from fer_edge.data import cache, fer2013
from fer_edge.data.split import Dataset
from fer_edge.errors import DataError


def load_dataset(source: str) -> Dataset:
    """Returns the data set that `source` names.

    Args:
        source: `sample` for the faces that fer-edge draws, or the path of a FER2013 CSV
            (plain, .gz or .xz). A CSV is parsed once and kept in the cache by its content.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    if source == "sample":
        from fer_edge.data.sample import sample_dataset

        return sample_dataset()
    path = Path(source)
    if not path.is_file():
        raise DataError(
            f"There is no data set {source!r}. "
            "Expected the word sample, or the path of a FER2013 CSV (plain, .gz or .xz)."
        )
    if not path.name.endswith(fer2013.SUFFIXES):
        raise DataError(
            f"{path} is not a data set that fer-edge can read. "
            f"Expected a name that ends in {', '.join(fer2013.SUFFIXES)}."
        )
    try:
        sha256 = cache.content_hash(path)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}. Check its permissions.") from exc
    splits = cache.load(sha256)
    if splits is None:
        splits = fer2013.read_fer2013(path)
        cache.store(sha256, splits)
    return Dataset(source, sha256, EMOTIONS, splits)
