"""Face detectors, and THE face crop of the contract. Knows nothing of emotions or models.

Every detector answers in the reference square: the box that OpenCV's Haar frontal-face cascade
gives. FER2013 was cropped with it, so a network that was trained there expects it.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ConfigError, DataError, ModelFormatError
from fer_edge.images import to_gray

CROP_SIDE = 48
MAX_SQUARE = 8192
"""Of a crop, in pixels: the largest square that a picture of `images.MAX_PIXELS` holds."""

MAX_DETECTOR_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class FaceBox:
    """One face: the reference square, in pixels of its picture, which it may leave.

    Attributes:
        x: Left edge; pixel i reaches from i to i + 1.
        y: Top edge.
        width: Not negative.
        height: Not negative.
        score: The detector's own; larger is surer, not comparable between detectors.

    Raises:
        DataError: A number is not finite, or a size negative.
    """

    x: float
    y: float
    width: float
    height: float
    score: float

    def __post_init__(self) -> None:
        numbers = (self.x, self.y, self.width, self.height, self.score)
        if not all(map(math.isfinite, numbers)) or self.width < 0 or self.height < 0:
            raise DataError(f"Expected a box of finite numbers and sizes from 0, found {self}.")


class Detector(Protocol):
    """What finds faces."""

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        """Returns the faces in a BGR picture, uint8 (h, w, 3), from left to right."""


class HaarDetector:
    """The Haar cascade that ships with OpenCV 4: no download, upright frontal faces from 40 px."""

    # Chosen on shared/data/portraits, seven whole faces of two people: 30 pictures of 480-1280 px
    # with 35 faces, and 72 collages of 640 and 1280 px with 766 faces of 36-64 px. It finds 35, and
    # 573 of the 577 from 40 px, with 1 false alarm; `alt2` has 6 at the same settings, `default`
    # about 60 at near ones. On 1,000 FER2013 crops the three find 69, 70 and 72%; their boxes there
    # are within 3% of the crop and of one another, so they do not tell which made FER2013.
    _CASCADE = "haarcascade_frontalface_alt.xml"
    _SCALE_STEP = 1.15
    _MIN_NEIGHBOURS = 4
    _MIN_FACE = 32
    _SEARCH_SIDE = 1280

    def __init__(self) -> None:
        """Loads the cascade.

        Raises:
            ConfigError: This OpenCV has no cascades; version 5 dropped them.
        """
        self._cascade = _load_cascade(self._CASCADE)

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        """Returns the faces in a BGR picture, uint8 (h, w, 3), from left to right."""
        gray = to_gray(image)
        shrink = max(1.0, max(gray.shape) / self._SEARCH_SIDE)
        if shrink > 1:
            gray = _resize(gray, gray.shape[1] / shrink, gray.shape[0] / shrink)
        boxes, _, scores = self._cascade.detectMultiScale3(
            gray,
            scaleFactor=self._SCALE_STEP,
            minNeighbors=self._MIN_NEIGHBOURS,
            minSize=(self._MIN_FACE, self._MIN_FACE),
            outputRejectLevels=True,
        )
        squares = np.asarray(boxes, np.float64).reshape(-1, 4) * shrink
        return _tidy(
            FaceBox(x, y, width, height, score)
            for (x, y, width, height), score in zip(
                squares.tolist(), np.ravel(scores).tolist(), strict=True
            )
        )


class YuNetDetector:
    """YuNet, a small network: faster and surer than the cascade, and sees half-hidden faces."""

    _INPUT_SIDE = 320
    # Of the portraits' true faces the least sure had 0.83, a waving hand 0.65.
    _MIN_SCORE = 0.7
    _MAX_OVERLAP = 0.3
    _MAX_FACES = 500

    # YuNet's box is tall, forehead to chin. HaarDetector's square around the same face has the
    # same area (median side 1.001 x the root of the area, standard deviation 0.046) and lies
    # higher by 1.2% of YuNet's height (0.017), sideways by nothing (0.045). n = 14: the seven whole
    # faces of shared/data/portraits (two people), each also mirrored; for each the median box over
    # pictures of 640, 760, 900, 1070 and 1280 px. A check on 600 FER2013 crops, less the bias of
    # seeing no more than the crop (measured on the same faces), says 1.04 and 0.
    _RISE = 0.012

    def __init__(self, path: Path) -> None:
        """Opens the static 320 x 320 model and runs it once.

        Raises:
            ModelFormatError: The file is absent, damaged, or not a YuNet that OpenCV can run.
        """
        if not path.is_file() or path.stat().st_size > MAX_DETECTOR_BYTES:
            raise ModelFormatError(
                f"Cannot read the detector {path}: expected YuNet as an ONNX file of up to "
                f"{MAX_DETECTOR_BYTES // 2**20} MiB, found none. Check its path."
            )
        side = self._INPUT_SIDE
        try:
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", (side, side), self._MIN_SCORE, self._MAX_OVERLAP, self._MAX_FACES
            )
            self.detect(np.zeros((side, side, 3), np.uint8))
        except cv2.error as exc:
            raise ModelFormatError(
                f"OpenCV {cv2.__version__} cannot run {path} as a face detector. Expected YuNet "
                "with the fixed input 320 x 320 (its `dynamic` file does not load); found: "
                f"{' '.join(exc.err.split())[:200]}."
            ) from exc

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        """Returns the faces in a BGR picture, uint8 (h, w, 3), from left to right."""
        side = self._INPUT_SIDE
        scale = min(1.0, side / max(image.shape[:2]))
        small = _resize(image, image.shape[1] * scale, image.shape[0] * scale)
        canvas = np.zeros((side, side, 3), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        _, rows = self._network.detect(canvas)
        if rows is None:
            return []
        return _tidy(
            _reference_square(row[:4] / scale, float(row[14]), rise=self._RISE)
            for row in rows.astype(np.float64)
            if np.isfinite(row).all()
        )


class NoDetector:
    """Takes the whole picture for a face: for pictures that are face crops already."""

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        """Returns one box: the largest square in the middle of the picture."""
        height, width = image.shape[:2]
        side = min(height, width)
        return [FaceBox((width - side) / 2, (height - side) / 2, side, side, 1.0)]


def make_detector(spec: str) -> Detector:
    """Returns the detector that a command line names.

    Args:
        spec: `haar`, `yunet:PATH` or `none`.

    Raises:
        ConfigError: It is none of these, or `haar` and this OpenCV has no cascades.
        ModelFormatError: YuNet's file is absent or broken.
    """
    if spec == "haar":
        return HaarDetector()
    if spec == "none":
        return NoDetector()
    name, _, path = spec.partition(":")
    if name == "yunet" and path:
        return YuNetDetector(Path(path))
    raise ConfigError(f"Expected the detector haar, yunet:PATH or none, found {spec!r}.")


def crop_face(image: NDArray[np.uint8], box: FaceBox, *, margin: float = 0.0) -> NDArray[np.uint8]:
    """Returns THE face crop of the contract, what a network eats.

    Each step in integers, or in float64 in the order written, so that every client can do the same:

    1. `size = max(width, height) * (1 + 2 * margin)`; `n = floor(size + 0.5)`, 1 to 8192.
    2. `left = floor(x + width / 2 - n / 2 + 0.5)`, `top` likewise: the square is the pixels
       `left ... left + n - 1` of the rows `top ... top + n - 1`.
    3. A pixel outside the picture is the nearest one inside: each coordinate is clamped.
    4. Gray: `(3735 B + 19235 G + 9798 R + 16384) >> 15`.
    5. To 48 x 48 by `cv2.INTER_AREA`. From n of 48 on, a pixel is the mean of the n/48 x n/48
       square that it covers, parts of pixels weighted by their area, rounded half to even (for
       n = 96: half up). Below 48, with `s = floor(i * n / 48)` and
       `f = max(0, i + 1 - (s + 1) * 48 / n)`, it is `(1 - f) p[s] + f p[min(s + 1, n - 1)]` along
       both axes; OpenCV's fixed point differs from that by up to 1.

    Args:
        image: uint8, (h, w, 3) BGR, (h, w, 4) BGRA or (h, w) gray, not empty.
        box: The face, anywhere.
        margin: What is added on each side, as a fraction of the box, 0 to 1.

    Returns:
        uint8, (48, 48), 0-255.

    Raises:
        ConfigError: The margin is out of range.
        DataError: The picture is empty or of another kind.
    """
    if not 0 <= margin <= 1:
        raise ConfigError(f"Expected a margin from 0 to 1, found {margin}.")
    height, width = image.shape[:2]
    side = math.floor(min(max(box.width, box.height) * (1 + 2 * margin), MAX_SQUARE) + 0.5)
    side = max(1, side)
    columns = _clamped(box.x + box.width / 2, side, width)
    rows = _clamped(box.y + box.height / 2, side, height)
    seen = to_gray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    square = seen[rows - rows[0]][:, columns - columns[0]]
    return _resize(square, CROP_SIDE, CROP_SIDE)


def _clamped(centre: float, side: int, limit: int) -> NDArray[np.intp]:
    """Returns the coordinates of a square's pixels along one axis, clamped into the picture."""
    # Bounded before it becomes an integer: past these ends the answer stays the same.
    start = math.floor(min(max(centre - side / 2 + 0.5, -side), limit))
    return np.clip(np.arange(start, start + side), 0, limit - 1)


