"""Makes a shipped model out of a run: `python scripts/ship.py runs/small small --data fer2013.csv`.

Stores the float network's weights as float16, and makes all else from that: exports int8, measures
both on the validation split, and puts the int8 file, the float network and a manifest with the
scores into fer_edge/models/NAME. `fer-edge export NAME --int8` then gives the same int8 file.
"""

import argparse
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fer_edge import files
from fer_edge.bench import Timer, run_bench
from fer_edge.catalog import FLOAT_NETWORK, SHIPPED, find_network, find_source
from fer_edge.contract import INT8_FILE, Manifest, describe_file, write_manifest
from fer_edge.data.split import LabelSet, Source
from fer_edge.export import Export, export_model
from fer_edge.half import halve
from fer_edge.plan import make_plan, score


def main(arguments: Sequence[str] | None = None) -> None:
    """Ships a model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("run", help="a run folder, or what else has a float network")
    parser.add_argument("name")
    parser.add_argument("--data", required=True, metavar="SRC", help="what it was trained on")
    parser.add_argument("--ferplus", default="", metavar="VOTES", help="FER+'s votes")
    parser.add_argument("--labels", default="fer2013", choices=get_args(LabelSet))
    parser.add_argument("--into", type=Path, default=SHIPPED, help="default: %(default)s")
    options = parser.parse_args(arguments)
    data = Source(options.data, ferplus=options.ferplus, labels=options.labels)
    ship(options.run, options.name, data=data, into=options.into)


def ship(run: str, name: str, *, data: Source, into: Path = SHIPPED) -> None:
    """Writes a shipped model, replacing the one of that name.

    Args:
        run: What `find_source` takes; it has to have a float network.
        name: Of the model, and of its folder.
        data: What it was trained on: int8 is calibrated on it, and both files measured.
        into: Where the folder goes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        network = Path(scratch) / FLOAT_NETWORK
        halve(find_network(run), network)
        model = dataclasses.replace(find_source(run), name=name, network=network)
        folder = Path(scratch) / name
        exported = export_model(model, Export(("int8",)), data=data, folder=folder)
        shutil.copyfile(network, folder / FLOAT_NETWORK)
        entries = {
            INT8_FILE: exported.manifest.files[INT8_FILE],
            FLOAT_NETWORK: describe_file(folder / FLOAT_NETWORK),
        }
        shipped_before = model.manifest.converter if model.manifest else {}
        halved_from = shipped_before.get("float_network") or {
            "weights": "float16",
            "made_from": files.sha256_of(find_network(run)),
        }
        manifest = dataclasses.replace(
            exported.manifest,
            files=entries,
            scores=_scores(folder, data),
            converter={**exported.manifest.converter, "float_network": halved_from},
        )
        _install(folder, manifest, into / name)


def _scores(folder: Path, data: Source) -> dict[str, object]:
    """Returns what the files in a folder are worth on the validation split, int8 and the network.

    The network is measured with Keras; its float32 conversion is no part of what ships.
    """
    plan = make_plan([str(folder)], data=data, split="validation")
    bench = run_bench(plan.candidates, plan.data, Timer(rounds=5, cold_start=False))
    return {r.variant: score(r, bench) for r in bench.results if r.variant != "float32"}


def _install(folder: Path, manifest: Manifest, place: Path) -> None:
    """Puts the files that a manifest lists, and the manifest, in their place."""
    with files.replacing(place) as target:
        target.mkdir()
        for file in manifest.files:
            shutil.copyfile(folder / file, target / file)
        write_manifest(target, manifest)


if __name__ == "__main__":
    main()
