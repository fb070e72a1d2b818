"""Makes a shipped model out of a run: `python scripts/ship.py runs/small small --data fer2013.csv`.

Exports int8, measures it beside the float network on the validation split, and puts the int8 file,
the float network and a manifest with the scores into fer_edge/models/NAME.
"""

import argparse
import dataclasses
import shutil
import tempfile
from pathlib import Path

from fer_edge import files
from fer_edge.bench import Timer, run_bench
from fer_edge.catalog import FLOAT_NETWORK, SHIPPED, find_source
from fer_edge.contract import describe_file, write_manifest
from fer_edge.export import Export, export_model
from fer_edge.plan import make_plan, score
from fer_edge.runs import Run


def main() -> None:
    """Ships a model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    ship(options.run, options.name, data=options.data)


def ship(run: Path, name: str, *, data: str) -> None:
    """Writes fer_edge/models/NAME."""
    model = dataclasses.replace(find_source(str(run)), name=name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        exported = export_model(model, Export(("int8",)), data=data, folder=folder)
        shutil.copyfile(Run(run).model, folder / FLOAT_NETWORK)
        plan = make_plan([str(folder)], data=data, split="validation")
        bench = run_bench(plan.candidates, plan.data, Timer(rounds=5, cold_start=False))
        entries = {
            "int8.tflite": exported.manifest.files["int8.tflite"],
            FLOAT_NETWORK: describe_file(folder / FLOAT_NETWORK),
        }
        scores = {r.variant: score(r, bench) for r in bench.results if r.variant != "float32"}
        manifest = dataclasses.replace(exported.manifest, files=entries, scores=scores)
        with files.replacing(SHIPPED / name) as target:
            target.mkdir()
            for file in entries:
                shutil.copyfile(folder / file, target / file)
            write_manifest(target, manifest)


if __name__ == "__main__":
    main()
