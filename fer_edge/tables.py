"""Figures as tables of text: built once, shown on a terminal or written as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from fer_edge.bench import Bench, Latency, Result, What
from fer_edge.board_bench import STAGES, BoardBench, Look
from fer_edge.improvement import Improvement
from fer_edge.metrics import Interval
from fer_edge.sensitivity import Sensitivity

FLOAT_TWINS = ("keras", "float32", "float16", "dynamic")


@dataclass(frozen=True)
class Table:
    """Text in rows.

    Attributes:
        title: Says what the figures are of: split, n, conditions.
        columns: Headers.
        rows: As many cells as columns each.
        left: Positions of the columns that are left-aligned, being words; figures stand right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)

    def to_markdown(self) -> str:
        """Returns the table in Markdown, its title as a bold line above."""
        rule = ["---" if at in self.left else "---:" for at in range(len(self.columns))]
        lines = [" | ".join(cells) for cells in (self.columns, rule, *self.rows)]
        return f"**{self.title}**\n\n" + "\n".join(f"| {line} |" for line in lines) + "\n"


def percent(interval: Interval) -> str:
    """Returns a share as percent with its interval: `65.2 (63.6-66.7)`."""
    return f"{100 * interval.value:.1f} ({100 * interval.low:.1f}–{100 * interval.high:.1f})"


def size(size_bytes: int) -> str:
    """Returns a size in KiB, or MiB from one upward."""
    kib = size_bytes / 1024
    return f"{kib:.0f} KiB" if kib < 1024 else f"{kib / 1024:.2f} MiB"


def milliseconds(value: float | None) -> str:
    """Returns a time with three significant digits; a dash where there is none."""
    return "–" if value is None else f"{value:#.3g}".rstrip(".")


def sensitivity_table(found: Sequence[Sensitivity], *, shown: int = 10) -> Table:
    """Returns what is most sensitive to 8 bits.

    Args:
        found: All weights together, then everything that is quantized.
        shown: How many rows, the first aside.
    """
    total, *rest = found
    n = total.trained.agreement.n
    most = sorted(rest, key=lambda row: row.trained.change, reverse=True)[:shown]
    rows = tuple(
        (
            row.trained.layer,
            row.trained.part,
            f"{100 * row.trained.change:.3f}",
            f"{100 * row.exported.change:.3f}" if row.exported else "–",
        )
        for row in (total, *most)
    )
    title = (
        "Sensitivity to 8 bits: mean change of a probability, percentage points, when all weights "
        f"or one part of one layer is quantized ({len(most)} of {len(rest)}; {n} calibration "
        "images of the train split)"
    )
    return Table(title, ("layer", "part", "as trained", "as exported"), rows, left=(0, 1))


def bench_tables(bench: Bench) -> list[Table]:
    """Returns all tables of a benchmark; per emotion of int8 alone where there is int8."""
    has_int8 = any(result.variant == "int8" for result in bench.results)
    per_model = [
        table
        for result in bench.results
        if not (has_int8 and result.variant in FLOAT_TWINS)  # which hardly differ from it
        for table in (_emotions(result, bench), _confusion(result, bench))
    ]
    return [summary(bench), *_latencies(bench), *_cold_start(bench), *per_model]


def improvement(found: Improvement, before: str, after: str) -> Table:
    """Returns what a fine-tuning bought: top-1, macro-F1, and F1 an emotion."""
    data, first, second = found.data, found.before, found.after
    p = second.against_float.mcnemar_p if second.against_float else 1.0
    title = (
        f"{data.source}, {data.name} split, n = {len(data.split)}, single crop, float, 95% "
        f"intervals; McNemar's p: {p:.2g}"
    )
    rows = [
        ("top-1 %", percent(first.top1), percent(second.top1)),
        ("macro-F1 %", percent(first.macro_f1), percent(second.macro_f1)),
    ]
    for emotion, score in second.per_emotion.items():
        old = first.per_emotion[emotion].f1
        rows.append((f"F1 {emotion}, n = {score.n}", f"{100 * old:.1f}", f"{100 * score.f1:.1f}"))
    return Table(title, ("figure", f"before: {before}", f"after: {after}"), tuple(rows))


def summary(bench: Bench) -> Table:
    """Returns the table that is looked at first."""
    data = bench.data
    title = (
        f"{data['source']}, {data['split']} split, n = {data['n']}, single crop, "
        f"95% intervals; latency: run alone, one thread; * spread over 10%"
    )
    columns = (
        "model|top-1 %|leak-free %|macro-F1 %|ECE %|agreement %|p vs float|size|parameters|MMACs|"
        "p50 ms"
    )
    return Table(
        title, tuple(columns.split("|")), tuple(_summary_row(result) for result in bench.results)
    )


