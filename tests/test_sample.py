"""The drawn faces: a data set that is whole, repeatable and clean, and scenes to search."""

import cv2
import cv2.data
import numpy as np
import pytest

from fer_edge.contract import EMOTIONS
from fer_edge.data.clean import clean_training
from fer_edge.data.contents import content_ids
from fer_edge.data.drawn.paint import Pose, paint
from fer_edge.data.drawn.people import EXPRESSIONS, act, meet
from fer_edge.data.drawn.portrait import draw_portrait
from fer_edge.data.sample import draw_face, draw_scene, sample_dataset
from fer_edge.data.split import Dataset
from fer_edge.errors import DataError


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return sample_dataset(n_per_class=(12, 3, 4), seed=7)


def test_every_split_has_every_class_as_often_as_asked(dataset: Dataset) -> None:
    counts = {name: split.class_counts(7) for name, split in dataset.splits.items()}
    assert counts == {"train": [12] * 7, "validation": [3] * 7, "test": [4] * 7}
    assert (dataset.source.name, dataset.emotions) == ("sample", EMOTIONS)


def test_ids_are_unique_over_all_splits(dataset: Dataset) -> None:
    ids = np.concatenate([split.ids for split in dataset.splits.values()])
    assert ids.dtype == np.int64
    assert len(np.unique(ids)) == len(ids) == 7 * (12 + 3 + 4)


def test_no_image_occurs_twice(dataset: Dataset) -> None:
    numbers = np.concatenate(content_ids(*(split.images for split in dataset.splits.values())))
    assert len(np.unique(numbers)) == len(numbers)


def test_cleaning_removes_nothing(dataset: Dataset) -> None:
    _, report = clean_training(dataset)
    assert report.kept == 7 * 12


def test_the_same_seed_draws_the_same(dataset: Dataset) -> None:
    again = sample_dataset(n_per_class=(12, 3, 4), seed=7)
    assert again.sha256 == dataset.sha256
    for name, split in dataset.splits.items():
        np.testing.assert_array_equal(again.splits[name].images, split.images)


def test_another_seed_draws_other_faces(dataset: Dataset) -> None:
    other = sample_dataset(n_per_class=(12, 3, 4), seed=8)
    assert other.sha256 != dataset.sha256
    own, others = content_ids(dataset.split("train").images, other.split("train").images)
    assert not np.isin(own, others).any()


def test_a_split_does_not_depend_on_the_size_of_another(dataset: Dataset) -> None:
    smaller = sample_dataset(n_per_class=(1, 3, 4), seed=7)
    np.testing.assert_array_equal(smaller.split("test").images, dataset.split("test").images)


def test_a_split_without_images_is_refused() -> None:
    with pytest.raises(DataError, match="each at least 1"):
        sample_dataset(n_per_class=(5, 0, 5))


def test_every_emotion_has_an_expression() -> None:
    assert tuple(EXPRESSIONS) == EMOTIONS


@pytest.mark.parametrize("size", [48, 256])
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_has_light_and_shade(emotion: str, size: int) -> None:
    face = draw_face(emotion, np.random.default_rng(3), size=size)
    assert face.shape == (size, size)
    assert face.dtype == np.uint8
    assert face.std() > 12


@pytest.mark.parametrize("emotion", EMOTIONS[:-1])
def test_one_seed_is_one_person_whose_face_shows_the_emotion(emotion: str) -> None:
    shown, neutral = (
        draw_face(name, np.random.default_rng(3)).astype(int) for name in (emotion, "neutral")
    )
    difference = np.abs(shown - neutral)
    assert difference[:, :3].max() == 0  # the wall, with its noise, is the same to the bit
    assert difference[12:42, 10:38].max() > 30


def test_each_image_shows_its_label(dataset: Dataset) -> None:
    rng, split = np.random.default_rng([7, 1]), dataset.split("validation")
    for label, image in zip(split.labels, split.images, strict=True):
        np.testing.assert_array_equal(image, draw_face(EMOTIONS[label], rng))


def test_light_from_the_left_brightens_the_left_of_the_face_and_not_the_wall() -> None:
    rng = np.random.default_rng(0)
    portrait, wall = draw_portrait(act("neutral", rng), meet(rng)), np.full((48, 48), 90, np.uint8)
    left, right = (
        paint(wall, [(portrait, Pose(23.5, 23.5, 18, light=light))]) for light in (-1, 1)
    )
    assert left[27, 16] > 1.1 * right[27, 16]
    assert left[27, 1] == right[27, 1] == 90


def test_an_unknown_emotion_is_named_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"happy.*'bored'"):
        draw_face("bored", np.random.default_rng(0))


def test_a_scene_is_a_colour_picture_with_its_faces_in_order() -> None:
    scene = draw_scene(["happy", "sad"], np.random.default_rng(1), face_px=128, size=(360, 480))
    assert scene.image.shape == (360, 480, 3)
    assert scene.image.dtype == np.uint8
    assert scene.emotions == ("happy", "sad")
    assert scene.boxes.shape == (2, 4)
    assert scene.boxes[0, 0] < scene.boxes[1, 0]


def test_a_scene_may_be_empty() -> None:
    scene = draw_scene([], np.random.default_rng(1))
    assert (scene.image.shape, scene.boxes.shape) == ((480, 640, 3), (0, 4))


def test_a_scene_refuses_more_faces_than_fit() -> None:
    with pytest.raises(DataError, match="do not fit into 640 x 480"):
        draw_scene(["happy"] * 4, np.random.default_rng(1))


def test_opencv_finds_most_drawn_faces_where_they_are() -> None:
    found = sum(_is_found(seed) for seed in range(10))
    assert found >= 9  # 96% of 420


def _is_found(seed: int) -> bool:
    scene = draw_scene(
        [EMOTIONS[seed % 7]], np.random.default_rng(seed), face_px=140, size=(300, 300)
    )
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    boxes = np.reshape(cascade.detectMultiScale(scene.image[..., 0], 1.1, 5), (-1, 4))
    offsets = np.abs(boxes - scene.boxes[0]).max(axis=1)
    return bool((offsets < 0.25 * 140).any())
