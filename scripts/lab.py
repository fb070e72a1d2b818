"""The recipe lab: paired short trainings, one change each, and their table in docs/TRAINING.md.

`python scripts/lab.py docs/ablation.toml --data fer2013.csv --ferplus fer2013new.csv`

Every row is trained with every seed by `fer-edge train`; what is done already is not done again,
and what was interrupted goes on; what was done by another command, recipe, network, teacher or data
is done anew. A row is compared image by image with the first, or with the one that it names as
`against`: same seed, same epochs, one change.
"""

import argparse
import csv
import itertools
import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from paired import (
    Labels,
    macro_f1_samples,
    paired_difference,
    percentiles,
    points,
)

from fer_edge import files, metrics
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Source
from fer_edge.distill import teacher_file
from fer_edge.errors import ConfigError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.model import ARCHITECTURES
from fer_edge.page import has_part, write_part
from fer_edge.recipe import read_recipe
from fer_edge.runs import Run
from fer_edge.tables import Table, percent

PART = "lab"  # of the page
DONE_BY = "lab.json"  # in a run's folder: what its training was asked


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: Says what is changed.
        options: Of `train`, which change it.
        ferplus: Whether the training reads FER+'s votes.
        against: The row without the change; empty for the first one.
    """

    name: str
    options: tuple[str, ...]
    ferplus: bool
    against: str


@dataclass(frozen=True)
class Lab:
    """The rows, the first of which is the one that nothing is changed in.

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
    """Reads a lab's file.

    Raises:
        ConfigError: A row is to be compared with one that is not there.
    """
    content = tomllib.loads(path.read_text())
    first = content["rows"][0]["name"]
    rows = tuple(
        Row(
            row["name"],
            tuple(row.get("options", ())),
            bool(row.get("ferplus", False)),
            row.get("against", "" if row["name"] == first else first),
        )
        for row in content["rows"]
    )
    names = [row.name for row in rows]
    for row in rows[1:]:
        if row.against not in names or row.against == row.name:
            raise ConfigError(
                f"{path}: {row.name!r} is to be compared with {row.against!r}. "
                f"Expected another of its rows: {', '.join(names)}."
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
    """Returns the table of all rows; each but the first has its paired differences."""
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
        "beside",
        "difference, points",
        "",
        "macro-F1 %",
        "difference, points",
        "minutes",
        "how",
    )
    truth = Labels(split.labels, k)
    by_name = {o.row.name: (o, macro_f1_samples(o.answers, truth)) for o in outcomes}
    rows = tuple(_cells(lab, o, by_name, truth) for o in outcomes)
    return Table(title, columns, rows, left=(0, 3, 5, 9))


def outcome(lab: Lab, row: Row, out: Path, images: NDArray[np.uint8]) -> Outcome:
    """Returns what a row's trainings came to."""
    runs = [run_of(out, row, seed) for seed in lab.seeds]
    answers = [logits_of(load_network(run.model), images).argmax(axis=1) for run in runs]
    seconds = [sum(float(e["elapsed_s"]) for e in _history(run)) for run in runs]
    return Outcome(row, np.stack(answers), float(np.mean(seconds)) / 60)


def verdict(right: NDArray[np.bool_], baseline: NDArray[np.bool_]) -> str:
    """Returns whether a row is better or worse than another, by their hits, (seeds, n)."""
    found = paired_difference(right, baseline)
    by_seed = right.mean(axis=1) - baseline.mean(axis=1)
    if found.low > 0 and (by_seed > 0).all():
        return "better"
    return "worse" if found.high < 0 and (by_seed < 0).all() else "not told apart"


def _cells(
    lab: Lab,
    outcome: Outcome,
    by_name: Mapping[str, tuple[Outcome, NDArray[np.float64]]],
    truth: Labels,
) -> tuple[str, ...]:
    row, right, n = outcome.row, outcome.answers == truth.labels, len(truth.labels)
    _, f1 = by_name[row.name]
    top1_difference = told = f1_difference = ""
    if row.against:
        other, f1_before = by_name[row.against]
        before = other.answers == truth.labels
        top1_difference, told = points(paired_difference(right, before)), verdict(right, before)
        f1_difference = points(percentiles(f1 - f1_before, n))
    return (
        row.name,
        percent(metrics.wilson_interval(round(float(right.mean(axis=0).sum())), n)),
        ", ".join(f"{100 * float(hits.mean()):.1f}" for hits in right),
        row.against,
        top1_difference,
        told,
        percent(percentiles(f1, n)),
        f1_difference,
        f"{outcome.minutes:.1f}",
        f"`{shlex.join(row.options)}`" if row.options else lab_name(lab),
    )


def lab_name(lab: Lab) -> str:
    """Returns the recipe of a lab, for the table."""
    return f"`--recipe {lab.recipe}`"


def _history(run: Run) -> Sequence[dict[str, str]]:
    with run.history.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
