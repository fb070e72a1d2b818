"""Training: it learns, it resumes to the bit, it dies without loss, and says what differs."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from fer_edge.checkpoint import load
from fer_edge.confidence import expected_calibration_error, fit_temperature
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Dataset, Split
from fer_edge.errors import ConfigError
from fer_edge.keras_network import import_keras, load_model, logits_of
from fer_edge.metrics import softmax
from fer_edge.model import TrainingForm, build_model
from fer_edge.objective import (
    HEADS,
    class_weights,
    compile_model,
    smoothed_targets,
    start_from,
)
from fer_edge.recipe import Recipe
from fer_edge.runs import Run
from fer_edge.train import train
from fer_edge.trainer import AVERAGE_EVERY, Trainer
from tests.conftest import NANO
from tests.trainings import Stop, assert_same_weights, stop_in_epoch, weights_of

SHORT = NANO.replace(epochs=3, batch_size=30, mixup=0.2, dropout=0.3, erase=0.3)


def test_it_learns_and_leaves_a_run(run: Run) -> None:
    rows = run.history.read_text().splitlines()
    assert rows[0].startswith("epoch,learning_rate,train_loss,validation_loss,validation_top1")
    top1 = [float(row.split(",")[4]) for row in rows[1:]]
    assert len(top1) == NANO.epochs
    assert max(top1) > 0.5  # of seven classes
    assert "<svg" in run.curves.read_text()
    config = run.read_config()
    assert config["data"]["source"] == "sample"
    assert config["recipe"]["arch"] == "nano"
    assert run.read_recipe() == NANO


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    epoch: int, drawn: Dataset, tmp_path: Path
) -> None:
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    train(drawn, SHORT, whole)
    with pytest.raises(Stop):
        train(drawn, SHORT, broken, listener=stop_in_epoch(epoch))
    assert not broken.model.exists()
    train(drawn, SHORT, broken, resume=True)
    assert_same_weights(whole, broken)


def test_a_run_that_stops_early_is_the_beginning_of_the_whole_one(
    drawn: Dataset, tmp_path: Path
) -> None:
    """Its schedule is the whole one's, it is finished, and it can still go on to the end."""
    whole, short = Run(tmp_path / "whole"), Run(tmp_path / "short")
    train(drawn, SHORT, whole)
    kept = train(drawn, SHORT.replace(stop_after=2), short)
    assert short.model.exists()
    rows, beginning = (run.history.read_text().splitlines() for run in (whole, short))
    assert [row.split(",")[:-1] for row in beginning] == [r.split(",")[:-1] for r in rows[:3]]
    assert short.read_config()["ended"] == {"kept_epoch": kept.epoch, "epochs_run": 2}
    with pytest.raises(Stop):
        train(drawn, SHORT, short, resume=True, listener=stop_in_epoch(3))
    assert short.read_recipe() == SHORT  # and a third one need not be told how far to go
    train(drawn, short.read_recipe(), short, resume=True)
    assert_same_weights(whole, short)
    assert short.read_config()["ended"]["epochs_run"] == SHORT.epochs


def test_the_last_epoch_is_kept_where_a_recipe_says_so(drawn: Dataset, tmp_path: Path) -> None:
    """Validation is labelled as the first epoch answers, so that no later one can be better."""
    first, run, again = (Run(tmp_path / name) for name in ("first", "run", "again"))
    train(drawn, SHORT.replace(stop_after=1), first)
    validation = drawn.split("validation")
    answers = logits_of(load_model(first.model), validation.images).argmax(axis=1)
    labelled = dataclasses.replace(validation, labels=answers.astype(np.uint8))
    biased = dataclasses.replace(drawn, splits={**drawn.splits, "validation": labelled})
    assert train(biased, SHORT, run).epoch == 1
    np.testing.assert_array_equal(weights_of(run)[0], weights_of(first)[0])
    last = SHORT.replace(keep="last")
    assert train(biased, last, run, resume=True).epoch == SHORT.epochs
    assert run.read_config()["ended"] == {"kept_epoch": SHORT.epochs, "epochs_run": SHORT.epochs}
    assert run.read_recipe() == last
    train(biased, last, again)
    assert_same_weights(run, again)
    state = load(run.checkpoint)
    assert state
    np.testing.assert_array_equal(weights_of(run)[0], state.averaged[0])


