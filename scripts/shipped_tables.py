"""What the shipped models reach and what their confidence is worth: two tables in TRAINING.md.

`python scripts/shipped_tables.py` copies them out of the manifests, where `scripts/ship.py` has put
what it measured. `fer-edge bench NAME` measures the same anew.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.catalog import SHIPPED, shipped_names
from fer_edge.contract import Manifest, read_manifest
from fer_edge.metrics import Interval
from fer_edge.page import write_part
from fer_edge.tables import Table, percent

PAGE = Path(__file__).resolve().parents[1] / "docs" / "TRAINING.md"
WANTED_PERCENT = {  # top-1 in int8: what has to be reached, and what is aimed at
    "nano": (65.0, 69.0),
    "small": (68.0, 72.0),
    "base": (70.0, 75.29),
    "base-ferplus": (82.0, 86.0),
}
WANTED_MACRO_F1 = {"base": 68.0}
MAX_LOSS_POINTS, MIN_AGREEMENT, MAX_ECE = 0.2, 99.0, 3.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    manifests = {name: read_manifest(SHIPPED / name) for name in shipped_names()}
    write_part(options.page, "reached", reached(manifests).to_markdown())
    write_part(options.page, "confidence", confidence(manifests).to_markdown())


def reached(manifests: Mapping[str, Manifest]) -> Table:
    """Returns what was wanted of each model and what it reaches; bold what it misses."""
    rows = []
    for name, (must, aim) in WANTED_PERCENT.items():
        score = manifests[name].scores["int8"]
        against = score["against_float"]
        loss = -100 * against["top1_difference"]
        rows.append(
            (
                f"`{name}`",
                f"{score['n']:,}",
                f"{must:g} / {aim:g}",
                _judged(score["top1"], low=must),
                _judged(score["macro_f1"], low=WANTED_MACRO_F1.get(name, 0.0)),
                _bold(
                    f"{loss:.2f} (p = {against['mcnemar_p']:.2g})", missed=loss > MAX_LOSS_POINTS
                ),
                _judged(against["agreement"], low=MIN_AGREEMENT),
                _judged(score["ece"], high=MAX_ECE),
            )
        )
    title = (
        "Wanted and reached: int8, PublicTest, single crop, 95% intervals; bold is missed. Wanted "
        f"besides: macro-F1 of 68% for `base`, a loss of at most {MAX_LOSS_POINTS} points, "
        f"agreement of {MIN_AGREEMENT:g}%, a calibration error of at most {MAX_ECE:g}%"
    )
    columns = (
        "model",
        "n",
        "top-1 %, must / aim",
        "top-1 %",
        "macro-F1 %",
        "lost to int8, points",
        "agreement %",
        "ECE %",
    )
    return Table(title, columns, tuple(rows))


def confidence(manifests: Mapping[str, Manifest]) -> Table:
    """Returns each model's temperature, calibration error and threshold."""
    rows = []
    for name, manifest in manifests.items():
        fitted, kept = manifest.training["confidence"], manifest.confidence
        rows.append(
            (
                f"`{name}`",
                f"{kept['n']:,}",
                f"{fitted['temperature']:.3f}",
                f"{100 * fitted['ece_before']:.1f}",
                f"{100 * fitted['ece_after']:.1f}",
                percent(Interval(**kept["ece"])),
                f"{100 * kept['unsure_below']:.0f}",
                f"{100 * kept['coverage']:.1f}",
                percent(Interval(**kept["accuracy"])),
            )
        )
    columns = (
        "model",
        "n",
        "temperature",
        "ECE %, float, before",
        "after",
        "ECE %, int8",
        "unsure below %",
        "faces above %",
        "of them right %",
    )
    title = "Confidence: PublicTest, which the temperature and the threshold were fitted on as well"
    return Table(title, columns, tuple(rows))


def _judged(found: Mapping[str, Any], *, low: float = 0.0, high: float = 100.0) -> str:
    missed = not low <= 100 * found["value"] <= high
    return _bold(percent(Interval(**found)), missed=missed)


def _bold(text: str, *, missed: bool) -> str:
    return f"**{text}**" if missed else text


if __name__ == "__main__":
    main()
