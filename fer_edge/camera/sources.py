"""What frames come from, by the name that people give it. Opens and checks; judges no frame."""

import math
import os
import re
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge import board
from fer_edge.camera import devices, stdin, streams
from fer_edge.camera.frames import Source
from fer_edge.errors import ConfigError
from fer_edge.images import IMAGE_SUFFIXES, MAX_PIXELS, find_images, read_image
from fer_edge.video import read_frames

SOURCES = (
    "auto, picamera2, a camera's number or /dev/video0, a video, a picture or a folder of them, "
    "an http://, https:// or rtsp:// address, or - for standard input"
)

Kind = Literal["picamera2", "device", "http", "rtsp", "stdin", "video", "pictures"]

_TAKES_SIZE: frozenset[Kind] = frozenset({"picamera2", "device", "stdin"})
_TAKES_FPS: frozenset[Kind] = frozenset({"picamera2", "device"})


def check_source(
    spec: str, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> None:
    """Checks what can be checked of a source without opening it.

    Args:
        spec: One of `SOURCES`.
        size: Width and height to ask a camera for, or that raw frames on standard input have.
        fps: Frames a second to ask a camera for.

    Raises:
        ConfigError: There is no such source, it may not be used, or an option does not fit it.
        DataError: A folder holds no picture.
    """
    kind = _kind_of(spec)
    _check_options(kind, size, fps)
    if kind == "picamera2":
        devices.check_pi_camera()
    elif kind == "device":
        device = _device_of(spec)
        if isinstance(device, Path):
            devices.check_device(device)
    elif kind in ("http", "rtsp"):
        streams.check_url(spec)
    elif kind == "stdin" and os.isatty(0):
        raise ConfigError("Expected frames on standard input, found a terminal. Pipe them in.")
    elif kind == "pictures":
        find_images([Path(spec)])


def open_source(
    spec: str, *, size: tuple[int, int] | None = None, fps: float | None = None
) -> Source:
    """Opens a source; see `check_source`. This and all calls of what it returns may hang.

    Raises:
        CameraError: It cannot be opened now; later it may.
        ConfigError: It cannot be opened as things are.
        DataError: A video or picture is damaged, or a folder holds none.
    """
    check_source(spec, size=size, fps=fps)
    devices.quiet_opencv()
    match _kind_of(spec):
        case "picamera2":
            return devices.PiCamera(size, fps)
        case "device":
            return devices.open_device(_device_of(spec), size, fps)
        case "http":
            return streams.MjpegSource(spec)
        case "rtsp":
            return streams.open_rtsp(spec)
        case "stdin":
            return stdin.PipeSource(stdin.standard_input(), size)
        case "video":
            return Recording(_frames_of(Path(spec)))
        case "pictures":
            return Recording(_pictures_of(Path(spec)))


def resolve_source(spec: str, root: Path = board.ROOT) -> str:
    """Returns what `auto` stands for on this machine now, another name as it is.

    To be asked once: a camera that has gone must not be taken for one that never was.

    Args:
        spec: One of `SOURCES`.
        root: Of /sys and /dev.
    """
    if spec != "auto":
        return spec
    if devices.has_pi_camera():
        return "picamera2"
    webcams = [camera for camera in board.find_cameras(root) if not camera.is_on_ribbon]
    webcams.sort(key=lambda camera: not camera.is_allowed)  # stable: the first of those it may use
    return webcams[0].device if webcams else "0"


def name_source(spec: str) -> str:
    """Returns a source's name for people, without what could be secret in an address."""
    return {"-": "standard input", "0": "camera 0"}.get(spec, streams.shown(spec))


def _kind_of(spec: str) -> Kind:
    if spec == "auto":
        return _kind_of(resolve_source(spec))
    if spec == "picamera2":
        return "picamera2"
    if spec == "-":
        return "stdin"
    if re.fullmatch(r"[0-9]{1,3}", spec) or spec.startswith("/dev/"):
        return "device"
    scheme, colon, _ = spec.partition("://")
    if colon:
        return _kind_of_address(scheme.lower(), spec)
    return _kind_of_path(Path(spec), spec)


def _kind_of_address(scheme: str, spec: str) -> Kind:
    if scheme in ("http", "https"):
        return "http"
    if scheme == "rtsp":
        return "rtsp"
    raise _unknown(f"{streams.shown(spec)}, an address of another kind")


def _kind_of_path(path: Path, spec: str) -> Kind:
    try:
        mode = path.stat().st_mode if spec else 0  # an empty path would be this folder
    except (OSError, ValueError):
        raise _unknown(f"{streams.shown(spec)!r}, and there is no such file") from None
    if stat.S_ISCHR(mode):
        return "device"
    if stat.S_ISDIR(mode) or path.suffix.lower() in IMAGE_SUFFIXES:
        return "pictures"
    if stat.S_ISREG(mode):
        return "video"
    raise _unknown(f"{streams.shown(spec)!r}, which is neither file, folder nor camera")


def _unknown(found: str) -> ConfigError:
    return ConfigError(f"Expected {SOURCES}, found {found}.")


def _device_of(spec: str) -> Path | int:
    spec = resolve_source(spec)
    return devices.device_of(int(spec)) if spec.isdecimal() else Path(spec)


def _check_options(kind: Kind, size: tuple[int, int] | None, fps: float | None) -> None:
    if size and not (min(size) > 0 and size[0] * size[1] <= MAX_PIXELS):
        raise ConfigError(f"Expected a size of 1 to {MAX_PIXELS:,} pixels, found {size}.")
    if fps is not None and not 0 < fps < math.inf:
        raise ConfigError(f"Expected frames a second over 0, found {fps}.")
    if size and kind not in _TAKES_SIZE:
        raise ConfigError("A size is for cameras and standard input; this has its own. Drop it.")
    if fps and kind not in _TAKES_FPS:
        raise ConfigError("Frames a second are for cameras; this has its own. Drop them.")


class Recording:
    """Frames that wait to be read. The first is read at once, so that what is damaged shows.

    Args:
        frames: Pictures, uint8 (h, w, 3) BGR, and their positions in seconds.
    """

    is_live = False

    def __init__(self, frames: Generator[tuple[NDArray[np.uint8], float]]) -> None:
        self._frames = frames
        self._first: tuple[NDArray[np.uint8], float] | None = next(frames, None)

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        """See `frames.Source`."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._frames, None)

    def close(self) -> None:
        """See `frames.Source`."""
        self._frames.close()


def _frames_of(path: Path) -> Generator[tuple[NDArray[np.uint8], float]]:
    for _, time_s, image in read_frames(path):
        yield image, time_s


def _pictures_of(path: Path) -> Generator[tuple[NDArray[np.uint8], float]]:
    """Yields a folder's pictures in the order of names, as if a second lay between them."""
    for index, file in enumerate(find_images([path])):
        yield read_image(file), float(index)
