"""The command line: parse, one library call, show. The only place that prints or exits.

Results go to stdout, progress and hints to stderr. Each command imports what it needs when it
runs, so that `--help` answers at once.
"""

from typing import Annotated

import typer

from fer_edge import __version__
from fer_edge.cli import (
    bench,
    camera,
    data,
    demo,
    doctor,
    export,
    inspect,
    model,
    predict,
    quickstart,
    teach,
    train,
    verify,
)
from fer_edge.cli.options import guarded

app = typer.Typer(
    name="fer-edge",
    no_args_is_help=True,
    rich_markup_mode="rich",  # "markdown" costs every --help another 60 ms of imports
    pretty_exceptions_enable=False,
    help="Labelled face images in, a verified int8 expression model out.",
    epilog="Start here: fer-edge quickstart, or fer-edge predict photo.jpg",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("quickstart")(guarded(quickstart.quickstart))
app.command("train")(guarded(train.train))
app.command("teach")(guarded(teach.teach))
app.command("export")(guarded(export.export))
app.command("bench")(guarded(bench.bench))
app.command("verify")(guarded(verify.verify))
app.command("predict")(guarded(predict.predict))
app.command("camera")(guarded(camera.camera))
app.command("doctor")(guarded(doctor.doctor))
app.command("demo")(guarded(demo.demo))
app.command("inspect")(guarded(inspect.inspect))
app.command("model")(guarded(model.model))
app.add_typer(data.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fer-edge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line."""
    app()
