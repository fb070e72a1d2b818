"""Draws accuracy against size and time, ours beside the published: docs/frontier.svg.

`python scripts/frontier.py BENCH.json… --published docs/published.toml --out docs/frontier.svg`

The benchmarks are what `fer-edge bench --out` writes. Times are compared within the first alone:
they were taken in one interleaved run. `NAME=BENCH.json` names a model that was measured by itself.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from frontier_data import (
    SPLIT_TITLES,
    Benchmark,
    Measured,
    Published,
    parse_published,
    read_benchmark,
)
from frontier_plot import Group, Mark, Panel, draw_frontier

from fer_edge import files
from fer_edge.bench import UNSTABLE_SPREAD
from fer_edge.errors import ConfigError

STAR = f"* samples spread over {UNSTABLE_SPREAD:.0%}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("bench", nargs="+", metavar="[NAME=]BENCH.json")
    parser.add_argument("--published", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    published = parse_published(options.published.read_text("utf-8"))
    benchmarks = [read_benchmark(named) for named in options.bench]
    with files.replacing(options.out) as temporary:
        draw_frontier(make_panels(benchmarks, published), temporary)


def make_panels(
    benchmarks: Sequence[Benchmark], published: Sequence[Published]
) -> tuple[Panel, Panel]:
    """Returns accuracy against parameters, and against time.

    Raises:
        ConfigError: The benchmarks are of different splits, or the published systems are.
    """
    splits = {json.dumps(dict(benchmark.split), sort_keys=True) for benchmark in benchmarks}
    if len(splits) != 1:
        raise ConfigError(f"Expected benchmarks of one split, found {' and '.join(splits)}.")
    if len(theirs := {system.split for system in published}) != 1:
        raise ConfigError(f"Expected published figures of one split, found {sorted(theirs)}.")
    split = benchmarks[0].split
    ours = f"{SPLIT_TITLES[split['split']]} ({split['split']}), n = {split['n']:,}"
    return (
        _size_panel(benchmarks, published, ours, *theirs),
        _time_panel(benchmarks[0], ours),
    )


def _size_panel(
    benchmarks: Sequence[Benchmark], published: Sequence[Published], ours: str, theirs: str
) -> Panel:
    """Returns accuracy against parameters: our int8 files beside the published systems."""
    mine = [r for benchmark in benchmarks for r in benchmark.results if r.group == "ours"]
    if not mine:
        raise ConfigError("The benchmarks hold no int8 model of ours. Expected one: export --int8.")
    least = min(result.n_parameters for result in mine)
    marks = [
        Mark(
            _size_label(result, timed=result in benchmarks[0].results),
            "ours",
            result.percent,
            result.n_parameters,
            result.percent_range,
            side="below" if result.n_parameters == least else "right",
        )
        for result in mine
    ]
    marks += [
        Mark(
            f"{system.name} ({system.note})" if system.note else system.name,
            "peer" if system.by == "measured" else "published",
            system.accuracy_percent,
            system.parameters,
            side=system.label,
        )
        for system in published
    ]
    return Panel(
        title="FER2013: accuracy and size",
        x_label="parameters (log scale)",
        groups={
            "ours": f"fer-edge, int8: {ours}, single crop, 95% intervals;\n"
            f"size of the file, p50 of a run on one thread ({STAR})",
            "peer": f"published networks, measured for this project: {theirs}",
            "published": f"published: {theirs}, as their authors report",
        },
        marks=marks,
        unknown_x="not stated",
    )


def _size_label(result: Measured, *, timed: bool) -> str:
    time = f" · {result.timing.p50_ms:.3g} ms{result.timing.star}" if timed else ""
    return f"{result.name}\n{result.size_bytes / 1024:.0f} KiB{time}"


def _time_panel(benchmark: Benchmark, ours: str) -> Panel:
    """Returns accuracy against time, of one benchmark."""
    marks = [
        Mark(
            result.name + result.timing.star,
            result.group,
            result.percent,
            result.timing.p50_ms,
            result.percent_range,
            (result.timing.low_ms, result.timing.high_ms),
        )
        for result in benchmark.results
    ]
    names: dict[Group, str] = {
        "ours": "fer-edge, int8",
        "ours in float32": "fer-edge, float32",
        "peer": "peers in LiteRT",
    }
    return Panel(
        title=f"Accuracy and time in one benchmark: {ours}, 95% intervals",
        x_label=f"p50 of a run, batch 1, one thread, ms (log scale; {STAR}); {benchmark.machine}",
        groups={
            group: text for group, text in names.items() if group in {mark.group for mark in marks}
        },
        marks=marks,
    )


if __name__ == "__main__":
    main()
