"""Times the browser demo beside a peer: `python scripts/web_bench.py`, with the page built.

In headless Chromium on the CPU: our classification in TF.js on WASM and in LiteRT.js, and the way
from a picture to its answer, beside the expression net of @vladmandic/face-api on the same picture
in the same page, which this builds. First, in web_demo: npm ci --ignore-scripts && npm run build
"""

import argparse
import gzip
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fer_edge.browser import ask_page
from fer_edge.data.sample import draw_scene
from fer_edge.machine import describe_machine
from fer_edge.site import Site, find_page
from fer_edge.web import files_of_first_visit

WEB_DEMO = Path(__file__).resolve().parents[1] / "web_demo"
PEER = WEB_DEMO / "node_modules/@vladmandic/face-api/model"
TITLES = {
    "tfjs-wasm": "fer-edge, TF.js WASM",
    "litert": "fer-edge, LiteRT.js int8",
    "face-api": "face-api, TF.js WASM",
}
TIMEOUT_S = 600.0


def main() -> None:
    """Prints a table, and writes the raw times where --out says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="With one face; default: a drawn one.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, help="For the raw times, as JSON.")
    options = parser.parse_args()
    page = find_page()
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not installed here: install Node 20 or newer.")
    subprocess.run([npm, "run", "--silent", "bench:build"], cwd=WEB_DEMO, check=True)
    picture = options.picture.read_bytes() if options.picture else _drawn()
    found = _measure(page, picture, options.rounds)
    print(_table(found["milliseconds"]))
    print(f"first prediction {found['first']:.0f} ms after the library was there")
    names = files_of_first_visit(page)
    n_bytes = sum(len(gzip.compress((page / name).read_bytes())) for name in names)
    print(f"first visit {n_bytes / 2**20:.2f} MiB gzipped, without the engine's one WASM file")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")


def _measure(page: Path, picture: bytes, rounds: int) -> dict[str, Any]:
    """Returns what the page posts, and what it ran on."""
    files = {"picture": picture}
    for folder, prefix in ((page, "page/"), (PEER, "peer/")):
        for path in folder.rglob("*"):
            if path.is_file():
                files[prefix + path.relative_to(folder).as_posix()] = path.read_bytes()
    query = {"page": "page/", "peer": "peer/", "picture": "picture", "rounds": str(rounds)}
    site = Site(WEB_DEMO / ".bench", files)
    found = ask_page(site, "index.html", query, "the bench", timeout_s=TIMEOUT_S)
    return {"schema_version": 1, "machine": describe_machine(), **found}


def _table(times: dict[str, list[float]]) -> str:
    """Returns medians with the 10th and 90th percentile of blocks of calls."""
    lines = [
        "| engine | classification, p50 ms (p10–p90) | picture to answer |",
        "| --- | --- | --- |",
    ]
    for key, title in TITLES.items():
        cells = []
        for kind in ("classify", "picture"):
            low, half, high = np.percentile(times[f"{key}/{kind}"], (10, 50, 90))
            cells.append(f"{half:.2f} ({low:.2f}–{high:.2f})")
        lines.append(f"| {title} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _drawn() -> bytes:
    """Returns a picture of one drawn face, 640 x 480."""
    scene = draw_scene(("happy",), np.random.default_rng(3), face_px=160)
    return cv2.imencode(".png", scene.image)[1].tobytes()


if __name__ == "__main__":
    main()
