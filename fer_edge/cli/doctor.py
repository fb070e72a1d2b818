"""`fer-edge doctor`: whether this board can run the camera."""

import dataclasses
import json
from typing import Annotated

import typer

from fer_edge.cli.options import Json

JSON_VERSION = 1
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="To try: a shipped name, a run, or a .tflite file.",
            show_default="base; small on ARM boards",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at the board: camera, runtime, power, heat, memory. Exits 1 where it cannot run.

    Nothing is changed, and no camera is opened.

    Example: `fer-edge doctor`
    """
    from fer_edge.doctor import examine

    checks = examine(model)
    is_able = all(check.state != "problem" for check in checks)
    if as_json:
        entries = [dataclasses.asdict(check) for check in checks]
        head = {"schema_version": JSON_VERSION, "kind": "doctor", "ok": is_able}
        typer.echo(json.dumps({**head, "checks": entries}, indent=1))
    else:
        for check in checks:
            typer.secho(f"{check.state:8}", fg=COLOURS[check.state], nl=False)
            typer.echo(f" {check.name}: {check.found}")
            if check.advice:
                typer.echo(f"{'':8} {check.advice}")
    if not is_able:
        raise typer.Exit(1)
