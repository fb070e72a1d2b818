"""What the frontier's picture is drawn of: benchmarks of ours, and what others published."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from frontier_plot import Group, Side

from fer_edge.bench import SCHEMA_VERSION, UNSTABLE_SPREAD
from fer_edge.catalog import TFLITE_VARIANTS
from fer_edge.errors import ConfigError

SPLIT_TITLES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
# Keras chooses its threads itself; the others would lie beside float32 and hide it.
OMITTED = ("keras", "float16", "dynamic")
By = Literal["authors", "measured"]


@dataclass(frozen=True)
class Published:
    """A system that others built.

    Attributes:
        name: Of the system.
        accuracy_percent: Top-1.
        split: That the accuracy is of, in FER2013's words.
        by: Whether its authors report the figure, or it was measured for this project.
        source: Where the figure stands.
        parameters: None where no source gives a number.
        note: What makes it another kind of figure than the rest.
        label: Side of the point where its name stands.
    """

    name: str
    accuracy_percent: float
    split: str
    by: By
    source: str
    parameters: int | None = None
    note: str = ""
    label: Side = "right"


@dataclass(frozen=True)
class Timing:
    """The median time of one run on one thread, in ms, with its 95% interval."""

    p50_ms: float
    low_ms: float
    high_ms: float
    is_unstable: bool

    @property
    def star(self) -> str:
        """Returns what warns a reader where the samples spread too much."""
        return "*" if self.is_unstable else ""


@dataclass(frozen=True)
class Measured:
    """One model file of a benchmark.

    Attributes:
        name: With its model's, unique.
        variant: `int8`, `float32`, …; a stranger's is its file's name.
        size_bytes: Of the file.
        n_parameters: That it holds.
        percent: Top-1.
        percent_range: Its 95% interval.
        timing: On one thread.
    """

    name: str
    variant: str
    size_bytes: int
    n_parameters: int
    percent: float
    percent_range: tuple[float, float]
    timing: Timing

    @property
    def group(self) -> Group:
        """Returns what it is to a reader."""
        if self.variant not in TFLITE_VARIANTS:
            return "peer"
        return "ours" if self.variant == "int8" else "ours in float32"


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark's document says.

    Attributes:
        split: Source, hash, split and n: what must be the same for figures to be compared.
        machine: The processor that it ran on.
        results: In its order.
    """

    split: Mapping[str, Any]
    machine: str
    results: tuple[Measured, ...]


def read_benchmark(named: str) -> Benchmark:
    """Returns the benchmark in a file, given as `PATH` or `NAME=PATH`."""
    name, _, path = named.rpartition("=")
    return parse_benchmark(Path(path).read_text("utf-8"), name=name)


def parse_published(text: str) -> tuple[Published, ...]:
    """Returns the systems in a TOML document.

    Raises:
        ConfigError: It is no TOML, or a system lacks a field or has a wrong one.
    """
    try:
        rows = tomllib.loads(text)["system"]
        systems = tuple(Published(**row) for row in rows)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"Cannot read the published systems: {exc}. Expected [[system]] tables with "
            f"{', '.join(field.name for field in dataclasses.fields(Published))}."
        ) from exc
    for system in systems:
        _check(system)
    return systems


def _check(system: Published) -> None:
    """Raises ConfigError for a figure that a reader could not trace or place."""
    splits = tuple(SPLIT_TITLES.values())
    if not (system.name and system.source and system.split in splits and system.by in get_args(By)):
        raise ConfigError(
            f"Expected a name, a source, a split of {', '.join(splits)}, and that it is by "
            f"{' or '.join(get_args(By))}; found {system}."
        )
    percent, n_parameters = system.accuracy_percent, system.parameters
    if not (isinstance(percent, int | float) and 0 < percent < 100):
        raise ConfigError(f"Expected a percentage between 0 and 100, found {system}.")
    if system.label not in get_args(Side):
        raise ConfigError(f"Expected a label {', '.join(get_args(Side))}, found {system}.")
    if n_parameters is not None and not (isinstance(n_parameters, int) and n_parameters > 0):
        raise ConfigError(f"Expected a number of parameters or none, found {system}.")


def parse_benchmark(text: str, *, name: str = "") -> Benchmark:
    """Returns what a benchmark's JSON says of our int8 and float32 files and of strangers'.

    Args:
        text: What `fer-edge bench --out` wrote.
        name: Of our model, where the benchmark has but one and so does not name it.

    Raises:
        ConfigError: It is no such document.
    """
    try:
        document = json.loads(text)
        if document["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {document['schema_version']}")
        split = {key: document["data"][key] for key in ("source", "sha256", "split", "n")}
        results = [
            _measured(row, name) for row in document["results"] if row["variant"] not in OMITTED
        ]
        machine = document["machine"]["cpu"]
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"Cannot read the benchmark: {exc!r}. "
            f"Expected what fer-edge bench --out writes, schema version {SCHEMA_VERSION}."
        ) from exc
    if not results:
        raise ConfigError(
            "There is nothing to draw in the benchmark: it has neither an int8 nor a float32 "
            "file, nor a stranger's. Export the model before it is measured."
        )
    return Benchmark(split, machine, tuple(results))


def _measured(row: Mapping[str, Any], model: str) -> Measured:
    top1 = row["evaluation"]["top1"]
    is_bare = row["name"] == row["variant"] in TFLITE_VARIANTS
    [timing] = [
        Timing(p50["value"], p50["low"], p50["high"], latency["spread"] > UNSTABLE_SPREAD)
        for latency in row["latency"]
        if (latency["what"], latency["n_threads"]) == ("invoke", 1)
        for p50 in [latency["p50_ms"]]
    ]
    return Measured(
        name=f"{model or 'fer-edge'} {row['name']}" if is_bare else row["name"].replace("/", " "),
        variant=row["variant"],
        size_bytes=row["size_bytes"],
        n_parameters=row["n_parameters"],
        percent=100 * top1["value"],
        percent_range=(100 * top1["low"], 100 * top1["high"]),
        timing=timing,
    )
