"""Likely wrong labels: what networks that never saw an image think of its label.

The train split is cut into folds; the images of each are judged by a network that was trained on
the others. Source: Northcutt et al., Confident Learning, arXiv:1911.00068, section 3.1.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.contents import content_ids
from fer_edge.data.split import Dataset, Split, SplitName
from fer_edge.errors import ConfigError, DataError
from fer_edge.keras_network import KerasRunner, load_network
from fer_edge.recipe import Recipe, read_recipe
from fer_edge.runs import Run
from fer_edge.train import Listener, train

RECIPE = "audit"
N_FOLDS = 3
MIN_PER_CLASS = 10  # images; with fewer a fold has next to nothing to judge by


@dataclass(frozen=True)
class Suspect:
    """An image whose label networks that never saw it do not believe.

    Attributes:
        id: Of the image.
        label: The emotion that it carries.
        suggested: The emotion that they see.
        p_label: Probability of the first.
        p_suggested: Probability of the second.
    """

    id: int
    label: str
    suggested: str
    p_label: float
    p_suggested: float


def find_suspects(
    dataset: Dataset,
    *,
    recipe: Recipe | None = None,
    n_folds: int = N_FOLDS,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> list[Suspect]:
    """Returns the images of the train split that are likely mislabelled, worst first.

    Args:
        dataset: With a train split.
        recipe: Of the judges; by default the recipe `audit`.
        n_folds: How many judges; each learns from all folds but its own.
        progress: Gets what is being done and the share that is done.

    Raises:
        ConfigError: There are fewer than two folds.
        DataError: There is no train split, or a class has too few images.
    """
    split = dataset.split("train")
    scarce = [
        emotion
        for emotion, n in zip(
            dataset.emotions, split.class_counts(len(dataset.emotions)), strict=True
        )
        if n < MIN_PER_CLASS
    ]
    if scarce:
        raise DataError(
            f"Expected at least {MIN_PER_CLASS} train images an emotion to judge labels by, found "
            f"fewer of {', '.join(scarce)}. Leave --mislabels out, or add images."
        )
    probabilities = out_of_fold(
        dataset, recipe or read_recipe(RECIPE), n_folds=n_folds, progress=progress
    )
    return judge(split, dataset.emotions, probabilities)


def out_of_fold(
    dataset: Dataset,
    recipe: Recipe,
    *,
    n_folds: int,
    progress: Callable[[str, float], None],
) -> NDArray[np.float32]:
    """Returns float32 (n, k): for each train image the answer of the network that never saw it.

    Copies of an image share a fold. Each network keeps its best epoch on its fold, which flatters
    the labels a little: fewer suspects, not more.
    """
    if n_folds < 2:
        raise ConfigError(f"Expected at least 2 folds, found {n_folds}.")
    split = dataset.split("train")
    (contents,) = content_ids(split.images)
    fold_of = np.random.default_rng(recipe.seed).permutation(int(contents.max()) + 1) % n_folds
    folds = fold_of[contents]
    answers = np.zeros((len(split), len(dataset.emotions)), np.float32)
    for fold in range(n_folds):
        held_out = folds == fold
        parts: dict[SplitName, Split] = {
            "train": split.take(~held_out),
            "validation": split.take(held_out),
        }
        listener = _listener(progress, fold, n_folds, recipe.epochs)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder) / "fold")
            train(dataclasses.replace(dataset, splits=parts), recipe, run, listener=listener)
            runner = KerasRunner(load_network(run.model))
            answers[held_out] = runner.probabilities(split.images[held_out])
    return answers


def judge(
    split: Split, emotions: tuple[str, ...], probabilities: NDArray[np.float32]
) -> list[Suspect]:
    """Returns the images that are likely mislabelled, worst first.

    A class's threshold is the mean probability that its own images get for it. An image is
    suspect when it is below that of its label, and another class, the likeliest, is above its own.

    Args:
        split: The images that were judged.
        emotions: In label order.
        probabilities: float32, (n, k), from networks that never saw them.
    """
    rows = np.arange(len(split))
    own = probabilities[rows, split.labels]
    likeliest = probabilities.argmax(axis=1)
    best = probabilities[rows, likeliest]
    thresholds = np.array(
        [
            own[split.labels == k].mean() if np.any(split.labels == k) else 2.0
            for k in range(len(emotions))
        ]
    )
    wrong = (
        (likeliest != split.labels)
        & (own < thresholds[split.labels])
        & (best >= thresholds[likeliest])
    )
    order = np.flatnonzero(wrong)[np.argsort((own - best)[wrong], kind="stable")]
    return [
        Suspect(
            int(split.ids[row]),
            emotions[split.labels[row]],
            emotions[likeliest[row]],
            round(float(own[row]), 4),
            round(float(best[row]), 4),
        )
        for row in order
    ]


def _listener(
    progress: Callable[[str, float], None], fold: int, n_folds: int, epochs: int
) -> Listener:
    """Returns a training's listener that tells a share of the whole."""

    def stepped(epoch: int, step: int, n_steps: int, _loss: float) -> None:
        done = (epoch - 1 + step / n_steps) / epochs
        progress(f"judging labels, network {fold + 1} of {n_folds}", (fold + done) / n_folds)

    return Listener(stepped=stepped)
