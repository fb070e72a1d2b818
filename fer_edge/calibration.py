"""The calibration sample: which training images int8's ranges are taken from, and how that went."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.clean import clean_training
from fer_edge.data.split import Dataset, Split
from fer_edge.errors import ConversionError
from fer_edge.metrics import Interval, agreement

CALIBRATION_SIZE = 500
MIN_AGREEMENT = 0.5  # with float, on the sample; quantization that works is over 0.9


@dataclass(frozen=True)
class Calibration:
    """The calibration sample and where it came from.

    Attributes:
        images: uint8, (n, 48, 48), from the train split.
        provenance: Data, split, seed, class counts and row ids, as the manifest records them.
    """

    images: NDArray[np.uint8]
    provenance: dict[str, Any]


def pick_calibration(dataset: Dataset, *, n: int = CALIBRATION_SIZE, seed: int = 0) -> Calibration:
    """Picks a calibration sample: from the cleaned train split, in its class shares, seeded.

    Raises:
        DataError: There is no train split.
    """
    train = clean_training(dataset)[0].split("train")
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(train.labels == label), size=share, replace=False)
            for label, share in enumerate(_shares(train, len(dataset.emotions), min(n, len(train))))
        ]
    )
    sample = train.take(np.sort(rows))
    provenance = {
        "source": dataset.source.title,
        "sha256": dataset.sha256,
        "split": "train, cleaned",
        "seed": seed,
        "n": len(sample),
        "class_counts": sample.class_counts(len(dataset.emotions)),
        "ids": sample.ids.tolist(),
    }
    return Calibration(sample.images, provenance)


def check_agreement(float32: NDArray[np.floating], int8: NDArray[np.floating]) -> Interval:
    """Returns how often an int8 model has the float model's answer.

    Args:
        float32: The one's probabilities, (n, k).
        int8: The other's, of the same images.

    Raises:
        ConversionError: So seldom that quantization has broken the model.
    """
    found = agreement(float32, int8)
    if found.value < MIN_AGREEMENT:
        raise ConversionError(
            f"The int8 model has the float model's answer on only {found.value:.0%} of {found.n} "
            f"images; expected at least {MIN_AGREEMENT:.0%}. Quantization broke it: "
            "train it longer, or export --float16 or --dynamic instead."
        )
    return found


def _shares(split: Split, n_classes: int, n: int) -> list[int]:
    """Returns how many of n rows each class gives: by its share, largest remainders first."""
    exact = np.array(split.class_counts(n_classes)) * n / len(split)
    shares = np.floor(exact).astype(int)
    shares[np.argsort(shares - exact, kind="stable")[: n - shares.sum()]] += 1
    return [int(share) for share in shares]
