"""A bundle's answers on an emulated board beside this machine's: `pi_answers.py BOARD ROOT`.

`scripts/pi_emulation` calls it, with the root that it has made. Two questions: does the model give
the same bits to the same faces, and does `run.py` say the same of the same pictures? Exits 1 where
a difference is larger than stated.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.arm64 import Emulation
from fer_edge.contract import EMOTIONS
from fer_edge.data.sample import draw_scene
from fer_edge.golden import golden_inputs
from fer_edge.runtime import Interpreter, Kernels

PORTRAITS = Path(__file__).resolve().parents[2] / "shared" / "data" / "portraits"
CLIP = "clip.avi"
STEP = 1 / 256

# Largest differences. Reference kernels are plain integer arithmetic. XNNPACK rounds alike in each
# LiteRT; tflite-runtime's 32-bit wheel has none, and its own kernels round otherwise. A film's
# colours differ by one gray level between two builds of FFmpeg, and that by some steps.
LIMITS: dict[str, dict[str, float]] = {
    "aarch64": {
        "reference_steps": 0,
        "xnnpack_steps": 1,
        "box_pixels": 0,
        "picture_steps": 1,
        "film_steps": 13,
        "camera_steps": 13,
    },
    "armv7l": {
        "reference_steps": 0,
        "xnnpack_steps": 16,
        "box_pixels": 2,
        "picture_steps": 26,
        "film_steps": 26,
        "camera_steps": 26,
    },
}


@dataclass(frozen=True)
class Answers:
    """How far a board's answers are from this machine's.

    Attributes:
        reference_steps: Of the model with reference kernels, in 1/256.
        xnnpack_steps: With XNNPACK.
        delegate: What ran it there when XNNPACK was asked for.
        n_crops: Faces for these.
        box_pixels: Of a face's box by `run.py predict`.
        picture_steps: Of a probability there, in 1/256.
        film_steps: The same in a film, whose decoders differ.
        camera_steps: The same by `run.py` alone, the live loop on that film.
        n_faces: Found in pictures and film, here and there.
        n_same_emotion: Of these with the same emotion.
        versions: What ran there.
    """

    reference_steps: float
    xnnpack_steps: float
    delegate: str
    n_crops: int
    box_pixels: float
    picture_steps: float
    film_steps: float
    camera_steps: float
    n_faces: int
    n_same_emotion: int
    versions: str

    def misses(self, machine: str) -> list[str]:
        """Returns what is further away than stated."""
        return [
            f"{name}: expected up to {limit}, found {found}"
            for name, limit in LIMITS[machine].items()
            if (found := getattr(self, name)) > limit
        ]


def main(board: str, root: Path) -> None:
    """Prints the differences on a board, and exits 1 where one is too large."""
    emulation, bundle = open_board(board, root)
    answers = compare(emulation, bundle)
    print(json.dumps({"board": board, **vars(answers)}, indent=1))
    if misses := answers.misses(emulation.machine):
        sys.exit("; ".join(misses))


def open_board(board: str, root: Path) -> tuple[Emulation, Path]:
    """Returns the emulated board and its bundle, whose wheel is unpacked."""
    bundle, own = root / "opt" / "fer-edge", root / "opt" / "fer-edge" / "own"
    (wheel,) = bundle.glob("fer_edge-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(own)
    debian = root / "usr/lib/python3/dist-packages"
    packages = (own, root / "opt/site", debian)
    machine: Any = board.partition("-")[0]
    return Emulation(root, packages, machine), bundle


def compare(emulation: Emulation, bundle: Path) -> Answers:
    """Returns how far a board's answers are from this machine's."""
    model = (bundle / "int8.tflite").read_bytes()
    crops = golden_inputs().images[::16, ..., None]
    steps, delegate = {}, ""
    kernels: tuple[Kernels, ...] = ("reference", "xnnpack")
    for kernel in kernels:
        found, delegate = emulation.classify(model, crops, kernel)
        expected = Interpreter(model, kernels=kernel).probabilities(crops)
        steps[kernel] = float(np.abs(found - expected).max() / STEP)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = draw_pictures(Path(scratch))
        arguments = [str(bundle / "run.py"), "predict", "--json", "--every", "0", *pictures]
        pairs = run_both(emulation, arguments)
        live = [str(bundle / "run.py"), "--source", str(Path(scratch) / CLIP), "--json", "-"]
        followed = run_both(emulation, [*live, "--smoothing", "0"])
    apart = [differences(*pair) for pair in pairs]
    return Answers(
        reference_steps=steps["reference"],
        xnnpack_steps=steps["xnnpack"],
        delegate=delegate,
        n_crops=len(crops),
        box_pixels=max(difference.box for difference in apart),
        picture_steps=max(d.steps for d in apart if not d.is_of_film),
        film_steps=max(d.steps for d in apart if d.is_of_film),
        camera_steps=max(differences(*pair).steps for pair in followed),
        n_faces=len(pairs),
        n_same_emotion=sum(difference.is_same_emotion for difference in apart),
        versions=emulation.run("-c", VERSIONS).stdout.strip(),
    )


def run_both(
    emulation: Emulation, arguments: Sequence[str]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Returns the faces that a program tells of here and on the board, one beside the other."""
    here = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True
    ).stdout
    there = emulation.run("-c", RUN, str(emulation.root), *arguments)
    if there.returncode:
        sys.exit(f"run.py failed on the emulated board:\n{there.stderr[-3000:]}")
    return pair_faces(read_faces(here), read_faces(there.stdout))


