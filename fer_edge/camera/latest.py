"""The newest record and frame, for viewers that come and go. Knows nothing of the network.

Nobody who is slow makes anything grow: a viewer gets the newest when it asks, and misses the rest.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.film import draw_faces
from fer_edge.camera.frames import FrameRecord, Record, StatusRecord

N_STATUSES = 20
JPEG_QUALITY = 80


@dataclass(frozen=True)
class Seen:
    """How far a viewer has got.

    Attributes:
        n_frames: Frame records that there were when it looked.
        n_statuses: Status records, likewise.
    """

    n_frames: int = 0
    n_statuses: int = 0


class Latest:
    """Holds what is new, and wakes those who wait for it.

    Args:
        emotions: The model's class names in label order, for what is drawn.
    """

    def __init__(self, emotions: Sequence[str]) -> None:
        self._emotions = emotions
        self._changed = threading.Condition()  # guards all but the JPEG
        self._frame: FrameRecord | None = None
        self._statuses: deque[StatusRecord] = deque(maxlen=N_STATUSES)
        self._n = Seen()
        self._picture: tuple[FrameRecord, NDArray[np.uint8]] | None = None
        self._n_pictures = 0
        self._is_over = False
        self._encoding = threading.Lock()  # guards the two below
        self._jpeg, self._n_jpeg = b"", 0

    @property
    def is_over(self) -> bool:
        """Whether nothing new will come."""
        return self._is_over

    def put(self, record: Record, image: NDArray[np.uint8] | None) -> None:
        """Takes what is new; `image`, uint8 (h, w, 3) BGR, is kept until the next."""
        with self._changed:
            if isinstance(record, StatusRecord):
                self._statuses.append(record)
                self._n = Seen(self._n.n_frames, self._n.n_statuses + 1)
            else:
                self._frame = record
                self._n = Seen(self._n.n_frames + 1, self._n.n_statuses)
                if image is not None:
                    self._picture = (record, image)
                    self._n_pictures += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Says that nothing new will come."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def news(self, seen: Seen, timeout_s: float) -> tuple[Seen, list[Record]]:
        """Waits for records that a viewer has not seen.

        Returns:
            How far it has got now; the last twenty statuses at most, then the newest frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._n != seen or self._is_over, timeout_s)
            n_new = min(self._n.n_statuses - seen.n_statuses, len(self._statuses))
            statuses = list(self._statuses)
            records: list[Record] = [*statuses[len(statuses) - n_new :]]
            if self._frame is not None and self._n.n_frames > seen.n_frames:
                records.append(self._frame)
            return self._n, records

    def jpeg(self, n_seen: int, timeout_s: float) -> tuple[int, bytes] | None:
        """Waits for a picture that a viewer has not seen; None if there is none in time.

        It is encoded here, by the first viewer that wants it, and for all of them.

        Args:
            n_seen: What came with the last picture, 0 before the first.
            timeout_s: How long to wait.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._n_pictures > n_seen or self._is_over, timeout_s)
            n, picture = self._n_pictures, self._picture
        if picture is None or n <= n_seen:
            return None
        with self._encoding:
            if self._n_jpeg < n:
                record, image = picture
                self._jpeg = _encode(draw_faces(image, record.faces, self._emotions))
                self._n_jpeg = n
            return self._n_jpeg, self._jpeg


def _encode(image: NDArray[np.uint8]) -> bytes:
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()
