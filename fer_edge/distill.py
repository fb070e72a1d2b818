"""Distillation: what teachers answer to the training images, kept as a small file by row.

Source: Hinton et al., Distilling the Knowledge in a Neural Network, arXiv:1503.02531.
"""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.catalog import find_network, find_source, network_emotions
from fer_edge.data.split import Dataset, Split
from fer_edge.errors import ConfigError, DataError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax

SHIPPED = Path(__file__).resolve().parent / "recipes"
SUFFIX = ".npz"
LEVELS = 255
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError)
MAX_BYTES = 1024**3  # unpacked; FER2013's soft labels have 310 KiB
BATCH = 2048  # rows between two reports of progress


@dataclass(frozen=True)
class SoftLabels:
    """What teachers answer to the images of a train split, uncleaned.

    Attributes:
        ids: int64, (n,), rows of the data set.
        levels: uint8, (n, k), probabilities in steps of 1 / 255: fine enough for a target.
        emotions: Names of the columns.
        images_sha256: Of the images' bytes in the order of the ids.
        teachers: Each teacher's name and SHA-256.
    """

    ids: NDArray[np.int64]
    levels: NDArray[np.uint8]
    emotions: tuple[str, ...]
    images_sha256: str
    teachers: tuple[str, ...]

    def rows(self, split: Split) -> NDArray[np.float32]:
        """Returns float32 (n, k): the answers to a split's images, by their ids; they sum to 1.

        Raises:
            DataError: There is none for a row.
        """
        order = np.argsort(self.ids)
        place = np.searchsorted(self.ids, split.ids, sorter=order)
        found = order[np.minimum(place, len(order) - 1)]
        missing = np.flatnonzero(self.ids[found] != split.ids)
        if len(missing):
            raise DataError(
                f"The teachers' answers lack row {split.ids[missing[0]]} and {len(missing) - 1} "
                "more. Make them from this data set with: fer-edge teach"
            )
        levels = self.levels[found].astype(np.float32)
        return np.asarray(levels / levels.sum(axis=1, keepdims=True), np.float32)


