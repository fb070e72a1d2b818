"""What a fine-tuning bought: the network before and after, on the same images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.catalog import network_emotions
from fer_edge.data.split import Dataset
from fer_edge.evaluate import Evaluation, EvaluationSet, evaluate, evaluation_set
from fer_edge.keras_network import KerasRunner, load_network


@dataclass(frozen=True)
class Improvement:
    """Two networks on one split.

    Attributes:
        data: The split. Of pictures in folders test, which no epoch was chosen on; of other rows
            validation: FER2013's test split is for reporting, not for trying.
        before: What training started from.
        after: What it ended in, compared with `before`.
    """

    data: EvaluationSet
    before: Evaluation
    after: Evaluation


def measure_improvement(before: Path, after: Path, dataset: Dataset) -> Improvement | None:
    """Returns how two float networks fare; None when they share no emotion with the data.

    Args:
        before: A network; what it never learnt to answer counts as wrong.
        after: A network of the data's emotions.
        dataset: With a validation split.

    Raises:
        ModelFormatError: A network cannot be loaded.
        DataError: There is no validation split.
    """
    own_pictures = bool(dataset.names) and len(dataset.splits["test"]) > 0
    data = evaluation_set(dataset, "test" if own_pictures else "validation")
    known = network_emotions(before)
    if not set(known) & set(dataset.emotions):
        return None
    start = _answers(before, data)
    columns = [start[:, known.index(e)] if e in known else 0 * start[:, 0] for e in data.emotions]
    reference = np.stack(columns, axis=1)
    return Improvement(
        data, evaluate(reference, data), evaluate(_answers(after, data), data, reference=reference)
    )


def _answers(network: Path, data: EvaluationSet) -> NDArray[np.float32]:
    return KerasRunner(load_network(network)).probabilities(data.split.images)