def test_a_killed_process_loses_at_most_one_epoch(drawn_csv: Path, tmp_path: Path) -> None:
    run, whole = Run(tmp_path / "killed"), Run(tmp_path / "whole")
    script = f"""
        from pathlib import Path
        from fer_edge.data.sources import load_dataset
        from fer_edge.runs import Run
        import time
        from fer_edge.train import Listener, train
        from tests.test_train import SHORT
        slowly = Listener(finished_epoch=lambda _row: time.sleep(5))
        run = Run(Path({str(run.folder)!r}))
        train(load_dataset({str(drawn_csv)!r}), SHORT, run, listener=slowly)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as process:
        deadline = time.monotonic() + 120
        while not run.checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    state = load(run.checkpoint)
    assert state is not None
    assert 1 <= len(state.history) < 3
    from fer_edge.data.sources import load_dataset

    dataset = load_dataset(str(drawn_csv))
    train(dataset, SHORT, run, resume=True)
    train(dataset, SHORT, whole)
    assert_same_weights(whole, run)


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        (SHORT.replace(seed=1), "seed is 0 there and 1 here"),
        (SHORT.replace(mixup=0.0), "mixup is 0.2 there and 0.0 here"),
    ],
)
def test_resuming_with_another_recipe_names_the_field(
    recipe: Recipe, says: str, drawn: Dataset, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(Stop):
        train(drawn, SHORT, run, listener=stop_in_epoch(1))
    with pytest.raises(ConfigError, match=says):
        train(drawn, recipe, run, resume=True)
    with pytest.raises(ConfigError, match="the data is another"):
        train(sample_dataset(n_per_class=(31, 10, 10)), SHORT, run, resume=True)


def test_resuming_nothing_and_a_damaged_checkpoint(drawn: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(ConfigError, match="is not a run folder"):
        train(drawn, SHORT, run, resume=True)
    with pytest.raises(Stop):
        train(drawn, SHORT, run, listener=stop_in_epoch(2))
    run.checkpoint.write_bytes(run.checkpoint.read_bytes()[:5000])
    with pytest.raises(ConfigError, match="is damaged"):
        train(drawn, SHORT, run, resume=True)


def test_starting_from_a_network(run: Run, drawn: Dataset, tmp_path: Path) -> None:
    """One gentle epoch from a trained network beats the same epoch from scratch."""
    gentle = NANO.replace(epochs=1, learning_rate=1e-4, warmup_epochs=0.0, ema=0.0)
    tuned = train(drawn, gentle, Run(tmp_path / "tuned"), init=str(run.model))
    fresh = train(drawn, gentle, Run(tmp_path / "fresh"))
    assert tuned.validation_top1 > fresh.validation_top1 + 0.2


def test_another_head_starts_fresh_and_another_body_is_refused() -> None:
    nano, eight = build_model("nano", 7, seed=1), build_model("nano", 8, seed=2)
    head = eight.get_layer("logits").get_weights()[0]
    start_from(eight, nano)
    np.testing.assert_array_equal(eight.get_layer("logits").get_weights()[0], head)
    np.testing.assert_array_equal(eight.get_weights()[0], nano.get_weights()[0])
    with pytest.raises(ConfigError, match="Pick the --arch of the model"):
        start_from(build_model("small"), nano)


def test_the_running_mean_is_reckoned_in_steps(
    drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(drawn, NANO.replace(ema=0.9))
    for value, steps in ((0, 8), (1, 3)):
        trainer.model.set_weights([np.full_like(w, value) for w in trainer.model.get_weights()])
        trainer._average(steps)
    np.testing.assert_allclose(trainer.averaged[0], 1 - 0.9**3, rtol=1e-6)
    counted: list[int] = []
    monkeypatch.setattr(trainer, "_average", counted.append)
    trainer.run_epoch(lambda *_: None)
    assert sum(counted) == trainer.n_steps
    assert counted[-1] < AVERAGE_EVERY


def test_a_second_head_starts_as_the_first_that_was_kept() -> None:
    kept = build_model("nano", 7, seed=1)
    model = build_model("nano", 7, seed=2, form=TrainingForm(auxiliary=True))
    start_from(model, kept)
    for head in HEADS:
        for found, expected in zip(
            model.get_layer(head).get_weights(), kept.get_layer("logits").get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    of_two = build_model("nano", 7, seed=3, form=TrainingForm(auxiliary=True))
    start_from(model, of_two)
    np.testing.assert_array_equal(
        model.get_layer("auxiliary").get_weights()[0],
        of_two.get_layer("auxiliary").get_weights()[0],
    )


def test_early_stopping_and_plateau(drawn: Dataset, tmp_path: Path) -> None:
    """With a rate too small to learn, nothing moves once batch-norm's statistics have settled."""
    still = NANO.replace(
        epochs=40, learning_rate=1e-8, schedule="plateau", plateau_patience=2, early_stopping=4
    )
    run = Run(tmp_path / "run")
    train(drawn, still.replace(ema=0.0), run)
    rows = [row.split(",") for row in run.history.read_text().splitlines()[1:]]
    assert len(rows) < 40
    assert float(rows[-1][1]) < float(rows[0][1])


def test_sgd_learns_too(drawn: Dataset, tmp_path: Path) -> None:
    recipe = NANO.replace(optimizer="sgd", learning_rate=0.1, epochs=24, class_weights="balanced")
    assert train(drawn, recipe, Run(tmp_path / "run")).validation_top1 > 2 / 7


def test_smoothed_targets(drawn: Dataset) -> None:
    targets = smoothed_targets(drawn.split("train"), 7, 0.1)
    label = drawn.split("train").labels[0]
    assert targets[0, label] == pytest.approx(0.9 + 0.1 / 7)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


def test_soft_labels_are_mixed_in_by_their_weight() -> None:
    """Label 2, votes half 0 and half 1: at a weight of 0.4 the label keeps 0.6."""
    soft = np.array([[0.5, 0.5, 0.0]], np.float32)
    split = Split(np.zeros((1, 48, 48), np.uint8), np.array([2], np.uint8), np.arange(1), soft)
    mixed = smoothed_targets(split, 3, 0.0, 0.4)
    np.testing.assert_allclose(mixed, [[0.2, 0.2, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(smoothed_targets(split, 3, 0.0), soft, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", [1, 1, 0]),  # a class without images weighs nothing, whatever the kind
        ("balanced", [5 / 8, 5 / 2, 0]),  # n / (2 classes x count)
        ("sqrt", [5 / 6, 10 / 6, 0]),  # 80 a + 20 (2 a) = 100 where sqrt(80 / 20) = 2
    ],
)
def test_class_weights_have_mean_one(kind: str, expected: list[float]) -> None:
    counts = [80, 20, 0]
    weights = class_weights(counts, kind)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert (weights * counts).sum() == pytest.approx(100)


BACKEND_STEP = """
import sys
import numpy as np
from fer_edge.data.sample import sample_dataset
from fer_edge.recipe import Recipe
from fer_edge.trainer import Trainer

# SGD: Adam's first step is the sign of the gradient, which rounding decides where it is near zero.
recipe = Recipe(
    arch="nano", optimizer="sgd", learning_rate=0.05, dropout=0.0, ema=0.0, warmup_epochs=0.0
)
trainer = Trainer(sample_dataset(n_per_class=(8, 1, 1)), recipe, "")
weights = np.load(sys.argv[1])
trainer.model.set_weights([weights[name] for name in weights.files])
trainer.model.train_on_batch(*trainer._batch(np.arange(56), np.random.default_rng(0)))
np.savez(sys.argv[2], *trainer.model.get_weights())
"""


def test_jax_takes_the_same_step_as_tensorflow(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    np.savez(tmp_path / "before.npz", *weights_of(run))
    after = {}
    for backend in ("tensorflow", "jax"):
        path = tmp_path / f"{backend}.npz"
        subprocess.run(
            [sys.executable, "-c", BACKEND_STEP, str(tmp_path / "before.npz"), str(path)],
            env={**os.environ, "KERAS_BACKEND": backend},
            cwd=Path(__file__).parents[1],
            check=True,
            timeout=300,
        )
        after[backend] = np.load(path)
    moved = 0.0
    before = np.load(tmp_path / "before.npz")
    for name in after["jax"].files:
        # Sums in another order; with AVX2 alone they were seen 1.4e-4 apart.
        np.testing.assert_allclose(
            after["jax"][name], after["tensorflow"][name], atol=4e-4, err_msg=name
        )
        moved = max(moved, float(np.abs(after["jax"][name] - before[name]).max()))
    assert moved > 1e-3  # the step was one


def with_votes(dataset: Dataset) -> Dataset:
    """Returns the data set with votes that call every emotion by the next one's name."""
    splits = {
        name: dataclasses.replace(split, soft=np.eye(7, dtype=np.float32)[(split.labels + 1) % 7])
        for name, split in dataset.splits.items()
    }
    return dataclasses.replace(dataset, splits=splits)


def test_the_second_head_learns_the_votes_and_the_first_the_label(drawn: Dataset) -> None:
    """They contradict each other: a head that saw the other's targets would not be right."""
    voted = with_votes(drawn)
    trainer = Trainer(voted, NANO.replace(epochs=16, batch_size=15, auxiliary=1.0))
    while not trainer.is_done():
        trainer.run_epoch(lambda *_: None)
    split = drawn.split("train")
    both = logits_of(trainer.model, split.images)
    assert both.shape == (len(split), 14)
    assert np.mean(both[:, :7].argmax(axis=1) == split.labels) > 0.5
    assert np.mean(both[:, 7:].argmax(axis=1) == (split.labels + 1) % 7) > 0.5
    kept = trainer.kept_model()
    assert kept.output_shape == (None, 7)
    trainer.model.set_weights(trainer.best.weights)
    expected = logits_of(trainer.model, split.images)[:, :7]
    np.testing.assert_allclose(logits_of(kept, split.images), expected, atol=1e-4)


def test_the_second_head_without_votes_is_refused(drawn: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="add --ferplus FILE"):
        train(drawn, NANO.replace(auxiliary=0.5), Run(tmp_path / "run"))


def test_the_weight_of_the_second_head_is_the_recipe_s() -> None:
    """Two logits a head, all zero: each head's cross-entropy is log 2."""
    model = build_model("nano", 2, form=TrainingForm(auxiliary=True))
    for name in ("logits", "auxiliary"):
        layer = model.get_layer(name)
        layer.set_weights([0 * w for w in layer.get_weights()])
    compile_model(model, Recipe(arch="nano", auxiliary=0.25), 1, 2)
    images, targets = np.zeros((1, 48, 48, 1), np.uint8), np.array([[1, 0, 0, 1]], np.float32)
    loss = np.ravel(model.evaluate(images, targets, verbose=0))[0]
    assert loss == pytest.approx(1.25 * np.log(2), rel=1e-5)


def test_the_first_epochs_are_small(drawn: Dataset) -> None:
    trainer = Trainer(drawn, NANO.replace(low_epochs=1, low_side=32))
    shapes = []
    for epoch in (1, 2):
        with trainer._batches(epoch) as batches:
            shapes.append(next(batches)[0].shape[1:])
    assert shapes == [(32, 32, 1), (48, 48, 1)]


def test_low_resolution_and_bfloat16_learn_too(drawn: Dataset, tmp_path: Path) -> None:
    recipe = NANO.replace(epochs=16, batch_size=15, low_epochs=6, precision="mixed_bfloat16")
    run = Run(tmp_path / "run")
    assert train(drawn, recipe, run).validation_top1 > 0.3  # by chance 0.14
    kept = load_model(run.model)
    assert {layer.compute_dtype for layer in kept.layers} <= {"float32", "uint8"}
    assert import_keras().config.dtype_policy().name == "float32"


def test_a_second_half_may_have_a_second_head(run: Run, drawn: Dataset) -> None:
    trainer = Trainer(with_votes(drawn), NANO.replace(auxiliary=0.5), init=str(run.model))
    body, kept = trainer.model.get_weights()[0], load_model(run.model).get_weights()[0]
    np.testing.assert_array_equal(body, kept)


def test_the_kept_network_is_calibrated_on_validation(run: Run) -> None:
    """No other temperature fits validation better, and the config says what was done."""
    split = sample_dataset().split("validation")
    logits = logits_of(load_model(run.model), split.images)
    assert fit_temperature(logits, split.labels) == pytest.approx(1, rel=1e-3)
    record = run.read_config()["confidence"]
    assert record["temperature"] != pytest.approx(1, rel=0.01)
    assert (record["split"], record["n"]) == ("validation", len(split))
    found = expected_calibration_error(softmax(logits), split.labels)
    assert record["ece_after"] == pytest.approx(found, abs=1e-4)
    before = expected_calibration_error(softmax(logits * record["temperature"]), split.labels)
    assert record["ece_before"] == pytest.approx(before, abs=1e-4)
