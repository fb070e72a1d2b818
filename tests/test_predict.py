"""From a picture to faces with emotions, and the annotated picture."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.contract import EMOTIONS
from fer_edge.faces import FaceBox, NoDetector, crop_face
from fer_edge.predict import _LABEL_COLOUR, _LINE_COLOUR, Face, _caption, annotate, read_faces


class TwoHalves:
    """A detector that takes the left and the right half of a picture for faces."""

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        half = image.shape[1] // 2
        return [FaceBox(0, 0, half, half, 1.0), FaceBox(half, 0, half, half, 1.0)]


class Nothing:
    """A detector that finds no face."""

    def detect(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        assert image.ndim == 3
        return []


def brightness_as_label(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gives crops of mean 0, 1, 2 … the labels 0, 1, 2 …, at 0.7."""
    answers = np.full((len(crops), 7), 0.05, np.float32)
    answers[np.arange(len(crops)), crops.mean(axis=(1, 2)).astype(int)] = 0.7
    return answers


def face(x: float, y: float, side: float, label: int = 3) -> Face:
    probabilities = np.full(7, 0.05, np.float32)
    probabilities[label] = 0.7
    return Face(FaceBox(x, y, side, side, 1.0), probabilities, label)


def test_faces_carry_the_answers_for_their_own_crops() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :100], image[:, 100:] = 5, 2
    first, second = read_faces(image, TwoHalves(), brightness_as_label)
    assert (first.label, second.label) == (5, 2)
    assert (first.box.x, second.box.x) == (0, 100)
    expected = np.array([0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05], np.float32)
    assert np.array_equal(first.probabilities, expected)


