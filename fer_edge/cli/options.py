"""Options that several commands share, each said once; and the error boundary around commands."""

import contextlib
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec

import typer

from fer_edge.errors import CameraGoneError, FerEdgeError, GateError

if TYPE_CHECKING:
    from fer_edge.data.split import Source

P = ParamSpec("P")

EXIT_CODES: dict[type[FerEdgeError], int] = {GateError: 3, CameraGoneError: 4, FerEdgeError: 1}
INTERRUPTED = 130

SOURCE_HELP = (
    "sample; a FER2013 CSV, a folder with a folder an emotion, or an archive of either; "
    "or a Kaggle set that was fetched."
)
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        help=SOURCE_HELP,
        metavar="SRC",
        show_default="what a run was trained on, to resume or measure it; else sample",
    ),
]
Detect = Annotated[
    str,
    typer.Option(
        help="The pictures are photographs: find the face with haar or yunet:FILE.",
        metavar="DETECTOR",
        show_default="they are crops",
    ),
]
FerPlus = Annotated[
    str, typer.Option(help="FER+'s votes (fer2013new.csv), for FER2013's rows.", metavar="FILE")
]
Labels = Annotated[
    Literal["fer2013", "ferplus7", "ferplus8"],
    typer.Option(
        help="Whose labels count: the data's own, or FER+'s majority of 7 or, with contempt, 8."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A shipped name, a run, or a .tflite file.",
        show_default="base; small on ARM boards",
    ),
]
Detector = Annotated[str, typer.Option(help="haar, yunet:PATH, or none (the picture is a face).")]
SplitOption = Annotated[
    Literal["train", "validation", "test"], typer.Option("--split", help="Which split.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace what is already there.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Seed = Annotated[int, typer.Option("--seed", help="Of everything that is drawn.", min=0)]
OutFile = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write.")]


def chosen_source(data: str | None, detect: str, ferplus: str, labels: str) -> "Source | None":
    """Returns what the options name, None where nothing was said.

    Raises:
        ConfigError: They do not go together.
    """
    from fer_edge.data.split import Source
    from fer_edge.errors import ConfigError

    if data is not None:
        return Source(data, detect, ferplus, labels)  # type: ignore[arg-type]
    if detect or ferplus or labels != "fer2013":
        raise ConfigError("--detect, --ferplus and --labels say how to read --data: name it, too.")
    return None


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turns known errors into one line on stderr and their exit code; the rest stay tracebacks."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except FerEdgeError as exc:
            _say_error(str(exc))
            code = next(code for kind, code in EXIT_CODES.items() if isinstance(exc, kind))
            raise typer.Exit(code) from None
        except KeyboardInterrupt:
            typer.echo("Interrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            sys.stderr.close()  # the reader has gone; there is nobody to tell
            raise typer.Exit(0) from None
        except OSError as exc:
            if exc.filename is None:
                raise
            _say_error(f"{exc.strerror}: {exc.filename}. Expected a path that you may use.")
            raise typer.Exit(1) from None

    return wrapper


def _say_error(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads: the exit code still tells
        typer.secho("Error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(text, err=True)
