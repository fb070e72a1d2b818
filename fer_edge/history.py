"""A training's history: a row an epoch, as CSV and as columns for the curves."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_edge import files


@dataclass(frozen=True)
class Epoch:
    """One finished epoch, a row of history.csv.

    Attributes:
        epoch: From 1.
        learning_rate: At its end.
        train_loss: Mean over its augmented, mixed and smoothed batches.
        validation_loss: Mean cross-entropy of the averaged weights, nats.
        validation_top1: Share of validation images right, averaged weights.
        validation_macro_f1: Mean F1 over the classes.
        elapsed_s: Wall time.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_top1: float
    validation_macro_f1: float
    elapsed_s: float


def write_history(path: Path, history: Sequence[Epoch]) -> None:
    """Writes the rows as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([spec.name for spec in dataclasses.fields(Epoch)])
    for row in history:
        epoch, rate, *figures, elapsed_s = dataclasses.astuple(row)
        writer.writerow([epoch, f"{rate:.3e}", *(f"{f:.5f}" for f in figures), f"{elapsed_s:.1f}"])
    files.write_text(path, text.getvalue())


def as_columns(history: Sequence[Epoch]) -> dict[str, list[float]]:
    """Returns each field's values over the epochs, by name."""
    return {
        spec.name: [getattr(row, spec.name) for row in history]
        for spec in dataclasses.fields(Epoch)
    }
