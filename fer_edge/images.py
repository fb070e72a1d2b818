"""Pictures from outside, all of them hostile. Knows nothing of faces.

A picture's size is read from its header before anything is decoded: a PNG of 100 KB can ask for
gigabytes. Only formats whose header is understood here are decoded at all.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError

MAX_PIXELS = 8192 * 8192
"""64 Mi pixels: over any phone's pictures of full size, and 192 MiB once decoded."""

MAX_FILE_BYTES = 256 * 1024 * 1024

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".webp"})
_MAX_JPEG_SEGMENTS = 4096  # before the frame header; a colour profile takes up to 255


def read_image(path: Path) -> NDArray[np.uint8]:
    """Reads a JPEG, PNG, WebP or BMP picture; see `decode_image`.

    Raises:
        DataError: There is no such file, it is too large, damaged or no such picture.
    """
    return decode_image(_read_bounded(path), str(path))


def decode_image(content: bytes, name: str) -> NDArray[np.uint8]:
    """Decodes a JPEG, PNG, WebP or BMP picture, turned upright as its EXIF orientation says.

    Args:
        content: The file's bytes; they count, not its suffix.
        name: For messages.

    Returns:
        uint8, (h, w, 3), BGR, 0-255; transparency is dropped; gray, CMYK and 16-bit are converted;
        of an animation, the first frame.

    Raises:
        DataError: It is too large, damaged or no such picture.
    """
    size = _size_in_header(content)
    if size is None:
        raise DataError(
            f"Cannot read {name}: expected a JPEG, PNG, WebP or BMP picture, found "
            f"{len(content)} bytes that do not begin like one. Convert it, or leave it out."
        )
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise DataError(
            f"{name}: expected 1 to {MAX_PIXELS:,} pixels, found {width:,} x {height:,}. "
            "Make the picture smaller, or leave it out."
        )
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        raise _damaged(name, width, height) from exc
    if image is None:
        raise _damaged(name, width, height)
    return image.astype(np.uint8, copy=False)


def to_gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns BT.601 luma.

    OpenCV computes `(3735 B + 19235 G + 9798 R + 16384) >> 15`, exactly, on every CPU.

    Args:
        image: uint8, 0-255, (h, w, 3) BGR, (h, w, 4) BGRA, or gray (h, w) or (h, w, 1).

    Returns:
        uint8, (h, w); a view where the picture was gray already.

    Raises:
        DataError: It is no such picture, or empty.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise DataError(
            "Expected a picture as uint8 (h, w), (h, w, 3) or (h, w, 4), "
            f"found {image.dtype} {image.shape}."
        )
    if not image.size:
        raise DataError(f"Expected a picture with pixels, found one of shape {image.shape}.")
    if channels == 1:
        return image.reshape(image.shape[:2])
    code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
    return cv2.cvtColor(image, code).astype(np.uint8, copy=False)


def encode_image(image: NDArray[np.uint8], suffix: str) -> bytes:
    """Returns a picture, uint8 (h, w) or (h, w, 3) BGR, as a file's bytes; suffix as `.png`.

    Raises:
        DataError: The format cannot hold it: JPEG ends at 65,500 pixels a side.
    """
    done, encoded = cv2.imencode(suffix, image)
    if not done:
        raise DataError(f"OpenCV cannot write a picture of shape {image.shape} as {suffix}.")
    return encoded.tobytes()


def find_images(paths: Iterable[Path]) -> list[Path]:
    """Returns the files to read: files as given, and the pictures in folders, at any depth.

    Folders are searched in the order of names; links to folders are not followed, and hidden
    files are left out (macOS leaves a `._x.jpg` that is no picture beside every `x.jpg`).

    Raises:
        DataError: A path does not exist, or a folder holds no picture.
    """
    found: dict[Path, None] = {}
    for path in paths:
        try:
            found.update(dict.fromkeys(_files_of(path)))
        except OSError as exc:
            raise DataError(f"Cannot read {path}: {exc.strerror}. Check its name.") from exc
    return list(found)


def _read_bounded(path: Path) -> bytes:
    require_file(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}. Check that you may.") from exc
    if not 0 < len(content) <= MAX_FILE_BYTES:
        raise DataError(
            f"{path}: expected 1 byte to {MAX_FILE_BYTES // 2**20} MiB, found "
            f"{'more' if content else 'an empty file'}. Leave it out, or get it again."
        )
    return content


def require_file(path: Path) -> None:
    """Raises DataError for all but plain files: opening a pipe or device could wait for ever."""
    try:
        found = path.is_file()
    except OSError as exc:
        raise DataError(f"Cannot read {path}: {exc.strerror}. Check its name.") from exc
    if not found:
        raise DataError(f"Cannot read {path}: expected a file, found none. Check its name.")


def _damaged(name: str, width: int, height: int) -> DataError:
    return DataError(
        f"Cannot decode {name}: its header promises {width} x {height} pixels, and the rest is "
        "damaged or cut off. Get it again, or leave it out."
    )


def _files_of(path: Path) -> list[Path]:
    if not path.exists():
        raise DataError(f"There is no {path}. Check its name.")
    if not path.is_dir():
        return [path]
    files = [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in IMAGE_SUFFIXES and file.name[0] != "." and file.is_file()
    ]
    if not files:
        raise DataError(
            f"{path} holds no picture. Expected files that end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return sorted(files)


def _size_in_header(content: bytes) -> tuple[int, int] | None:
    """Returns (width, height) that a picture's header states, or None for anything else."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR":
            return struct.unpack_from(">II", content, 16)
        if content.startswith(b"\xff\xd8"):
            return _jpeg_size(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _webp_size(content)
        if content.startswith(b"BM"):
            return _bmp_size(content)
    except struct.error:  # the header is cut off
        return None
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the frame header. Source: ITU-T T.81, annex B."""
    at = 2
    for _ in range(_MAX_JPEG_SEGMENTS):
        start, marker, length = struct.unpack_from(">BBH", content, at)
        if start != 0xFF:
            return None
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + length
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Reads the first chunk. Source: RFC 9649, section 2.5 to 2.7; RFC 6386, section 9.1."""
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", content, 24)
        return (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1
    return None


def _bmp_size(content: bytes) -> tuple[int, int]:
    """Reads either header; a negative height means rows from the top."""
    (header_bytes,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", content, 18)
    return width, abs(height)
