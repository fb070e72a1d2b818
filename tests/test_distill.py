"""Distillation: what is kept of teachers, what is refused, and that a student follows them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fer_edge.cli.options import chosen_source
from fer_edge.data.clean import clean_training
from fer_edge.data.split import Dataset
from fer_edge.distill import (
    SoftLabels,
    find_soft_labels,
    read_soft_labels,
    teach,
    write_soft_labels,
)
from fer_edge.errors import ConfigError, DataError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.objective import make_targets
from fer_edge.recipe import Recipe
from fer_edge.runs import Run
from fer_edge.train import train
from fer_edge.trainer import Trainer
from fer_edge.training_plan import plan_training
from tests.conftest import NANO
from tests.trainings import Stop, assert_same_weights, last_answers, stop_in_epoch


@pytest.fixture
def turned(drawn: Dataset) -> SoftLabels:
    """A teacher who calls every emotion by the next one's name."""
    split = drawn.split("train")
    levels = (np.eye(7)[(split.labels + 1) % 7] * 255).astype(np.uint8)
    return SoftLabels(split.ids, levels, drawn.emotions, split.images_sha256(), ("turned",))


def test_the_answers_are_the_mean_over_networks_and_mirror_images(
    run: Run, drawn: Dataset, tmp_path: Path
) -> None:
    second = load_network(run.model)
    second.get_layer("logits").set_weights(
        [w[..., ::-1] for w in second.get_layer("logits").get_weights()]
    )
    other = tmp_path / "other.keras"
    second.save(other)
    taught = teach([str(run.folder), str(other)], drawn)
    images = drawn.split("train").images
    answers = [
        softmax(logits_of(network, faces))
        for network in (load_network(run.model), second)
        for faces in (images, images[:, :, ::-1])
    ]
    rows = taught.rows(drawn.split("train"))
    np.testing.assert_allclose(
        rows, np.mean(answers, axis=0), atol=0.015
    )  # seven roundings in the sum
    assert len(taught.teachers) == 2
    assert run.model.name in taught.teachers[0]


def test_a_file_gives_back_what_was_written_by_row(
    turned: SoftLabels, drawn: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "soft.npz"
    write_soft_labels(path, turned)
    found = read_soft_labels(path)
    assert (found.emotions, found.teachers) == (turned.emotions, turned.teachers)
    some = drawn.split("train").take(np.array([50, 3, 77]))
    np.testing.assert_array_equal(found.rows(some), np.eye(7)[(some.labels + 1) % 7])
    assert find_soft_labels([str(path)], drawn).images_sha256 == turned.images_sha256


def test_order_of_rows_does_not_matter(turned: SoftLabels, drawn: Dataset) -> None:
    back = dataclasses.replace(turned, ids=turned.ids[::-1], levels=turned.levels[::-1])
    split = drawn.split("train")
    np.testing.assert_array_equal(back.rows(split), turned.rows(split))
    reversed_split = split.take(np.arange(len(split))[::-1])
    assert reversed_split.images_sha256() == split.images_sha256()


def test_files_and_networks_are_averaged_each_teacher_once(
    turned: SoftLabels, drawn: Dataset, run: Run, tmp_path: Path
) -> None:
    two = dataclasses.replace(turned, teachers=("a", "b"))
    write_soft_labels(tmp_path / "two.npz", two)
    split = drawn.split("train")
    alone = find_soft_labels([str(run.folder)], drawn)
    found = find_soft_labels([str(tmp_path / "two.npz"), str(run.folder)], drawn)
    assert found.teachers == ("a", "b", *alone.teachers)
    expected = (2 * turned.rows(split) + alone.rows(split)) / 3
    np.testing.assert_allclose(
        found.rows(split), expected, atol=0.015
    )  # seven roundings in the sum
    assert np.abs(turned.rows(split) - alone.rows(split)).max() > 0.1  # they differ


def test_what_is_refused(turned: SoftLabels, drawn: Dataset, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    write_soft_labels(path, turned)
    eight = dataclasses.replace(drawn, emotions=(*drawn.emotions, "contempt"))
    with pytest.raises(DataError, match=r"Expected teachers of .*contempt"):
        find_soft_labels([str(path)], eight)
    with pytest.raises(ConfigError, match=r"the data has .*contempt"):
        find_soft_labels([str(run.folder)], eight)
    split = drawn.split("train")
    lighter = dataclasses.replace(split, images=np.maximum(split.images, 1))
    with pytest.raises(DataError, match="of other images"):
        find_soft_labels([str(path)], dataclasses.replace(drawn, splits={"train": lighter}))
    more = dataclasses.replace(split, ids=split.ids + 1)
    with pytest.raises(DataError, match="lack row"):
        find_soft_labels([str(path)], dataclasses.replace(drawn, splits={"train": more}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"words"])
def test_a_damaged_file_is_named(content: bytes, drawn: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Cannot read the soft labels .*soft\.npz"):
        find_soft_labels([str(path)], drawn)
    with pytest.raises(DataError, match="Cannot read the soft labels"):
        find_soft_labels([str(tmp_path / "absent.npz")], drawn)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"emotions": np.array("happy")}, id="one emotion, and no list"),
        pytest.param({"ids": np.array(3)}, id="one row, and no list"),
        pytest.param(
            {"ids": np.zeros(0, np.int32), "levels": np.zeros((0, 7), np.uint8)}, id="no rows"
        ),
        pytest.param({"levels": np.zeros((1, 7), np.float32)}, id="floats"),
        pytest.param({"teachers": np.zeros(0, "<U1")}, id="no teacher"),
        pytest.param({"teachers": np.array(["a", " "])}, id="a teacher without a name"),
    ],
)
def test_arrays_of_other_shapes_are_named(
    spoil: dict[str, np.ndarray], turned: SoftLabels, tmp_path: Path
) -> None:
    path = tmp_path / "soft.npz"
    write_soft_labels(path, turned)
    with np.load(path) as arrays:
        np.savez_compressed(path, **(dict(arrays) | spoil))
    with pytest.raises(DataError, match="Cannot read the soft labels"):
        read_soft_labels(path)


