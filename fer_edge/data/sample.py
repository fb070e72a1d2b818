"""Faces that fer-edge draws itself: the data set that needs no download, and pictures for tests.

Which muscles an emotion moves and how that looks is in `drawn`; poses, light and camera are here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS
from fer_edge.data.drawn.paint import Pose, paint
from fer_edge.data.drawn.people import act, meet
from fer_edge.data.drawn.portrait import draw_portrait
from fer_edge.data.split import SPLIT_NAMES, Dataset, Source, Split
from fer_edge.errors import DataError

N_PER_CLASS = (200, 40, 60)
"""Train, validation and test images a class."""

HAAR_HALF = 1.1
"""Face units from the middle to the side of the square that OpenCV's face cascade finds: mean of
248 drawn faces. The data set's crops have that size, so that its models fit detected faces."""


@dataclass(frozen=True)
class Scene:
    """A picture with people in it.

    Attributes:
        image: uint8, (h, w, 3), BGR, all three channels alike.
        boxes: int64, (n, 4), x, y, width, height in pixels of the square round each face.
        emotions: What each face shows, in the order of the boxes.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.int64]
    emotions: tuple[str, ...]


def sample_dataset(*, n_per_class: tuple[int, int, int] = N_PER_CLASS, seed: int = 0) -> Dataset:
    """Returns a data set of drawn faces, all different, the same for the same arguments.

    Args:
        n_per_class: Train, validation and test images a class.
        seed: Decides everything; a split does not depend on the sizes of the others.

    Raises:
        DataError: A split would have no images.
    """
    if len(n_per_class) != len(SPLIT_NAMES) or min(n_per_class) < 1:
        raise DataError(
            "Expected how many train, validation and test images a class to draw, each at least 1, "
            f"found {n_per_class}."
        )
    splits, digest, first = {}, hashlib.sha256(), 0
    for number, (name, n) in enumerate(zip(SPLIT_NAMES, n_per_class, strict=True)):
        rng = np.random.default_rng([seed, number])
        labels = np.tile(np.arange(len(EMOTIONS), dtype=np.uint8), n)
        images = np.stack([draw_face(EMOTIONS[label], rng) for label in labels])
        splits[name] = Split(images, labels, first + np.arange(len(labels)))
        first += len(labels)
        digest.update(images.tobytes() + labels.tobytes())
    return Dataset(
        Source("sample"), digest.hexdigest(), EMOTIONS, splits, format="drawn by fer-edge"
    )


def draw_face(emotion: str, rng: np.random.Generator, *, size: int = 48) -> NDArray[np.uint8]:
    """Returns a drawn face of somebody who shows an emotion, uint8 (size, size), gray.

    Raises:
        DataError: There is no such emotion.
    """
    portrait = draw_portrait(act(emotion, rng), meet(rng))
    half = size / 2
    pose = Pose(
        x=half * (1 + rng.uniform(-0.08, 0.08)) - 0.5,
        y=half * (1 + rng.uniform(-0.06, 0.06)) - 0.5,
        half_px=half / HAAR_HALF * rng.uniform(0.92, 1.08),
        **_hold(rng),
    )
    wall = _wall(size, size, rng)
    return _photograph(paint(wall, [(portrait, pose)]), rng)


def draw_scene(
    emotions: Sequence[str],
    rng: np.random.Generator,
    *,
    face_px: int = 160,
    size: tuple[int, int] = (480, 640),
) -> Scene:
    """Returns a picture of people side by side in front of a wall, as a camera would give it.

    Args:
        emotions: What each person shows, from left to right; may be empty.
        rng: Decides who they are.
        face_px: Side of the square round each face.
        size: Height and width of the picture.

    Raises:
        DataError: The people do not fit, or there is no such emotion.
    """
    height, width = size
    room = width / max(len(emotions), 1)
    if face_px < 16 or room < 1.3 * face_px or height < 2 * face_px:
        raise DataError(
            f"{len(emotions)} faces of {face_px} pixels do not fit into {width} x {height}. "
            "Expected faces of at least 16 pixels, 1.3 of them in width each and 2 in height."
        )
    wall = _wall(height, width, rng)
    faces, boxes = [], []
    for number, emotion in enumerate(emotions):
        x = room * (number + 0.5) + rng.uniform(-0.1, 0.1) * face_px
        y = height / 2 + rng.uniform(-0.25, 0.25) * face_px
        portrait = draw_portrait(act(emotion, rng), meet(rng))
        faces.append((portrait, Pose(x, y, face_px / 2 / HAAR_HALF, **_hold(rng))))
        boxes.append((round(x - face_px / 2), round(y - face_px / 2), face_px, face_px))
    gray = _photograph(paint(wall, faces), rng)
    image = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    return Scene(np.asarray(image, np.uint8), np.array(boxes).reshape(-1, 4), tuple(emotions))


def _hold(rng: np.random.Generator) -> dict[str, float]:
    """Returns how a head is held and lit."""
    return {
        "roll": rng.normal(0, 0.07),
        "yaw": rng.uniform(-0.14, 0.14),
        "pitch": rng.uniform(-0.07, 0.07),
        "light": rng.uniform(-1, 1),
    }


def _wall(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a wall, uint8 (height, width), a little lighter towards one side."""
    gray, slope = rng.uniform(50, 215), rng.uniform(-25, 25)
    row = np.rint(gray + slope * np.linspace(-1, 1, width)).astype(np.uint8)
    return np.repeat(row[None], height, axis=0)


def _photograph(picture: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a picture, float64 (h, w), as uint8: a little out of focus, exposed, with noise."""
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.25, 0.65))
    exposed = (blurred - 128) * rng.uniform(0.75, 1.1) + 128 + rng.uniform(-15, 15)
    noisy = exposed + rng.normal(0, rng.uniform(1, 5), picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
