"""Networks two by two on the same validation faces: a table in TRAINING.md.

`python scripts/compare.py --pair runs/a runs/b --pair nano small --data fer2013.csv`; for FER+'s
labels `--ferplus fer2013new.csv --labels ferplus8 --part "pairs, FER+"` as well.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from paired import Labels, macro_f1_samples, percentiles, points, signed

from fer_edge import metrics
from fer_edge.catalog import find_network, network_emotions
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import LabelSet, Source
from fer_edge.errors import ConfigError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.page import check_page, write_part
from fer_edge.tables import Table, percent

PAGE = Path(__file__).resolve().parents[1] / "docs" / "TRAINING.md"
COLUMNS = (
    "before",
    "after",
    "top-1 %, before",
    "after",
    "right now",
    "wrong now",
    "p",
    "macro-F1, points",
    "cross-entropy, before",
    "after",
    "difference",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the table and writes it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--pair",
        nargs=2,
        action="append",
        required=True,
        metavar=("BEFORE", "AFTER"),
        help="Networks by name, run folder or file.",
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--ferplus", default="", metavar="VOTES", help="FER+'s votes")
    parser.add_argument("--labels", default="fer2013", choices=get_args(LabelSet))
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--part", default="pairs", help="of the page; default: %(default)s")
    options = parser.parse_args(arguments)
    check_page(options.page, options.part)
    source = Source(options.data, ferplus=options.ferplus, labels=options.labels)
    dataset = load_dataset(source)
    split = dataset.split("validation")
    names = {name for pair in options.pair for name in pair}
    logits = {
        name: logits_of(load_network(_network(name, dataset.emotions)), split.images)
        for name in sorted(names)
    }
    truth = Labels(split.labels, len(dataset.emotions))
    rows = tuple(
        (f"`{before}`", f"`{after}`", *cells(logits[before], logits[after], truth))
        for before, after in options.pair
    )
    title = (
        f"{source.title}, validation split, n = {len(split)}, single crop, "
        "float, 95% intervals; p is McNemar's; differences are image by image, macro-F1's "
        "by bootstrap"
    )
    text = Table(title, COLUMNS, rows, left=(0, 1)).to_markdown()
    write_part(options.page, options.part, text)
    print(text)


def cells(
    before: NDArray[np.floating], after: NDArray[np.floating], truth: Labels
) -> tuple[str, ...]:
    """Returns what two networks' logits, (n, k), come to, and their differences."""
    labels, n = truth.labels, len(truth.labels)
    answers = [logits.argmax(axis=1) for logits in (before, after)]
    was_right, is_right = (a == labels for a in answers)
    top1 = [percent(metrics.wilson_interval(int(r.sum()), n)) for r in (was_right, is_right)]
    f1_before, f1_after = (macro_f1_samples(a[np.newaxis], truth) for a in answers)
    losses = [metrics.log_losses(metrics.softmax(x), labels) for x in (before, after)]
    return (
        *top1,
        str(int((is_right & ~was_right).sum())),
        str(int((was_right & ~is_right).sum())),
        f"{metrics.mcnemar_p(was_right, is_right):.2g}",
        points(percentiles(f1_after - f1_before, n)),
        *(f"{loss.mean():.3f}" for loss in losses),
        signed(metrics.mean_interval(losses[1] - losses[0])),
    )


def _network(name: str, emotions: Sequence[str]) -> Path:
    """Returns a network's file; raises ConfigError unless it answers the data's emotions."""
    file = find_network(name)
    if tuple(found := network_emotions(file)) != tuple(emotions):
        raise ConfigError(
            f"{name} answers {', '.join(found)}. Expected the data's emotions: "
            f"{', '.join(emotions)}."
        )
    return file


if __name__ == "__main__":
    main()
