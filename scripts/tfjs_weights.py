"""What TF.js's ways to store weights cost, in a real browser, and their table in BENCHMARKS.md.

`python scripts/tfjs_weights.py small base --data fer2013.csv`, with the page built.

Every validation image is classified by Keras and by TF.js on WASM in headless Chromium. `uint8` has
one scale a tensor; it is tried on the network as it is and with its ranges equalised.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import metrics
from fer_edge.browser import classify_in_browser
from fer_edge.calibration import pick_calibration
from fer_edge.catalog import find_model
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Split
from fer_edge.deploy import fold
from fer_edge.equalize import equalize
from fer_edge.keras_network import load_network, logits_of
from fer_edge.page import check_page, write_part
from fer_edge.tables import Table, percent, size
from fer_edge.targets import TFJS_FOLDER, Stored, convert_tfjs

PART = "tfjs weights"  # of the page
OFFERED = (
    "`fer-edge export` offers the first two: `uint8` may keep top-1 and yet answers otherwise, "
    "more often than int8 in LiteRT.js does."
)
IMAGES_A_VISIT = 600  # so that a slow machine answers before the browser is given up
WAYS: tuple[tuple[Stored, bool], ...] = (
    ("float32", False),
    ("float16", False),
    ("uint8", False),
    ("uint8", True),
)


@dataclass(frozen=True)
class Outcome:
    """One network, stored in one way.

    Attributes:
        model: Name.
        way: Of storing its weights.
        answers: int64, (n,), the emotion of each image.
        size_bytes: Of its weights.
        convert_s: What the conversion took.
    """

    model: str
    way: str
    answers: NDArray[np.int64]
    size_bytes: int
    convert_s: float


def main() -> None:
    """Measures, prints the table and writes it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="Shipped models by name.")
    parser.add_argument("--data", required=True)
    parser.add_argument("--page", type=Path, default=Path("docs/BENCHMARKS.md"))
    options = parser.parse_args()
    check_page(options.page, PART)
    dataset = load_dataset(options.data)
    calibration = pick_calibration(dataset, n=500, seed=0)
    split, rows = dataset.split("validation"), []
    for name in options.models:
        network = load_network(_network_of(name))
        keras = logits_of(network, split.images).argmax(axis=1)
        rows += [
            _row(outcome, keras, split.labels)
            for outcome in _outcomes(name, network, split, calibration.images)
        ]
    table = _table(rows, len(split))
    print(table.to_markdown())
    heading = "## TF.js: what half and quarter weights cost"
    command = f"`python scripts/tfjs_weights.py {' '.join(options.models)} --data fer2013.csv`"
    text = f"{heading}\n\nWritten by {command}. {OFFERED}\n\n{table.to_markdown()}"
    write_part(options.page, PART, text)


def _outcomes(
    name: str, network: Any, split: Split, sample: NDArray[np.uint8]
) -> Iterator[Outcome]:
    """Yields what each way of storing a network's weights comes to."""
    deployed = fold(network)
    for weights, is_equalised in WAYS:
        stored = equalize(deployed, sample) if is_equalised else deployed
        started = time.perf_counter()
        model = _converted(stored, weights)
        convert_s = time.perf_counter() - started
        parts = np.array_split(split.images, -(-len(split) // IMAGES_A_VISIT))
        answers = [classify_in_browser("tfjs-wasm", model, part).argmax(axis=1) for part in parts]
        n_bytes = sum(len(content) for file, content in model.items() if file.endswith(".bin"))
        way = f"{weights}, ranges equalised" if is_equalised else weights
        yield Outcome(name, way, np.concatenate(answers), n_bytes, convert_s)


def _network_of(name: str) -> Path:
    model = find_model(name)
    if model.network is None:
        raise SystemExit(f"{name} has no float network.")
    return model.network


def _converted(network: Any, weights: Stored) -> dict[str, bytes]:
    """Returns a graph model's files by name."""
    with tempfile.TemporaryDirectory() as scratch:
        convert_tfjs(network, weights, Path(scratch), print)
        return {p.name: p.read_bytes() for p in (Path(scratch) / TFJS_FOLDER).iterdir()}


def _row(found: Outcome, keras: NDArray[np.int64], labels: NDArray[np.uint8]) -> tuple[str, ...]:
    right, before = found.answers == labels, keras == labels
    n_same = int((found.answers == keras).sum())
    return (
        found.model,
        found.way,
        percent(metrics.wilson_interval(int(right.sum()), len(labels))),
        f"{100 * (right.mean() - before.mean()):+.2f}",
        f"{metrics.mcnemar_p(before, right):.2g}",
        percent(metrics.wilson_interval(n_same, len(labels))),
        size(found.size_bytes),
        f"{found.convert_s:.0f}",
    )


def _table(rows: list[tuple[str, ...]], n: int) -> Table:
    return Table(
        f"Validation, n = {n}, single crop, 95% intervals, TF.js on WASM in headless Chromium; "
        "difference and p (McNemar's, exact) against Keras",
        (
            *("model", "weights", "top-1 %", "difference, points", "p", "agreement %"),
            *("weights' size", "conversion s"),
        ),
        tuple(rows),
        left=(0, 1),
    )


if __name__ == "__main__":
    main()
