"""Figures of merit from labels and probabilities. NumPy only; no I/O, no models.

Accuracies are fractions. Intervals are 95% unless said otherwise.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054  # the normal's 97.5% point
EPSILON = 1e-7


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% interval.

    Attributes:
        value: The estimate.
        low: Lower end.
        high: Upper end.
        n: How many samples it rests on.
    """

    value: float
    low: float
    high: float
    n: int


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns probabilities, float64 (n, k), from logits (n, k)."""
    shifted = np.exp(np.asarray(logits, np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def cross_entropy(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Returns the mean of `log_losses`."""
    return float(log_losses(probabilities, labels).mean())


def log_losses(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Returns -log p(label) of each image, (n,), in nats; p is bounded below by 1e-7."""
    picked = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(picked, EPSILON)), np.float64)


def confusion_matrix(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], n_classes: int
) -> NDArray[np.int64]:
    """Returns int64 (k, k): how often the row's class was called the column's."""
    pairs = labels.astype(np.int64) * n_classes + predicted
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def top1(confusion: NDArray[np.integer]) -> float:
    """Returns the share of right answers; nan when there is nothing."""
    return float(np.trace(confusion) / confusion.sum()) if confusion.sum() else float("nan")


def precision_recall_f1(confusion: NDArray[np.integer]) -> NDArray[np.float64]:
    """Returns float64 (k, 3): precision, recall and F1 a class; 0 where nothing was called it."""
    hits = np.diag(confusion).astype(np.float64)
    called, true = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(called + true, 1)
    return np.stack([precision, recall, f1], axis=1)


def macro_f1(confusion: NDArray[np.integer]) -> float:
    """Returns the mean F1 over the classes that have samples; nan when there are none."""
    present = confusion.sum(axis=1) > 0
    return float(precision_recall_f1(confusion)[present, 2].mean()) if present.any() else math.nan


def wilson_interval(n_right: int, n: int) -> Interval:
    """Returns a share with Wilson's score interval.

    Source: Wilson, Journal of the American Statistical Association 22 (1927).
    """
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    share, z2 = n_right / n, Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half), n)


def mean_interval(values: NDArray[np.floating]) -> Interval:
    """Returns the mean of (n,) values, n over 1, with its normal interval."""
    mean, half = float(values.mean()), Z95 * float(values.std(ddof=1)) / len(values) ** 0.5
    return Interval(mean, mean - half, mean + half, len(values))


def macro_f1_interval(
    confusion: NDArray[np.integer], *, n_resamples: int = 1000, seed: int = 0
) -> Interval:
    """Returns macro-F1 with a percentile bootstrap over the cells of the confusion matrix."""
    n, k = int(confusion.sum()), len(confusion)
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    draws = np.random.default_rng(seed).multinomial(n, confusion.ravel() / n, size=n_resamples)
    values = [macro_f1(draw.reshape(k, k)) for draw in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(macro_f1(confusion), float(low), float(high), n)


def agreement(reference: NDArray[np.floating], candidate: NDArray[np.floating]) -> Interval:
    """Returns how often two sets of probabilities, (n, k), have the same argmax."""
    same = reference.argmax(axis=1) == candidate.argmax(axis=1)
    return wilson_interval(int(same.sum()), len(same))


def mcnemar_p(reference_right: NDArray[np.bool_], candidate_right: NDArray[np.bool_]) -> float:
    """Returns the exact two-sided p of paired answers, if two models erred equally often.

    Source: McNemar, Psychometrika 12 (1947), as a binomial test of the discordant pairs.
    """
    only_reference = int(np.sum(reference_right & ~candidate_right))
    only_candidate = int(np.sum(~reference_right & candidate_right))
    n, fewer = only_reference + only_candidate, min(only_reference, only_candidate)
    if n == 0:
        return 1.0
    log_terms = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) - n * math.log(2)
        for i in range(fewer + 1)
    ]
    return min(1.0, 2 * sum(map(math.exp, log_terms)))


def percentile(samples: NDArray[np.floating], p: float) -> float:
    """Returns the p-th percentile, 0 <= p <= 100, linear between samples.

    Raises:
        ValueError: There are no samples, or p is out of range.
    """
    if not len(samples) or not 0 <= p <= 100:
        raise ValueError(f"Expected samples and 0 <= p <= 100, found {len(samples)} and {p}.")
    return float(np.percentile(samples, p))


def median_interval(samples: NDArray[np.floating]) -> Interval:
    """Returns the median with its distribution-free interval, from order statistics.

    Source: Hollander and Wolfe, Nonparametric Statistical Methods, section 3.6 (large n).
    """
    ordered, n = np.sort(samples), len(samples)
    half = Z95 * math.sqrt(n) / 2
    low = max(0, math.floor(n / 2 - half))
    high = min(n - 1, math.ceil(n / 2 + half))
    return Interval(percentile(samples, 50), float(ordered[low]), float(ordered[high]), n)
