"""Confidence: what it is worth, the temperature that mends it, and when to say nothing."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import DTypeLike, NDArray

from fer_edge.confidence import (
    THRESHOLDS,
    coverage_curve,
    describe_confidence,
    ece_interval,
    expected_calibration_error,
    fit_temperature,
    unsure_threshold,
)
from fer_edge.errors import DataError
from fer_edge.metrics import softmax

Answers = tuple[NDArray[np.float64], NDArray[np.int64]]


def two_classes(confidence: list[float], right: list[int]) -> Answers:
    """Returns answers that call every face 0, and labels: 0 where that is right, else 1."""
    top = np.array(confidence)
    return np.stack([top, 1 - top], axis=1), 1 - np.array(right)


# Ten faces at 90%, of which six are right, and ten at 60%, of which nine are.
FLATTERED = two_classes([0.9] * 10 + [0.6] * 10, [1] * 6 + [0] * 4 + [1] * 9 + [0])


@pytest.mark.parametrize(
    ("answers", "n_bins", "expected"),
    [
        pytest.param(FLATTERED, 15, (10 * 0.3 + 10 * 0.3) / 20, id="both ways add up"),
        pytest.param(FLATTERED, 1, abs(15 / 20 - 0.75), id="in one bin they cancel"),
        pytest.param(two_classes([0.8] * 5, [1, 1, 1, 1, 0]), 15, 0.0, id="what it says"),
        pytest.param(two_classes([1.0] * 4, [0] * 4), 15, 1.0, id="sure and always wrong"),
        # A bin holds its upper end: 0.6 lies under 0.7 in (0.5, 0.75], 0.75 with both, not 0.8.
        pytest.param(two_classes([0.6, 0.75], [1, 0]), 4, abs(1 - 1.35) / 2, id="upper end"),
        pytest.param(two_classes([0.75, 0.8], [1, 0]), 4, (0.25 + 0.8) / 2, id="next bin"),
    ],
)
def test_calibration_error(answers: Answers, n_bins: int, expected: float) -> None:
    assert expected_calibration_error(*answers, n_bins) == pytest.approx(expected, abs=1e-12)


def test_the_intervals_value_is_the_error_and_its_width_shrinks() -> None:
    answers, labels = FLATTERED
    few = ece_interval(np.tile(answers, (5, 1)), np.tile(labels, 5))
    many = ece_interval(np.tile(answers, (125, 1)), np.tile(labels, 125))
    assert few.value == pytest.approx(0.3)
    assert (few.n, many.n) == (100, 2500)
    assert few.low < few.value < few.high
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(5, rel=0.25)
    assert ece_interval(answers, labels) == ece_interval(answers, labels)
    assert ece_interval(answers, labels) != ece_interval(answers, labels, seed=1)


def test_a_perfect_models_interval_reaches_nought() -> None:
    """Noise alone gives an error over 0; the percentile bootstrap would never reach down to it."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), size=1000)
    labels = np.array([rng.choice(3, p=row) for row in probabilities])
    found = ece_interval(probabilities, labels)
    assert found.value > 0.01
    assert found.low < 0.005
    assert found.value <= found.high


def test_no_faces_are_no_figures() -> None:
    nothing, labels = np.zeros((0, 7)), np.zeros(0, int)
    assert math.isnan(expected_calibration_error(nothing, labels))
    assert ece_interval(nothing, labels).n == 0
    assert fit_temperature(nothing, labels) == 1.0
    (point,) = coverage_curve(nothing, labels, [0.5])
    assert math.isnan(point.coverage)
    assert unsure_threshold(nothing, labels) == 1.0
    assert describe_confidence(nothing, labels, split="validation") == {}


def test_the_temperature_of_one_gap() -> None:
    """A logit gap of 4 that is right three times of four: sigmoid(4 / T) = 3/4, T = 4 / ln 3."""
    logits = np.tile([4.0, 0.0], (4, 1))
    assert fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(4 / math.log(3))
    assert fit_temperature(logits - 100, np.array([0, 0, 0, 1])) == pytest.approx(4 / math.log(3))


