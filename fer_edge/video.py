"""Video frames from outside, all of them hostile. Knows nothing of faces."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ConfigError, DataError
from fer_edge.images import MAX_PIXELS, require_file

VIDEO_SUFFIXES = frozenset(
    {".avi", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".webm", ".y4m"}
)


def is_video(path: Path) -> bool:
    """Tells by its suffix whether a file is a video that `read_frames` takes."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_frames(path: Path, *, every: int = 1) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """Yields a video's frames, in order, turned upright. Nothing is opened before the first.

    Args:
        path: A video file.
        every: Frames from one that is yielded to the next; the first frame always is.

    Yields:
        The frame's index from 0, its time in seconds, and the frame: uint8, (h, w, 3), BGR.

    Raises:
        ConfigError: `every` is under 1.
        DataError: The file cannot be opened as a video, or no frame of it can be decoded.
    """
    if every < 1:
        raise ConfigError(f"Expected to read every frame (1) or every n-th, found every={every}.")
    capture = _open_video(path)
    index = 0
    try:
        while capture.grab():
            if index % every == 0:
                decoded, frame = capture.retrieve()
                if not decoded:
                    break
                yield index, _time_of(capture, index), frame
            index += 1
    finally:
        capture.release()
    if not index:
        raise DataError(f"{path} holds no frame that can be decoded. Record or convert it again.")


def _open_video(path: Path) -> Any:
    require_file(path)  # VideoCapture would take addresses and pipelines, too
    try:
        # An absolute path cannot be taken for an address such as `concat:a|b`.
        capture = cv2.VideoCapture(str(path.resolve()))
    except cv2.error as exc:
        raise DataError(f"Cannot open {path} as a video: {exc.err}.") from exc
    if not capture.isOpened():
        raise DataError(
            f"Cannot open {path} as a video: it is damaged or of a kind that this OpenCV does "
            "not know. Convert it to MP4 (H.264), or leave it out."
        )
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if pixels > MAX_PIXELS:
        raise DataError(
            f"{path}: expected frames of up to {MAX_PIXELS:,} pixels, found {pixels:,.0f}. "
            "Make the video smaller."
        )
    return capture


def _time_of(capture: Any, index: int) -> float:
    """Returns the current frame's time in seconds."""
    time_s = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
    if time_s >= 0:
        return time_s
    # Raw MJPEG has no clock: OpenCV 4.14 counts frames there, 4.11 gives about -10^13 s.
    frames_per_s = float(capture.get(cv2.CAP_PROP_FPS))
    return index / frames_per_s if frames_per_s > 0 else 0.0
