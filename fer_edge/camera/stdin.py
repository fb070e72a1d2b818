"""Frames on standard input: raw, or JPEGs one after the other as `rpicam-vid --codec mjpeg` writes.

Standard input can be opened once only, so that all openings share one reader: after a stall in
the middle of a frame, who reads on must begin where the frame does.
"""

import functools
import io
import threading

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.streams import JPEG_START, MAX_PART_BYTES, decode_jpeg, end_of_jpeg
from fer_edge.errors import CameraError, ConfigError

_NAME = "Standard input"
_CHUNK_BYTES = 64 * 1024


class Pipe:
    """What reads frames from a descriptor, for one thread at a time.

    Args:
        descriptor: An open one; it is not closed.
    """

    def __init__(self, descriptor: int) -> None:
        # Not `sys.stdin.buffer`: a thread that hangs in that makes Python abort as it exits.
        self._file = io.FileIO(descriptor, closefd=False)
        self._lock = threading.Lock()
        self._buffer = bytearray()
        self._has_frames = False

    def read_raw(self, width: int, height: int) -> NDArray[np.uint8] | None:
        """Returns the next frame, uint8 (h, w, 3) BGR, or None at the end.

        Raises:
            ConfigError: It ends before the first frame does.
        """
        image = np.empty((height, width, 3), np.uint8)
        rest = image.data.cast("B")
        with self._lock:
            while rest:
                n_bytes = self._file.readinto(rest)
                if not n_bytes:
                    self._expect_frames(image.nbytes - len(rest), width, height)
                    return None
                rest = rest[n_bytes:]
            self._has_frames = True
        return image

    def read_jpeg(self) -> bytes | None:
        """Returns the next JPEG, or None at the end.

        Raises:
            ConfigError: It does not begin with one.
            CameraError: One is larger than `MAX_PART_BYTES`.
        """
        with self._lock:
            while True:
                self._find_start()
                end = end_of_jpeg(self._buffer)
                if end:
                    content = bytes(self._buffer[:end])
                    del self._buffer[:end]
                    self._has_frames = True
                    return content
                if not self._grow():
                    return None

    def _find_start(self) -> None:
        """Drops what stands before a JPEG."""
        if len(self._buffer) >= len(JPEG_START) and not self._buffer.startswith(JPEG_START):
            if not self._has_frames:
                raise ConfigError(
                    f"{_NAME}: expected JPEGs, found {bytes(self._buffer[:4])!r}. Raw frames need "
                    "their size: --size 640x480, and bytes in the order B, G, R (bgr24)."
                )
            start = self._buffer.find(JPEG_START)
            del self._buffer[: start if start >= 0 else -2]

    def _grow(self) -> bool:
        if len(self._buffer) > MAX_PART_BYTES:
            self._buffer.clear()
            raise CameraError(f"{_NAME}: found no end of a JPEG in {MAX_PART_BYTES // 2**20} MiB.")
        content = self._file.read(_CHUNK_BYTES)
        if not content and not self._has_frames:
            raise ConfigError(f"{_NAME} ended before one picture. See what writes to it.")
        self._buffer += content or b""
        return bool(content)

    def _expect_frames(self, n_bytes: int, width: int, height: int) -> None:
        if not self._has_frames:
            raise ConfigError(
                f"{_NAME}: expected frames of {width} x {height} x 3 = {width * height * 3} bytes "
                f"(bgr24), found {n_bytes} bytes in all. Check --size, and what writes to it."
            )


@functools.cache
def standard_input() -> Pipe:
    """Returns the one pipe of this process's standard input.

    Raises:
        ConfigError: It is closed, or a folder.
    """
    try:
        return Pipe(0)
    except OSError as exc:
        raise ConfigError(f"{_NAME} cannot be read: {exc.strerror}. Pipe frames in.") from exc


class PipeSource:
    """Live frames of a pipe; its end is theirs.

    Args:
        pipe: What is read.
        size: Width and height of raw frames; None for JPEGs.
    """

    is_live = True

    def __init__(self, pipe: Pipe, size: tuple[int, int] | None) -> None:
        self._pipe = pipe
        self._size = size

    def read(self) -> tuple[NDArray[np.uint8], None] | None:
        """See `frames.Source`."""
        if self._size:
            image = self._pipe.read_raw(*self._size)
            return None if image is None else (image, None)
        content = self._pipe.read_jpeg()
        return None if content is None else (decode_jpeg(content, _NAME), None)

    def close(self) -> None:
        """Leaves the pipe open for the next opening."""