@pytest.mark.parametrize(
    ("logits", "labels", "expected"),
    [
        pytest.param([[2.0, 0.0], [0.0, 1.0]], [0, 1], 0.05, id="always right"),
        pytest.param([[2.0, 0.0], [3.0, 0.0]], [0, 0], 0.05, id="always right, one label"),
        pytest.param([[2.0, 0.0], [0.0, 1.0]], [1, 0], 20.0, id="always wrong"),
        pytest.param([[2.0, 0.0], [2.0, 0.0]], [0, 1], 20.0, id="no better than guessing"),
        pytest.param([[5.0], [-3.0]], [0, 0], 1.0, id="one class"),
        pytest.param([[0.1] * 7], [3], 1.0, id="all logits equal"),
    ],
)
def test_temperatures_at_the_ends(
    logits: list[list[float]], labels: list[int], expected: float
) -> None:
    assert fit_temperature(np.array(logits), np.array(labels)) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers(bad: float) -> None:
    with pytest.raises(DataError, match="Expected finite logits"):
        fit_temperature(np.array([[0.0, bad]]), np.array([0]))


counts = hnp.arrays(np.int64, st.tuples(st.integers(1, 5), st.just(3)), elements=st.integers(1, 9))


def drawn_in_proportion(counts: NDArray[np.int64]) -> Answers:
    """Returns logits and labels so that each row's labels come exactly in softmax's shares."""
    rows, labels = np.nonzero(counts)
    times = counts[rows, labels]
    return np.log(counts)[np.repeat(rows, times)], np.repeat(labels, times)


@settings(deadline=None)
@given(counts, st.floats(0.1, 8))
def test_logits_that_mean_what_they_say_need_no_temperature(
    counts: NDArray[np.int64], factor: float
) -> None:
    """T is 1 for labels in the shares that softmax states; logits times c want T = c."""
    logits, labels = drawn_in_proportion(counts)
    if np.ptp(counts, axis=1).max() == 0:
        assert fit_temperature(factor * logits, labels) == 1.0
        return
    assert fit_temperature(logits, labels) == pytest.approx(1, rel=1e-6)
    assert fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=1e-6)


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, (12, 4), elements=st.integers(-2000, 2000).map(lambda step: step / 64)),
    hnp.arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_no_other_temperature_is_better(
    logits: NDArray[np.float64], labels: NDArray[np.int64]
) -> None:
    """And answers stay what they are."""

    def loss(temperature: float) -> float:
        z = (logits - logits.max(axis=1, keepdims=True)) / temperature
        chosen = z[np.arange(12), labels] - np.log(np.exp(z).sum(axis=1))
        return float(-chosen.mean())

    found = fit_temperature(logits, labels)
    assert 0.05 <= found <= 20
    assert loss(found) <= min(map(loss, np.geomspace(0.05, 20, 50))) * (1 + 1e-9) + 1e-12
    assert np.array_equal(softmax(logits / found).argmax(axis=1), logits.argmax(axis=1))


def test_drawn_labels_give_the_temperature_back() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, 7))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)  # drawn from softmax(logits)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.04)


# Confidence 0.95, 0.85, … 0.55, two faces each: the surer, the more are right.
RANKED = two_classes(
    [0.95, 0.95, 0.85, 0.85, 0.75, 0.75, 0.65, 0.65, 0.55, 0.55], [1, 1, 1, 1, 1, 0, 1, 0, 0, 0]
)


