"""`fer-edge data …`: look at labelled images."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Force, Seed, SplitOption, guarded

app = typer.Typer(help="Look at labelled images.", no_args_is_help=True)


@app.command("show")
@guarded
def show(
    source: Annotated[str, typer.Argument(help="sample, or a FER2013 CSV.", metavar="SRC")],
    *,
    split: SplitOption = "train",
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("sheet.png"),
    columns: Annotated[int, typer.Option(help="Images a class.", min=1, max=64)] = 16,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Write a contact sheet as PNG, classes as rows.

    Example: `fer-edge data show fer2013.csv --split validation --out sheet.png`
    """
    from fer_edge import files
    from fer_edge.data.sheet import contact_sheet
    from fer_edge.data.sources import load_dataset
    from fer_edge.images import encode_image

    files.refuse_existing(out, force=force)
    dataset = load_dataset(source)
    title = f"{Path(source).name}, {split}"
    sheet = contact_sheet(
        dataset.split(split), dataset.emotions, title=title, columns=columns, seed=seed
    )
    files.write_bytes(out, encode_image(sheet, ".png"))
    typer.echo(str(out))
