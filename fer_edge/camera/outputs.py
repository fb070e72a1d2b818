"""Records as JSON Lines and as CSV, into files and streams. Frames never go here."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.documents import Cell, csv_header, csv_rows, to_document, to_json
from fer_edge.camera.frames import Record, StatusRecord
from fer_edge.camera.lines import LineFile, LineStream


class JsonLines:
    """One document a line, frames and statuses in the order in which they come.

    Args:
        destination: A file, which is appended to, or a stream such as stdout.
        emotions: The model's class names in label order.

    Raises:
        OutputError: The file cannot be written, or holds something else.
    """

    def __init__(self, destination: Path | TextIO, emotions: Sequence[str]) -> None:
        self._lines: LineFile | LineStream
        if isinstance(destination, Path):
            self.name, self._lines = f"json {destination}", LineFile(destination, begins="{")
        else:
            self.name, self._lines = "json -", LineStream(destination, "the JSON lines")
        self._emotions = emotions

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:  # noqa: ARG002
        """Writes a record's line.

        Raises:
            EndedError: Nobody reads the stream any more.
            OutputError: The line was not written.
        """
        self._lines.write(to_json(to_document(record, self._emotions)) + "\n")

    def close(self) -> None:
        """Closes a file; a stream stays open."""
        self._lines.close()


class Csv:
    """A table with a row a face, and one for a frame without; statuses are not in it.

    Args:
        path: Is appended to where it has the same columns.
        emotions: The model's class names in label order.

    Raises:
        OutputError: The file cannot be written, or holds another table.
    """

    def __init__(self, path: Path, emotions: Sequence[str]) -> None:
        self.name = f"csv {path}"
        self._lines = LineFile(path, header=_as_csv([csv_header(emotions)]))
        self._emotions = emotions

    def write(self, record: Record, image: NDArray[np.uint8] | None = None) -> None:  # noqa: ARG002
        """Writes a frame's rows.

        Raises:
            OutputError: None of them was written.
        """
        if not isinstance(record, StatusRecord):
            self._lines.write(_as_csv(csv_rows(record, self._emotions)))

    def close(self) -> None:
        """Closes the file."""
        self._lines.close()


def _as_csv(rows: Iterable[Sequence[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
