"""What people see: results on stdout, progress and hints on stderr. With `cli`, all that prints."""

import contextlib
import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable

from fer_edge import data_tables, tables
from fer_edge.bench import Bench
from fer_edge.board_bench import BoardBench
from fer_edge.data.clean import CleaningReport
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset, Source
from fer_edge.distill import SoftLabels, find_soft_labels
from fer_edge.examine import Examination
from fer_edge.gates import Verdict
from fer_edge.history import Epoch
from fer_edge.improvement import Improvement
from fer_edge.quickstart import Quickstart, Steps
from fer_edge.runs import Run
from fer_edge.tables import Table
from fer_edge.train import Listener

JSON_VERSION = 1
CHOSEN_HERE = (
    " On the validation split `fer-edge train` chooses its epoch and fits its temperature: what it "
    "trained is flattered here, in ECE above all, beside networks that never saw these images."
)


def print_text(text: str) -> None:
    """Prints a finished document on stdout, untouched."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def print_json(kind: str, content: dict[str, Any]) -> None:
    """Prints one versioned JSON document on stdout."""
    print_text(json_text(kind, content))


def json_text(kind: str, content: dict[str, Any]) -> str:
    """Returns a versioned JSON document; records become objects."""
    document = {"schema_version": JSON_VERSION, "kind": kind, **content}
    return json.dumps(document, default=dataclasses.asdict, indent=1) + "\n"


def say(text: str) -> None:
    """Prints a hint on stderr."""
    _stderr().print(escape(text))


def show_table(table: Table) -> None:
    """Prints a table on stdout; a pipe gets it unwrapped."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    view = RichTable(title=escape(table.title), title_justify="left", title_style="bold")
    for number, column in enumerate(table.columns):
        view.add_column(escape(column), justify="left" if number in table.left else "right")
    for row in table.rows:
        view.add_row(*map(escape, row))
    console.print(view)


@contextlib.contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Shows that something goes on; yields a function that says what."""
    console = _stderr()
    with console.status(what):
        yield lambda text: console.print(f"[dim]{escape(text)}[/]")


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Shows a bar; yields a function of what is being done and the share that is done."""
    with _bar() as bar:
        yield _shares(bar)


def load(source: Source | str) -> Dataset:
    """Loads a data set, showing progress, and says on stderr how it was read."""
    with progress() as show:
        dataset = load_dataset(source, progress=show)
    say(dataset.describe())
    return dataset


def soft_labels(teachers: Sequence[str], dataset: Dataset) -> SoftLabels:
    """Returns what teachers answer to a data set's train split, showing progress."""
    with progress() as show:
        return find_soft_labels(teachers, dataset, progress=show)


@contextlib.contextmanager
def training_progress(n_epochs: int) -> Iterator[Listener]:
    """Shows the steps of an epoch as a bar with the time left, and a line for each epoch."""
    with _bar() as bar:
        yield _listener(bar, n_epochs)


@contextlib.contextmanager
def quickstart_steps(n_epochs: int) -> Iterator[Steps]:
    """Shows the steps of the quickstart as they begin, all on one terminal's last line."""
    with _bar() as bar:

        def begin(title: str, does: str, alone: str) -> None:
            for task in bar.task_ids:
                bar.remove_task(task)
            bar.console.print(f"\n[bold]{escape(title)}[/]  {escape(does)}")
            bar.console.print(f"      [dim]alone:[/] [cyan]{escape(alone)}[/]")

        def say(text: str) -> None:
            bar.console.print(f"      {escape(text)}")

        yield Steps(begin, _listener(bar, n_epochs), _shares(bar), say)


def _shares(bar: Progress) -> Callable[[str, float], None]:
    """Returns a function that moves a task of a bar; the task appears with the first call."""
    tasks: list[TaskID] = []

    def show(what: str, share: float) -> None:
        if not tasks:
            tasks.append(bar.add_task(what, total=1.0))
        bar.update(tasks[0], description=what, completed=share)

    return show


def _listener(bar: Progress, n_epochs: int) -> Listener:
    """Returns a training's listener that moves a bar."""
    show = _shares(bar)

    def started(report: CleaningReport | None, first_epoch: int) -> None:
        if report:
            bar.console.print(f"[dim]{describe_cleaning(report)}[/]")
        if first_epoch > 1:
            bar.console.print(f"[dim]going on at epoch {first_epoch}[/]")

    def stepped(epoch: int, step: int, n_steps: int, loss: float) -> None:
        show(f"epoch {epoch}/{n_epochs}, loss {loss:.3f}", (epoch - 1 + step / n_steps) / n_epochs)

    return Listener(started, stepped, lambda row: bar.console.print(describe_epoch(row)))