def test_the_curve() -> None:
    points = coverage_curve(*RANKED, [0.0, 0.7, 0.95, 0.96])
    found = [(p.threshold, p.coverage, p.accuracy.value, p.accuracy.n) for p in points[:3]]
    assert found == [(0.0, 1.0, 6 / 10, 10), (0.7, 0.6, 5 / 6, 6), (0.95, 0.2, 1.0, 2)]
    assert points[1].accuracy.low < 5 / 6 < points[1].accuracy.high
    assert (points[3].coverage, points[3].accuracy.n) == (0, 0)
    assert THRESHOLDS[:2] == (0, 0.05)
    assert THRESHOLDS[-1] == 0.95


@settings(deadline=None)
@given(
    hnp.arrays(np.float32, (9, 3), elements=st.floats(0, 1, width=32)),
    hnp.arrays(np.int64, 9, elements=st.integers(0, 2)),
)
def test_a_higher_threshold_answers_no_more(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    points = coverage_curve(probabilities, labels)
    coverage = [point.coverage for point in points]
    assert coverage[0] == 1
    assert coverage == sorted(coverage, reverse=True)
    right = [round(point.accuracy.value * point.accuracy.n) for point in points if point.coverage]
    assert right == sorted(right, reverse=True)


@pytest.mark.parametrize(
    ("target", "min_answered", "expected"),
    [
        pytest.param(0.6, 1, 0.0, id="all are right often enough"),
        pytest.param(0.75, 1, 0.56, id="without the two at 0.55"),
        pytest.param(0.8, 1, 0.66, id="the default"),
        pytest.param(1.0, 1, 0.76, id="only the sure ones"),
        pytest.param(1.0, 5, 1.0, id="too few of those"),
    ],
)
def test_the_threshold(target: float, min_answered: int, expected: float) -> None:
    assert unsure_threshold(*RANKED, target, min_answered=min_answered) == expected


def test_a_model_that_is_never_right_enough_answers_nothing() -> None:
    answers, labels = two_classes([0.99] * 100, [1] * 79 + [0] * 21)
    assert unsure_threshold(answers, labels) == 1.0
    assert unsure_threshold(answers, labels, 0.79) == 0.0


def many(answers: Answers, times: int) -> Answers:
    return np.tile(answers[0], (times, 1)), np.tile(answers[1], times)


def test_the_manifests_record() -> None:
    record = describe_confidence(*many(RANKED, 10), split="validation")
    assert (record["split"], record["n"], record["target_accuracy"]) == ("validation", 100, 0.8)
    assert (record["unsure_below"], record["coverage"]) == (0.66, 0.6)
    assert record["accuracy"]["value"] == 5 / 6
    assert record["accuracy"]["low"] < 5 / 6 < record["accuracy"]["high"]
    # 0.55 and 0.65 fall into (8/15, 9/15] and (9/15, 10/15]; each of the five bins has 20 faces.
    gaps = [0.05, 0.15, 0.25, 0.15, 0.55]
    assert record["ece"]["value"] == pytest.approx(sum(gaps) / 5)
    assert [point["threshold"] for point in record["curve"]] == list(THRESHOLDS)
    assert record["curve"][0]["accuracy"]["n"] == 100


def test_a_record_is_json_even_where_nothing_is_answered() -> None:
    record = describe_confidence(*many(two_classes([0.7, 0.7], [1, 0]), 50), split="validation")
    assert (record["unsure_below"], record["coverage"], record["accuracy"]) == (1.0, 0.0, None)
    assert record["curve"][-1]["threshold"] == 0.7
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(("kind", "threshold"), [(np.float64, 0.7), (np.float32, 1.0)])
def test_the_record_counts_as_predict_compares(kind: DTypeLike, threshold: float) -> None:
    """0.7 in float32 lies under 0.7: what the record answers must be what is not unsure later."""
    exact, labels = many(two_classes([0.7, 0.695], [1, 0]), 50)
    answers = exact.astype(kind)
    record = describe_confidence(answers, labels, split="validation")
    assert record["unsure_below"] == threshold
    unsure = [float(row.max()) < record["unsure_below"] for row in answers]
    assert record["coverage"] == 1 - np.mean(unsure)
