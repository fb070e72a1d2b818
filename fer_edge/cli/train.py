"""`fer-edge train`: labelled faces in, a run folder out."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Data, Force


def train(
    *,
    data: Data = None,
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
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other recipe field; may be repeated.", metavar="FIELD=VALUE"
        ),
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="Start from a shipped model, a run or a .keras file.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    force: Force = False,
) -> None:
    """Train a network. Ctrl-C or a crash loses at most one epoch: go on with --resume.

    Example: `fer-edge train --data fer2013.csv --arch small --out runs/mine`

    Any field of the recipe can be set: `--set mixup=0.2 --set class_weights=sqrt`
    """
    from fer_edge import files, report
    from fer_edge.catalog import find_network
    from fer_edge.data.sources import load_dataset
    from fer_edge.recipe import read_recipe, shipped_recipes, with_settings
    from fer_edge.runs import Run
    from fer_edge.train import train as run_training

    name = recipe or (arch if arch in shipped_recipes() else "small")
    run = Run(out or Path("runs") / (arch or Path(name).stem))
    base = read_recipe(name) if recipe or not resume else run.read_recipe()
    before = run.read_config() if resume else {}
    source = data or (run.data if resume else "sample")
    network = (
        str(find_network(init).resolve()) if init else str(before.get("init", {}).get("file", ""))
    )
    given = {"arch": arch, "weights": weights, "epochs": epochs, "seed": seed}
    chosen = with_settings(base, {k: v for k, v in given.items() if v is not None}, set_ or [])
    if not resume:
        files.refuse_existing(run.folder, force=force)
    dataset = load_dataset(source)
    try:
        with report.training_progress(chosen.epochs) as listener:
            best = run_training(
                dataset, chosen, run, init=network, resume=resume, listener=listener
            )
    except KeyboardInterrupt:
        report.say(f"Go on with: fer-edge train --out {run.folder} --resume")
        raise
    report.show_training(run.folder, best, chosen.epochs)
