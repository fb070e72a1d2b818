"""Probabilities and a split in, an evaluation out. NumPy only; opens no models, prints nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge import metrics
from fer_edge.confidence import ece_interval
from fer_edge.data.contents import is_leaked
from fer_edge.data.split import Dataset, Split, SplitName
from fer_edge.errors import DataError
from fer_edge.metrics import Interval


@dataclass(frozen=True)
class EvaluationSet:
    """A split to be measured on.

    Attributes:
        name: Of the split.
        split: Its images and labels.
        emotions: Class names in label order.
        leaked: bool, (n,): which images stand, pixel for pixel, in the train split before cleaning;
            None where the data set has no train split to look into.
        source: Name of the data set.
        sha256: Of the data set.
    """

    name: SplitName
    split: Split
    emotions: tuple[str, ...]
    leaked: NDArray[np.bool_] | None
    source: str
    sha256: str


@dataclass(frozen=True)
class EmotionScore:
    """How one emotion fares: fractions, and how many images carry it."""

    precision: float
    recall: float
    f1: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """A model beside its float reference, on the same images.

    Attributes:
        agreement: Share of images with the same argmax.
        mcnemar_p: Exact two-sided p, if both erred equally often.
        top1_difference: Top-1 less the reference's.
    """

    agreement: Interval
    mcnemar_p: float
    top1_difference: float


@dataclass(frozen=True)
class Evaluation:
    """What one model is worth on one split; single crop, no test-time averaging.

    Attributes:
        split: Name of the split.
        n: Images in it.
        top1: Share right.
        macro_f1: Mean F1 over the emotions.
        ece: Expected calibration error: how far stated confidence lies from the share right.
        leak_free_top1: Share right among the images that are not in Training; None where nobody
            can know, or none is left.
        per_emotion: By name.
        confusion: Rows are the label, columns the answer; counts.
        against_float: Beside the float reference; None for the reference and for strangers.
    """

    split: str
    n: int
    top1: Interval
    macro_f1: Interval
    ece: Interval
    leak_free_top1: Interval | None
    per_emotion: dict[str, EmotionScore]
    confusion: list[list[int]]
    against_float: Comparison | None = None


def evaluation_set(dataset: Dataset, name: SplitName) -> EvaluationSet:
    """Returns a split ready to be measured on.

    Raises:
        DataError: The data set has no such split.
    """
    split = dataset.split(name)
    train = dataset.splits.get("train")
    leaked = is_leaked(split, train) if train is not None and len(train) else None
    source = dataset.source.title
    return EvaluationSet(name, split, dataset.emotions, leaked, source, dataset.sha256)


def evaluate(
    probabilities: NDArray[np.floating],
    data: EvaluationSet,
    *,
    reference: NDArray[np.floating] | None = None,
) -> Evaluation:
    """Returns figures from a model's answers.

    Args:
        probabilities: (n, k), in the order of the emotions.
        data: What was asked.
        reference: The float model's answers to the same images.

    Raises:
        DataError: The answers do not fit the split.
    """
    check_answers(probabilities, data)
    labels, k = data.split.labels, len(data.emotions)
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    confusion = metrics.confusion_matrix(labels, predicted, k)
    clean = right[~data.leaked] if data.leaked is not None else right[:0]
    return Evaluation(
        split=data.name,
        n=len(labels),
        top1=metrics.wilson_interval(int(right.sum()), len(right)),
        macro_f1=metrics.macro_f1_interval(confusion),
        ece=ece_interval(probabilities, labels),
        leak_free_top1=metrics.wilson_interval(int(clean.sum()), len(clean))
        if len(clean)
        else None,
        per_emotion=_per_emotion(confusion, data.emotions),
        confusion=confusion.tolist(),
        against_float=None if reference is None else _compare(reference, probabilities, labels),
    )


def check_answers(probabilities: NDArray[np.floating], data: EvaluationSet) -> None:
    """Raises DataError when answers do not fit the split's images and emotions."""
    expected = (len(data.split), len(data.emotions))
    if probabilities.shape != expected:
        raise DataError(
            f"Expected answers of shape {expected} for the {data.name} split, "
            f"found {probabilities.shape}. The model was made for other labels."
        )


def _per_emotion(
    confusion: NDArray[np.int64], emotions: tuple[str, ...]
) -> dict[str, EmotionScore]:
    scores, counts = metrics.precision_recall_f1(confusion), confusion.sum(axis=1)
    return {
        emotion: EmotionScore(float(row[0]), float(row[1]), float(row[2]), int(count))
        for emotion, row, count in zip(emotions, scores, counts, strict=True)
    }


def _compare(
    reference: NDArray[np.floating],
    candidate: NDArray[np.floating],
    labels: NDArray[np.integer],
) -> Comparison:
    right = [answers.argmax(axis=1) == labels for answers in (reference, candidate)]
    return Comparison(
        agreement=metrics.agreement(reference, candidate),
        mcnemar_p=metrics.mcnemar_p(*right),
        top1_difference=float(right[1].mean() - right[0].mean()),
    )
