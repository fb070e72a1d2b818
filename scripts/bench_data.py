"""Times loading a full FER2013, as CSV and as pictures: `bench_data.py [fer2013.csv.xz]`.

Writes 35,887 rows (those of the given file, then its first ones again as PrivateTest; drawn faces
without a file), plain, as xz and as PNGs in folders, and loads each in fresh processes: read, then
cached twice.
"""

import json
import lzma
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fer_edge.data.sources import load_dataset
from fer_edge.data.write import write_folders

N_ROWS = 35_887
USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
LOAD = """
import json, sys, time
from fer_edge.coldstart import peak_memory_bytes
from fer_edge.data.sources import load_dataset
started = time.perf_counter()
dataset = load_dataset(sys.argv[1])
elapsed_s = time.perf_counter() - started
rows = sum(len(split) for split in dataset.splits.values())
print(json.dumps([rows, round(elapsed_s, 3), peak_memory_bytes() // 2**20]))
"""


def write_csv(path: Path, source: str) -> None:
    """Writes a CSV of full size."""
    dataset = load_dataset(source)
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{USAGE[name]}"
        for name, split in dataset.splits.items()
        for image, label in zip(split.images, split.labels, strict=True)
    ]
    again = [row.rpartition(",")[0] + ",PrivateTest" for row in rows]
    while len(rows) < N_ROWS:
        rows += again[: N_ROWS - len(rows)]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")


def main() -> None:
    """Prints a line a file and load."""
    source = sys.argv[1] if len(sys.argv) > 1 else "sample"
    with tempfile.TemporaryDirectory() as scratch:
        plain, packed = Path(scratch) / "full.csv", Path(scratch) / "full.csv.xz"
        write_csv(plain, source)
        packed.write_bytes(lzma.compress(plain.read_bytes(), preset=1))
        folder = Path(scratch) / "faces"
        write_folders(load_dataset(str(plain)), folder)
        for path in (plain, packed, folder):
            environment = {**os.environ, "FER_EDGE_CACHE": f"{scratch}/cache-{path.name}"}
            for kind in ("first", "cached", "cached"):
                done = subprocess.run(
                    [sys.executable, "-c", LOAD, str(path)],
                    env=environment,
                    capture_output=True,
                    check=True,
                )
                rows, elapsed_s, mib = json.loads(done.stdout)
                size_mib = np.round(path.stat().st_size / 2**20)
                what = "folders" if path.is_dir() else f"{path.suffix:4} {size_mib:.0f} MiB"
                print(f"{what}, {rows} rows, {kind}: {elapsed_s} s, peak {mib} MiB")


if __name__ == "__main__":
    main()
