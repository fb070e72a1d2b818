"""Cameras of this machine: V4L2 devices through OpenCV, and a Raspberry Pi's through Picamera2.

An error that waiting may mend is a CameraError, any other a ConfigError.
"""

import contextlib
import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.board import how_to_join, read_text
from fer_edge.camera.health import UNREADABLE
from fer_edge.errors import CameraError, ConfigError

DEVICES = Path("/dev")
BOARD = Path("/proc/device-tree/model")

_PI_SIZE = (640, 480)
_PI_INSTALL = (
    "On Raspberry Pi OS: sudo apt install python3-picamera2, and make the virtual environment "
    "with --system-site-packages"
)


def quiet_opencv() -> None:
    """Keeps OpenCV and its FFmpeg from writing to stderr; what they would say we raise.

    `quiet_stderr` would not do: it turns descriptor 2 for all threads, for as long as a call hangs.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, by the first stream
    getattr(cv2.utils, "logging", cv2).setLogLevel(0)  # up to 4.11 it stood in cv2 itself


class CaptureSource:
    """Frames of an opened `cv2.VideoCapture`, live.

    Args:
        capture: The opened capture.
        name: For messages.
    """

    is_live = True

    def __init__(self, capture: Any, name: str) -> None:
        self._capture = capture
        self._name = name

    def read(self) -> tuple[NDArray[np.uint8], None]:
        """See `frames.Source`."""
        try:
            grabbed = self._capture.grab()
            image = self._capture.retrieve()[1] if grabbed else None
        except cv2.error as exc:
            raise CameraError(f"{self._name} broke off: {exc.err}.") from exc
        if not grabbed:
            raise CameraError(f"{self._name} gives no frames any more. See that it is connected.")
        return (UNREADABLE if image is None else image), None

    def close(self) -> None:
        """See `frames.Source`."""
        self._capture.release()


def find_devices() -> list[Path]:
    """Returns the video devices of this machine; on a Raspberry Pi many of them are no cameras."""
    return sorted(DEVICES.glob("video*"), key=lambda path: (len(path.name), path.name))


def check_device(path: Path) -> None:
    """Checks that a video device is there and may be used.

    Raises:
        ConfigError: It is not.
    """
    if not path.exists():
        found = ", ".join(str(device) for device in find_devices()) or "none"
        raise ConfigError(
            f"There is no camera {path}; found: {found}. Connect it, or name another --source."
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError(f"May not use {path}: {how_to_join(path.stat().st_gid)}.")
    if not path.is_char_device():
        raise ConfigError(f"Expected a camera at {path}, found no device. Name a /dev/video*.")


def open_device(
    device: Path | int, size: tuple[int, int] | None, fps: float | None
) -> CaptureSource:
    """Returns a source of a V4L2 device, or by number where there is no V4L2.

    Raises:
        CameraError: It gives no frames now.
        ConfigError: It is not there, or may not be used.
    """
    if isinstance(device, Path):
        check_device(device)
    name = str(device) if isinstance(device, Path) else f"Camera {device}"
    try:
        capture = _capture_of(device)
        for setting, value in _settings(size, fps).items():
            capture.set(setting, value)  # what a device cannot do it leaves as it was
    except cv2.error as exc:
        raise CameraError(f"Cannot open {name}: {exc.err}.") from exc
    if not capture.isOpened():
        capture.release()
        raise CameraError(
            f"{name} cannot be opened: another program uses it, it is no camera, or its pixel "
            "format is none that OpenCV knows. Close other programs, or try another /dev/video*; "
            "a Raspberry Pi's own camera needs --source picamera2."
        )
    return CaptureSource(capture, name)


def _capture_of(device: Path | int) -> cv2.VideoCapture:
    if isinstance(device, int):
        return cv2.VideoCapture(device)
    return cv2.VideoCapture(str(device), cv2.CAP_V4L2)


def _settings(size: tuple[int, int] | None, fps: float | None) -> dict[int, float]:
    settings: dict[int, float] = {}
    if size:
        settings |= {cv2.CAP_PROP_FRAME_WIDTH: size[0], cv2.CAP_PROP_FRAME_HEIGHT: size[1]}
    if fps:
        settings[cv2.CAP_PROP_FPS] = fps
    settings[cv2.CAP_PROP_BUFFERSIZE] = 1  # frames that wait in a queue are old
    return settings


def is_raspberry_pi() -> bool:
    """Tells by the board's name in its device tree."""
    return "Raspberry Pi" in read_text(BOARD)


def has_pi_camera() -> bool:
    """Tells whether this is a Raspberry Pi with Picamera2 and a camera that it knows."""
    if not is_raspberry_pi():
        return False
    try:
        check_pi_camera()
    except ConfigError:
        return False
    return True


def check_pi_camera() -> None:
    """Checks that Picamera2 can be imported and knows a camera.

    Raises:
        ConfigError: It cannot, or does not.
    """
    if not _picamera2().Picamera2.global_camera_info():
        raise ConfigError(
            "Picamera2 knows no camera here. Check the ribbon cable at both ends, and that "
            "rpicam-hello --list-cameras names the camera."
        )


def _picamera2() -> Any:
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # it greets from C++
    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    try:
        return importlib.import_module("picamera2")
    except ImportError as exc:
        raise ConfigError(f"Cannot import picamera2: {exc}. {_PI_INSTALL}.") from exc
    except (AttributeError, ValueError) as exc:  # how a NumPy that it was not built for shows
        raise ConfigError(
            f"Picamera2 and this NumPy do not fit: {exc}. {_PI_INSTALL}; install no NumPy into it."
        ) from exc


class PiCamera:
    """A Raspberry Pi's camera through Picamera2. A camera that stalls hangs in all of its calls.

    Raises:
        CameraError: It cannot be started now.
        ConfigError: Picamera2 is not there, or knows no camera.
    """

    is_live = True

    def __init__(self, size: tuple[int, int] | None, fps: float | None) -> None:
        check_pi_camera()
        try:
            self._camera = _picamera2().Picamera2()
        except (IndexError, OSError, RuntimeError) as exc:
            raise CameraError(
                f"The Raspberry Pi's camera cannot be opened: {exc}. "
                "Close other programs that use it, rpicam-* too."
            ) from exc
        try:
            self._start(size or _PI_SIZE, fps)
        except (OSError, RuntimeError, ValueError) as exc:
            self.close()
            raise CameraError(f"The Raspberry Pi's camera does not start: {exc}.") from exc

    def _start(self, size: tuple[int, int], fps: float | None) -> None:
        configuration = self._camera.create_video_configuration(
            main={"size": size, "format": "RGB888"},  # libcamera's name of B, G, R in memory
            controls={"FrameRate": fps} if fps else {},
        )
        self._camera.configure(configuration)
        self._camera.start()

    def read(self) -> tuple[NDArray[np.uint8], None]:
        """See `frames.Source`."""
        try:
            return self._camera.capture_array("main"), None
        except (OSError, RuntimeError) as exc:
            raise CameraError(f"The Raspberry Pi's camera broke off: {exc}.") from exc

    def close(self) -> None:
        """See `frames.Source`."""
        with contextlib.suppress(OSError, RuntimeError):
            self._camera.stop()
        with contextlib.suppress(OSError, RuntimeError):
            self._camera.close()


def device_of(number: int) -> Path | int:
    """Returns a camera's device; where there is no V4L2, its number."""
    return DEVICES / f"video{number}" if sys.platform == "linux" else number
