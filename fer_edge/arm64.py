"""A Raspberry Pi's arithmetic without one: 64-bit ARM Linux under QEMU, made by `scripts/arm64`.

Our own runtime runs in it, on LiteRT's build for ARM. Its time says nothing about a board.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.runtime import Kernels

VARIABLE = "FER_EDGE_ARM64"
QEMU = "qemu-aarch64-static"
CPU = "cortex-a72"  # a Pi 4's
TIMEOUT_S = 300

PROGRAM = """
import sys, numpy as np
from pathlib import Path
from fer_edge.runtime import Interpreter
folder, kernels = Path(sys.argv[1]), sys.argv[2]
interpreter = Interpreter((folder / "model.tflite").read_bytes(), kernels=kernels)
print(interpreter.delegate)
np.save(folder / "answers.npy", interpreter.probabilities(np.load(folder / "faces.npy")))
"""


def find_root() -> Path:
    """Returns the folder of the emulated Linux.

    Raises:
        MissingProgramError: It was not made, or QEMU is absent.
    """
    checkout = Path(__file__).resolve().parents[1]
    root = Path(os.environ.get(VARIABLE) or checkout / ".cache" / "arm64")
    if not (root / "opt" / "site" / "numpy").is_dir() or shutil.which(QEMU) is None:
        raise MissingProgramError(
            f"No emulated ARM Linux: expected {QEMU}, and what scripts/arm64 makes in {root}. On "
            f"Debian: apt install qemu-user-static mmdebstrap; scripts/arm64. ${VARIABLE} names "
            "another folder."
        )
    return root.resolve()


def classify_on_arm64(
    model: bytes, faces: NDArray[np.uint8], kernels: Kernels
) -> NDArray[np.float32]:
    """Returns (n, k) probabilities of a `.tflite` model on an emulated Raspberry Pi 4.

    Args:
        model: The file's bytes.
        faces: Of the shape and type that it takes, behind n.
        kernels: LiteRT's.

    Raises:
        MissingProgramError: There is no emulation here.
        EngineError: The model did not run in it, or not with XNNPACK where that was asked for.
    """
    root = find_root()
    package = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "model.tflite").write_bytes(model)
        np.save(folder / "faces.npy", faces)
        (folder / "program.py").write_text(PROGRAM, "utf-8")
        python = [QEMU, "-L", str(root), str(root / "usr/bin/python3.11"), "-S", "-B"]
        environment = {
            "QEMU_CPU": CPU,
            "PYTHONHOME": str(root / "usr"),
            "PYTHONPATH": f"{root / 'opt/site'}:{package}",
            "PATH": os.environ["PATH"],
        }
        try:
            done = subprocess.run(
                [*python, str(folder / "program.py"), str(folder), kernels],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"The emulated ARM did not answer in {TIMEOUT_S} s.") from exc
        expected = "XNNPACK" if kernels == "xnnpack" else "none"
        if done.returncode or done.stdout.strip() != expected:
            raise EngineError(
                f"The emulated ARM failed (exit {done.returncode}); expected the delegate "
                f"{expected}, found {done.stdout.strip() or 'nothing'}. {done.stderr[-500:]}"
            )
        answers: NDArray[np.float32] = np.load(folder / "answers.npy", allow_pickle=False)
        return answers
