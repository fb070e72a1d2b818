"""Trainings in tests: stopped in the middle, compared weight by weight, taken to their end."""

import numpy as np
from numpy.typing import NDArray

from fer_edge.keras_network import load_model, logits_of
from fer_edge.runs import Run
from fer_edge.train import Listener
from fer_edge.trainer import Trainer


class Stop(Exception):
    """Thrown by a listener in the middle of an epoch."""


def stop_in_epoch(wanted: int) -> Listener:
    def stepped(epoch: int, step: int, _n_steps: int, _loss: float) -> None:
        if (epoch, step) == (wanted, 2):
            raise Stop

    return Listener(stepped=stepped)


def weights_of(run: Run) -> list[np.ndarray]:
    return list(load_model(run.model).get_weights())


def assert_same_weights(first: Run, second: Run) -> None:
    for a, b in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_array_equal(a, b)


def last_answers(trainer: Trainer) -> NDArray[np.int64]:
    """Returns what the last epoch's network answers to the train split: labels choose the best."""
    while not trainer.is_done():
        trainer.run_epoch(lambda *_: None)
    trainer.model.set_weights(trainer.averaged)
    logits = logits_of(trainer.model, trainer.train_split.images)
    return np.asarray(logits[:, : trainer.n_classes].argmax(axis=1))
