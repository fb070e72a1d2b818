"""Pictures of every kind, one by one: which face is taken, and what is left out and counted."""

import base64
import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge.data import pictures
from fer_edge.data.split import Dataset
from fer_edge.errors import ConfigError
from fer_edge.images import encode_image
from tests.layouts import (
    face,
    faces,
    photograph,
    read,
    write_fer2013_kaggle,
    write_tree,
    write_zip,
)
from tests.test_formats import assert_valid

GRAY = face(1) // 2
CMYK = (  # 16 x 16, no ink but half of black's; as Adobe writes it, that is inverted
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwCgbniMeGSgjIKMtKqgvvD///Dc3PD////////////////////////////////"
    "//////////////////////////8AAFAgAEAAQBEMRAE0RAFkRAEsRAP/EABUAAQEAAAAAAAAAAAAAAAAAAAAD/8QAFB"
    "ABAAAAAAAAAAAAAAAAAAAAAP/aAA4EQwBNAFkASwAAPwCyywAAAA//2Q=="
)


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def animated_png(*frames: NDArray[np.uint8]) -> bytes:
    """Source: PNG specification, third edition, section 11.3.6."""
    height, width = frames[0].shape
    made = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    made += png_chunk(b"acTL", struct.pack(">II", len(frames), 0))
    for number, frame in enumerate(frames):
        control = struct.pack(">IIIIIHHBB", 2 * number, width, height, 0, 0, 1, 10, 0, 0)
        packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in frame))
        name, above = (b"fdAT", struct.pack(">I", 2 * number - 1)) if number else (b"IDAT", b"")
        made += png_chunk(b"fcTL", control) + png_chunk(name, above + packed)
    return b"\x89PNG\r\n\x1a\n" + made + png_chunk(b"IEND", b"")


def animated_webp(*frames: NDArray[np.uint8]) -> bytes:
    """Source: RFC 9649, section 2.7."""
    height, width = frames[0].shape
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    made: bytes = b"VP8X" + struct.pack("<IBBH", 10, 2, 0, 0) + size
    made += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    for frame in frames:
        _, encoded = cv2.imencode(".webp", frame, [cv2.IMWRITE_WEBP_QUALITY, 101])
        content = bytes(6) + size + (100).to_bytes(3, "little") + b"\0" + encoded.tobytes()[12:]
        made += b"ANMF" + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(made)) + b"WEBP" + made


def rotated_jpeg() -> bytes:
    """A picture that is black above as stored, and on the left once turned upright."""
    stored = np.full((48, 48), 255, np.uint8)
    stored[:24] = 0
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 0x112, 3, 1, 8, 0, 0)
    content = encode_image(stored, ".jpg")
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]


ON_THE_LEFT = np.tile(np.repeat(np.array([0, 255], np.uint8), 24), (48, 1))


def claims(width: int, height: int) -> bytes:
    content = bytearray(encode_image(GRAY, ".png"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.png", animated_png(GRAY, 255 - GRAY), GRAY, id="animated PNG"),
        pytest.param("a.webp", animated_webp(GRAY, 255 - GRAY), GRAY, id="animated WebP"),
        pytest.param("a.jpg", rotated_jpeg(), ON_THE_LEFT, id="rotated by EXIF"),
        pytest.param(
            "a.jpeg", base64.b64decode(CMYK), np.full((48, 48), 126, np.uint8), id="CMYK JPEG"
        ),
        pytest.param(
            "a.PNG",
            cv2.imencode(".png", GRAY.astype(np.uint16) * 257)[1].tobytes(),
            GRAY,
            id="16 bit",
        ),
        pytest.param("a.JPG", encode_image(GRAY, ".bmp"), GRAY, id="another suffix"),
        pytest.param("new\nline.png", encode_image(GRAY, ".png"), GRAY, id="new line"),
        pytest.param("\udcff.png", encode_image(GRAY, ".png"), GRAY, id="not UTF-8"),
        pytest.param(
            "1px.png", encode_image(GRAY[:1, :1], ".png"), GRAY[0, 0] + 0 * GRAY, id="1 px"
        ),
        pytest.param(
            "long.png",
            encode_image(np.full((1, 60_000), 9, np.uint8), ".png"),
            0 * GRAY + 9,
            id="long",
        ),
        pytest.param("a.png", claims(60_000, 60_000), None, id="claims 60,000 x 60,000"),
        pytest.param("a.png", encode_image(GRAY, ".png")[:-30], None, id="cut"),
        pytest.param("a.jpg", b"", None, id="no bytes"),
        pytest.param("a.png", b"<html>", None, id="text"),
        pytest.param("a\nb.png", b"<html>", None, id="bad, new line"),
    ],
)
def test_one_odd_picture_among_others(
    name: str, content: bytes, expected: NDArray[np.uint8] | None, tmp_path: Path
) -> None:
    others = faces("train/happy", "train/sad", "val/sad", n=2)
    found = read(write_tree(tmp_path, others | {f"val/happy/{name}": content}))
    assert_valid(found)
    split = found.data.splits["validation"]
    if expected is None:
        assert len(split) == 2
        assert "1 skipped" in found.data.notes[0]
    else:
        (image,) = split.images[split.labels == 0]
        assert np.abs(image.astype(int) - expected).mean() < 2.5
        assert f"val/happy/{name}" in found.data.names
        assert found.data.notes == ()


