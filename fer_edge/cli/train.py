"""`fer-edge train`: labelled faces in, a run folder out."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Data, Detect, FerPlus, Force, Labels, chosen_source

FINE_TUNING = "finetune"  # the recipe of --init without --recipe


def train(
    *,
    data: Data = None,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    recipe: Annotated[
        str | None, typer.Option("--recipe", "-r", help="A shipped recipe's name, or a TOML file.")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="nano, small, base; or, to compare: elu-cnn, vgg16, teacher."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="imagenet or none: what vgg16 starts from.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder.", show_default="runs/ARCH")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the train split.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and augmentation.")] = None,
    clean: Annotated[
        bool | None,
        typer.Option(
            "--clean/--no-clean",
            help="Drop copies, conflicts and blanks from the train split first.",
            show_default="the recipe's: --clean",
        ),
    ] = None,
    clean_near: Annotated[
        bool | None,
        typer.Option(
            "--clean-near/--keep-near",
            help="Drop near copies of validation's and test's images as well.",
            show_default="the recipe's: --keep-near",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other recipe field; may be repeated.", metavar="FIELD=VALUE"
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Start from a shipped model, a run or a .keras file; by the recipe finetune and "
            "with its architecture, unless you say otherwise."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    force: Force = False,
) -> None:
    """Train a network. Ctrl-C or a crash loses at most one epoch: go on with --resume.

    Example: `fer-edge train --data fer2013.csv --arch small --out runs/mine`

    Your own photographs: `fer-edge train --data photos --detect haar --init small`

    Any field of the recipe can be set: `--set mixup=0.2 --set class_weights=sqrt`
    """
    from fer_edge import files, report
    from fer_edge.catalog import find_network
    from fer_edge.data.split import Source
    from fer_edge.improvement import measure_improvement
    from fer_edge.keras_network import load_network
    from fer_edge.recipe import read_recipe, shipped_recipes, with_settings
    from fer_edge.runs import Run
    from fer_edge.train import train as run_training

    name = recipe or (FINE_TUNING if init else arch if arch in shipped_recipes() else "small")
    run = Run(out or Path("runs") / (arch or Path(name).stem))
    base = read_recipe(name) if recipe or not resume else run.read_recipe()
    before = run.read_config() if resume else {}
    source = chosen_source(data, detect, ferplus, labels)
    source = source or (run.data if resume else Source("sample"))
    network = (
        str(find_network(init).resolve()) if init else str(before.get("init", {}).get("file", ""))
    )
    arch = arch or (load_network(network).name if init and not recipe else None)
    given = {
        "arch": arch,
        "weights": weights,
        "epochs": epochs,
        "seed": seed,
        "clean": clean,
        "clean_near": clean_near,
    }
    chosen = with_settings(base, {k: v for k, v in given.items() if v is not None}, set_ or [])
    if not resume:
        files.refuse_existing(run.folder, force=force)
    dataset = report.load(source)
    try:
        with report.training_progress(chosen.epochs) as listener:
            best = run_training(
                dataset, chosen, run, init=network, resume=resume, listener=listener
            )
    except KeyboardInterrupt:
        report.say(f"Go on with: fer-edge train --out {run.folder} --resume")
        raise
    report.show_training(run.folder, best, chosen.epochs)
    if network:
        report.show_improvement(
            measure_improvement(Path(network), run.model, dataset), init or network, str(run.folder)
        )
