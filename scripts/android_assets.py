"""Writes android_assets/ anew: `python scripts/android_assets.py`, after `small` was shipped.

It is what `fer-edge export small --android` leaves in the export's folder `android`.
"""

import shutil
import tempfile
from pathlib import Path

from fer_edge import android
from fer_edge.catalog import find_source
from fer_edge.export import Export, export_model

MODEL = "small"
PLACE = Path(__file__).resolve().parents[1] / "android_assets"


def main() -> None:
    """Replaces the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / MODEL
        export_model(find_source(MODEL), Export(("android",)), folder=folder)
        shutil.rmtree(PLACE, ignore_errors=True)
        shutil.copytree(folder / android.FOLDER, PLACE)
    print(f"{MODEL} is in {PLACE.name}")


if __name__ == "__main__":
    main()
