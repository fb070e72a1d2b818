"""What `predict` prints: a table or JSON lines. Apart from `report`, which needs TensorFlow's side.

`predict` runs on the edge install and has to answer at once, so this imports Rich and no more.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fer_edge.predict import Face
from fer_edge.predictor import Picture, PictureFaces, Skipped

JSON_VERSION = 1
SHOWN_EMOTIONS = 3


def as_json_lines(results: Iterable[PictureFaces], emotions: Sequence[str]) -> None:
    """Prints one versioned JSON document a picture or frame, as each is done."""
    for picture, faces in results:
        print(json.dumps(_document(picture, faces, emotions)), flush=True)


def as_table(results: Iterable[PictureFaces], emotions: Sequence[str]) -> None:
    """Prints a table with a row a face, at the end."""
    table = Table("picture", "face", "emotion")
    for column in ("probability", "next"):
        table.add_column(column, justify="right" if column == "probability" else "left")
    for picture, faces in results:
        place = str(picture.path)
        if picture.time_s is not None:
            place += f" @ {picture.time_s:.2f} s"
        for face in faces:
            table.add_row(*map(escape, _row(place, face, emotions)))
        if not faces:
            table.add_row(escape(place), "no face", "–", "–", "–")
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=160)).print(table)


def show_skipped(skipped: Sequence[Skipped]) -> None:
    """Names on stderr what could not be read."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for item in skipped:
        console.print(f"[yellow]skipped[/] {escape(item.reason)}")
    if skipped:
        console.print(f"{len(skipped)} skipped; --strict makes that an error.")


def _row(place: str, face: Face, emotions: Sequence[str]) -> tuple[str, ...]:
    order = face.probabilities.argsort()[::-1]
    others = order[1:SHOWN_EMOTIONS]
    box, emotion = face.box, emotions[face.label]
    return (
        place,
        f"{box.x:.0f},{box.y:.0f} {box.width:.0f}×{box.height:.0f}",
        f"unsure ({emotion})" if face.is_unsure else emotion,
        f"{100 * face.probabilities[face.label]:.0f}%",
        ", ".join(f"{emotions[i]} {100 * face.probabilities[i]:.0f}%" for i in others),
    )


def _document(picture: Picture, faces: Sequence[Face], emotions: Sequence[str]) -> dict[str, Any]:
    return {
        "schema_version": JSON_VERSION,
        "path": str(picture.path),
        "frame": picture.frame,
        "time_s": picture.time_s,
        "width": picture.image.shape[1],
        "height": picture.image.shape[0],
        "faces": [
            {
                "box": [face.box.x, face.box.y, face.box.width, face.box.height],
                "score": face.box.score,
                "emotion": emotions[face.label],
                "unsure": face.is_unsure,
                "probabilities": {
                    emotion: round(float(p), 6)
                    for emotion, p in zip(emotions, face.probabilities, strict=True)
                },
            }
            for face in faces
        ],
    }
