"""`fer-edge teach`: what trained networks answer to the training images, kept in a file."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Data, Detect, FerPlus, Force, Labels, chosen_source


def teach(
    networks: Annotated[
        list[str], typer.Argument(help="Runs, models, .keras files, or soft labels made before.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of soft labels, .npz.")],
    data: Data = None,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    force: Force = False,
) -> None:
    """Keep what networks answer to the training images, so that no teacher is asked twice.

    The answers of several are averaged, each over the image and its mirror image.

    Example: `fer-edge teach runs/a runs/b --data fer2013.csv --out soft.npz`

    Then: `fer-edge train --teacher soft.npz --data fer2013.csv --arch small`
    """
    from fer_edge import files, report
    from fer_edge.data.split import Source
    from fer_edge.distill import SUFFIX, write_soft_labels
    from fer_edge.errors import ConfigError

    if out.suffix != SUFFIX:
        raise ConfigError(f"Expected a file that ends in {SUFFIX}, found {out}.")
    files.refuse_existing(out, force=force)
    source = chosen_source(data, detect, ferplus, labels) or Source("sample")
    made = report.soft_labels(networks, report.load(source))
    write_soft_labels(out, made)
    report.print_text(str(out))
    report.say(f"{len(made.ids)} rows. Next: fer-edge train --teacher {out} and the same --data")
