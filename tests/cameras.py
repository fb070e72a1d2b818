"""Cameras that misbehave on cue: a fake source by script, and a real MJPEG server on loopback."""

import base64
import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.health import UNREADABLE
from fer_edge.errors import CameraError, ConfigError

Given = tuple[NDArray[np.uint8], float | None] | None

STUCK_S = 30.0
"""The longest that anything here hangs if a test forgets to release it."""


def words(script: str) -> Iterator[str]:
    """Yields the words of a script such as `ok*5 stall ok`; the last one for ever."""
    word = "ok"
    for entry in script.split():
        word, _, n = entry.partition("*")
        yield from itertools.repeat(word, int(n or 1))
    yield from itertools.repeat(word)


@dataclass
class FakeCameras:
    """Opens fake cameras: the n-th opening plays the n-th script, later ones the last.

    A script says what each read does: `ok` gives a picture unlike the one before; `stall` hangs
    until `release` is set, then is `ok`; `raise` raises CameraError; `black`, `frozen`, `wide`
    (of another size), `garbage` (cannot be decoded), `none` and `float` (no picture at all) give
    that; `end` ends. Before them may stand `open-stall`, `open-raise` (CameraError) or
    `open-refuse` (ConfigError), and `close-stall`, which has its `close` hang, too.
    """

    scripts: tuple[str, ...]
    size: tuple[int, int] = (64, 48)
    pace_s: float = 0.005
    is_live: bool = True
    release: threading.Event = field(default_factory=threading.Event)
    opened: int = 0
    closed: int = 0
    opened_at: list[float] = field(default_factory=list)
    closed_at: list[float] = field(default_factory=list)

    def __call__(self) -> "FakeCamera":
        number = self.opened
        self.opened += 1
        self.opened_at.append(time.monotonic())
        before, _, script = self.scripts[min(number, len(self.scripts) - 1)].rpartition("|")
        if "open-stall" in before:
            self.release.wait(STUCK_S)
        if "open-raise" in before:
            raise CameraError(f"Opening {number} failed.")
        if "open-refuse" in before:
            raise ConfigError(f"Opening {number} is not allowed.")
        return FakeCamera(self, number, words(script), closes="close-stall" not in before)


class FakeCamera:
    """See `FakeCameras`. The first byte of each picture is the number of the opening."""

    def __init__(
        self, cameras: FakeCameras, opening: int, script: Iterator[str], *, closes: bool
    ) -> None:
        self.is_live = cameras.is_live
        self._cameras = cameras
        self._opening = opening
        self._script = script
        self._closes = closes
        self._number = 0

    def read(self) -> Given:
        self._number += 1
        word = next(self._script)
        if word == "end":
            return None
        time.sleep(self._cameras.pace_s)
        if word == "raise":
            raise CameraError(f"Opening {self._opening} broke off.")
        if word == "stall":
            self._cameras.release.wait(STUCK_S)
        return self._image(word), None if self.is_live else self._number / 10

    def close(self) -> None:
        if not self._closes:
            self._cameras.release.wait(STUCK_S)
        self._cameras.closed += 1
        self._cameras.closed_at.append(time.monotonic())

    def _image(self, word: str) -> NDArray[np.uint8]:
        width, height = self._cameras.size
        if word == "none":
            return None  # type: ignore[return-value]  # what no source may give
        if word == "float":
            return np.ones((height, width, 3))  # type: ignore[return-value]
        if word == "garbage":
            return UNREADABLE
        level = {"black": self._number % 3, "frozen": 99}.get(word, 32 + self._number % 200)
        shape = (height, width + (16 if word == "wide" else 0), 3)
        image = np.full(shape, level, np.uint8)
        image[0, 0, 0] = self._opening
        return image


def fake_cameras(*scripts: str, is_live: bool = True, pace_s: float = 0.005) -> FakeCameras:
    """Returns cameras that play these scripts; `before|script` names what surrounds reading."""
    return FakeCameras(scripts, is_live=is_live, pace_s=pace_s)


def jpeg(level: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """Returns a JPEG of one gray level, as a camera would send it."""
    image = np.full((size[1], size[0], 3), level, np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@dataclass
class MjpegServer:
    """A running MJPEG server; the n-th connection plays the n-th script, later ones the last.

    A script's words, one a part: `ok`; `black`; `frozen`; `wide`, of another size; `cut`, a JPEG
    without its second half; `junk`, no JPEG;
    `lies`, a stated length over the real one; `bare`, no stated length; `torn`, `cut` and `bare`;
    `huge`, a stated length of 1 GB; `stall`, nothing until `release` is set; `drip`, a byte now
    and then; `drop`, the end.
    """

    url: str
    scripts: tuple[str, ...]
    boundary: str = "frame"
    pace_s: float = 0.01
    connections: int = 0
    release: threading.Event = field(default_factory=threading.Event)

    def script(self) -> Iterator[str]:
        number = self.connections
        self.connections += 1
        return words(self.scripts[min(number, len(self.scripts) - 1)])


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, cameras: MjpegServer, *args: object) -> None:
        self.cameras = cameras
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        code = self.path.strip("/")
        if code.isdecimal():
            self.send_error(int(code))
        elif self.path == "/page":
            self._begin("text/html")
            self.wfile.write(b"<p>no camera")
        elif self.path == "/secret" and not self._knows_password():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        else:
            self._begin(f"multipart/x-mixed-replace; boundary={self.cameras.boundary}")
            with contextlib.suppress(OSError):
                self._play()

    def _knows_password(self) -> bool:
        asked = "Basic " + base64.b64encode(b"me:p@ss/w:rd").decode()
        return self.headers.get("Authorization") == asked

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _play(self) -> None:
        for number, word in enumerate(self.cameras.script()):
            if word == "drop":
                return
            if word == "stall":
                self.cameras.release.wait(STUCK_S)
                return
            if word == "drip":
                while not self.cameras.release.wait(0.05):
                    self.wfile.write(b"x")
                return
            level = {"black": number % 3, "frozen": 99}.get(word, 32 + 8 * (number % 25))
            self._send(word, jpeg(level, (80, 48) if word == "wide" else (64, 48)))
            time.sleep(self.cameras.pace_s)

    def _send(self, word: str, content: bytes) -> None:
        if word in ("cut", "torn"):
            content = content[: len(content) // 2]
        if word == "junk":
            content = b"no picture"
        n_bytes = {"lies": len(content) + 100, "huge": 10**9}.get(word, len(content))
        length = b"" if word in ("bare", "torn") else b"Content-Length: %d\r\n" % n_bytes
        boundary = self.cameras.boundary.lstrip("-").encode()
        head = b"--%s\r\nContent-Type: image/jpeg\r\n%s\r\n" % (boundary, length)
        self.wfile.write(head + content + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def mjpeg_server(
    *scripts: str, boundary: str = "frame", pace_s: float = 0.01
) -> Iterator[MjpegServer]:
    """Runs an MJPEG server on loopback.

    Its addresses: `url` plays the scripts, `/secret` in place of its path wants `me` and
    `p@ss/w:rd`, `/page` is no stream, and `/404` or any other number answers that.
    """
    cameras = MjpegServer("", scripts, boundary, pace_s)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, cameras)) as server:
        server.daemon_threads = True
        cameras.url = f"http://127.0.0.1:{server.server_port}/stream"
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield cameras
        finally:
            cameras.release.set()
            server.shutdown()
            thread.join()
