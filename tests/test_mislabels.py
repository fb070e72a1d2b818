"""Likely mislabels: the rule on small tables, and planted ones among drawn faces."""

import dataclasses

import numpy as np
import pytest

from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Split
from fer_edge.errors import ConfigError, DataError
from fer_edge.mislabels import find_suspects, judge, out_of_fold
from fer_edge.recipe import read_recipe


def test_the_rule() -> None:
    """Thresholds: sad (0.9 + 0.7 + 0.2) / 3 = 0.6, happy (0.9 + 0.5) / 2 = 0.7."""
    split = Split(
        np.zeros((5, 48, 48), np.uint8), np.array([0, 0, 0, 1, 1], np.uint8), np.arange(10, 15)
    )
    sad = np.array([0.9, 0.7, 0.2, 0.1, 0.5])
    found = judge(split, ("sad", "happy"), np.stack([sad, 1 - sad], axis=1).astype(np.float32))
    assert [(s.id, s.label, s.suggested, s.p_label, s.p_suggested) for s in found] == [
        (12, "sad", "happy", 0.2, 0.8)
    ]


def test_worst_first_and_an_absent_class() -> None:
    split = Split(np.zeros((4, 48, 48), np.uint8), np.array([0, 0, 1, 1], np.uint8), np.arange(4))
    happy = np.array([0.3, 0.1, 0.6, 0.95])
    p = np.stack([1 - happy, happy, 0 * happy], axis=1).astype(np.float32)
    swapped = dataclasses.replace(split, labels=1 - split.labels)
    assert judge(split, ("sad", "happy", "fear"), p) == []
    assert [s.id for s in judge(swapped, ("sad", "happy", "fear"), p)] == [3, 1]


@pytest.mark.slow
def test_planted_mislabels_are_found() -> None:
    """Of 20 among 840 with another label, many are the first suspects; by chance it is 0.5."""
    dataset = sample_dataset(n_per_class=(120, 2, 2))
    train = dataset.split("train")
    rows = np.random.default_rng(5).choice(len(train), 20, replace=False)
    labels = train.labels.copy()
    labels[rows] = (labels[rows] + 3) % 7
    planted = dataclasses.replace(train, labels=labels)
    spoilt = dataclasses.replace(dataset, splits={**dataset.splits, "train": planted})
    shares: list[float] = []
    recipe = read_recipe("quickstart")
    found = find_suspects(
        spoilt, recipe=recipe, n_folds=3, progress=lambda _what, share: shares.append(share)
    )
    first = {suspect.id for suspect in found[:20]}
    assert len(first & set(train.ids[rows].tolist())) >= 8
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_copies_share_a_fold_and_too_little_is_refused() -> None:
    dataset = sample_dataset(n_per_class=(4, 1, 1))
    with pytest.raises(DataError, match="at least 10 train images an emotion"):
        find_suspects(dataset)
    with pytest.raises(ConfigError, match="at least 2 folds"):
        out_of_fold(dataset, read_recipe("audit"), n_folds=1, progress=lambda _what, _share: None)