def _resize(image: NDArray[np.uint8], width: float, height: float) -> NDArray[np.uint8]:
    size = (max(1, round(width)), max(1, round(height)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _reference_square(box: NDArray[np.float64], score: float, *, rise: float) -> FaceBox:
    """Returns the square of a box's area, `rise` heights higher; box: (4,), x, y, width, height."""
    x, y, width, height = map(float, box)
    side = math.sqrt(max(0.0, width) * max(0.0, height))
    left, top = x + width / 2 - side / 2, y + height / 2 - side / 2 - rise * height
    return FaceBox(left, top, side, side, score)


def _tidy(boxes: Iterable[FaceBox]) -> list[FaceBox]:
    """Drops the less sure of two boxes that share over half of the smaller; sorts by x."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if not any(_shared(box, other) > 0.5 for other in kept):
            kept.append(box)
    return sorted(kept, key=lambda box: (box.x, box.y))


def _shared(a: FaceBox, b: FaceBox) -> float:
    """Returns the area that two boxes share, as a fraction of the smaller one."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    smaller = min(a.width * a.height, b.width * b.height)
    return max(0.0, width) * max(0.0, height) / smaller if smaller else 0.0


def _load_cascade(name: str) -> cv2.CascadeClassifier:
    """Opens a cascade from OpenCV's wheel, or from where Debian's opencv-data puts it."""
    wheel = getattr(cv2, "data", None)
    folders = [wheel.haarcascades] if wheel else []
    for folder in (*folders, "/usr/share/opencv4/haarcascades"):
        path = Path(folder) / name
        if path.is_file() and hasattr(cv2, "CascadeClassifier"):
            return cv2.CascadeClassifier(str(path))
    raise ConfigError(
        f"The detector haar needs {name} of OpenCV 4, and OpenCV {cv2.__version__} is here "
        "without it. Install it with: pip install 'opencv-python-headless>=4.11,<5' "
        "(on Debian: apt install opencv-data), or use yunet:PATH."
    )
