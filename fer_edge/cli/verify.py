"""`fer-edge verify`: the same answers on every runtime."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Force, Json, OutFile


def verify(
    model: Annotated[
        str, typer.Argument(help="A run that was exported, a shipped name or an export folder.")
    ],
    *,
    out: OutFile = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table into this page as well, in place of the model's last."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Run one model on every runtime there is, and prove that they agree.

    256 inputs: drawn faces, and patterns that no face is like. Exits 3, naming the runtime, the
    input and the difference, when one disagrees. What is not installed is listed as not run.

    Example: `fer-edge verify small`
    """
    from fer_edge import files, report, show_models
    from fer_edge.catalog import find_model
    from fer_edge.page import check_page, write_part
    from fer_edge.verify import raise_differing
    from fer_edge.verify import verify as verify_model

    found = find_model(model)
    target: Path | None = out or (found.run.folder / "verify.json" if found.run else None)
    if target:
        files.refuse_existing(target, force=force)
    part = f"verify {found.name}"
    if markdown:
        check_page(markdown, part)
    with report.progress() as progress:
        done = verify_model(found, progress=progress)
    if target:
        files.write_text(target, done.to_json())
    if markdown:
        write_part(markdown, part, show_models.verification_markdown(done, sys.argv[1:]))
    if as_json:
        report.print_text(done.to_json())
    else:
        show_models.show_verification(done, target)
    raise_differing(done)
