"""Figures of merit, against values that a reader can recompute."""

import math

import numpy as np
import pytest

from fer_edge import metrics

# 10 images of class 0, 6 of class 1, none of class 2.
LABELS = np.array([0] * 10 + [1] * 6)
ANSWERS = np.array([0] * 8 + [1] * 2 + [1] * 3 + [0] * 2 + [2])
CONFUSION = metrics.confusion_matrix(LABELS, ANSWERS, 3)


def test_confusion_has_labels_in_rows() -> None:
    assert CONFUSION.tolist() == [[8, 2, 0], [2, 3, 1], [0, 0, 0]]


def test_top1_and_f1() -> None:
    assert metrics.top1(CONFUSION) == 11 / 16
    scores = metrics.precision_recall_f1(CONFUSION)
    np.testing.assert_allclose(scores[0], [8 / 10, 8 / 10, 0.8])
    np.testing.assert_allclose(scores[1], [3 / 5, 3 / 6, 6 / 11])
    assert scores[2].tolist() == [0, 0, 0]
    assert metrics.macro_f1(CONFUSION) == pytest.approx((0.8 + 6 / 11) / 2)


def test_nothing_is_nan_and_not_a_crash() -> None:
    empty = np.zeros((3, 3), int)
    assert math.isnan(metrics.top1(empty))
    assert math.isnan(metrics.macro_f1(empty))
    assert metrics.wilson_interval(0, 0).n == 0


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, table I"),
        pytest.param(0, 20, 0.0, 0.1611, id="none"),
        pytest.param(20, 20, 0.8389, 1.0, id="all, by symmetry"),
    ],
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    interval = metrics.wilson_interval(right, n)
    assert (interval.value, interval.n) == (right / n, n)
    assert interval.low == pytest.approx(low, abs=1e-4)
    assert interval.high == pytest.approx(high, abs=1e-4)


def test_a_mean_has_its_interval() -> None:
    found = metrics.mean_interval(np.array([0.0, 1.0] * 50))
    assert found.value == 0.5
    assert found.high - found.value == pytest.approx(1.96 * 0.50252 / 10, rel=1e-3)


def test_macro_f1_interval_holds_the_value_and_shrinks() -> None:
    narrow = metrics.macro_f1_interval(CONFUSION * 100)
    wide = metrics.macro_f1_interval(CONFUSION * 4)
    assert narrow.low < narrow.value < narrow.high
    assert narrow.value == pytest.approx(wide.value)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(5, rel=0.2)
    assert metrics.macro_f1_interval(CONFUSION) == metrics.macro_f1_interval(CONFUSION)


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs() -> None:
    reference = np.array([True] * 5 + [False] * 1 + [True] * 90)
    candidate = np.array([False] * 5 + [True] * 1 + [True] * 90)
    assert metrics.mcnemar_p(reference, candidate) == pytest.approx(2 * (1 + 6) / 2**6)
    assert metrics.mcnemar_p(reference, reference) == 1.0


def test_agreement_is_of_the_argmax() -> None:
    reference = np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])
    candidate = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]])
    assert metrics.agreement(reference, candidate).value == 0.75


def test_softmax_and_cross_entropy() -> None:
    probabilities = metrics.softmax(np.array([[0.0, math.log(3)], [1000.0, 0.0]]))
    np.testing.assert_allclose(probabilities, np.array([[0.25, 0.75], [1, 0]]))
    loss = metrics.cross_entropy(probabilities, np.array([1, 0]))
    assert loss == pytest.approx(-math.log(0.75) / 2)


def test_percentile_and_median() -> None:
    samples = np.arange(1.0, 102.0)
    assert metrics.percentile(samples, 90) == 91
    median = metrics.median_interval(samples)
    assert (median.value, median.n) == (51, 101)
    assert (median.low, median.high) == (41, 62)
    with pytest.raises(ValueError, match="Expected samples"):
        metrics.percentile(np.array([]), 50)
