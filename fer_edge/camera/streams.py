"""Live frames from the network: MJPEG over HTTP, and RTSP. All of them hostile.

MJPEG is taken apart here and not by OpenCV's FFmpeg, which hands over a JPEG that was cut off as
a picture whose rest is gray, and reads with one timeout for all.
"""

import http.client
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from urllib.parse import SplitResult, unquote, urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.devices import CaptureSource
from fer_edge.camera.health import UNREADABLE
from fer_edge.errors import CameraError, ConfigError, DataError
from fer_edge.images import decode_image

TIMEOUT_S = 5.0
"""For a connection, and for each picture. `Camera` notices a stall before."""

MAX_PART_BYTES = 16 * 1024 * 1024
JPEG_START = b"\xff\xd8\xff"

_CHUNK_BYTES = 64 * 1024
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # but stuffing, restarts and fill bytes
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,20})", re.IGNORECASE)
_RTSP_PORT = 554
_WAITING_HELPS = frozenset({408, 425, 429, 500, 502, 503, 504})


def shown(url: str) -> str:
    """Returns an address without what could be secret: user, password and query."""
    url = re.sub(r"^([^/@]*//?).*@", r"\1***@", url)  # mistyped ones, too
    return re.sub(r"[?#].*", "?***", url)


def check_url(url: str) -> SplitResult:
    """Returns the parts of an http, https or rtsp address.

    Raises:
        ConfigError: It is none.
    """
    try:
        parts = urlsplit(url)
        is_one = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or not url.isprintable() or " " in url:
        raise ConfigError(
            f"Expected an address such as http://HOST:PORT/PATH, found {shown(url)}. In a name or "
            "password write %40 for @, %3A for : and %2F for /."
        ) from None
    return parts


class MjpegSource:
    """MJPEG over HTTP (multipart/x-mixed-replace), with basic or digest authentication.

    Args:
        url: http or https; a name and password may stand in it.

    Raises:
        CameraError: It does not answer now.
        ConfigError: It answers that it is no MJPEG stream, or not for us.
    """

    is_live = True

    def __init__(self, url: str) -> None:
        self._name = shown(url)
        self._answer = _connect(url, self._name)
        boundary = _boundary_of(self._answer.headers)
        if not boundary:
            self._answer.close()
            raise ConfigError(
                f"{self._name}: expected MJPEG (multipart/x-mixed-replace), found "
                f"{self._answer.headers.get_content_type()}. Look up the camera's MJPEG address."
            )
        self._parts = Parts(self._answer.read1, boundary, self._name)

    def read(self) -> tuple[NDArray[np.uint8], None]:
        """See `frames.Source`."""
        return decode_jpeg(self._parts.next(), self._name), None

    def close(self) -> None:
        """See `frames.Source`."""
        self._answer.close()


def decode_jpeg(content: bytes, name: str) -> NDArray[np.uint8]:
    """Returns a JPEG's picture, uint8 (h, w, 3) BGR, or `UNREADABLE` where it is damaged."""
    try:
        return decode_image(content, name)
    except DataError:
        return UNREADABLE


def end_of_jpeg(content: bytearray) -> int | None:
    """Returns how long a JPEG is, or None where its end is not there. Source: T.81, annex B."""
    if not content.startswith(JPEG_START):
        return None
    at = 2
    while found := _MARKER.search(content, at):
        marker = found[1]
        if marker == b"\xd9":
            return found.end()
        if marker == b"\xd8":  # another begins: this one was cut off
            return found.start()
        # A marker's segment states its length; a thumbnail inside has an end of its own.
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return None


