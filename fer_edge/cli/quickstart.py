"""`fer-edge quickstart`: the whole path on drawn faces."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Force


def quickstart(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder.")] = Path("runs/quickstart"),
    force: Force = False,
) -> None:
    """Train, quantize and measure a model on faces that fer-edge draws itself. No network.

    Takes under two minutes on two cores. Each step says which command does it alone.

    Example: `fer-edge quickstart`
    """
    from fer_edge import report
    from fer_edge.quickstart import quickstart_recipe, run_quickstart

    with report.quickstart_steps(quickstart_recipe().epochs) as steps:
        done = run_quickstart(out, steps, force=force)
    report.show_quickstart(done)
