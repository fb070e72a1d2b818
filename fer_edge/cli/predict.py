"""`fer-edge predict`: faces and emotions in pictures and films."""

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.cli.options import Detector, Force, Model


def predict(
    paths: Annotated[
        list[Path], typer.Argument(help="Pictures, folders of pictures, films.", metavar="PATH…")
    ],
    *,
    model: Model = None,
    detector: Detector = "haar",
    save: Annotated[
        Path | None, typer.Option(help="Folder for copies with boxes and emotions drawn in.")
    ] = None,
    every: Annotated[float, typer.Option(help="Films: seconds between frames.", min=0.0)] = 1.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail at the first picture that cannot be read.")
    ] = False,
    force: Force = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one line a picture or frame.")
    ] = False,
) -> None:
    """Find faces and tell their emotions. Needs no TensorFlow.

    A face whose probability is under the threshold in the model's manifest is shown as unsure.

    Example: `fer-edge predict photo.jpg --save annotated`
    """
    from fer_edge import predictor, show_faces
    from fer_edge.catalog import default_model

    opened = predictor.open_predictor(model or default_model(), detector)
    copies = predictor.SavedCopies(save, force=force) if save else None
    skipped: list[predictor.Skipped] = []
    pictures = predictor.walk_pictures(paths, every_s=every, strict=strict, skip=skipped.append)
    show = show_faces.as_json_lines if as_json else show_faces.as_table
    show(predictor.read_pictures(opened, pictures, copies), opened.emotions)
    show_faces.show_skipped(skipped)
