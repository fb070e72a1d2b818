"""`fer-edge inspect`: what is inside a model file."""

from typing import Annotated

import typer

from fer_edge.cli.options import Json


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            help="A .tflite file, a TF.js folder, a shipped name, a run or an export folder."
        ),
    ],
    *,
    variant: Annotated[
        str, typer.Option(help="Which of a model's files: int8, float32, float16, dynamic or tfjs.")
    ] = "int8",
    as_json: Json = False,
) -> None:
    """Explain a model file: operators, types, quantization, cost, and whether the contract holds.

    Example: `fer-edge inspect small`

    Example: `fer-edge inspect downloaded.tflite`

    Example: `fer-edge inspect runs/mine --variant tfjs`
    """
    from fer_edge import report, show_models
    from fer_edge.catalog import find_graph_model, find_tflite
    from fer_edge.inspect import inspect_model
    from fer_edge.inspect_tfjs import inspect_tfjs

    if graph_model := find_graph_model(model, variant):
        found = inspect_tfjs(graph_model)
    else:
        file = find_tflite(model, variant)
        found = inspect_model(file.read_bytes(), file.path.name)
    if as_json:
        report.print_json("inspect", {"model": found})
    else:
        show_models.show_inspection(found)
