"""Teachers that are asked while their student learns, about each image as the student sees it.

A teacher's answer to the image as it was taken does not fit what became of it: shifted, turned,
partly erased, mixed with another. Source: Beyer et al., Knowledge distillation: A good teacher is
patient and consistent, arXiv:2106.05237.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.contract import INPUT_SHAPE
from fer_edge.data.split import Dataset
from fer_edge.distill import describe_teacher, stored_labels, teacher_network
from fer_edge.errors import ConfigError
from fer_edge.keras_network import load_network
from fer_edge.metrics import softmax
from fer_edge.recipe import Recipe

if TYPE_CHECKING:
    import keras

SIDE = INPUT_SHAPE[1]


@dataclass(frozen=True)
class LiveTeachers:
    """Networks that answer together.

    Attributes:
        files: Where each was loaded from.
        names: Each teacher's name and SHA-256.
        networks: In the same order.
    """

    files: tuple[Path, ...]
    names: tuple[str, ...]
    networks: tuple[keras.Model, ...]

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns float32 (n, k): the mean answer to a batch of images, uint8 (n, side, side, 1).

        Images of another side than the networks' are resized for them.
        """
        if images.shape[1] != SIDE:
            resized = [cv2.resize(i, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for i in images]
            images = np.stack(resized)[..., None]
        found = [softmax(np.asarray(n.predict_on_batch(images))) for n in self.networks]
        return np.asarray(np.mean(found, axis=0), np.float32)


def divide_teachers(names: Sequence[str], recipe: Recipe) -> tuple[list[str], list[str]]:
    """Returns the teachers that are asked once, before the training, and those asked within.

    Raises:
        ConfigError: The recipe asks for the latter, and none of them can be asked.
    """
    if not names or not recipe.live_teachers:
        return list(names), []
    once = [name for name in names if stored_labels(name)]
    live = [name for name in names if not stored_labels(name)]
    if not live:
        raise ConfigError(
            "Recipe field live_teachers: expected a network as --teacher, found "
            f"{', '.join(once)}. Soft labels cannot be asked about varied images."
        )
    return once, live


def load_live(names: Sequence[str], dataset: Dataset) -> LiveTeachers:
    """Loads teachers by name.

    Raises:
        ConfigError: A network answers other emotions than the data set has.
        ModelFormatError: A network cannot be found or loaded.
    """
    return _load([teacher_network(name, dataset) for name in names])


def keep_live(folder: Path, teachers: LiveTeachers) -> None:
    """Copies teachers into a folder, for a training that goes on.

    Raises:
        OutputError: It cannot be written.
    """
    with files.replacing(folder) as temporary:
        temporary.mkdir()
        for number, file in enumerate(teachers.files):
            shutil.copyfile(file, temporary / f"{number}.keras")


def kept_live(folder: Path) -> LiveTeachers | None:
    """Returns the teachers that `keep_live` copied; None where there are none."""
    found = sorted(folder.glob("*.keras"), key=lambda path: int(path.stem))
    return _load(found) if found else None


def _load(paths: Sequence[Path]) -> LiveTeachers:
    return LiveTeachers(
        tuple(paths),
        tuple(describe_teacher(path) for path in paths),
        tuple(load_network(path) for path in paths),
    )
