"""A training from its first epoch or its checkpoint to its results in a run folder.

Backend-neutral Keras. Validation chooses the epoch that is kept; test chooses nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fer_edge import checkpoint, distill, files, plots
from fer_edge.data.clean import CleaningReport, clean_training
from fer_edge.data.split import Dataset
from fer_edge.distill import SoftLabels
from fer_edge.errors import ConfigError
from fer_edge.history import Epoch, as_columns, write_history
from fer_edge.live_teachers import LiveTeachers, keep_live, kept_live
from fer_edge.recipe import Recipe, difference
from fer_edge.runs import Run, describe_run, write_config
from fer_edge.temperature import fold_temperature
from fer_edge.trainer import Trainer


@dataclass(frozen=True)
class Listener:
    """Who is told what, while it happens; the defaults listen to nothing.

    Attributes:
        started: Gets the cleaning report (None when nothing was cleaned) and the first epoch.
        stepped: Gets the epoch, the step, the number of steps and the mean loss so far.
        finished_epoch: Gets the row of history.
    """

    started: Callable[[CleaningReport | None, int], None] = lambda _report, _epoch: None
    stepped: Callable[[int, int, int, float], None] = lambda _epoch, _step, _steps, _loss: None
    finished_epoch: Callable[[Epoch], None] = lambda _epoch: None


def train(
    dataset: Dataset,
    recipe: Recipe,
    run: Run,
    *,
    init: str = "",
    teacher: SoftLabels | None = None,
    live: LiveTeachers | None = None,
    resume: bool = False,
    listener: Listener | None = None,
) -> Epoch:
    """Trains a network, and leaves it in a run folder with its history and curves.

    Args:
        dataset: With a train and a validation split.
        recipe: What to do.
        run: Where; every epoch ends in a checkpoint there.
        init: A `.keras` network to start from instead of fresh weights.
        teacher: What teachers answer to the train split; a run that is resumed keeps its own.
        live: Teachers that are asked about each batch; a run that is resumed keeps its own.
        resume: Go on from the run's checkpoint; without one, as no epoch was ended, start again
            from the `init` that the run was started with, which has to be passed.
        listener: Told of progress.

    Returns:
        The epoch that was kept.

    Raises:
        ConfigError: The run cannot be resumed as asked; the message names the field that differs.
        DataError: A split is missing.
        OutputError: The folder cannot be written; the last checkpoint stays whole.
    """
    listener = listener or Listener()
    description = describe_run(dataset, recipe, init=init) | _describe_teachers(teacher, live)
    if resume:
        _check_resumable(run, recipe, description)
        teacher, live = _kept_teachers(run)
    report = None
    if recipe.clean:
        dataset, report = clean_training(dataset, near=recipe.clean_near)
    state = checkpoint.load(run.checkpoint) if resume else None
    trainer = Trainer(dataset, recipe, init="" if state else init, teacher=teacher, live=live)
    if state:
        trainer.restore(state)
    if resume:
        write_config(run, run.read_config() | {"recipe": recipe.to_dict()})  # what may change
    else:
        run.clear()
        description["cleaning"] = dataclasses.asdict(report) if report else {}
        write_config(run, description)
        _keep_teachers(run, teacher, live)
    listener.started(report, len(trainer.history) + 1)
    while not trainer.is_done():
        row = trainer.run_epoch(listener.stepped)
        checkpoint.save(run.checkpoint, trainer.state())
        write_history(run.history, trainer.history)
        listener.finished_epoch(row)
    _write_results(run, trainer)
    return trainer.history[trainer.kept().epoch - 1]


def _describe_teachers(teacher: SoftLabels | None, live: LiveTeachers | None) -> dict[str, Any]:
    """Returns what a run's config says of its teachers."""
    once, asked = teacher.teachers if teacher else (), live.names if live else ()
    names = {"teachers": once, "live_teachers": asked}
    return {key: list(found) for key, found in names.items() if found}


def _keep_teachers(run: Run, teacher: SoftLabels | None, live: LiveTeachers | None) -> None:
    """Leaves teachers in a run's folder, for when it is resumed."""
    if teacher:
        distill.write_soft_labels(run.teacher, teacher)
    if live:
        keep_live(run.live_teachers, live)


def _kept_teachers(run: Run) -> tuple[SoftLabels | None, LiveTeachers | None]:
    """Returns the teachers that a run was started with.

    Raises:
        ConfigError: The run's folder has others, or has lost them.
    """
    teacher = distill.read_soft_labels(run.teacher) if run.teacher.is_file() else None
    live = kept_live(run.live_teachers)
    was, found = run.read_config(), _describe_teachers(teacher, live)
    for key, path in (("teachers", run.teacher), ("live_teachers", run.live_teachers)):
        names = was.get(key, [])
        if _hashes(names) != _hashes(found.get(key, [])):
            raise ConfigError(
                f"Cannot resume {run.folder}: expected {path} with what it was started with "
                f"({', '.join(names) or 'no teacher'}), found "
                f"{', '.join(found.get(key, [])) or 'no teacher'}. "
                "Put the file back, or start a new run."
            )
    return teacher, live


def _hashes(teachers: Sequence[str]) -> list[str]:
    """Returns what tells teachers apart; a copy has another name."""
    return [teacher.split()[-1] for teacher in teachers]


def _check_resumable(run: Run, recipe: Recipe, description: dict[str, Any]) -> None:
    """Raises ConfigError unless the run was started with this recipe, data and start."""
    was = run.read_config()
    changed = {"stop_after": recipe.stop_after, "keep": recipe.keep}  # they change no weight
    then = run.read_recipe().replace(**changed)
    differs = difference(then, recipe)
    if was.get("data", {}).get("sha256") != description["data"]["sha256"]:
        differs = "the data is another (its hash differs)"
    start, began = description["init"], was.get("init", {})
    if start and began.get("sha256") != start["sha256"]:
        differs = "init is another network (its hash differs)"
    elif began and not start and not run.checkpoint.exists():
        differs = f"no epoch was ended, so it needs what it started from, {began['file']}"
    if differs:
        raise ConfigError(
            f"Cannot resume {run.folder}: {differs}. "
            "Go on as it was started, without other options, or start a new run."
        )


def _write_results(run: Run, trainer: Trainer) -> None:
    """Writes the kept network, calibrated, how that went, and the curves."""
    network = trainer.kept_model()
    calibrated = fold_temperature(network, trainer.validation)
    with files.replacing(run.model) as path:
        network.save(path)
    ended = {"kept_epoch": trainer.kept().epoch, "epochs_run": len(trainer.history)}
    results = {"confidence": dataclasses.asdict(calibrated), "ended": ended}
    write_config(run, run.read_config() | results)
    with files.replacing(run.curves) as path:
        plots.draw_curves(as_columns(trainer.history), best_epoch=trainer.kept().epoch, path=path)
