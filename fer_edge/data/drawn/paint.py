"""Flat layers and soft spots of light to pixels. Knows shapes and poses, not what they depict."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2), x and y in face units: 0 is the middle of the face, 1 half the crop's side, y down."""

SUPERSAMPLING = 3
SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Layer:
    """One flat shape.

    Attributes:
        points: Its corners.
        gray: 0-255.
        stroke: Line width in face units; 0 fills the polygon.
        depth: How far it moves when the head turns: 0 the outline, 1 the face, more the nose.
    """

    points: Points
    gray: float
    stroke: float = 0.0
    depth: float = 1.0


@dataclass(frozen=True)
class Drawing:
    """What is drawn.

    Attributes:
        layers: From back to front.
        solid: Contour of what the light falls on; everything else stays flat.
        spots: float64, (n, 5): x, y, radius across, radius down in face units, change of light
            as a share.
    """

    layers: list[Layer]
    solid: Points
    spots: NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """How the head is held and lit, and where it stands in the picture.

    Attributes:
        x: Of the middle of the face, pixels.
        y: Likewise.
        half_px: Pixels a face unit.
        roll: Radians.
        yaw: Face units by which what is nearest to the viewer moves to the right.
        pitch: Likewise, down.
        light: Where the light comes from, -1 (left) to 1 (right).
    """

    x: float
    y: float
    half_px: float
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    light: float = 0.0


def paint(
    picture: NDArray[np.uint8], drawings: Iterable[tuple[Drawing, Pose]]
) -> NDArray[np.float64]:
    """Returns float64 (h, w), 0-255: a gray picture, uint8 (h, w), with drawings over it."""
    height, width = picture.shape
    canvas = picture.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
    light = np.ones(picture.shape)
    for drawing, pose in drawings:
        _rasterise(canvas, drawing.layers, pose)
        light += _shading(picture.shape, drawing, pose)
    flat = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(flat * light, 0, 255)


def _rasterise(canvas: NDArray[np.uint8], layers: list[Layer], pose: Pose) -> None:
    """Draws layers on a supersampled canvas, in place; all points are placed at once, for speed."""
    sizes = [len(layer.points) for layer in layers]
    depth = np.repeat([layer.depth for layer in layers], sizes)
    pixels = _place(np.concatenate([layer.points for layer in layers]), depth, pose)
    fixed = _fixed_point((pixels + 0.5) * SUPERSAMPLING - 0.5)
    start = 0
    for layer, size in zip(layers, sizes, strict=True):
        points = fixed[start : start + size]
        start += size
        gray = min(max(round(layer.gray), 0), 255)
        if layer.stroke:
            width = max(1, round(layer.stroke * pose.half_px * SUPERSAMPLING))
            cv2.polylines(canvas, [points], False, (gray,), width, cv2.LINE_8, SUBPIXEL_BITS)
        else:
            cv2.fillPoly(canvas, [points], (gray,), cv2.LINE_8, SUBPIXEL_BITS)


def _shading(shape: tuple[int, ...], drawing: Drawing, pose: Pose) -> NDArray[np.float64]:
    """Returns float64 (h, w): by which share light changes each pixel; 0 outside what is solid."""
    solid = np.zeros(shape, np.uint8)
    contour = _place(drawing.solid, np.zeros(len(drawing.solid)), pose)
    cv2.fillPoly(solid, [_fixed_point(contour)], (255,), cv2.LINE_8, SUBPIXEL_BITS)

    centres = _place(drawing.spots[:, :2], np.ones(len(drawing.spots)), pose)
    radii = drawing.spots[:, 2:4] * pose.half_px
    columns, rows = np.arange(shape[1]), np.arange(shape[0])
    across = np.exp(-0.5 * ((columns - centres[:, :1]) / radii[:, :1]) ** 2)  # (spots, w)
    down = np.exp(-0.5 * ((rows - centres[:, 1:]) / radii[:, 1:]) ** 2)  # (spots, h)
    spots = (down * drawing.spots[:, 4:]).T @ across

    u = np.clip((columns - pose.x) / pose.half_px, -1, 1)
    v = np.clip((rows - pose.y) / pose.half_px, -1, 1)[:, None]
    roundness = -0.22 * np.minimum(u**2 + 0.6 * v**2, 1) ** 2
    return np.asarray(solid / 255 * (spots + roundness + 0.3 * pose.light * u))


def _place(points: Points, depth: NDArray[np.float64], pose: Pose) -> Points:
    """Returns face units as pixels: the turn of the head, then roll, size and position."""
    x, y = points.T
    x, y = x + pose.yaw * depth * (1 - 0.5 * x**2), y + pose.pitch * depth * (1 - 0.5 * y**2)
    cos, sin = pose.half_px * np.cos(pose.roll), pose.half_px * np.sin(pose.roll)
    return np.stack([pose.x + cos * x - sin * y, pose.y + sin * x + cos * y], axis=1)


def _fixed_point(pixels: Points) -> NDArray[np.int32]:
    """Returns pixels as OpenCV's fixed-point coordinates."""
    return np.rint(pixels * (1 << SUBPIXEL_BITS)).astype(np.int32)
