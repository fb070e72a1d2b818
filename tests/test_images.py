"""Pictures and frames from outside: what is read, and what is refused before it can do harm."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge import images
from fer_edge.errors import DataError

WIDTH, HEIGHT = 61, 40


def picture() -> NDArray[np.uint8]:
    """A smooth colour picture, (40, 61, 3), with no two corners alike."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([4 * columns, 6 * rows, 255 - 4 * columns], axis=-1).astype(np.uint8)


def encoded(kind: str, image: NDArray[np.uint8] | None = None) -> bytes:
    image = picture() if image is None else image
    lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if kind == "webp lossless" else []
    done, content = cv2.imencode("." + kind.split()[0], image, lossless)
    assert done
    return content.tobytes()


KINDS = ("png", "bmp", "jpg", "webp", "webp lossless")


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png_that_claims(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def jpeg_that_claims(width: int, height: int) -> bytes:
    content = encoded("jpg")
    size = struct.pack(">HH", HEIGHT, WIDTH)
    assert content.count(size) == 1
    return content.replace(size, struct.pack(">HH", height, width))


def bmp_that_claims(width: int, height: int) -> bytes:
    return encoded("bmp")[:18] + struct.pack("<ii", width, height) + encoded("bmp")[26:]


def extended_webp(width: int, height: int) -> bytes:
    """A lossless WebP with the extended header (VP8X) in front, as with metadata or alpha."""
    size = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    chunks = b"VP8X" + struct.pack("<II", 10, 0) + size + encoded("webp lossless")[12:]
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def old_bmp() -> bytes:
    """A BMP of 2 x 1 pixels with the 12-byte header of OS/2."""
    pixels = bytes([1, 2, 3, 4, 5, 6, 0, 0])
    header = struct.pack("<IHHHH", 12, 2, 1, 1, 24)
    return b"BM" + struct.pack("<IHHI", 26 + len(pixels), 0, 0, 26) + header + pixels


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_as_bgr_whatever_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    path.write_bytes(encoded(kind))
    found = images.read_image(path)
    assert found.dtype == np.uint8
    assert found.shape == (HEIGHT, WIDTH, 3)
    # JPEG and WebP halve the colour's resolution; the other kinds are exact.
    tolerance = 5.0 if kind in ("jpg", "webp") else 0.0
    assert np.abs(found.astype(int) - picture()).mean() <= tolerance


def test_rarer_headers_are_read(tmp_path: Path) -> None:
    filled = b"\xff\xd8" + b"\xff" * 3 + encoded("jpg")[2:]
    for name, content, shape in (
        ("extended.webp", extended_webp(WIDTH, HEIGHT), (HEIGHT, WIDTH, 3)),
        ("fill-bytes.jpg", filled, (HEIGHT, WIDTH, 3)),
        ("top-down.bmp", bmp_that_claims(WIDTH, -HEIGHT), (HEIGHT, WIDTH, 3)),
        ("os2.bmp", old_bmp(), (1, 2, 3)),
    ):
        (tmp_path / name).write_bytes(content)
        assert images.read_image(tmp_path / name).shape == shape, name
    assert images.read_image(tmp_path / "os2.bmp").ravel().tolist() == [1, 2, 3, 4, 5, 6]


def test_gray_alpha_and_16_bit_become_bgr(tmp_path: Path) -> None:
    gray = picture()[:, :, 0]
    deep = gray.astype(np.uint16) * 257
    alpha = cv2.cvtColor(picture(), cv2.COLOR_BGR2BGRA)
    alpha[:, :, 3] = 7
    for name, image, expected in (
        ("gray.png", gray, cv2.merge([gray, gray, gray])),
        ("deep.png", deep, cv2.merge([gray, gray, gray])),
        ("alpha.png", alpha, picture()),
    ):
        cv2.imwrite(str(tmp_path / name), image)
        assert np.array_equal(images.read_image(tmp_path / name), expected), name


@pytest.mark.parametrize(
    ("orientation", "brightest"),  # where the stored picture's top left corner ends up
    [(1, "top left"), (3, "bottom right"), (6, "top right"), (8, "bottom left")],
)
def test_exif_orientation_is_applied(orientation: int, brightest: str, tmp_path: Path) -> None:
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:16, :16] = 255
    content = encoded("jpg", stored)
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08" + struct.pack(">H", 1) + tag + bytes(4)
    path = tmp_path / "turned.jpg"
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
    path.write_bytes(content[:2] + segment + content[2:])
    found = images.read_image(path)
    assert found.shape == ((64, 32, 3) if orientation in (6, 8) else (32, 64, 3))
    corners = {
        "top left": found[:8, :8],
        "top right": found[:8, -8:],
        "bottom left": found[-8:, :8],
        "bottom right": found[-8:, -8:],
    }
    assert max(corners, key=lambda name: float(corners[name].mean())) == brightest


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("text.jpg", b"not a picture at all", "do not begin like one"),
        ("empty.png", b"", "empty file"),
        ("short.png", encoded("png")[:20], "do not begin like one"),
        ("short.jpg", encoded("jpg")[:30], "do not begin like one"),
        ("garbled.jpg", b"\xff\xd8garbage after the start", "do not begin like one"),
        ("short.webp", encoded("webp")[:22], "do not begin like one"),
        ("sound.webp", b"RIFF\x10\0\0\0WAVEfmt " + bytes(40), "do not begin like one"),
        ("short.bmp", encoded("bmp")[:20], "do not begin like one"),
        ("gif.jpg", b"GIF89a" + bytes(40), "do not begin like one"),
        ("flat.png", png_that_claims(10, 0), "found 10 x 0"),
        *((f"half.{kind}", encoded(kind)[: len(encoded(kind)) // 2], "cut off") for kind in KINDS),
        ("no-end.jpg", encoded("jpg")[:-2], "cut off"),
        ("30000.png", png_that_claims(30_000, 30_000), "30,000 x 30,000"),
        ("2^31.png", png_that_claims(2**31 - 1, 2**31 - 1), "2,147,483,647 x 2,147,483,647"),
        ("65535.jpg", jpeg_that_claims(65_535, 65_000), "65,535 x 65,000"),
        ("30000.bmp", bmp_that_claims(30_000, -30_000), "30,000 x 30,000"),
        ("2^24.webp", extended_webp(2**24, 2**24), "16,777,216 x 16,777,216"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    # The size in the message proves that the header alone was read: the decoder never saw it.
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        images.read_image(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_one_pixel_over_the_limit_is_refused_and_the_limit_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded("png"))
    monkeypatch.setattr(images, "MAX_PIXELS", WIDTH * HEIGHT)
    assert images.read_image(path).shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setattr(images, "MAX_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(DataError, match="expected 1 to 2,439 pixels, found 61 x 40"):
        images.read_image(path)


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded("png"))
    monkeypatch.setattr(images, "MAX_FILE_BYTES", path.stat().st_size)
    images.read_image(path)
    monkeypatch.setattr(images, "MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(DataError, match="found more"):
        images.read_image(path)


def test_folders_missing_files_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in (".", "missing.jpg", "pipe.jpg", "nul\0.jpg"):
        with pytest.raises(DataError, match="expected a file, found none"):
            images.read_image(tmp_path / name)
    with pytest.raises(DataError, match="name too long"):
        images.read_image(tmp_path / ("x" * 5000))


def test_a_jpeg_of_nothing_but_fill_bytes_ends_soon(tmp_path: Path) -> None:
    path = tmp_path / "fill.jpg"
    path.write_bytes(b"\xff\xd8" + b"\xff" * 10_000 + encoded("jpg")[2:])
    with pytest.raises(DataError, match="do not begin like one"):
        images.read_image(path)


@settings(max_examples=150, deadline=None)
@given(
    start=st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"BM", b"RIFF"]),
    rest=st.binary(max_size=200),
)
def test_arbitrary_bytes_give_a_picture_or_a_data_error(
    start: bytes, rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(start + rest)
    assert_picture_or_data_error(path)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_pictures_give_a_picture_or_a_data_error(
    kind: str, edits: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(encoded(kind))
    for place, value in edits:
        content[int(place * (len(content) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    assert_picture_or_data_error(path)


def assert_picture_or_data_error(path: Path) -> None:
    try:
        found = images.read_image(path)
    except DataError:
        return
    assert found.dtype == np.uint8
    assert found.ndim == 3
    assert found.shape[2] == 3
    assert 0 < found.shape[0] * found.shape[1] <= images.MAX_PIXELS


def test_gray_is_the_documented_integer_formula() -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    blue, green, red = np.moveaxis(bgr.astype(np.int64), -1, 0)
    expected = (3735 * blue + 19235 * green + 9798 * red + 16384) >> 15
    assert np.array_equal(images.to_gray(bgr), expected)
    bgra = np.dstack([bgr, np.full((200, 200), 9, np.uint8)])
    assert np.array_equal(images.to_gray(bgra), expected)
    gray = expected.astype(np.uint8)
    assert np.array_equal(images.to_gray(gray), expected)
    assert np.array_equal(images.to_gray(gray[:, :, None]), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4), np.float32),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
    ids=["2 channels", "float", "1 axis", "empty colour", "empty gray"],
)
def test_gray_refuses_what_is_no_picture(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="Expected a picture"):
        images.to_gray(wrong)


def test_folders_are_searched_in_order_without_links_and_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.PNG", "b/1.jpeg", "a.jpg", "b/notes.txt", "b/._1.jpeg", "z.webp"):
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b" / "folder.png").mkdir()
    odd = tmp_path / "b" / "notes.txt"
    found = images.find_images([odd, tmp_path, tmp_path / "a.jpg"])
    names = ["b/notes.txt", "a.jpg", "b/1.jpeg", "b/2.PNG", "z.webp"]
    assert found == [tmp_path / name for name in names]


def test_missing_paths_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no .*missing"):
        images.find_images([tmp_path / "missing"])
    with pytest.raises(DataError, match="name too long"):
        images.find_images([tmp_path / ("x" * 5000)])
    with pytest.raises(DataError, match=r"holds no picture. Expected files that end in .bmp"):
        images.find_images([tmp_path])
