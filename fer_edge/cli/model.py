"""`fer-edge model`: what a network is made of and what it costs."""

from typing import Annotated

import typer

from fer_edge.cli.options import Json


def model(
    arch: Annotated[
        str, typer.Argument(help="nano, small, base, teacher, elu-cnn or vgg16.", metavar="ARCH")
    ],
    *,
    n_classes: Annotated[int, typer.Option("--classes", help="Emotions.", min=2, max=64)] = 7,
    as_json: Json = False,
) -> None:
    """Print a network's layers, parameters, multiply-accumulates and activation memory.

    Example: `fer-edge model small`
    """
    from fer_edge import report, show_models
    from fer_edge.model import build_model
    from fer_edge.model_cost import layer_costs

    costs = layer_costs(build_model(arch, n_classes))
    if as_json:
        report.print_json("model", {"arch": arch, "layers": costs})
    else:
        show_models.show_model(arch, costs)
