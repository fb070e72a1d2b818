"""Frames with their faces drawn in, and a video file of them. Only for those who ask for one."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import Record, StatusRecord, TrackedFace
from fer_edge.errors import ConfigError, OutputError
from fer_edge.files import is_writable_folder, refuse_existing
from fer_edge.predict import Face, annotate

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}
FASTEST_FPS = 240.0
LONGEST_GAP_S = 2.0
RESERVE_BYTES = 16 * 1024 * 1024


def draw_faces(
    image: NDArray[np.uint8], faces: Sequence[TrackedFace], emotions: Sequence[str]
) -> NDArray[np.uint8]:
    """Returns a copy of a frame with each face's box, number and emotion: `#2 sad? 41%`.

    Args:
        image: uint8, (h, w, 3), BGR; left as it is.
        faces: What to draw.
        emotions: The model's class names in label order.
    """
    # `annotate` names a face by its class: here each face is a class of its own, with its number.
    names = [f"#{face.id} {emotions[face.label]}" for face in faces]
    shares = np.diag([float(face.probabilities[face.label]) for face in faces]).astype(np.float32)
    numbered = [
        Face(face.box, shares[number], number, face.is_unsure) for number, face in enumerate(faces)
    ]
    return annotate(image, numbered, names)


class VideoFile:
    """A video of the frames with their faces drawn in, which runs as fast as what it shows.

    A picture is repeated or left out where frames come slower or faster than the video's; of a
    longer gap two seconds stay. Frames of another size than the first are fitted into it.

    A player needs the end of the file, which `close` writes. What a killed process leaves of an
    `.avi` still plays, without its last second or so; of an `.mp4` it does not.

    Args:
        path: `.avi` (Motion JPEG) or `.mp4` (MPEG-4 Part 2).
        fps: Of the video, over 0 and up to 240.
        emotions: The model's class names in label order.
        force: Whether a file that is there may be replaced.

    Raises:
        ConfigError: Another suffix, or a rate out of range.
        OutputError: The file is there already, or its folder cannot be written.
    """

    def __init__(
        self, path: Path, fps: float, emotions: Sequence[str], *, force: bool = False
    ) -> None:
        if path.suffix.lower() not in CODECS:
            raise ConfigError(f"Expected a video's name to end in .avi or .mp4, found {path.name}.")
        if not 0 < fps <= FASTEST_FPS:
            raise ConfigError(f"Expected over 0 and up to {FASTEST_FPS:.0f} fps, found {fps}.")
        refuse_existing(path, force=force)
        if path.is_dir() or not is_writable_folder(path.parent):
            raise OutputError(
                f"Cannot write {path}. Choose a place for the video that you may write to."
            )
        self.name = f"video {path}"
        self._path, self._fps, self._emotions = path, fps, emotions
        self._writer: Any = None
        self._size = (0, 0)  # width, height
        self._n_written = 0
        self._start_s = self._last_s = 0.0

    def write(self, record: Record, image: NDArray[np.uint8] | None) -> None:
        """Draws and writes a frame; a record without one leaves the video as it is.

        Raises:
            OutputError: The disk is all but full, or OpenCV cannot write such a video.
        """
        if image is None or isinstance(record, StatusRecord):
            return
        picture = draw_faces(image, record.faces, self._emotions)
        try:
            self._append(picture, record.time_s)
        except (OSError, cv2.error) as exc:  # such as a stick that was pulled
            raise OutputError(
                f"Cannot write {self._path}: {getattr(exc, 'strerror', None) or exc}. Expected a "
                "place with room that you may write to."
            ) from exc

    def close(self) -> None:
        """Writes the video's end."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def _append(self, picture: NDArray[np.uint8], time_s: float) -> None:
        """Writes a picture as often as it is due."""
        if self._writer is None:
            self._open(picture)
        self._check_room()
        if n := self._n_due(time_s):
            fitted = _fitted(picture, self._size)
            for _ in range(n):
                self._writer.write(fitted)
            self._n_written += n

    def _open(self, image: NDArray[np.uint8]) -> None:
        """Begins the video with the size of its first frame."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        height, width = image.shape[:2]
        code = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._path.absolute()), code, self._fps, (width, height))
        if not writer.isOpened():
            raise OutputError(
                f"OpenCV cannot write {self._path} with frames of {width} x {height} at "
                f"{self._fps:g} fps. Choose another place, or the other of .avi and .mp4."
            )
        self._writer, self._size = writer, (width, height)

    def _check_room(self) -> None:
        # OpenCV does not tell when a disk is full, and the video's end needs room as well.
        free = shutil.disk_usage(self._path.parent).free
        if free < RESERVE_BYTES:
            raise OutputError(
                f"{free / 2**20:.0f} MiB are free for {self._path}, expected at least "
                f"{RESERVE_BYTES // 2**20}. Make room, or write the video elsewhere."
            )

    def _n_due(self, time_s: float) -> int:
        """Returns how often to write a picture so that the video's time is the frames' time."""
        gap_s = time_s - self._last_s
        if not self._n_written or not 0 <= gap_s <= LONGEST_GAP_S:
            kept_s = LONGEST_GAP_S if self._n_written and gap_s > LONGEST_GAP_S else 1 / self._fps
            last_s = (self._n_written - 1) / self._fps  # of the last picture, in the video
            self._start_s = time_s - last_s - kept_s
        self._last_s = time_s
        return max(0, math.floor((time_s - self._start_s) * self._fps + 0.5) + 1 - self._n_written)


def _fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns a picture of a width and height, with black beside it where its shape differs."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas
