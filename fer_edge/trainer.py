"""One training's epochs: batches, steps, weight averaging, validation, and what is best so far.

An epoch depends on the recipe, its number and the state before it, and on nothing else: that is
why a resumed training ends where an uninterrupted one does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import metrics
from fer_edge.catalog import network_emotions
from fer_edge.checkpoint import Best, State
from fer_edge.data.augment import augment_batch, mix_pairs
from fer_edge.data.split import Dataset
from fer_edge.distill import SoftLabels
from fer_edge.errors import ConfigError
from fer_edge.history import Epoch
from fer_edge.keras_network import import_keras, load_network, logits_of
from fer_edge.live_teachers import LiveTeachers
from fer_edge.lookahead import map_ahead
from fer_edge.model import TrainingForm, build_model
from fer_edge.objective import class_weights, compile_model, make_targets, start_from
from fer_edge.recipe import Recipe, StartWeights

if TYPE_CHECKING:
    import keras

AVERAGE_EVERY = 8  # steps between updates of the averaged weights; the momentum is a step's

Weights = list[NDArray[Any]]
Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]


class Trainer:
    """What changes while training: the network, its optimizer, the history and the best so far."""

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        init: str = "",
        teacher: SoftLabels | None = None,
        live: LiveTeachers | None = None,
    ) -> None:
        self.train_split = dataset.split("train")
        self.validation = dataset.split("validation")
        self.recipe = recipe
        self.n_classes = len(dataset.emotions)
        self.batch_size = min(recipe.batch_size, len(self.train_split))
        self.n_steps = len(self.train_split) // self.batch_size
        self.live = live
        n_once, n_live = len(teacher.teachers) if teacher else 0, len(live.names) if live else 0
        self.live_share = n_live / max(n_once + n_live, 1)
        taught = None
        if teacher or live:  # the live teachers' part is added batch by batch
            stored = teacher.rows(self.train_split) if teacher else np.float32(0)
            taught = np.asarray((1 - self.live_share) * stored, np.float32)
        self.targets = make_targets(self.train_split, self.n_classes, recipe, taught)
        counts = self.train_split.class_counts(self.n_classes)
        self.class_weights = class_weights(counts, recipe.class_weights)
        self.model = self._build(
            recipe.weights, TrainingForm(recipe.precision, recipe.auxiliary > 0)
        )
        if init:
            known = network_emotions(Path(init))
            start_from(self.model, load_network(init), dataset.emotions, known)
        self.optimizer = compile_model(self.model, recipe, self.n_steps, self.n_classes)
        self.averaged: Weights = []
        self.history: list[Epoch] = []
        self.best = Best(epoch=0, top1=-1.0, weights=[])

    def kept(self) -> Best:
        """Returns the epoch that the recipe keeps, of those so far."""
        if self.recipe.keep == "best":
            return self.best
        return Best(len(self.history), self.history[-1].validation_top1, self.averaged)

    def kept_model(self) -> keras.Model:
        """Returns the network of the kept epoch, made of Keras's own layers."""
        model = self._build("none", None)
        self.model.set_weights(self.kept().weights)
        start_from(model, self.model)
        return model

    def _build(self, weights: StartWeights, form: TrainingForm | None) -> keras.Model:
        recipe = self.recipe
        return build_model(
            recipe.arch,
            self.n_classes,
            dropout=recipe.dropout,
            seed=recipe.seed,
            weights=weights,
            form=form,
        )

    def run_epoch(self, stepped: Callable[[int, int, int, float], None]) -> Epoch:
        """Trains one epoch, validates the averaged weights, and keeps them if they are better."""
        started, number = time.monotonic(), len(self.history) + 1
        loss = 0.0  # the running mean of the batches' losses
        with self._batches(number) as batches:
            for step, (images, targets) in enumerate(batches, start=1):
                targets = self._with_live_answers(images, targets)
                weights = targets[:, : self.n_classes] @ self.class_weights
                batch_loss = float(np.ravel(self.model.train_on_batch(images, targets, weights))[0])
                loss += (batch_loss - loss) / step
                if not math.isfinite(loss):
                    raise ConfigError(
                        f"The loss is {loss} at step {step} of epoch {number}: the training has "
                        f"blown up. Lower learning_rate, which is {self.recipe.learning_rate}."
                    )
                if step % AVERAGE_EVERY == 0 or step == self.n_steps:
                    self._average(step % AVERAGE_EVERY or AVERAGE_EVERY)
                stepped(number, step, self.n_steps, loss)
        learning_rate = float(_array(self.optimizer.learning_rate))
        scores = _validate(self._averaged_logits(), self.validation.labels, self.n_classes)
        row = Epoch(number, learning_rate, loss, *scores, time.monotonic() - started)
        self.history.append(row)
        if row.validation_top1 > self.best.top1:
            self.best = Best(number, row.validation_top1, list(self.averaged))
        self._reduce_on_plateau()
        return row

    def is_done(self) -> bool:
        """Tells whether the epochs are over, or early stopping says so."""
        n, patience = len(self.history), self.recipe.early_stopping
        return n >= self.recipe.last_epoch or 0 < patience <= n - self.best.epoch

    def state(self) -> State:
        """Returns all that resuming needs."""
        rows = np.array([dataclasses.astuple(row) for row in self.history])
        variables = [*self.model.variables, *self.optimizer.variables]
        return State([_array(variable) for variable in variables], self.averaged, rows, self.best)

    def restore(self, state: State) -> None:
        """Continues from a state."""
        variables = [*self.model.variables, *self.optimizer.variables]
        if [v.shape for v in state.variables] != [tuple(v.shape) for v in variables]:
            raise ConfigError("The checkpoint belongs to another network. Start a new run.")
        for variable, value in zip(variables, state.variables, strict=True):
            variable.assign(value)
        self.averaged = state.averaged
        self.history = [Epoch(int(row[0]), *map(float, row[1:])) for row in state.history]
        self.best = state.best

    def _batches(self, epoch: int) -> contextlib.AbstractContextManager[Iterator[Batch]]:
        """Gives an epoch's batches, augmented on another thread; the last partial one is left."""
        side = self.recipe.low_side if epoch <= self.recipe.low_epochs else 0
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.train_split))
        rows = order[: self.n_steps * self.batch_size].reshape(self.n_steps, self.batch_size)
        return map_ahead(
            lambda step: self._batch(
                rows[step], np.random.default_rng([self.recipe.seed, epoch, step]), side
            ),
            range(self.n_steps),
        )

    def _batch(self, rows: NDArray[np.intp], rng: np.random.Generator, side: int = 0) -> Batch:
        augmentation = self.recipe.augmentation
        images = augment_batch(self.train_split.images[rows], augmentation, rng, side)
        images, targets = mix_pairs(images, self.targets[rows], augmentation.mixup, rng)
        return images[..., None], targets

    def _with_live_answers(
        self, images: NDArray[np.uint8], targets: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Returns a batch's targets with what the live teachers answer added to the first head."""
        if self.live is None:
            return targets
        share = np.float32(self.recipe.teacher_weight * self.live_share)
        head, rest = targets[:, : self.n_classes], targets[:, self.n_classes :]
        return np.concatenate([head + share * self.live.answers(images), rest], axis=1)

    def _average(self, steps: int) -> None:
        """Moves the running mean of the weights by some steps, batch-norm's statistics with them.

        Statistics of the live weights do not fit averaged ones, so both are averaged. The first
        call starts the mean.
        """
        live: Weights = self.model.get_weights()
        momentum = np.float32(self.recipe.ema**steps if self.averaged else 0)
        self.averaged = [
            momentum * mean + (1 - momentum) * value
            for mean, value in zip(self.averaged or live, live, strict=True)
        ]

    def _averaged_logits(self) -> NDArray[np.float32]:
        """Returns what the averaged weights answer to the validation images."""
        live = self.model.get_weights()
        self.model.set_weights(self.averaged)
        logits = logits_of(self.model, self.validation.images)
        self.model.set_weights(live)
        return logits[:, : self.n_classes]

    def _reduce_on_plateau(self) -> None:
        if self.recipe.schedule != "plateau":
            return
        waited = len(self.history) - self.best.epoch
        if waited and waited % self.recipe.plateau_patience == 0:
            self.optimizer.learning_rate = float(_array(self.optimizer.learning_rate)) / 5


def _validate(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], n_classes: int
) -> tuple[float, float, float]:
    """Returns mean cross-entropy in nats, top-1 and macro-F1."""
    probabilities = metrics.softmax(logits)
    confusion = metrics.confusion_matrix(labels, logits.argmax(axis=1), n_classes)
    loss = metrics.cross_entropy(probabilities, labels)
    return loss, metrics.top1(confusion), metrics.macro_f1(confusion)


def _array(variable: Any) -> NDArray[Any]:
    return np.asarray(import_keras().ops.convert_to_numpy(variable))
