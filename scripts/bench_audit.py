"""Times the audit of a full FER2013: `python scripts/bench_audit.py fer2013.csv.xz`.

Audits 35,887 rows in a fresh process: those of the file, then its first ones upside down as
PrivateTest where it has none, so that no row repeats. Reading the file is not timed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fer_edge.data.sources import load_dataset
from fer_edge.data.split import SPLIT_NAMES, Split

N_ROWS = 35_887
AUDIT = """
import json, sys, time
import numpy as np
from fer_edge.coldstart import peak_memory_bytes
from fer_edge.contract import EMOTIONS
from fer_edge.data.audit import audit_dataset
from fer_edge.data.split import SPLIT_NAMES, Dataset, Source, Split
kept = np.load(sys.argv[1])
rows = Split(kept["images"], kept["labels"], np.arange(len(kept["labels"])))
splits = {name: rows.take(kept["splits"] == number) for number, name in enumerate(SPLIT_NAMES)}
dataset = Dataset(Source("bench"), "", EMOTIONS, splits)
del rows, kept
started, busy = time.perf_counter(), time.process_time()
audit = audit_dataset(dataset)
elapsed_s, cpu_s = time.perf_counter() - started, time.process_time() - busy
peak_mib = peak_memory_bytes() / 2**20
print(json.dumps([audit.n, elapsed_s, cpu_s, peak_mib, len(audit.near_pairs), audit.near_skipped]))
"""


def write_rows(path: Path, source: str) -> None:
    """Writes the images, labels and split numbers of a full data set as arrays."""
    dataset = load_dataset(source)
    parts = [(number, dataset.splits[name]) for number, name in enumerate(SPLIT_NAMES)]
    train = dataset.split("train")
    missing = max(0, N_ROWS - sum(len(split) for _, split in parts))
    turned = Split(train.images[:missing, ::-1], train.labels[:missing], train.ids[:missing])
    parts.append((SPLIT_NAMES.index("test"), turned))
    images = np.concatenate([split.images for _, split in parts])
    labels = np.concatenate([split.labels for _, split in parts])
    splits = np.concatenate([np.full(len(split), number) for number, split in parts])
    np.savez(path, images=images, labels=labels, splits=splits)


def main() -> None:
    """Prints one line."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.npz"
        write_rows(path, sys.argv[1])
        load = os.getloadavg()[0]
        command = [sys.executable, "-c", AUDIT, str(path)]
        done = subprocess.run(command, capture_output=True, check=True)
    n, elapsed_s, cpu_s, peak_mib, pairs, skipped = json.loads(done.stdout)
    print(
        f"{n} rows: {elapsed_s:.1f} s (CPU {cpu_s:.1f} s, load {load:.1f} on {os.cpu_count()} "
        f"cores), peak {peak_mib:.0f} MiB, {pairs} near pairs, {skipped} candidates skipped"
    )


if __name__ == "__main__":
    main()