def test_all_crops_are_read_in_one_call() -> None:
    seen: list[NDArray[np.uint8]] = []

    def classify(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(crops)
        return np.full((len(crops), 7), 1 / 7, np.float32)

    image = np.random.default_rng(0).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    read_faces(image, TwoHalves(), classify)
    (crops,) = seen
    assert crops.shape == (2, 48, 48)
    assert crops.dtype == np.uint8
    assert np.array_equal(crops[1], crop_face(image, FaceBox(120, 0, 120, 120, 1.0)))


def test_without_faces_the_model_is_not_asked() -> None:
    def classify(_: NDArray[np.uint8]) -> NDArray[np.float32]:
        pytest.fail("asked for no faces")

    assert read_faces(np.zeros((50, 50, 3), np.uint8), Nothing(), classify) == []


def test_a_model_that_answers_for_too_few_faces_is_noticed() -> None:
    with pytest.raises(ValueError, match="shorter"):
        read_faces(
            np.zeros((50, 100, 3), np.uint8),
            TwoHalves(),
            lambda crops: brightness_as_label(crops[:1]),
        )


def test_the_input_is_not_touched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    before = image.copy()
    drawn = annotate(image, [face(100, 100, 120)], EMOTIONS)
    assert np.array_equal(image, before)
    assert not np.array_equal(drawn, before)
    assert np.array_equal(annotate(image, [], EMOTIONS), before)


def coloured(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (image == np.array(colour, np.uint8)).all(axis=2)
    return same


def test_the_box_lies_on_its_face_and_the_label_over_it() -> None:
    drawn = annotate(np.zeros((400, 400, 3), np.uint8), [face(100, 150, 120)], EMOTIONS)
    rows, columns = np.nonzero(coloured(drawn, _LINE_COLOUR))
    assert (columns.min(), columns.max()) == (100, 219)
    assert rows.max() == 269
    rows, columns = np.nonzero(coloured(drawn, _LABEL_COLOUR))
    assert rows.max() == 149
    assert columns.min() == 100
    assert rows.min() > 120


def extent(drawn: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Returns the top and left pixel of a label, and its height and width."""
    rows, columns = np.nonzero(coloured(drawn, _LABEL_COLOUR))
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1


@pytest.mark.parametrize(
    ("x", "y", "top", "left"),  # None: where the label's far side meets the picture's end
    [(370, 0, 0, None), (50, 900, None, 50), (-80, -80, 0, 0)],
)
def test_a_label_stays_whole_where_the_picture_ends(
    x: float, y: float, top: int | None, left: int | None
) -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    _, _, height, width = extent(annotate(image, [face(100, 150, 100)], EMOTIONS))
    expected_top = 399 - height if top is None else top
    expected_left = 400 - width if left is None else left
    found = extent(annotate(image, [face(x, y, 100)], EMOTIONS))
    assert found == (expected_top, expected_left, height, width)


def test_letters_shrink_until_the_label_fits() -> None:
    def label_shape(side: int) -> float:
        image = np.zeros((side, side, 3), np.uint8)
        found = face(side / 4, side / 2, side / 4, label=5)
        _, _, height, width = extent(annotate(image, [found], EMOTIONS))
        return width / height

    # A label that the picture cut off would be half as wide for its height.
    assert label_shape(60) == pytest.approx(label_shape(600), rel=0.25)


@pytest.mark.parametrize(("longer", "width"), [(100, 1), (400, 1), (800, 2), (4000, 10)])
def test_lines_grow_with_the_picture(longer: int, width: int) -> None:
    image = np.zeros((longer // 2, longer, 3), np.uint8)
    drawn = annotate(image, [face(longer / 4, longer / 8, longer / 4)], EMOTIONS)
    below_the_label = round(0.35 * longer)
    across = coloured(drawn, _LINE_COLOUR)[below_the_label, : longer * 3 // 8]
    assert int(across.sum()) in (width, width + 1)  # OpenCV draws even widths one wider


def test_letters_can_be_read_in_a_webcam_picture() -> None:
    drawn = annotate(np.zeros((240, 320, 3), np.uint8), [face(100, 100, 40)], EMOTIONS)
    rows, _ = np.nonzero((drawn > 128).all(axis=2))
    assert rows.max() - rows.min() >= 9


@pytest.mark.parametrize(("threshold", "unsure"), [(0.0, False), (0.69, False), (0.71, True)])
def test_a_face_under_the_threshold_is_unsure(threshold: float, unsure: bool) -> None:
    image = np.zeros((50, 100, 3), np.uint8)
    found = read_faces(image, TwoHalves(), brightness_as_label, unsure_below=threshold)
    assert [face.is_unsure for face in found] == [unsure, unsure]


def test_a_probability_at_the_threshold_is_sure() -> None:
    def half(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array([0.5, 0.3, 0.2], np.float32), (len(crops), 1))

    (found,) = read_faces(np.zeros((48, 48, 3), np.uint8), NoDetector(), half, unsure_below=0.5)
    assert not found.is_unsure


def test_the_emotion_and_its_percentage_are_written() -> None:
    assert _caption(face(0, 0, 1), EMOTIONS) == "happy 70%"
    unsure = dataclasses.replace(face(0, 0, 1), is_unsure=True)
    assert _caption(unsure, EMOTIONS) == "happy? 70%"
    assert _caption(Face(face(0, 0, 1).box, np.ones(1, np.float32), 0), ["joy"]) == "joy 100%"
    image = np.zeros((400, 400, 3), np.uint8)
    happy = annotate(image, [face(100, 150, 120, label=3)], EMOTIONS)
    assert not np.array_equal(happy, annotate(image, [face(100, 150, 120, label=4)], EMOTIONS))


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (48, 48), (90, 160), (2000, 3000)])
def test_any_picture_and_any_box_can_be_drawn(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    boxes = [(-50, -50, 60), (0, 0, 0), (1e30, -1e30, 5), (-1e9, -1e9, 2e9), (10, 10, 1e300)]
    boxes.append((1.7e308, 0, 1.7e308))
    found = [face(x, y, side, label) for label, (x, y, side) in enumerate(boxes)]
    drawn = annotate(image, found, EMOTIONS)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert drawn.any()


def test_a_whole_crop_is_read_without_a_detector() -> None:
    image = np.full((48, 48, 3), 4, np.uint8)
    (found,) = read_faces(image, NoDetector(), brightness_as_label)
    assert found.label == 4