def _connect(url: str, name: str) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = _opener_of(url).open(
            _without_user(url), timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as exc:
        exc.close()
        if exc.code in _WAITING_HELPS:
            raise CameraError(f"{name} answers {exc.code} {exc.reason}.") from exc
        raise ConfigError(
            f"{name} answers {exc.code} {exc.reason}. Check its path, name and password."
        ) from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", exc)
        raise CameraError(f"{name} does not answer: {reason}. See that it is on.") from exc
    return answer


def _opener_of(url: str) -> urllib.request.OpenerDirector:
    """Returns what speaks HTTP only, to the camera directly: no proxy, no file, no FTP."""
    parts = urlsplit(url)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, _without_user(url), user, password)
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    ):
        opener.add_handler(handler)
    return opener


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _boundary_of(headers: Message) -> bytes:
    """Returns the boundary without the dashes that some cameras write into their header, too."""
    if headers.get_content_maintype() != "multipart":
        return b""
    return (headers.get_boundary() or "").lstrip("-").encode("ascii", "replace")


class Parts:
    """Cuts a multipart stream into its parts' contents.

    Args:
        read: Returns up to so many bytes as soon as there are some; none at the end.
        boundary: Without dashes.
        name: For messages.
    """

    def __init__(self, read: Callable[[int], bytes], boundary: bytes, name: str) -> None:
        self._read = read
        self._boundary = re.compile(rb"--" + re.escape(boundary))
        self._name = name
        self._buffer = bytearray()
        self._deadline_s = 0.0

    def next(self) -> bytes:
        """Returns the next part's content.

        Raises:
            CameraError: The stream ends, stops or breaks off, or the part is too large.
        """
        self._deadline_s = time.monotonic() + TIMEOUT_S
        self._drop(self._find(self._boundary).end())
        end = self._find(_BLANK_LINE).end()
        length = _LENGTH.search(self._buffer, 0, end)
        n_bytes = int(length[1]) if length else 0
        self._drop(end)
        while n_bytes and len(self._buffer) < n_bytes:
            self._grow(n_bytes)
        return self._drop(n_bytes or self._find_end())

    def _find_end(self) -> int:
        """Returns where a part ends that does not state its length.

        The next boundary shows that, but comes with the next picture; a JPEG's own end, at once.
        """
        while True:
            boundary = self._boundary.search(self._buffer)
            end = end_of_jpeg(self._buffer)
            if boundary:
                return min(boundary.start(), end or boundary.start())
            if end:
                return end
            self._grow(0)

    def _find(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        while not (found := pattern.search(self._buffer)):
            self._grow(0)
        return found

    def _drop(self, n_bytes: int) -> bytes:
        content = bytes(self._buffer[:n_bytes])
        del self._buffer[:n_bytes]
        return content

    def _grow(self, n_wanted: int) -> None:
        if max(len(self._buffer), n_wanted) > MAX_PART_BYTES:
            raise CameraError(
                f"{self._name}: expected pictures of up to {MAX_PART_BYTES // 2**20} MiB, found a "
                "larger one. Set the camera to less."
            )
        try:
            content = self._read(_CHUNK_BYTES)
        except (OSError, ValueError, http.client.HTTPException) as exc:
            raise CameraError(f"{self._name} broke off: {exc}.") from exc
        if not content:
            raise CameraError(f"{self._name} ended the stream.")
        if time.monotonic() > self._deadline_s:
            raise CameraError(f"{self._name}: no whole picture came in {TIMEOUT_S:g} s.")
        self._buffer += content


def open_rtsp(url: str) -> CaptureSource:
    """Returns a source of an RTSP stream, through OpenCV's FFmpeg.

    Raises:
        CameraError: It does not answer, or gives no stream.
    """
    name, parts = shown(url), check_url(url)
    try:  # FFmpeg says of nothing why it failed
        socket.create_connection(
            (parts.hostname or "", parts.port or _RTSP_PORT), TIMEOUT_S
        ).close()
    except OSError as exc:
        raise CameraError(f"{name} does not answer: {exc}. See that it is on.") from exc
    timeout_ms = round(1000 * TIMEOUT_S)
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
    options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        capture.release()
        raise CameraError(
            f"{name} answers, but gives no RTSP stream. Check its path, name and password."
        )
    return CaptureSource(capture, name)
