"""`fer-edge train`: labelled faces in, a run folder out."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Data, Detect, FerPlus, Force, Labels, chosen_source


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
        Path | None,
        typer.Option("--out", "-o", help="Run folder.", show_default="runs/ARCH, else runs/RECIPE"),
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
            help="Drop near copies of validation's and test's images as well, and near copies "
            "that are labelled in two ways.",
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
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="Learn from what this answers as well: a run, a model, a .keras file, soft labels "
            "from fer-edge teach, or those that ship: fer2013-teacher. Repeat it for several: "
            "each counts once."
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

    From teachers: `fer-edge train --data fer2013.csv --teacher runs/a --teacher runs/b`

    Any field of the recipe can be set: `--set mixup=0.2 --set class_weights=sqrt`
    """
    from fer_edge import report
    from fer_edge.improvement import measure_improvement
    from fer_edge.live_teachers import divide_teachers, load_live
    from fer_edge.train import train as run_training
    from fer_edge.training_plan import plan_training

    plan = plan_training(
        source=chosen_source(data, detect, ferplus, labels),
        out=out,
        recipe=recipe,
        changes={
            "arch": arch,
            "weights": weights,
            "epochs": epochs,
            "seed": seed,
            "clean": clean,
            "clean_near": clean_near,
        },
        settings=set_ or [],
        init=init,
        teachers=teacher or [],
        resume=resume,
        force=force,
    )
    for note in plan.notes:
        report.say(f"note: {note}")
    dataset = report.load(plan.source)
    start = str(plan.init or "")
    once, asked = divide_teachers(plan.teachers, plan.recipe)
    soft = report.soft_labels(once, dataset) if once else None
    live = load_live(asked, dataset) if asked else None
    try:
        with report.training_progress(plan.recipe.last_epoch) as listener:
            kept = run_training(
                dataset,
                plan.recipe,
                plan.run,
                init=start,
                teacher=soft,
                live=live,
                resume=resume,
                listener=listener,
            )
    except KeyboardInterrupt:
        report.say(f"Go on with: fer-edge train --out {plan.run.folder} --resume")
        raise
    report.show_training(plan.run, kept)
    if plan.before:
        found = measure_improvement(plan.before, plan.run.model, dataset)
        report.show_improvement(found, init or plan.before.parent.name, str(plan.run.folder))
