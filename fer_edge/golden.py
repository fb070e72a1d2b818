"""The inputs that runtimes are compared on: drawn faces, and patterns that no face is like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS, INPUT_SHAPE
from fer_edge.data.sample import sample_dataset

N = 256
FACES_EACH = 20  # of each emotion
SIDE = INPUT_SHAPE[1]
FACE = "face"  # with which their names begin


@dataclass(frozen=True)
class Golden:
    """Inputs with names.

    Attributes:
        images: uint8 (n, 48, 48).
        names: One each, for people.
    """

    images: NDArray[np.uint8]
    names: tuple[str, ...]


def golden_inputs() -> Golden:
    """Returns the 256 inputs, always the same."""
    split = sample_dataset(n_per_class=(1, 1, FACES_EACH)).split("test")
    named = [
        (f"{FACE} {number}, drawn {EMOTIONS[label]}", image)
        for number, (label, image) in enumerate(zip(split.labels, split.images, strict=True))
    ]
    named += [*_flat(), *_checkerboards(), *_stripes(), *_ramps(), *_single_pixels()]
    rng = np.random.default_rng(0)
    named += [
        (f"noise {number}", rng.integers(0, 256, (SIDE, SIDE))) for number in range(N - len(named))
    ]
    return Golden(np.stack([image for _, image in named]).astype(np.uint8), tuple(dict(named)))


def is_face(name: str) -> bool:
    """Tells whether an input's name is that of a face; the others are of patterns."""
    return name.startswith(FACE)


Named = list[tuple[str, NDArray[np.integer]]]


def _flat() -> Named:
    return [(f"all {value}", np.full((SIDE, SIDE), value)) for value in (0, 1, 127, 128, 254, 255)]


def _checkerboards() -> Named:
    rows, columns = np.indices((SIDE, SIDE))
    return [
        (
            f"checkerboard of {size}, {first} first",
            255 * (((rows // size + columns // size) % 2) ^ first),
        )
        for size in (1, 2, 3, 4, 6, 8, 12, 24)
        for first in (0, 1)
    ]


def _stripes() -> Named:
    rows, columns = np.indices((SIDE, SIDE))
    return [
        (f"{name} stripes of {size}", 255 * (places // size % 2))
        for name, places in (("level", rows), ("upright", columns))
        for size in (1, 2, 4, 8)
    ]


def _ramps() -> Named:
    rows, columns = np.indices((SIDE, SIDE))
    ways = {"down": rows, "right": columns, "diagonal": (rows + columns) / 2}
    ramps = {name: np.rint(places * 255 / (SIDE - 1)).astype(int) for name, places in ways.items()}
    return [
        (f"ramp {name}, {end}", values)
        for name, ramp in ramps.items()
        for end, values in (("brighter", ramp), ("darker", 255 - ramp))
    ]


def _single_pixels() -> Named:
    named: Named = []
    for row in (0, SIDE // 2, SIDE - 1):
        for column in (0, SIDE // 2, SIDE - 1):
            image = np.zeros((SIDE, SIDE), int)
            image[row, column] = 255
            place = f"at row {row}, column {column}"
            named += [
                (f"one white pixel {place}", image),
                (f"one black pixel {place}", 255 - image),
            ]
    return named