def describe_epoch(row: Epoch) -> str:
    """Returns an epoch as a line of text."""
    return (
        f"epoch {row.epoch:3d}  train loss {row.train_loss:.3f}  "
        f"validation top-1 {100 * row.validation_top1:5.2f}%  "
        f"macro-F1 {100 * row.validation_macro_f1:5.2f}%  {row.elapsed_s:.0f} s"
    )


def describe_cleaning(report: CleaningReport) -> str:
    """Returns what cleaning did as a line of text."""
    near = report.near_evaluation + report.near_conflicting
    return (
        f"train split cleaned: {report.kept} rows kept; gone: {report.in_evaluation} that stand in "
        f"validation or test, {report.redundant} repeated, {report.conflicting} labelled in two "
        f"ways, {report.blank} blank"
        + (f", {near} near copies of validation or test or with two labels" if near else "")
    )


def show_audit(found: Examination, written: Sequence[Path]) -> None:
    """Prints what an audit found, and where more of it was written."""
    for table in data_tables.audit_tables(found):
        show_table(table)
    if found.audit.near_skipped:
        say(f"{found.audit.near_skipped} likely near copies were too many to be compared")
    for path in written:
        print_text(str(path))


def show_improvement(found: Improvement | None, before: str, after: str) -> None:
    """Prints what a fine-tuning bought."""
    if found is not None:
        show_table(tables.improvement(found, before, after))


def show_training(run: Run, kept: Epoch) -> None:
    """Prints what a training ended in, and what comes next."""
    print_text(
        f"kept epoch {kept.epoch} of {run.read_config()['ended']['epochs_run']}: validation top-1 "
        f"{100 * kept.validation_top1:.2f}%, macro-F1 {100 * kept.validation_macro_f1:.2f}%"
    )
    print_text(f"{run.folder}")
    say(f"Next: fer-edge export {run.folder} --int8")


def show_bench(bench: Bench, written: Path | None) -> None:
    """Prints a benchmark's tables."""
    machine = bench.machine
    say(
        f"{machine['cpu']}, {machine['n_cpus']} CPUs, load {machine['load_average'][0]}, "
        f"{machine['runtime']}, Python {machine['python']}"
    )
    for table in tables.bench_tables(bench):
        show_table(table)
    if any(latency.is_unstable for result in bench.results for latency in result.latency):
        say("* The machine was busy: samples spread over 10% about the median. Measure again.")
    if written:
        say(f"Raw samples: {written}")


def show_boards(results: Sequence[BoardBench], written: Path | None) -> None:
    """Prints how fast boards read frames."""
    show_table(tables.board_table(results))
    if written:
        say(f"Raw samples: {written}")


def bench_markdown(bench: Bench, arguments: Sequence[str]) -> str:
    """Returns a benchmark as a Markdown document that names the command that wrote it."""
    machine = bench.machine
    leaked = bench.data["n_leaked"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    hashes = "".join(
        f"- `{r.name}`: {r.file}, run by {r.delegate}, SHA-256 `{r.sha256}`\n"
        for r in bench.results
    )
    return (
        "# Benchmarks\n\nWritten by this command, not by hand:\n\n```sh\nfer-edge "
        f"{shlex.join(arguments)}\n```\n\n"
        f"Machine: {machine['cpu']}, {machine['n_cpus']} CPUs, {machine['system']}, load "
        f"{machine['load_average'][0]} at the end; {machine['runtime']}; "
        f"Python {machine['python']}; {versions}.\n\n"
        f"{'An unknown number' if leaked is None else leaked} of the {bench.data['n']} images also "
        "stand in Training; leak-free leaves them out. p is McNemar's, exact, against the float "
        "network. Parameters are the values in a file: before the fold, batch-norm's too."
        f"{CHOSEN_HERE if bench.data['split'] == 'validation' else ''}\n\n"
        + "\n".join(table.to_markdown() for table in tables.bench_tables(bench))
        + f"\nModels:\n\n{hashes}"
    )


def show_gates(verdicts: Sequence[Verdict]) -> None:
    """Prints each gate with what was found."""
    for verdict in verdicts:
        mark = "[green]pass[/]" if verdict.passed else "[red]MISS[/]"
        _stderr().print(f"{mark} {escape(verdict.gate.text)}, found {verdict.found:.4f}")


def _stderr() -> Console:
    """Returns the console for hints; it never breaks lines by itself where nobody looks at it."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=10_000)


def _bar() -> Progress:
    """Returns a progress bar on stderr that a pipe or a log file never sees."""
    console = _stderr()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def show_quickstart(done: Quickstart) -> None:
    """Prints float beside int8, and what to do next."""
    show_table(tables.summary(done.bench))
    say(
        f"Everything is in {done.folder}. The figures are of drawn faces, which are easy; "
        "on real ones see docs/BENCHMARKS.md.\n"
        "Next: fer-edge predict photo.jpg, or fer-edge train --data fer2013.csv --arch small"
    )