def test_a_file_broken_inside_and_one_that_is_no_archive(
    turned: SoftLabels, tmp_path: Path
) -> None:
    path = tmp_path / "soft.npz"
    np.save(path.with_suffix(".npy"), turned.levels)
    path.with_suffix(".npy").rename(path)
    with pytest.raises(DataError, match="Cannot read the soft labels"):
        read_soft_labels(path)
    write_soft_labels(path, turned)
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30  # inside the first packed array
    path.write_bytes(content)
    with pytest.raises(DataError, match="Cannot read the soft labels"):
        read_soft_labels(path)


def test_rows_of_zeros_are_no_soft_labels(turned: SoftLabels, tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    write_soft_labels(path, dataclasses.replace(turned, levels=turned.levels * 0))
    with pytest.raises(DataError, match="a row is all zeros"):
        read_soft_labels(path)


def test_targets_are_label_and_teacher_by_weight(turned: SoftLabels, drawn: Dataset) -> None:
    split = drawn.split("train")
    recipe = Recipe(label_smoothing=0.0, teacher_weight=0.75)
    targets = make_targets(split, 7, recipe, turned.rows(split))
    row, label = targets[0], int(split.labels[0])
    assert row[label] == pytest.approx(0.25)
    assert row[(label + 1) % 7] == pytest.approx(0.75)


def test_a_student_learns_what_its_teacher_says(turned: SoftLabels, drawn: Dataset) -> None:
    """All is called by the next one's name; the last epoch, since the labels choose the best."""
    recipe = NANO.replace(epochs=16, batch_size=15, teacher_weight=1.0)
    trainer = Trainer(drawn, recipe, teacher=turned)
    assert np.mean(last_answers(trainer) == (drawn.split("train").labels + 1) % 7) > 0.5


def test_a_run_that_goes_on_keeps_its_teacher(
    turned: SoftLabels, drawn: Dataset, tmp_path: Path
) -> None:
    recipe = NANO.replace(epochs=2, batch_size=30)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(drawn, recipe, whole, teacher=turned)
    with pytest.raises(Stop):
        train(drawn, recipe, broken, teacher=turned, listener=stop_in_epoch(2))
    train(drawn, recipe, broken, resume=True)
    assert_same_weights(whole, broken)
    assert whole.read_config()["teachers"] == ["turned"]


def test_soft_labels_cover_the_rows_that_cleaning_leaves(drawn: Dataset, run: Run) -> None:
    taught = teach([str(run.folder)], drawn)
    cleaned = clean_training(drawn)[0].split("train")
    assert taught.rows(cleaned).shape == (len(cleaned), 7)


def test_a_run_that_goes_on_takes_no_new_teacher(run: Run) -> None:
    with pytest.raises(ConfigError, match="leave --teacher out"):
        plan_training(
            source=chosen_source("sample", "", "", "fer2013"),
            out=run.folder,
            recipe=None,
            changes={},
            teachers=["small"],
            resume=True,
        )
