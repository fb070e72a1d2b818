"""THE face crop against values that a reader can recompute, and detectors on known faces."""

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fer_edge import faces, images
from fer_edge.errors import ConfigError, DataError, ModelFormatError
from fer_edge.faces import FaceBox, crop_face
from tests.conftest import SHARED, YUNET

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the portraits in ../shared/data are not on this machine"
)

# Squares (x, y, side) around the faces that are wholly in view, drawn by eye.
PORTRAITS: dict[str, list[tuple[int, int, int]]] = {
    "biden.jpg": [(420, 206, 325)],
    "obama-720p.jpg": [(568, 64, 198)],
    "obama.jpg": [(350, 98, 290)],
    "obama_and_biden.jpg": [(735, 412, 203), (1116, 360, 236)],
    "obama_partial_face.jpg": [],
    "two_people.jpg": [(234, 28, 176), (782, 60, 180)],
}
# Half out of the picture; and a girl who looks down, her face in the shade.
PARTIAL = {"obama_partial_face.jpg": [(-30, 120, 260)], "obama_and_biden.jpg": [(1618, 1060, 165)]}


def square(x: float, y: float, side: float) -> FaceBox:
    return FaceBox(x, y, side, side, 1.0)


def overlap(a: FaceBox, b: FaceBox) -> float:
    """Intersection over union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (a.width * a.height + b.width * b.height - shared)


def ramp(height: int = 120, width: int = 120) -> NDArray[np.uint8]:
    """A gray picture whose pixel is x + y."""
    return np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)


def in_colour(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([gray, gray, gray])


def drawn_face(side: int) -> NDArray[np.uint8]:
    """A cartoon face, `side` px wide, in the middle of a picture twice as wide."""
    unit = side / 100
    image = np.full((2 * side, 2 * side, 3), (120, 130, 90), np.uint8)

    def blob(x: float, y: float, width: float, height: float, colour: tuple[int, ...]) -> None:
        centre = (round(side + x * unit), round(side + y * unit))
        axes = (round(width * unit), round(height * unit))
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, cv2.FILLED)

    blob(0, 0, 46, 60, (150, 180, 215))
    blob(0, -52, 40, 16, (30, 40, 50))
    for eye in (-20, 20):
        blob(eye, -14, 13, 8, (90, 110, 140))
        blob(eye, -12, 9, 5, (235, 235, 235))
        blob(eye, -12, 4, 4, (30, 30, 30))
        blob(eye, -24, 13, 3, (40, 50, 60))
    blob(0, 13, 8, 2, (70, 90, 130))
    blob(0, 30, 18, 5, (80, 80, 150))
    return cv2.GaussianBlur(image, (0, 0), 1.5 * unit).astype(np.uint8)


# --- the crop ---


def test_a_square_of_48_is_taken_as_it_is() -> None:
    expected = ramp()[20:68, 10:58]
    assert np.array_equal(crop_face(ramp(), square(10, 20, 48)), expected)


def test_a_square_of_96_is_averaged_two_by_two() -> None:
    # Pixels x + y, x + 1 + y, x + y + 1 and x + 1 + y + 1, at x = 10 + 2j and y = 20 + 2i.
    i, j = np.mgrid[:48, :48]
    expected = (10 + 2 * j) + (20 + 2 * i) + 1
    assert np.array_equal(crop_face(ramp(), square(10, 20, 96)), expected)


def test_border_pixels_are_repeated() -> None:
    crop = crop_face(ramp(), square(-20, 100, 48))
    i, j = np.mgrid[:48, :48]
    x, y = np.clip(j - 20, 0, 119), np.clip(i + 100, 0, 119)
    assert np.array_equal(crop, x + y)
    assert crop[0, 0] == 100  # 100 px down the left edge
    assert crop[47, 0] == 119  # the bottom left corner
    assert crop[47, 47] == 146  # 27 px right of it


@pytest.mark.parametrize(
    ("box", "corner"),
    [
        (square(-500, -500, 48), 0),
        (square(500, -500, 48), 119),
        (square(-500, 500, 48), 119),
        (square(500, 500, 48), 238),
        (square(1e300, 1e300, 1e-300), 238),
        (FaceBox(-1e308, 1.7e308, 1e-9, 30, 1.0), 119),
        (FaceBox(1.7e308, -1.7e308, 1.7e308, 1.7e308, 1.0), 119),
    ],
)
def test_a_square_outside_is_the_nearest_pixel(box: FaceBox, corner: int) -> None:
    assert np.array_equal(crop_face(ramp(), box), np.full((48, 48), corner))


@pytest.mark.parametrize(
    ("x", "left"), [(0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (7.0, 7), (7.4999, 7)]
)
def test_the_left_edge_is_rounded_half_up(x: float, left: int) -> None:
    # Half to even, which Python's round() does, would give 0 for 0.5 and 2 for 2.5.
    assert crop_face(ramp(), square(x, 0, 48))[0, 0] == left
    assert crop_face(ramp(), square(0, x, 48))[0, 0] == left


@pytest.mark.parametrize(("side", "size"), [(47.5, 48), (48.4, 48), (48.5, 49), (95.5, 96)])
def test_the_side_is_rounded_half_up(side: float, size: int) -> None:
    assert np.array_equal(
        crop_face(ramp(), square(10, 10, side)),
        crop_face(ramp(), square(np.floor(10 + side / 2 - size / 2 + 0.5), 10, size)),
    )
    other = crop_face(ramp(), square(10, 10, size + 1))
    assert not np.array_equal(crop_face(ramp(), square(10, 10, side)), other)


def test_a_box_that_is_no_square_becomes_one_around_its_middle() -> None:
    wide, tall = FaceBox(10, 44, 96, 48, 1.0), FaceBox(34, 20, 48, 96, 1.0)
    expected = crop_face(ramp(), square(10, 20, 96))
    assert np.array_equal(crop_face(ramp(), wide), expected)
    assert np.array_equal(crop_face(ramp(), tall), expected)


def test_a_margin_is_added_on_each_side() -> None:
    expected = crop_face(ramp(), square(10, 20, 96))
    assert np.array_equal(crop_face(ramp(), square(34, 44, 48), margin=0.5), expected)
    for margin in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="Expected a margin from 0 to 1"):
            crop_face(ramp(), square(34, 44, 48), margin=margin)


@pytest.mark.parametrize("size", [49, 60, 97, 119])
def test_larger_squares_are_averaged_by_area(size: int) -> None:
    picture = np.random.default_rng(size).integers(0, 256, (120, 120), dtype=np.uint8)
    edges = np.arange(49) * size / 48
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(covered, 0, 1) * 48 / size  # (48, size), rows sum to 1
    exact = weights @ picture[:size, :size] @ weights.T
    crop = crop_face(picture, square(0, 0, size))
    assert np.abs(crop - exact).max() <= 0.5 + 1e-4  # rounded to nearest, no more


@pytest.mark.parametrize("size", [2, 5, 17, 24, 47])
def test_smaller_squares_follow_the_documented_formula(size: int) -> None:
    picture = np.random.default_rng(size).integers(0, 256, (120, 120), dtype=np.uint8)
    weights = np.zeros((48, size))
    for i in range(48):
        first = i * size // 48
        f = max(0.0, i + 1 - (first + 1) * 48 / size)
        weights[i, first] += 1 - f
        weights[i, min(first + 1, size - 1)] += f
    exact = weights @ picture[:size, :size] @ weights.T
    assert np.abs(crop_face(picture, square(0, 0, size)) - exact).max() <= 1


@pytest.mark.parametrize("side", [0.0, 1e-9, 0.3, 1.0, 1.49])
def test_the_smallest_box_is_one_pixel(side: float) -> None:
    box = square(30.6 - side / 2, 50.7 - side / 2, side)
    assert np.array_equal(crop_face(ramp(), box), np.full((48, 48), 30 + 50))


def test_a_huge_box_takes_bounded_memory() -> None:
    tracemalloc.start()
    crop = crop_face(in_colour(ramp()), square(-1e30, -1e30, 2e30))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Cut to 8192 px around its middle, 0: the picture is less than a pixel of it.
    assert np.unique(crop[:24, :24]).tolist() == [0]
    assert np.unique(crop[25:, 25:]).tolist() == [238]
    assert peak < 4 * 8192**2


def test_colour_alpha_and_gray_give_the_same_crop() -> None:
    bgr = np.random.default_rng(1).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    box = square(-5, 30, 71.3)
    expected = crop_face(images.to_gray(bgr), box)
    assert np.array_equal(crop_face(bgr, box), expected)
    bgra = np.dstack([bgr, np.full((90, 70), 200, np.uint8)])
    assert np.array_equal(crop_face(bgra, box), expected)
    assert crop_face(np.full((60, 60, 3), (29, 150, 76), np.uint8), box)[0, 0] == 114
    # 114 = (3735 * 29 + 19235 * 150 + 9798 * 76 + 16384) >> 15


def test_an_empty_picture_is_refused() -> None:
    for shape in ((0, 10, 3), (10, 0), (0, 0, 4)):
        with pytest.raises(DataError, match="Expected a picture with pixels"):
            crop_face(np.zeros(shape, np.uint8), square(0, 0, 10))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0])
def test_a_box_of_no_size_is_refused(wrong: float) -> None:
    with pytest.raises(DataError, match="Expected a box of finite numbers"):
        FaceBox(0, 0, wrong, 1, 1)


coordinates = st.floats(-400, 400) | st.floats(allow_nan=False, allow_infinity=False)
sides = st.floats(0, 400) | st.floats(0, 1e-6)


@settings(max_examples=200, deadline=None)
@given(x=coordinates, y=coordinates, width=sides, height=sides, margin=st.floats(0, 1))
def test_any_box_gives_a_crop(
    x: float, y: float, width: float, height: float, margin: float
) -> None:
    picture = np.random.default_rng(2).integers(50, 200, (37, 53, 3), dtype=np.uint8)
    crop = crop_face(picture, FaceBox(x, y, width, height, 1), margin=margin)
    assert crop.shape == (48, 48)
    assert crop.dtype == np.uint8
    gray = images.to_gray(picture)
    assert gray.min() <= crop.min()
    assert crop.max() <= gray.max()


# --- detectors ---


@pytest.mark.parametrize("side", [40, 100, 400, 1000])
def test_haar_finds_a_drawn_face_of_any_size(side: int) -> None:
    # At 1000 the picture is 2000 px wide: it is searched in a smaller copy, and mapped back.
    (box,) = faces.HaarDetector().detect(drawn_face(side))
    assert overlap(box, square(0.42 * side, 0.40 * side, 1.16 * side)) > 0.85
    assert type(box.x) is float  # NumPy's scalars do not go into JSON


def test_haar_finds_nothing_where_nothing_is() -> None:
    detector = faces.HaarDetector()
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for image in (noise, np.zeros((300, 300, 3), np.uint8), noise[:1, :1], noise[:1]):
        assert detector.detect(image) == []


def test_no_detector_takes_the_middle_square() -> None:
    assert faces.NoDetector().detect(np.zeros((48, 48, 3), np.uint8)) == [square(0, 0, 48)]
    assert faces.NoDetector().detect(np.zeros((30, 101, 3), np.uint8)) == [square(35.5, 0, 30)]
    assert faces.NoDetector().detect(np.zeros((101, 30, 3), np.uint8)) == [square(0, 35.5, 30)]
    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    (box,) = faces.NoDetector().detect(in_colour(face))
    assert np.array_equal(crop_face(in_colour(face), box), face)


def test_duplicates_go_and_neighbours_stay() -> None:
    sure, same, inside = square(100, 0, 50), FaceBox(104, 3, 50, 50, 0.9), square(110, 10, 20)
    neighbour, empty = square(70, 0, 50), square(0, 0, 0)  # shares 40% with `sure`
    found = faces._tidy([same, sure, neighbour, empty, FaceBox(110, 10, 20, 20, 0.5)])
    assert found == [empty, neighbour, sure]
    assert faces._tidy([inside, FaceBox(100, 0, 50, 50, 0.5)]) == [inside]


@pytest.mark.parametrize("spec", ["", "Haar", "haar:", "yunet", "yunet:", "none:x", "mtcnn"])
def test_unknown_detectors_are_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="Expected the detector haar, yunet:PATH or none"):
        faces.make_detector(spec)


def test_detectors_are_made_by_name() -> None:
    assert isinstance(faces.make_detector("haar"), faces.HaarDetector)
    assert isinstance(faces.make_detector("none"), faces.NoDetector)


def test_an_opencv_without_cascades_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier")  # as in OpenCV 5
    with pytest.raises(ConfigError, match=r"pip install 'opencv-python-headless>=4.11,<5'"):
        faces.make_detector("haar")


def test_a_missing_or_broken_detector_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelFormatError, match=r"Cannot read the detector .*missing.onnx"):
        faces.make_detector(f"yunet:{tmp_path}/missing.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(ModelFormatError, match=r"cannot run .*broken.onnx as a face detector"):
        faces.make_detector(f"yunet:{broken}")
    broken.write_bytes(b"")
    with pytest.raises(ModelFormatError, match=r"broken.onnx"):
        faces.make_detector(f"yunet:{broken}")
    monkeypatch.setattr(faces, "MAX_DETECTOR_BYTES", 5)
    broken.write_bytes(b"six...")
    with pytest.raises(ModelFormatError, match="Cannot read the detector"):
        faces.make_detector(f"yunet:{broken}")


@needs_shared
def test_yunets_dynamic_file_is_refused() -> None:
    path = SHARED / "detectors" / "yunet_n_dynamic.onnx"
    with pytest.raises(ModelFormatError, match="fixed input 320 x 320"):
        faces.make_detector(f"yunet:{path}")


def assert_found(found: list[FaceBox], whole: list[FaceBox], others: list[FaceBox]) -> None:
    """Checks that the whole faces were found, the others perhaps, and nothing else."""
    for face in whole:
        assert sum(overlap(box, face) > 0.65 for box in found) == 1
    for box in found:
        assert any(overlap(box, face) > 0.65 for face in whole + others)
    assert [box.x for box in found] == sorted(box.x for box in found)


@needs_shared
@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("longer", [640, None])
def test_haar_finds_every_whole_face(name: str, longer: int | None) -> None:
    image, scale = portrait(name, longer)
    whole = [square(*(scale * value for value in face)) for face in PORTRAITS[name]]
    assert_found(faces.HaarDetector().detect(image), whole, [])


@needs_shared
@pytest.mark.parametrize("name", PORTRAITS)
@pytest.mark.parametrize("longer", [320, None])
def test_yunet_finds_every_face_and_the_half_hidden_ones(name: str, longer: int | None) -> None:
    image, scale = portrait(name, longer)
    whole = [square(*(scale * value for value in face)) for face in PORTRAITS[name]]
    others = [square(*(scale * value for value in face)) for face in PARTIAL.get(name, [])]
    assert_found(faces.YuNetDetector(YUNET).detect(image), whole + others, [])


@needs_shared
def test_both_detectors_answer_in_the_same_square() -> None:
    # The mapping's own data: single faces differ by up to a tenth, their median must not.
    haar, yunet = faces.HaarDetector(), faces.YuNetDetector(YUNET)
    ratios, rises = [], []
    for name, whole in PORTRAITS.items():
        image, _ = portrait(name, None)
        found = yunet.detect(image)
        for box in haar.detect(image):
            (twin,) = (other for other in found if overlap(box, other) > 0.5)
            ratios.append(twin.width / box.width)
            rises.append((twin.y + twin.width / 2 - box.y - box.width / 2) / box.width)
        assert len(found) >= len(whole)
    assert len(ratios) == 7
    assert float(np.median(ratios)) == pytest.approx(1.0, abs=0.03)
    assert float(np.median(rises)) == pytest.approx(0.0, abs=0.03)


def portrait(name: str, longer: int | None) -> tuple[NDArray[np.uint8], float]:
    """Returns a portrait, its longer side resized where asked, and the scale of that."""
    image = images.read_image(SHARED / "portraits" / name)
    scale = longer / max(image.shape[:2]) if longer else 1.0
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False), scale