def teach(
    names: Sequence[str],
    dataset: Dataset,
    *,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> SoftLabels:
    """Returns the mean answer of networks to the training images and to their mirror images.

    Args:
        names: Runs, shipped models or `.keras` files that tell the data set's emotions apart.
        dataset: With a train split.
        progress: Gets what is being done and the share that is done.

    Raises:
        ConfigError: A network answers other emotions.
        ModelFormatError: A network cannot be found or loaded.
    """
    split = dataset.split("train")
    total, teachers = np.zeros((len(split), len(dataset.emotions))), []
    for number, name in enumerate(names):
        path = teacher_network(name, dataset)
        network = load_network(path)
        for start in range(0, len(split), BATCH):
            progress(f"teacher {name}", (number + start / len(split)) / len(names))
            part = slice(start, start + BATCH)
            for images in (split.images[part], split.images[part, :, ::-1]):
                total[part] += softmax(logits_of(network, images)) / (2 * len(names))
        teachers.append(describe_teacher(path))
    return SoftLabels(
        split.ids,
        np.rint(total * LEVELS).astype(np.uint8),
        dataset.emotions,
        split.images_sha256(),
        tuple(teachers),
    )


def read_soft_labels(path: Path) -> SoftLabels:
    """Reads what `write_soft_labels` wrote.

    Raises:
        DataError: The file is damaged, or is none.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            if (unpacked := sum(m.file_size for m in packed.infolist())) > MAX_BYTES:
                raise ValueError(f"{unpacked} bytes unpacked, and at most {MAX_BYTES} are expected")
        with np.load(path, allow_pickle=False) as arrays:
            levels, ids = arrays["levels"], arrays["ids"].astype(np.int64)
            emotions, teachers = (tuple(map(str, arrays[key])) for key in ("emotions", "teachers"))
            if levels.dtype != np.uint8 or levels.shape != (len(ids), len(emotions)):
                raise ValueError(f"{levels.dtype} {levels.shape} for {len(ids)} rows")
            if not len(ids) or not levels.any(axis=1).all():
                raise ValueError("a row is all zeros, or there is none")
            if not teachers or not all(map(str.strip, teachers)):
                raise ValueError("it names no teacher")
            return SoftLabels(ids, levels, emotions, str(arrays["images_sha256"]), teachers)
    except (OSError, ValueError, KeyError, TypeError, EOFError, *BROKEN_ZIP) as exc:
        raise DataError(
            f"Cannot read the soft labels {path}: {exc}. Expected a file that fer-edge teach made."
        ) from exc


def write_soft_labels(path: Path, labels: SoftLabels) -> None:
    """Writes soft labels, a byte a probability, compressed; whole or not at all."""
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            levels=labels.levels,
            ids=labels.ids.astype(np.int32),
            emotions=np.array(labels.emotions),
            teachers=np.array(labels.teachers),
            images_sha256=np.array(labels.images_sha256),
        )


def find_soft_labels(
    names: Sequence[str],
    dataset: Dataset,
    *,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> SoftLabels:
    """Returns soft labels for a data set: the mean of its teachers, each of whom counts once.

    Args:
        names: Files of soft labels, names of those that ship, and networks, which are asked now.
        dataset: With a train split, uncleaned.
        progress: Gets what is being done and the share that is done.

    Raises:
        ConfigError: Something does not fit the data set.
        DataError: A file is damaged, or was made from other images.
    """
    networks = [name for name in names if not stored_labels(name)]
    found = [read_soft_labels(path) for name in names if (path := stored_labels(name))]
    for labels in found:
        check_soft_labels(labels, dataset)
    if networks:
        found.append(teach(networks, dataset, progress=progress))
    return found[0] if len(found) == 1 else _mean(found, dataset)


def _mean(parts: Sequence[SoftLabels], dataset: Dataset) -> SoftLabels:
    """Returns the mean of soft labels by how many teachers are behind each."""
    split = dataset.split("train")
    answers = np.stack([part.rows(split) for part in parts])
    mean = np.average(answers, axis=0, weights=[len(part.teachers) for part in parts])
    return SoftLabels(
        split.ids,
        np.rint(mean * LEVELS).astype(np.uint8),
        dataset.emotions,
        split.images_sha256(),
        tuple(teacher for part in parts for teacher in part.teachers),
    )


def check_soft_labels(labels: SoftLabels, dataset: Dataset) -> None:
    """Raises DataError unless soft labels are of a data set's training images and emotions."""
    split = dataset.split("train")
    labels.rows(split)
    if labels.emotions != dataset.emotions:
        raise DataError(
            f"Expected teachers of {', '.join(dataset.emotions)}, found answers to "
            f"{', '.join(labels.emotions)}."
        )
    if labels.images_sha256 != split.images_sha256():
        raise DataError(
            f"The soft labels are of other images than {dataset.source.name}: the hash of the "
            "train split differs. Make them from this data set with: fer-edge teach"
        )


def describe_teacher(network: Path) -> str:
    """Returns a teacher's name, folder and file, and its SHA-256."""
    return f"{network.parent.name}/{network.name} {files.sha256_of(network)}"


def stored_labels(name: str) -> Path | None:
    """Returns the file of soft labels that a teacher's name stands for; None for a network."""
    path = Path(name)
    if path.suffix == SUFFIX:
        return path
    shipped = SHIPPED / f"{name}{SUFFIX}"
    return shipped if shipped.is_file() and not path.exists() else None


def teacher_file(name: str) -> Path:
    """Returns the soft labels or the network that a teacher's name stands for.

    Raises:
        ModelFormatError: There is none.
    """
    return stored_labels(name) or find_network(name)


def teacher_network(name: str, dataset: Dataset) -> Path:
    """Returns the network of a teacher.

    Raises:
        ConfigError: It answers other emotions than the data set has.
        ModelFormatError: There is no such network.
    """
    model = find_source(name)
    if model.network is None:
        raise ConfigError(f"{name} has no float network that could teach.")
    known = network_emotions(model.network)
    if known and known != dataset.emotions:
        raise ConfigError(
            f"The teacher {name} tells {', '.join(known)} apart; the data has "
            f"{', '.join(dataset.emotions)}."
        )
    return model.network