# 32-bit QEMU opens the files of its root under their own names and denies that they exist, so
# OpenCV of Debian is told where its cascades are.
RUN = """
import runpy, sys, types, cv2
root = sys.argv.pop(1)
if not hasattr(cv2, "data"):
    cv2.data = types.SimpleNamespace(haarcascades=root + "/usr/share/opencv4/haarcascades/")
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

VERSIONS = """
import platform, cv2, numpy
from fer_edge.runtime import runtime_version
print("Python", platform.python_version() + ", NumPy", numpy.__version__ + ", OpenCV",
      cv2.__version__ + ",", runtime_version())
"""


def draw_pictures(folder: Path) -> list[str]:
    """Writes drawn scenes, a clip of them, and portraits where there are some; returns paths."""
    rng = np.random.default_rng(5)
    scenes = [draw_scene(pair, rng).image for pair in (EMOTIONS[:2], EMOTIONS[2:4], EMOTIONS[4:6])]
    clip = cv2.VideoWriter(
        str(folder / CLIP), cv2.VideoWriter.fourcc(*"MJPG"), 5, scenes[0].shape[1::-1]
    )
    for number, scene in enumerate(scenes):
        cv2.imwrite(str(folder / f"{number}.png"), scene)
        clip.write(scene)
    clip.release()
    for path in sorted(PORTRAITS.glob("*biden.jpg")):  # one face, and two
        small = shrink(cv2.imread(str(path)))
        cv2.imwrite(str(folder / f"{path.stem}.png"), small)  # no two JPEG decoders agree
    return sorted(map(str, folder.iterdir()))


def shrink(image: Any) -> NDArray[np.uint8]:
    """Returns a picture 640 pixels wide: emulation is slow."""
    height, width = image.shape[:2]
    small: NDArray[np.uint8] = cv2.resize(
        image, (640, round(height * 640 / width)), interpolation=cv2.INTER_AREA
    )
    return small


def read_faces(lines: str) -> list[dict[str, Any]]:
    """Returns the faces in JSON lines of `predict` or `camera`, in order, each with its picture."""
    return [
        {**face, "picture": (document.get("path"), document.get("frame"))}
        for document in map(json.loads, lines.splitlines())
        for face in document.get("faces", ())
    ]


def pair_faces(
    here: Sequence[dict[str, Any]], there: Sequence[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Returns each face with its like there; ends the program where one is found on one side."""
    pictures = [face["picture"] for face in here], [face["picture"] for face in there]
    if pictures[0] != pictures[1] or not here:
        sys.exit(f"other faces: {len(here)} here, {len(there)} there\n{pictures}")
    return list(zip(here, there, strict=True))


@dataclass(frozen=True)
class Difference:
    """How far two readings of a face are apart: pixels, steps of 1/256, and the emotion."""

    box: float
    steps: float
    is_same_emotion: bool
    is_of_film: bool


def differences(here: dict[str, Any], there: dict[str, Any]) -> Difference:
    """Returns how far two readings of a face are apart."""
    box = float(np.abs(np.subtract(here["box"], there["box"])).max())
    ours, theirs = here["probabilities"], there["probabilities"]
    probability = max(abs(ours[emotion] - theirs[emotion]) for emotion in ours)
    is_of_film = here["picture"][1] is not None
    steps = round(probability / STEP, 2)  # of which --json gives six digits
    return Difference(box, steps, here.get("emotion") == there.get("emotion"), is_of_film)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve())