def _summary_row(result: Result) -> tuple[str, ...]:
    evaluation, against = result.evaluation, result.evaluation.against_float
    latency = _pick(result, "invoke", (1, 0))
    return (
        result.name,
        percent(evaluation.top1),
        percent(evaluation.leak_free_top1) if evaluation.leak_free_top1 else "–",
        percent(evaluation.macro_f1),
        percent(evaluation.ece),
        percent(against.agreement) if against else "–",
        f"{against.mcnemar_p:.2g}" if against else "–",
        size(result.size_bytes),
        f"{result.n_parameters:,}",
        f"{result.macs / 1e6:.1f}",
        milliseconds(latency.p50_ms.value) + (" *" if latency.is_unstable else ""),
    )


def board_table(results: Sequence[BoardBench]) -> Table:
    """Returns how fast boards read frames."""
    title = (
        "640 × 480, one drawn face, faces looked for in every frame; classify includes the crop; "
        "p50 / p90 in ms over n frames, one run a row; °C and throttling: the highest, and all "
        "that was seen"
    )
    columns = (
        "board",
        "model",
        "detector",
        "threads",
        "n",
        *STAGES,
        "frames/s",
        "peak memory",
        "°C",
    )
    return Table(title, (*columns, "throttled"), tuple(map(_board_row, results)), (0, 1, 2, 12))


def _board_row(found: BoardBench) -> tuple[str, ...]:
    times = [
        " / ".join(milliseconds(found.percentile_ms(stage, p)) for p in (50, 90))
        for stage in STAGES
    ]
    return (
        *(found.board, found.model, found.detector, str(found.n_threads)),
        f"{len(found.samples_ns['frame']):,}",
        *times,
        f"{found.frames_per_s:.1f}",
        size(found.peak_memory_bytes),
        *_heat(found.looks),
    )


def _heat(looks: Sequence[Look]) -> tuple[str, str]:
    temperatures = [look.temperature_c for look in looks if look.temperature_c is not None]
    told = [look.throttling for look in looks if look.throttling is not None]
    seen = sorted({name for names in told for name in names})
    return (
        f"{max(temperatures):.0f}" if temperatures else "–",
        (", ".join(seen) or "no") if told else "–",
    )


def _latencies(bench: Bench) -> list[Table]:
    """Returns a table for the run alone and one with pre-processing."""
    tables = []
    for what in ("invoke", "with preprocessing"):
        timed = [(r, t) for r in bench.results for t in r.latency if t.what == what]
        n = len(timed[0][1].samples_ns) if timed else 0
        note = "; * spread over 10%" if any(t.is_unstable for _, t in timed) else ""
        tables.append(
            Table(
                f"Latency in ms, {what}, batch 1, n = {n} interleaved samples, median with 95% "
                f"interval{note}",
                ("model", "threads", "p50", "p90", "p99", "calls a sample"),
                tuple(_latency_row(result, latency) for result, latency in timed),
            )
        )
    return tables


def _latency_row(result: Result, latency: Latency) -> tuple[str, ...]:
    p50 = latency.p50_ms
    return (
        result.name,
        str(latency.n_threads or "auto"),
        f"{milliseconds(p50.value)} ({milliseconds(p50.low)}–{milliseconds(p50.high)})"
        + (" *" if latency.is_unstable else ""),
        milliseconds(latency.p90_ms),
        milliseconds(latency.p99_ms),
        str(latency.calls_per_sample),
    )


def _cold_start(bench: Bench) -> list[Table]:
    rows = tuple(
        (r.name, f"{r.cold_start.cold_start_ms:.0f}", size(r.cold_start.peak_memory_bytes))
        for r in bench.results
        if r.cold_start
    )
    title = "A fresh process to its first answer, imports included; n = 1 each"
    return [Table(title, ("model", "cold start ms", "peak memory"), rows)] if rows else []


def _emotions(result: Result, bench: Bench) -> Table:
    rows = tuple(
        (
            emotion,
            f"{100 * score.precision:.1f}",
            f"{100 * score.recall:.1f}",
            f"{100 * score.f1:.1f}",
            str(score.n),
        )
        for emotion, score in result.evaluation.per_emotion.items()
    )
    title = f"{result.name}: emotions on {bench.data['split']}, n = {bench.data['n']}"
    return Table(title, ("emotion", "precision %", "recall %", "F1 %", "n"), rows)


def _confusion(result: Result, bench: Bench) -> Table:
    emotions = tuple(result.evaluation.per_emotion)
    rows = tuple(
        (emotion, *map(str, counts))
        for emotion, counts in zip(emotions, result.evaluation.confusion, strict=True)
    )
    title = f"{result.name}: confusion on {bench.data['split']}, rows labelled, columns answered"
    return Table(title, ("", *emotions), rows)


def _pick(result: Result, what: What, threads: Sequence[int]) -> Latency:
    return next(t for n in threads for t in result.latency if t.what == what and t.n_threads == n)
