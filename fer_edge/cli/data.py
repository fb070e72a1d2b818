"""`fer-edge data …`: get labelled images, look at them, find what is wrong with them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from fer_edge.cli.options import (
    SOURCE_HELP,
    Detect,
    FerPlus,
    Force,
    Json,
    Labels,
    Seed,
    SplitOption,
    chosen_source,
    guarded,
)

app = typer.Typer(
    help="Get labelled images, look at them, find what is wrong with them.", no_args_is_help=True
)

SourceArgument = Annotated[
    str,
    typer.Argument(help=SOURCE_HELP, metavar="SRC"),
]


@app.command("fetch")
@guarded
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="fer2013, face-expression, human-face-emotions, fer2013-folders or fer-challenge.",
            metavar="NAME",
        ),
    ],
) -> None:
    """Fetch a data set from Kaggle, once; a broken download goes on where it stopped.

    Example: `fer-edge data fetch fer2013`, then `fer-edge train --data fer2013`

    Only fer-challenge, the competition's own, needs a Kaggle account.
    """
    from fer_edge import report
    from fer_edge.data import kaggle

    with report.progress() as show:
        folder = kaggle.fetch(name, progress=show)
    report.say(f"Use it with: --data {name}")
    typer.echo(str(folder))


@app.command("audit")
@guarded
def audit(
    source: SourceArgument,
    *,
    detect: Detect = "",
    ferplus: FerPlus = "",
    mislabels: Annotated[
        bool,
        typer.Option(
            "--mislabels",
            help="Train three small networks that each judge labels they never saw (minutes).",
        ),
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Write a picture of the worst as PNG.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write everything found as JSON.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find what is wrong with a data set: copies, leaks, conflicting labels, blanks, outliers.

    Example: `fer-edge data audit fer2013.csv --sheet worst.png --out audit.json`

    Rows are named by their number from 0, pictures by their file. `fer-edge train --clean` leaves
    out what no training should see.
    """
    from fer_edge import files, report
    from fer_edge.data.split import Source
    from fer_edge.data.worst import worst_sheet
    from fer_edge.examine import examine
    from fer_edge.images import encode_image

    written = [path for path in (sheet, out) if path]
    for path in written:
        files.refuse_existing(path, force=force)
    with report.progress() as show:
        found = examine(Source(source, detect, ferplus), mislabels=mislabels, progress=show)
    report.say(found.dataset.describe())
    if sheet:
        picture = worst_sheet(found.audit, found.dataset, title=found.audit.source)
        files.write_bytes(sheet, encode_image(picture, ".png"))
    if out:
        files.write_text(out, report.json_text("audit", found.to_dict()))
    if as_json:
        report.print_json("audit", found.to_dict())
    else:
        report.show_audit(found, written)


@app.command("show")
@guarded
def show(
    source: SourceArgument,
    *,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    split: SplitOption = "train",
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")] = Path("sheet.png"),
    columns: Annotated[int, typer.Option(help="Images a class.", min=1, max=64)] = 16,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Write a contact sheet as PNG, classes as rows.

    Example: `fer-edge data show fer2013.csv --split validation --out sheet.png`
    """
    from fer_edge import files, report
    from fer_edge.data.sheet import contact_sheet
    from fer_edge.images import encode_image

    files.refuse_existing(out, force=force)
    dataset = report.load(chosen_source(source, detect, ferplus, labels) or source)
    title = f"{dataset.source.title}, {split}"
    sheet = contact_sheet(
        dataset.split(split), dataset.emotions, title=title, columns=columns, seed=seed
    )
    files.write_bytes(out, encode_image(sheet, ".png"))
    typer.echo(str(out))


@app.command("write")
@guarded
def write(
    source: SourceArgument,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        typer.Option(help="Only this split, without a folder of its own.", show_default="all"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Images an emotion and split.", min=1, show_default="all")
    ] = None,
    detect: Detect = "",
    ferplus: FerPlus = "",
    labels: Labels = "fer2013",
    force: Force = False,
) -> None:
    """Write a data set as PNGs, a folder an emotion: faces found, cropped, 48 x 48, gray.

    Example: `fer-edge data write sample --split train --limit 40 --out photos`
    """
    from fer_edge import report
    from fer_edge.data.write import refuse_target, write_folders

    refuse_target(out, Path(source), force=force)
    dataset = report.load(chosen_source(source, detect, ferplus, labels) or source)
    n = write_folders(dataset, out, split=split, limit=limit)
    report.say(f"{n} pictures written")
    typer.echo(str(out))
