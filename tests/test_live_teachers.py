"""Teachers asked while a student learns: about what it sees, by share, and again on resume."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.catalog import SHIPPED
from fer_edge.data.split import Dataset
from fer_edge.distill import SoftLabels
from fer_edge.errors import ConfigError, ModelFormatError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.live_teachers import LiveTeachers, divide_teachers, load_live
from fer_edge.metrics import softmax
from fer_edge.recipe import Recipe
from fer_edge.runs import Run
from fer_edge.train import train
from fer_edge.trainer import Trainer
from fer_edge.training_plan import plan_training
from tests.conftest import NANO
from tests.trainings import Stop, assert_same_weights, last_answers, stop_in_epoch

LIVE = NANO.replace(live_teachers=True, batch_size=30)


@pytest.fixture
def turned(run: Run, drawn: Dataset, tmp_path: Path) -> LiveTeachers:
    """A network that calls every emotion by the next one's name."""
    network = load_network(run.model)
    head = network.get_layer("logits")
    head.set_weights([np.roll(weights, 1, axis=-1) for weights in head.get_weights()])
    network.save(tmp_path / "turned.keras")
    return load_live([str(tmp_path / "turned.keras")], drawn)


@pytest.fixture
def stored(drawn: Dataset) -> SoftLabels:
    """Two teachers' soft labels: all is angry."""
    split = drawn.split("train")
    levels = np.where(np.arange(7) == 0, 255, 0).astype(np.uint8)[None].repeat(len(split), 0)
    return SoftLabels(split.ids, levels, drawn.emotions, split.images_sha256(), ("a", "b"))


def test_the_answer_is_the_mean_and_small_images_are_resized(
    run: Run, turned: LiveTeachers, drawn: Dataset
) -> None:
    both = load_live([str(run.model), str(turned.files[0])], drawn)
    images = drawn.split("train").images[:8]
    answers = [softmax(logits_of(network, images)) for network in both.networks]
    np.testing.assert_allclose(both.answers(images[..., None]), np.mean(answers, 0), atol=1e-5)
    small = np.stack([cv2.resize(image, (32, 32)) for image in images])
    again = np.stack([cv2.resize(image, (48, 48)) for image in small])
    expected = softmax(logits_of(turned.networks[0], again))
    np.testing.assert_allclose(turned.answers(small[..., None]), expected, atol=1e-5)


@pytest.mark.parametrize("side", [0, 32])
def test_targets_are_answers_to_the_images_as_they_were_varied(
    side: int, turned: LiveTeachers, drawn: Dataset
) -> None:
    recipe = LIVE.replace(teacher_weight=1.0, mixup=0.4, low_side=32, low_epochs=1 if side else 0)
    trainer = Trainer(drawn, recipe, live=turned)
    with trainer._batches(1) as batches:
        images, targets = next(batches)
    assert not targets.any()  # all of it is left to the teacher
    asked = trainer._with_live_answers(images, targets)
    np.testing.assert_allclose(asked, turned.answers(images), atol=1e-6)
    assert images.shape[1] == (side or 48)


def test_each_teacher_counts_once_and_the_second_head_is_left_alone(
    turned: LiveTeachers, stored: SoftLabels, drawn: Dataset
) -> None:
    recipe = LIVE.replace(teacher_weight=0.6, label_smoothing=0.0)
    trainer = Trainer(drawn, recipe, teacher=stored, live=turned)
    split = drawn.split("train")
    images, labels = split.images[:9, ..., None], split.labels[:9]
    second = np.full((9, 7), 1 / 7, np.float32)
    targets = np.concatenate([trainer.targets[:9], second], axis=1)
    asked = trainer._with_live_answers(images, targets)
    expected = 0.4 * np.eye(7)[labels] + 0.2 * turned.answers(images)
    expected[:, 0] += 0.4
    np.testing.assert_allclose(asked[:, :7], expected, atol=1e-6)
    np.testing.assert_array_equal(asked[:, 7:], second)


def test_a_student_learns_what_it_hears(turned: LiveTeachers, drawn: Dataset) -> None:
    """All is called by the next one's name; the last epoch, since the labels choose the best."""
    trainer = Trainer(
        drawn, LIVE.replace(epochs=16, batch_size=15, teacher_weight=1.0), live=turned
    )
    assert np.mean(last_answers(trainer) == (drawn.split("train").labels + 1) % 7) > 0.5


