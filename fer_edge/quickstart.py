"""The whole path on drawn faces: train, quantize, measure. No network, no data set, no account."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_edge import files
from fer_edge.bench import Bench, Timer, run_bench
from fer_edge.catalog import find_model
from fer_edge.data.sources import load_dataset
from fer_edge.export import Export, Exported, export_model
from fer_edge.history import Epoch
from fer_edge.plan import make_plan
from fer_edge.recipe import Recipe, read_recipe
from fer_edge.runs import Run
from fer_edge.train import Listener, train

RECIPE = "quickstart"
ROUNDS = 100
SHEET = "faces.png"
ALONE = "runs/mine"  # where the commands that are named put their results


@dataclass(frozen=True)
class Steps:
    """Who is told what happens.

    Attributes:
        begin: Gets a step's title, what it does, and the command that does it alone.
        listener: Of the training, made for so many epochs.
        progress: Gets what is being done and the share that is done.
        say: Gets hints.
    """

    begin: Callable[[str, str, str], None]
    listener: Listener
    progress: Callable[[str, float], None]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Quickstart:
    """What came of it.

    Attributes:
        folder: The run folder.
        best: The epoch that was kept.
        exported: The model files.
        bench: Float and int8 side by side, on the drawn test split.
    """

    folder: Path
    best: Epoch
    exported: Exported
    bench: Bench


def quickstart_recipe() -> Recipe:
    """Returns the recipe of the quickstart's training."""
    return read_recipe(RECIPE)


def run_quickstart(folder: Path, steps: Steps, *, force: bool = False) -> Quickstart:
    """Runs the whole path.

    Raises:
        OutputError: The folder holds something and not `force`.
    """
    from fer_edge.data.sheet import contact_sheet
    from fer_edge.images import encode_image

    files.refuse_existing(folder, force=force)
    run, recipe = Run(folder), quickstart_recipe()
    steps.begin(
        "1/4 draw faces",
        f"seven emotions, drawn by fer-edge itself; a sheet of them is {folder / SHEET}",
        f"fer-edge data show sample --out {SHEET}",
    )
    dataset = load_dataset("sample")
    sheet = contact_sheet(dataset.split("train"), dataset.emotions, title="sample, train")
    files.write_bytes(folder / SHEET, encode_image(sheet, ".png"))
    steps.begin(
        "2/4 train",
        f"the {recipe.arch} network for {recipe.epochs} epochs",
        f"fer-edge train --data sample --recipe {RECIPE} --out {ALONE}",
    )
    best = train(dataset, recipe, run, listener=steps.listener)
    steps.begin(
        "3/4 quantize",
        "to full int8, calibrated on training faces; float16 and dynamic range beside it",
        f"fer-edge export {ALONE} --int8 --float16 --dynamic",
    )
    export = Export(("int8", "float16", "dynamic"))
    exported = export_model(find_model(str(folder)), export, force=force, say=steps.say)
    steps.begin(
        "4/4 measure",
        "every variant on the test faces, which neither training nor calibration has seen",
        f"fer-edge bench {ALONE} --split test",
    )
    plan = make_plan([str(folder)], data="sample", split="test")
    bench = run_bench(plan.candidates, plan.data, Timer(ROUNDS), progress=steps.progress)
    bench.write(run.bench)
    return Quickstart(folder, best, exported, bench)
