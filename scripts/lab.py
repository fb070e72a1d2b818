"""The recipe lab: paired short trainings, one change each, and their table in docs/TRAINING.md.

`python scripts/lab.py docs/ablation.toml --data fer2013.csv --ferplus fer2013new.csv`

Every row is trained with every seed by `fer-edge train`; what is done already is not done again,
and what was interrupted goes on; what was done by another command, recipe, network, teacher or data
is done anew. A
row is compared with the first one image by image: same seed, same epochs, one change.
"""

import argparse
import csv
import itertools
import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files, metrics
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Source
from fer_edge.distill import teacher_file
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import Interval
from fer_edge.model import ARCHITECTURES
from fer_edge.page import has_part, write_part
from fer_edge.recipe import read_recipe
from fer_edge.runs import Run
from fer_edge.tables import Table, percent

PART = "lab"  # of the page
N_RESAMPLES = 1000
DONE_BY = "lab.json"  # in a run's folder: what its training was asked


@dataclass(frozen=True)
class Row:
    """One line of the table: what is changed, and the options of `train` that change it."""

    name: str
    options: tuple[str, ...]
    ferplus: bool


@dataclass(frozen=True)
class Lab:
    """The rows, the first of which the others are compared with.

    Attributes:
        recipe: That all rows start from.
        seeds: Each row is trained with each.
        rows: By name.
    """

    recipe: str
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Outcome:
    """What one row came to.

    Attributes:
        row: It.
        answers: int64, (seeds, n), the emotion that each kept network sees on validation.
        minutes: Of training, mean over the seeds.
    """

    row: Row
    answers: NDArray[np.int64]
    minutes: float


@dataclass(frozen=True)
class Labels:
    """uint8, (n,), the emotions of the validation images, and how many emotions there are."""

    labels: NDArray[np.uint8]
    k: int


def main() -> None:
    """Trains what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("lab", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--ferplus", default="")
    parser.add_argument("--out", type=Path, default=Path("runs/lab"))
    parser.add_argument("--page", type=Path, default=Path("docs/TRAINING.md"))
    options = parser.parse_args()
    lab = read_lab(options.lab)
    if not has_part(options.page, PART):  # before hours of training
        raise SystemExit(f"{options.page} has no marks of the part {PART!r} for the table.")
    for seed in lab.seeds:
        for row in lab.rows:
            train(lab, row, seed, data=options.data, ferplus=options.ferplus, out=options.out)
    table = lab_table(lab, options.out, Source(options.data))
    print(table.to_markdown())
    write_part(options.page, PART, table.to_markdown())


def read_lab(path: Path) -> Lab:
    """Reads a lab's file."""
    content = tomllib.loads(path.read_text())
    rows = tuple(
        Row(row["name"], tuple(row.get("options", ())), bool(row.get("ferplus", False)))
        for row in content["rows"]
    )
    recipe = content["recipe"]
    recipe = str(path.parent / recipe) if recipe.endswith(".toml") else recipe
    return Lab(recipe, tuple(content["seeds"]), rows)


def command(lab: Lab, row: Row, seed: int) -> list[str]:
    """Returns the command of one training, without its data and its folder."""
    return ["train", "--recipe", lab.recipe, "--seed", str(seed), *row.options]


def train(lab: Lab, row: Row, seed: int, *, data: str, ferplus: str, out: Path) -> None:
    """Trains one row with one seed, unless that is done; goes on where it was interrupted."""
    run = run_of(out, row, seed)
    asked = command(lab, row, seed)
    sources = ["--data", data, *(["--ferplus", ferplus] if row.ferplus else [])]
    recipe = read_recipe(lab.recipe)
    wanted = json.dumps(
        {
            "command": asked,
            "recipe": recipe.to_dict(),
            "network": str(ARCHITECTURES[recipe.arch]),
            "teachers": teachers_of(row),
            "sources": sources,
            "sources_sha256": [files.sha256_of(Path(s)) for s in sources if Path(s).is_file()],
        },
        indent=2,
    )
    mark = run.folder / DONE_BY
    if mark.is_file() and mark.read_text() == wanted:
        if run.model.exists():
            return
        if run.checkpoint.exists():
            fer_edge("train", "--out", str(run.folder), "--resume")
            return
    run.folder.mkdir(parents=True, exist_ok=True)
    run.clear()  # or what an earlier row left would be taken for this one's
    mark.write_text(wanted)
    fer_edge(*asked, *sources, "--out", str(run.folder), "--force")


def teachers_of(row: Row) -> dict[str, str]:
    """Returns the SHA-256 of each teacher's file, by the name that a row's options give it."""
    names = [b for a, b in itertools.pairwise(row.options) if a == "--teacher"]
    return {name: files.sha256_of(teacher_file(name)) for name in names}


def fer_edge(*arguments: str) -> None:
    """Runs the command line of this environment to its end."""
    subprocess.run([sys.executable, "-m", "fer_edge", *arguments], check=True)


