"""Judges what a camera gives: black, frozen, garbage or nothing. Has no clock and no thread."""

import math
from dataclasses import astuple, dataclass
from typing import Literal, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ConfigError

UNREADABLE: NDArray[np.uint8] = np.empty((0, 0, 3), np.uint8)
"""What a source gives for a picture that came and could not be decoded."""

Fault = Literal["black", "frozen", "garbage"]
FAULTS: dict[Fault, str] = {
    "black": "only black pictures come; look for a lens cap",
    "frozen": "the same picture comes again and again",
    "garbage": "what comes is no picture, or one of another size than before",
}
"""What each is, in words."""

Verdict = Literal["healthy", "doubtful", "unusable"] | Fault

_N_ROWS = 12  # that are looked at: 23 kB of 640 x 480 x 3, 0.02 ms
_BLACK_LEVEL = 16  # video's black; a covered sensor's noise stays under it
_BLACK_SHARE = 0.99  # a hot pixel or a clock in a corner does not make a black picture bright
_BLACK_SPREAD = 4.0  # standard deviation, in levels; a dark scene with things in it has more
_MIN_SAME_FRAMES = 3


@dataclass(frozen=True)
class Limits:
    """How many seconds of a fault are borne before it counts. A healthy frame ends each.

    Attributes:
        stall_s: Without any frame, or in one call.
        open_s: From an opening to its first frame before it is given up; `stall_s` reports it.
        black_s: Of black frames only.
        frozen_s: Of equal frames only. A sensor always has noise, but a network camera that
            compresses well may repeat a still picture: give it more.
        garbage_s: Of frames only that are no pictures, or of another size.
    """

    stall_s: float = 2.0
    open_s: float = 10.0
    black_s: float = 2.0
    frozen_s: float = 2.0
    garbage_s: float = 1.0

    def __post_init__(self) -> None:
        if not all(limit > 0 for limit in astuple(self)):
            raise ConfigError(f"Expected limits over 0 seconds, found {self}.")


class Health:
    """The health of one opening of a source.

    Of a recording only the kind of array counts: it may be black, still and of several sizes.

    Args:
        limits: See `Limits`.
        is_live: Whether it is no recording.
        start_s: When it was opened.
    """

    def __init__(self, limits: Limits, *, is_live: bool, start_s: float) -> None:
        self._limits = limits
        self._is_live = is_live
        self._last_s = start_s
        self._shape: tuple[int, ...] | None = None
        self._rows: NDArray[np.uint8] | None = None
        self._n_same = 0
        self._same_since_s = start_s
        self._black_since_s: float | None = None
        self._garbage_since_s: float | None = None

    @property
    def stalls_at(self) -> float:
        """The time at which the source has stalled if nothing comes before."""
        return self._last_s + self._limits.stall_s if self._is_live else math.inf

    def judge(self, time_s: float, image: NDArray[np.uint8] | None) -> Verdict:
        """Returns what a frame says of the camera.

        Args:
            time_s: When it came, by the clock that `start_s` is of.
            image: uint8, (h, w, 3), BGR; anything else, None too, is garbage.

        Returns:
            `healthy`: It differs from the one before, and is not black.
            `doubtful`: It may be shown, but proves nothing: it is the first, or black, or the
            same, and that has not lasted.
            `unusable`: It must not be shown.
            `black`, `frozen` or `garbage`: It has been so for as long as the limits bear.
        """
        self._last_s = time_s
        if not self._is_usable(image):
            return self._judge_garbage(time_s)
        self._garbage_since_s = None
        if not self._is_live:
            return "healthy"
        self._shape = image.shape
        return self._judge_rows(time_s, image[:: max(1, image.shape[0] // _N_ROWS)].copy())

    def _is_usable(self, image: NDArray[np.uint8] | None) -> TypeGuard[NDArray[np.uint8]]:
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size):
            return False
        if not self._is_live or self._shape is None:
            return image.ndim == 3 and image.shape[2] == 3
        return image.shape == self._shape

    def _judge_garbage(self, time_s: float) -> Verdict:
        if self._garbage_since_s is None:
            self._garbage_since_s = time_s
        has_lasted = time_s - self._garbage_since_s >= self._limits.garbage_s
        return "garbage" if has_lasted and self._is_live else "unusable"

    def _judge_rows(self, time_s: float, rows: NDArray[np.uint8]) -> Verdict:
        is_first = self._rows is None
        is_black = _is_black(rows)
        self._count_same(time_s, rows)
        if not is_black:
            self._black_since_s = None
        elif self._black_since_s is None:
            self._black_since_s = time_s
        elif time_s - self._black_since_s >= self._limits.black_s:
            return "black"
        same_s = time_s - self._same_since_s
        if self._n_same >= _MIN_SAME_FRAMES and same_s >= self._limits.frozen_s:
            return "frozen"
        return "doubtful" if is_first or is_black or self._n_same > 1 else "healthy"

    def _count_same(self, time_s: float, rows: NDArray[np.uint8]) -> None:
        if self._rows is not None and np.array_equal(rows, self._rows):
            self._n_same += 1
        else:
            self._n_same, self._same_since_s = 1, time_s
            self._rows = rows


def _is_black(rows: NDArray[np.uint8]) -> bool:
    levels = rows.reshape(len(rows), -1)
    dark = levels <= _BLACK_LEVEL
    if np.count_nonzero(dark) < _BLACK_SHARE * dark.size:
        return False
    _, spread = cv2.meanStdDev(levels, mask=dark.view(np.uint8))  # a tenth of NumPy's time
    return float(spread[0, 0]) <= _BLACK_SPREAD
