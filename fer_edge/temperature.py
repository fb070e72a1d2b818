"""Confidence that means something: a trained network's logits divided by what validation says.

The answers stay the same; only how sure they are changes. It is folded into the last layer, so
that every export has it and no client knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fer_edge.confidence import expected_calibration_error, fit_temperature
from fer_edge.keras_network import logits_of
from fer_edge.metrics import softmax

if TYPE_CHECKING:
    import keras

    from fer_edge.data.split import Split


@dataclass(frozen=True)
class Calibrated:
    """What calibration found.

    Attributes:
        temperature: By which the logits were divided.
        split: On whose images it was chosen.
        n: How many.
        ece_before: Expected calibration error of the network as it was trained, 0-1.
        ece_after: With the temperature, on the same images.
    """

    temperature: float
    split: str
    n: int
    ece_before: float
    ece_after: float


def fold_temperature(network: keras.Model, validation: Split) -> Calibrated:
    """Divides a network's logits by the temperature that fits a validation split, in place.

    Args:
        network: Answers logits from its layer of that name.
        validation: Images and labels that it was not trained on.

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv:1706.04599.
    """
    logits, labels = logits_of(network, validation.images), validation.labels
    temperature = fit_temperature(logits, labels)
    head = network.get_layer("logits")
    head.set_weights([weights / temperature for weights in head.get_weights()])
    errors = [expected_calibration_error(softmax(logits / by), labels) for by in (1.0, temperature)]
    return Calibrated(temperature, "validation", len(labels), *errors)