def run_of(out: Path, row: Row, seed: int) -> Run:
    """Returns where a row's training with a seed lies."""
    return Run(out / f"{row.name.replace(' ', '-')}-{seed}")


def lab_table(lab: Lab, out: Path, source: Source) -> Table:
    """Returns the table of all rows; each but the first has its paired difference."""
    dataset = load_dataset(source)
    split, k = dataset.split("validation"), len(dataset.emotions)
    outcomes = [outcome(lab, row, out, split.images) for row in lab.rows]
    title = (
        f"Validation, n = {len(split)} images, means over {len(lab.seeds)} seeds; intervals of 95% "
        "say what other images would give. Told apart: the interval of the paired difference "
        "leaves out 0, and every seed agrees on the sign"
    )
    columns = (
        "change",
        "top-1 %",
        "by seed",
        "difference, points",
        "",
        "macro-F1 %",
        "difference, points",
        "minutes",
        "how",
    )
    truth = Labels(split.labels, k)
    first = macro_f1_samples(outcomes[0].answers, truth)
    rows = tuple(_cells(lab, o, outcomes[0], first, truth) for o in outcomes)
    return Table(title, columns, rows, left=(0, 4, 8))


def outcome(lab: Lab, row: Row, out: Path, images: NDArray[np.uint8]) -> Outcome:
    """Returns what a row's trainings came to."""
    runs = [run_of(out, row, seed) for seed in lab.seeds]
    answers = [logits_of(load_network(run.model), images).argmax(axis=1) for run in runs]
    seconds = [sum(float(e["elapsed_s"]) for e in _history(run)) for run in runs]
    return Outcome(row, np.stack(answers), float(np.mean(seconds)) / 60)


def paired_difference(right: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> Interval:
    """Returns the mean difference of two rows' hits, (seeds, n), image by image.

    The interval is the normal one over images, each the mean over the seeds: it says what other
    images would give, with these seeds.
    """
    return metrics.mean_interval(right.mean(axis=0) - baseline.mean(axis=0))


def macro_f1_samples(answers: NDArray[np.int64], truth: Labels) -> NDArray[np.float64]:
    """Returns macro-F1, mean over the seeds of (seeds, n) answers: of all images, then resampled.

    Every call draws the same images, so the difference of two rows' samples is a paired one.
    """
    n = len(truth.labels)
    rng = np.random.default_rng(0)
    draws = [np.arange(n), *(rng.integers(n, size=n) for _ in range(N_RESAMPLES))]
    return np.array(
        [
            np.mean([macro_f1(truth.labels[drawn], a[drawn], truth.k) for a in answers])
            for drawn in draws
        ]
    )


def macro_f1(labels: NDArray[np.uint8], answers: NDArray[np.int64], k: int) -> float:
    """Returns the macro-F1 of answers, (n,)."""
    return metrics.macro_f1(metrics.confusion_matrix(labels, answers, k))


def percentiles(samples: NDArray[np.float64], n: int) -> Interval:
    """Returns the first of some samples, with the interval that the others say; n is recorded."""
    low, high = np.percentile(samples[1:], [2.5, 97.5])
    return Interval(float(samples[0]), float(low), float(high), n)


def verdict(right: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> str:
    """Returns whether a row is better or worse than the first, by their hits, (seeds, n)."""
    found = paired_difference(right, baseline)
    by_seed = right.mean(axis=1) - baseline.mean(axis=1)
    if found.low > 0 and (by_seed > 0).all():
        return "better"
    return "worse" if found.high < 0 and (by_seed < 0).all() else "not told apart"


def _cells(
    lab: Lab,
    outcome: Outcome,
    baseline: Outcome,
    f1_before: NDArray[np.float64],
    truth: Labels,
) -> tuple[str, ...]:
    right, before = outcome.answers == truth.labels, baseline.answers == truth.labels
    n = len(truth.labels)
    first = outcome is baseline
    f1 = f1_before if first else macro_f1_samples(outcome.answers, truth)
    mean = metrics.wilson_interval(round(float(right.mean(axis=0).sum())), right.shape[1])
    return (
        outcome.row.name,
        percent(mean),
        ", ".join(f"{100 * float(hits.mean()):.1f}" for hits in right),
        "" if first else _points(paired_difference(right, before)),
        "" if first else verdict(right, before),
        percent(percentiles(f1, n)),
        "" if first else _points(percentiles(f1 - f1_before, n)),
        f"{outcome.minutes:.1f}",
        f"`{shlex.join(outcome.row.options)}`" if outcome.row.options else lab_name(lab),
    )


def lab_name(lab: Lab) -> str:
    """Returns the recipe of a lab, for the table."""
    return f"`--recipe {lab.recipe}`"


def _points(difference: Interval) -> str:
    value, low, high = (100 * x for x in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _history(run: Run) -> Sequence[dict[str, str]]:
    with run.history.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