def test_a_picture_over_the_limit_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = faces("train/happy", "train/sad", "val/sad", "val/happy", n=2)
    contents["val/happy/0.png"] = content = encode_image(np.zeros((9, 9), np.uint8), ".bmp")
    limit = max(map(len, contents.values()))
    contents["val/happy/large.png"] = content.ljust(limit + 1, b"\0")
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", limit)
    for path in (write_tree(tmp_path / "f", contents), write_zip(tmp_path / "f.zip", contents)):
        found = read(path)
        assert found.data.notes[0] == "1 skipped, over 64 MiB: val/happy/large.png"
        assert len(found.data.names) == 8


def photographs(drawn: Dataset) -> dict[str, bytes]:
    """Returns photographs of drawn faces, happy and sad, and two of none, by name."""
    rng = np.random.default_rng(3)
    split = drawn.split("train")
    contents = {
        f"{drawn.emotions[label]}/{n}.png": encode_image(photograph(image, rng), ".png")
        for n, (image, label) in enumerate(zip(split.images, split.labels, strict=True))
        if drawn.emotions[label] in ("happy", "sad")
    }
    return dict(list(contents.items())[:15]) | {
        "happy/wall.png": encode_image(np.full((200, 200, 3), 90, np.uint8), ".png"),
        "sad/dark.png": encode_image(np.zeros((300, 200, 3), np.uint8), ".png"),
    }


def test_faces_are_found_in_photographs(drawn: Dataset, tmp_path: Path) -> None:
    folder = write_tree(tmp_path, photographs(drawn))
    whole, cropped = read(folder), read(folder, "haar")
    assert_valid(cropped)
    assert len(whole.data.names) == 17
    assert cropped.data.notes[0] == "2 skipped, no face found: happy/wall.png, sad/dark.png"
    assert len(cropped.data.names) == 15
    assert whole.sha256 != cropped.sha256
    assert read(folder).sha256 == read(folder, "none").sha256 == whole.sha256
    assert read(folder, "haar").sha256 == cropped.sha256


def test_of_two_faces_the_larger_counts(drawn: Dataset, tmp_path: Path) -> None:
    small, large = drawn.split("train").images[:2]
    both = np.full((400, 600, 3), 100, np.uint8)
    both[20:116, 20:116] = cv2.resize(small, (96, 96), interpolation=cv2.INTER_CUBIC)[..., None]
    both[100:340, 300:540] = cv2.resize(large, (240, 240), interpolation=cv2.INTER_CUBIC)[..., None]
    alone = both.copy()
    alone[:200, :200] = 100
    contents = photographs(drawn) | {
        "happy/both.png": encode_image(both, ".png"),
        "happy/alone.png": encode_image(alone, ".png"),
    }
    found = read(write_tree(tmp_path, contents), "haar")
    images = {
        found.data.names[number]: image
        for split in found.data.splits.values()
        for image, number in zip(split.images, split.ids, strict=True)
    }
    difference = np.abs(images["happy/both.png"].astype(int) - images["happy/alone.png"])
    assert difference.mean() < 3


def test_a_changed_detector_is_noticed(drawn: Dataset, tmp_path: Path) -> None:
    """By what is in its file, wherever that lies."""
    model = Path(__file__).parents[2] / "shared/data/detectors/yunet_n_320_320.onnx"
    if not model.exists():
        pytest.skip(f"YuNet is not here ({model})")
    folder = write_tree(tmp_path / "f", photographs(drawn))
    copy = shutil.copy(model, tmp_path / "copy.onnx")
    first = read(folder, f"yunet:{model}").sha256
    assert read(folder, f"yunet:{copy}").sha256 == first
    with Path(copy).open("ab") as file:
        file.write(b"\x32\x01x")  # ONNX's doc_string, one letter
    assert read(folder, f"yunet:{copy}").sha256 != first


def test_detectors_that_are_refused(drawn: Dataset, drawn_csv: Path, tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "f", faces("happy", "sad"))
    for spec in ("hare", "yunet", "haar:x"):
        with pytest.raises(ConfigError, match="Expected the detector"):
            read(folder, spec)
    for path in (drawn_csv, write_fer2013_kaggle(tmp_path / "csv", drawn)):
        with pytest.raises(ConfigError, match="cropped already"):
            read(path, "haar")
        assert read(path, "none").sha256 == read(path).sha256


ODD = st.one_of(
    st.binary(max_size=300),
    st.tuples(
        st.sampled_from([".jpg", ".png", ".webp", ".bmp"]),
        st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=5),
        st.integers(30, 3000),
    ).map(lambda odd: damaged(*odd)),
)


def damaged(suffix: str, changes: list[tuple[int, int]], cut: int) -> bytes:
    content = bytearray(encode_image(face(7), suffix))
    for at, value in changes:
        content[at % len(content)] = value
    return bytes(content[:cut])


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(odd=st.lists(ODD, min_size=1, max_size=4))
def test_arbitrary_pictures_are_used_or_counted(odd: list[bytes], tmp_path: Path) -> None:
    contents = faces("train/happy", "train/sad", n=2)
    contents |= {f"train/happy/odd{n}.png": content for n, content in enumerate(odd)}
    found = read(write_zip(tmp_path / "f.zip", contents))
    assert_valid(found)
    n_skipped = sum(int(note.split()[0]) for note in found.data.notes if "skipped" in note)
    assert len(found.data.names) + n_skipped == 4 + len(odd)
