"""What to train on what, from which start, and where: names from the user, checked before work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.catalog import find_network
from fer_edge.data.split import Source
from fer_edge.distill import teacher_file
from fer_edge.errors import ConfigError
from fer_edge.keras_network import load_network
from fer_edge.model import ALL_NAMES
from fer_edge.recipe import Recipe, read_recipe, shipped_recipes, with_settings
from fer_edge.runs import Run

FINE_TUNING = "finetune"  # the recipe of a training that starts from a network, unless one is named


@dataclass(frozen=True)
class TrainingPlan:
    """A training, ready to begin.

    Attributes:
        run: Where.
        recipe: How.
        source: On what.
        init: The network to start from; None for fresh weights, and when going on from a
            checkpoint.
        before: The network that the run started from, to compare with; None without one.
        teachers: Names of networks or of soft labels to learn from.
        notes: What of the recipe is left out, and why.
    """

    run: Run
    recipe: Recipe
    source: Source
    init: Path | None
    before: Path | None
    teachers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_training(
    *,
    source: Source | None,
    out: Path | None,
    recipe: str | None,
    changes: Mapping[str, Any],
    settings: Sequence[str] = (),
    init: str | None = None,
    teachers: Sequence[str] = (),
    resume: bool = False,
    force: bool = False,
) -> TrainingPlan:
    """Returns the plan of a new training, or of one that goes on.

    Args:
        source: The data; by default those of the run that is resumed, else the drawn sample.
        out: The run folder; by default `runs/` and the architecture asked for, else the recipe.
        recipe: By name or file; by default one that suits `init` and the architecture.
        changes: Fields of the recipe by name; None leaves them.
        settings: Further ones as `FIELD=VALUE`.
        init: A model's name or file to start from.
        teachers: Networks and files of soft labels to learn from; each teacher counts once.
        resume: Go on with the run in `out`.
        force: Replace what is in `out`.

    Raises:
        ConfigError: A name or value is wrong, or the start is not one of fer-edge's networks.
        ModelFormatError: The start cannot be found or loaded.
        OutputError: The run folder holds something, and neither `resume` nor `force`.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    name = recipe or _suitable_recipe(given.get("arch"), init)
    run = Run(out or Path("runs") / (given.get("arch") or Path(name).stem))
    if resume and teachers:
        raise ConfigError("A run that goes on keeps its teachers: leave --teacher out.")
    if resume:
        base = read_recipe(name) if recipe else run.read_recipe()
        known = run.read_config().get("init", {}).get("file")
        again = init or (None if run.checkpoint.exists() else known)  # if no epoch was ended
        start = find_network(again).resolve() if again else None
        before = Path(known) if known and Path(known).is_file() else None
        on = source or run.data
        chosen, notes = _suited(with_settings(base, given, settings), on, settings)
        return TrainingPlan(run, chosen, on, start, before, notes=notes)
    go_on = "pass --resume to go on with its training, " if run.checkpoint.exists() else ""
    files.refuse_existing(run.folder, force=force, or_else=go_on)
    start = _find_start(init, run, source) if init else None
    for teacher in teachers:
        _check_outside(f"The teacher {teacher}", teacher_file(teacher), run)
    if start and not recipe and not any(_field(setting) == "arch" for setting in settings):
        given.setdefault("arch", _architecture(start))
    on = source or Source("sample")
    chosen, notes = _suited(with_settings(read_recipe(name), given, settings), on, settings)
    if chosen.live_teachers and not teachers:
        notes = (
            *notes,
            "the recipe asks teachers about each varied image, and no --teacher is given",
        )
    return TrainingPlan(run, chosen, on, start, start, tuple(teachers), notes)


def _suited(
    recipe: Recipe, source: Source, settings: Sequence[str]
) -> tuple[Recipe, tuple[str, ...]]:
    """Returns a recipe without the second head where no votes are joined, and a note of that.

    A head that was asked for by name stays, and fails for want of votes.
    """
    asked = any(_field(setting) == "auxiliary" for setting in settings)
    if not recipe.auxiliary or source.ferplus or asked:
        return recipe, ()
    note = "the recipe's second head learns FER+'s votes, and is left out without --ferplus"
    return recipe.replace(auxiliary=0.0), (note,)


def _field(setting: str) -> str:
    """Returns the name in FIELD=VALUE."""
    return setting.partition("=")[0].strip()


def _suitable_recipe(arch: str | None, init: str | None) -> str:
    if init:
        return FINE_TUNING
    return arch if arch in shipped_recipes() else "small"


def _find_start(init: str, run: Run, source: Source | None) -> Path:
    network = find_network(init).resolve()
    _check_outside(init, network, run)
    if source is None:
        raise ConfigError(f"Name what {init} is to learn from with --data.")
    return network


def _check_outside(what: str, file: Path, run: Run) -> None:
    """Raises ConfigError where a file lies in the folder that is to be replaced."""
    if run.folder.resolve() in file.resolve().parents:
        raise ConfigError(
            f"{what} lies in {run.folder}, which the training would replace. Choose another --out."
        )


def _architecture(network: Path) -> str:
    name = str(load_network(network).name)
    if name not in ALL_NAMES:
        raise ConfigError(
            f"{network} is a network called {name!r}, and none that fer-edge builds. Expected one "
            f"of {', '.join(ALL_NAMES)}."
        )
    return name