def test_a_run_that_goes_on_asks_the_same_teachers(
    run: Run, turned: LiveTeachers, drawn: Dataset, tmp_path: Path
) -> None:
    recipe = LIVE.replace(epochs=2)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    teachers = load_live([str(turned.files[0]), str(run.model)], drawn)
    train(drawn, recipe, whole, live=teachers)
    with pytest.raises(Stop):
        train(drawn, recipe, broken, live=teachers, listener=stop_in_epoch(2))
    turned.files[0].unlink()
    train(drawn, recipe, broken, resume=True)
    assert_same_weights(whole, broken)
    config = broken.read_config()
    assert config["live_teachers"] == list(teachers.names)
    assert "teachers" not in config
    train(drawn, NANO.replace(epochs=1, batch_size=30), broken)
    assert not broken.live_teachers.exists()
    assert "live_teachers" not in broken.read_config()


def test_a_run_stopped_in_its_first_epoch_starts_again_as_it_was_started(
    run: Run, turned: LiveTeachers, stored: SoftLabels, drawn: Dataset, tmp_path: Path
) -> None:
    recipe = LIVE.replace(epochs=1, learning_rate=1e-4)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(drawn, recipe, whole, init=str(run.model), teacher=stored, live=turned)
    with pytest.raises(Stop):
        train(
            drawn,
            recipe,
            broken,
            init=str(run.model),
            teacher=stored,
            live=turned,
            listener=stop_in_epoch(1),
        )
    assert not broken.checkpoint.exists()
    with pytest.raises(ConfigError, match=r"needs what it started from, \S+model.keras"):
        train(drawn, recipe, broken, resume=True)
    again = plan_training(source=None, out=broken.folder, recipe=None, changes={}, resume=True)
    train(drawn, again.recipe, broken, init=str(again.init), resume=True)
    assert_same_weights(whole, broken)
    configs = [finished.read_config() for finished in (whole, broken)]
    for key in ("init", "teachers", "live_teachers"):
        assert configs[0][key]
        assert configs[0][key] == configs[1][key]
    assert (
        plan_training(source=None, out=broken.folder, recipe=None, changes={}, resume=True).init
        is None
    )  # all of it is in the checkpoint


def test_a_run_that_has_lost_a_teacher_does_not_go_on(
    turned: LiveTeachers, stored: SoftLabels, drawn: Dataset, tmp_path: Path
) -> None:
    recipe = LIVE.replace(epochs=2, stop_after=1)
    started = Run(tmp_path / "started")
    train(drawn, recipe, started, teacher=stored, live=turned)
    copy, on = started.live_teachers / "0.keras", recipe.replace(stop_after=2)
    for kept, found in ((started.teacher, "no teacher"), (copy, "no teacher"), (copy, "0.keras")):
        content = kept.read_bytes()
        kept.unlink()
        if found == "0.keras":
            shutil.copyfile(SHIPPED / "nano" / "float.keras", kept)  # another network
        with pytest.raises(ConfigError, match=rf"found (\S*/)?{found}"):
            train(drawn, on, started, resume=True)
        kept.write_bytes(content)
    train(drawn, on, started, resume=True)
    assert len(started.history.read_text().splitlines()) == 3


def test_who_is_asked_when(tmp_path: Path) -> None:
    names = ["fer2013-teacher", "small", str(tmp_path / "soft.npz"), "runs/a"]
    assert divide_teachers(names, Recipe()) == (names, [])
    live = Recipe(live_teachers=True)
    assert divide_teachers(names, live) == (names[::2], names[1::2])
    assert divide_teachers([], live) == ([], [])  # the recipe of a student, without teachers
    with pytest.raises(
        ConfigError, match=r"expected a network as --teacher, found fer2013-teacher"
    ):
        divide_teachers(["fer2013-teacher"], live)


def test_strangers_are_refused(drawn: Dataset) -> None:
    with pytest.raises(ModelFormatError, match="no model 'nobody'"):
        load_live(["nobody"], drawn)
    with pytest.raises(ConfigError, match=r"base-ferplus tells .*contempt"):
        load_live(["base-ferplus"], drawn)
