"""A box for one frame, between the thread that reads a camera and the loop. Knows neither."""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import Frame
from fer_edge.errors import FerEdgeError


@dataclass(frozen=True)
class Counts:
    """What became of the frames: captured = delivered + dropped + the one that may be waiting.

    Attributes:
        captured: That were put into the box.
        delivered: That were taken out of it.
        dropped: That gave way to a newer one.
    """

    captured: int = 0
    delivered: int = 0
    dropped: int = 0


class Mailbox:
    """Holds the newest frame until it is taken; numbers and counts them all."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._arrived = threading.Condition(lock)  # or it was closed
        self._taken = threading.Condition(lock)  # likewise
        self._frame: Frame | None = None
        self._captured = self._delivered = self._dropped = 0
        self._is_closed = False
        self._error: FerEdgeError | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no frame waits to be taken."""
        with self._taken:
            return self._frame is None

    @property
    def counts(self) -> Counts:
        """What became of the frames so far."""
        with self._taken:
            return Counts(self._captured, self._delivered, self._dropped)

    def put(self, image: NDArray[np.uint8], time_s: float | None) -> None:
        """Puts a frame in, in place of one that is there.

        Args:
            image: uint8, (h, w, 3), BGR; it is not copied.
            time_s: See `Frame`; None takes its number.
        """
        with self._arrived:
            self._dropped += self._frame is not None
            number = self._captured
            self._frame = Frame(image, number, float(number) if time_s is None else time_s)
            self._captured += 1
            self._arrived.notify()

    def wait_until_empty(self) -> None:
        """Returns when the frame was taken, or the box is closed."""
        with self._taken:
            self._taken.wait_for(lambda: self._frame is None or self._is_closed)

    def take(self, timeout_s: float) -> Frame | None:
        """Returns the frame, or None where none comes in time or any more.

        Raises:
            FerEdgeError: The one that it was closed with, once the last frame was taken.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._frame is not None or self._is_closed, timeout_s)
            if self._frame is not None:
                frame, self._frame = self._frame, None
                self._delivered += 1
                self._taken.notify()
                return frame
            if self._error is not None:
                raise self._error
            return None

    def close(self, error: FerEdgeError | None = None) -> None:
        """Lets nobody wait any more; the frame inside can still be taken. Counts once.

        Args:
            error: Why, for whoever waits for frames.
        """
        with self._arrived:
            if not self._is_closed:
                self._is_closed, self._error = True, error
            self._arrived.notify_all()
            self._taken.notify_all()
