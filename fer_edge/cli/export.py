"""`fer-edge export`: a float network in, checked model files and their manifest out."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fer_edge.cli.options import Detect, FerPlus, Force, Labels, Seed, chosen_source

Rounding = Literal["calibrated", "nearest"]
TfjsWeights = Literal["float32", "float16"]


def export(
    model: Annotated[
        str, typer.Argument(help="A run folder, a shipped model's name or a .keras file.")
    ],
    *,
    int8: Annotated[bool, typer.Option("--int8", help="Full integer, uint8 in and out.")] = False,
    float16: Annotated[bool, typer.Option("--float16", help="Weights in half precision.")] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Weights in int8 only.")] = False,
    saved_model: Annotated[
        bool, typer.Option("--saved-model", help="TensorFlow SavedModel of the deployed network.")
    ] = False,
    keras: Annotated[
        bool, typer.Option("--keras", help="The deployed network as deployed.keras.")
    ] = False,
    tfjs: Annotated[
        bool, typer.Option("--tfjs", help="A graph model for browsers, by TF.js.")
    ] = False,
    tfjs_weights: Annotated[
        TfjsWeights, typer.Option(help="How TF.js's weights are stored.")
    ] = "float16",
    mcu: Annotated[
        bool,
        typer.Option("--mcu", help="The int8 model as C++ sources for TensorFlow Lite Micro."),
    ] = False,
    android: Annotated[
        bool,
        typer.Option(
            "--android", help="The int8 model with RGB in and labels inside, for MediaPipe Tasks."
        ),
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="The browser demo with this model in it: a folder.")
    ] = False,
    pi: Annotated[
        bool,
        typer.Option("--pi", help="A folder and an archive that a Raspberry Pi installs and runs."),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="All of these; web where its page is built.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", help="Where calibration images come from.", show_default="the run's own"
        ),
    ] = None,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder.", show_default="RUN/export")
    ] = None,
    calibration_size: Annotated[
        int, typer.Option(help="Training images that int8 is calibrated on.", min=1)
    ] = 500,
    rounding: Annotated[
        Rounding,
        typer.Option(
            help="calibrated: int8's ranges are equalised and its weights rounded so that the "
            "layers' answers move least; nearest: neither."
        ),
    ] = "calibrated",
    analyze: Annotated[
        bool,
        typer.Option(
            "--analyze",
            help="Measure what int8 does to each layer: a table and sensitivity.png. With --int8.",
        ),
    ] = False,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Export a network; TensorFlow Lite in float32 always, the others as asked for.

    Example: `fer-edge export runs/mine --int8 --float16`

    Example: `fer-edge export runs/mine --int8 --analyze`

    Example: `fer-edge export small --android --mcu --tfjs`

    Example: `fer-edge export runs/mine --web --pi`
    """
    from fer_edge import report, show_models
    from fer_edge.catalog import find_source
    from fer_edge.export import Export, export_model
    from fer_edge.web import why_no_page

    found = find_source(model)
    flags = {
        "int8": int8,
        "float16": float16,
        "dynamic": dynamic,
        "saved_model": saved_model,
        "keras": keras,
        "tfjs": tfjs,
        "mcu": mcu,
        "android": android,
        "web": web,
        "pi": pi,
    }
    source = chosen_source(data, detect, ferplus, labels)
    with report.working(f"exporting {found.name}") as say:
        if every and not web and (reason := why_no_page()):
            say(f"web is left out. {reason}")
            del flags["web"]
        variants = tuple(name for name, flag in flags.items() if flag or every)
        wanted = Export(variants, seed, calibration_size, rounding, analyze, tfjs_weights)
        done = export_model(found, wanted, data=source, folder=out, force=force, say=say)
    show_models.show_export(done)
