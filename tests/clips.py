"""Clips made from still pictures: heads that move over a wall, with the true box of each.

A clip is a generator of shots: uint8 BGR frames of 640 x 480, a true box a head, sensor noise.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.data.sample import draw_scene
from fer_edge.faces import FaceBox
from fer_edge.images import read_image
from tests.conftest import SHARED

WIDTH, HEIGHT = 640, 480
PORTRAITS = SHARED / "portraits"
# Reference squares (x, y, side): the mean of what YuNet and the Haar cascade find in the pictures.
FACES = {
    "biden.jpg": (410.5, 205.0, 329.0),
    "obama.jpg": (354.0, 104.5, 285.0),
}
CUT_SIDE = 200  # px: the stills are brought to about the size that they have in a clip


@dataclass(frozen=True)
class Head:
    """A head cut from a still.

    Attributes:
        picture: float32, (h, w, 3), BGR.
        mask: float32, (h, w), 1 where the head is, 0 where the wall shows, soft between.
        x: Of the face's centre, in pixels of the picture.
        y: Likewise.
        side: Of the face's reference square.
    """

    picture: NDArray[np.float32]
    mask: NDArray[np.float32]
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Pose:
    """Where a head is: the centre and the side of its square, in pixels of the frame."""

    x: float
    y: float
    side: float

    @property
    def box(self) -> FaceBox:
        """The true box."""
        return FaceBox(self.x - self.side / 2, self.y - self.side / 2, self.side, self.side, 1.0)


Route = Callable[[float], Pose | None]
"""Where a head is at a time in seconds; None where it is not in the picture."""
Part = tuple[Head, Route]


@dataclass(frozen=True)
class Shot:
    """One frame of a clip.

    Attributes:
        time_s: From 0.
        image: uint8, (480, 640, 3), BGR.
        boxes: The true box of each head; None for one that is not seen.
    """

    time_s: float
    image: NDArray[np.uint8]
    boxes: tuple[FaceBox | None, ...]


def portrait_head(name: str) -> Head:
    """Returns the head of a portrait; skips the test where the portraits are absent."""
    if not PORTRAITS.is_dir():
        pytest.skip(f"the portraits are not here ({PORTRAITS})")
    x, y, side = FACES[name]
    return cut_head(read_image(PORTRAITS / name), FaceBox(x, y, side, side, 1.0))


def drawn_head(emotion: str = "happy", seed: int = 0) -> Head:
    """Returns the head of a drawn face."""
    scene = draw_scene([emotion], np.random.default_rng(seed), face_px=CUT_SIDE)
    x, y, side, _ = map(float, scene.boxes[0])
    return cut_head(scene.image, FaceBox(x, y, side, side, 1.0))


def cut_head(image: NDArray[np.uint8], box: FaceBox) -> Head:
    """Cuts an oval round a face out of a picture."""
    scale = CUT_SIDE / box.width
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y = (box.x + box.width / 2) * scale, (box.y + box.height / 2) * scale
    mask = np.zeros(small.shape[:2], np.float32)
    radii = (round(0.62 * CUT_SIDE), round(0.85 * CUT_SIDE))
    cv2.ellipse(mask, (round(x), round(y)), radii, 0, 0, 360, (1.0,), cv2.FILLED)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.03 * CUT_SIDE).astype(np.float32)
    return Head(small.astype(np.float32), soft, x, y, CUT_SIDE)


def shoot(
    *parts: Part, seconds: float, fps: int = 15, noise: float = 2.0, seed: int = 0
) -> Iterator[Shot]:
    """Yields a clip's shots, of which no two are equal.

    Args:
        parts: Heads and where they go; later ones are in front of earlier ones.
        seconds: Its length.
        fps: Shots per second.
        noise: Of the sensor, in gray levels: the standard deviation. 2 is a webcam's indoors.
        seed: Decides the noise.
    """
    rng = np.random.default_rng(seed)
    wall = _wall()
    grain = rng.normal(0, noise, (HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)
    for number in range(round(seconds * fps)):
        time_s = number / fps
        poses = [route(time_s) for _, route in parts]
        image = wall.copy()
        for (head, _), pose in zip(parts, poses, strict=True):
            if pose:
                _paste(image, head, pose)
        dx, dy = rng.integers(0, 64, 2)
        image += grain[dy : dy + HEIGHT, dx : dx + WIDTH]
        image += np.float32(rng.normal(0, 0.3))  # the lamp's hum
        boxes = tuple(pose.box if pose else None for pose in poses)
        yield Shot(time_s, np.clip(np.rint(image), 0, 255).astype(np.uint8), boxes)


def still(x: float = 320, y: float = 240, side: float = 150) -> Route:
    """A head that does not move."""
    return lambda _: Pose(x, y, side)


def pan(px_per_s: float = 150, *, side: float = 150, y: float = 240) -> Route:
    """From left to right and back between the picture's quarters, turning at once."""
    low, high = 160.0, 480.0

    def route(time_s: float) -> Pose:
        along = (px_per_s * time_s) % (2 * (high - low))
        return Pose(low + min(along, 2 * (high - low) - along), y, side)

    return route


def sway(px: float = 120, period_s: float = 2.0, *, side: float = 150) -> Route:
    """To and fro along a sine, as people move: at most 2 pi `px` / `period_s` pixels a second."""
    turn = 2 * math.pi / period_s
    return lambda time_s: Pose(320 + px * math.sin(turn * time_s), 240, side)


def zoom(low: float = 80, high: float = 220, period_s: float = 4.0) -> Route:
    """Nearer and away again; the side swings between two sizes along a sine of its logarithm."""

    def route(time_s: float) -> Pose:
        share = (1 - math.cos(2 * math.pi * time_s / period_s)) / 2
        return Pose(320, 240, low * (high / low) ** share)

    return route


def walk(start: float, stop: float, seconds: float, *, y: float = 240, side: float = 130) -> Route:
    """From one x to another at a constant speed, then still there."""
    return lambda t: Pose(start + (stop - start) * min(1.0, t / seconds), y, side)


def away(leaves_s: float, back_s: float, *, side: float = 150) -> Route:
    """In the middle, gone from one time to another, then back."""
    return lambda time_s: None if leaves_s <= time_s < back_s else Pose(320, 240, side)


def _wall() -> NDArray[np.float32]:
    """Returns a wall with soft shadows, float32 (480, 640, 3), always the same."""
    coarse = np.random.default_rng(7).uniform(90, 170, (6, 8, 3)).astype(np.float32)
    wall = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return wall.astype(np.float32)


def _paste(image: NDArray[np.float32], head: Head, pose: Pose) -> None:
    """Puts a head into a frame, float32 (480, 640, 3), in place."""
    scale = pose.side / head.side
    left, right = (round(min(max(pose.x + way * pose.side, 0), WIDTH)) for way in (-1, 1))
    top, bottom = (round(min(max(pose.y + way * pose.side, 0), HEIGHT)) for way in (-1, 1))
    if left == right or top == bottom:
        return
    # Pixel i reaches from i to i + 1, while OpenCV's coordinates are those of pixel centres.
    dx = pose.x - left - 0.5 - scale * (head.x - 0.5)
    dy = pose.y - top - 0.5 - scale * (head.y - 0.5)
    matrix = np.array([[scale, 0, dx], [0, scale, dy]])
    size = (right - left, bottom - top)
    picture = cv2.warpAffine(head.picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(head.mask, matrix, size)[..., None]
    under = image[top:bottom, left:right]
    under += mask * (picture - under)
