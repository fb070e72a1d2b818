"""What tells two networks apart that answered the same images: paired differences."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge import metrics
from fer_edge.metrics import Interval

N_RESAMPLES = 1000


@dataclass(frozen=True)
class Labels:
    """uint8, (n,), the emotions of the images, and how many emotions there are."""

    labels: NDArray[np.uint8]
    k: int


def paired_difference(right: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> Interval:
    """Returns the mean difference of two rows' hits, (seeds, n), image by image.

    The interval is the normal one over images, each the mean over the seeds: it says what other
    images would give, with these seeds.
    """
    return metrics.mean_interval(right.mean(axis=0) - baseline.mean(axis=0))


def macro_f1_samples(answers: NDArray[np.int64], truth: Labels) -> NDArray[np.float64]:
    """Returns macro-F1, mean over the seeds of (seeds, n) answers: of all images, then resampled.

    Every call draws the same images, so the difference of two rows' samples is a paired one.
    """
    n = len(truth.labels)
    rng = np.random.default_rng(0)
    draws = [np.arange(n), *(rng.integers(n, size=n) for _ in range(N_RESAMPLES))]
    return np.array(
        [
            np.mean([macro_f1(truth.labels[drawn], a[drawn], truth.k) for a in answers])
            for drawn in draws
        ]
    )


def macro_f1(labels: NDArray[np.uint8], answers: NDArray[np.int64], k: int) -> float:
    """Returns the macro-F1 of answers, (n,)."""
    return metrics.macro_f1(metrics.confusion_matrix(labels, answers, k))


def percentiles(samples: NDArray[np.float64], n: int) -> Interval:
    """Returns the first of some samples, with the interval that the others say; n is recorded."""
    low, high = np.percentile(samples[1:], [2.5, 97.5])
    return Interval(float(samples[0]), float(low), float(high), n)


def points(difference: Interval) -> str:
    """Returns a difference of shares in points, with its interval: `+1.5 (+0.6 to +2.5)`."""
    value, low, high = (100 * x for x in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def signed(difference: Interval) -> str:
    """Returns a difference with its interval: `-0.018 (-0.024 to -0.011)`."""
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
