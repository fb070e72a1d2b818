"""Writes web_demo/model/ anew: `python scripts/web_model.py`, after `small` was shipped.

It is what `fer-edge export small --web` leaves in the export's folder `web/model`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fer_edge import files
from fer_edge.catalog import find_source
from fer_edge.export import Export, export_model
from fer_edge.web import write_model

MODEL = "small"
PLACE = Path(__file__).resolve().parents[1] / "web_demo" / "model"


def main(arguments: Sequence[str] | None = None) -> None:
    """Replaces the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--into", type=Path, default=PLACE, help="default: %(default)s")
    into = parser.parse_args(arguments).into
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / MODEL
        export_model(find_source(MODEL), Export(("int8", "tfjs")), folder=folder)
        with files.replacing(into) as made:
            write_model(folder, made)
    print(f"{MODEL} is in {into}")


if __name__ == "__main__":
    main()
