"""A Raspberry Pi's arithmetic without one: ARM Linux under QEMU, made by `scripts/arm64`.

Our own runtime runs in it, on LiteRT's build for ARM. Its time says nothing about a board.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.runtime import Kernels

VARIABLE = "FER_EDGE_ARM64"
QEMU = "qemu-aarch64-static"
TIMEOUT_S = 300

# QEMU and the processor of a Pi 4, by what Linux calls a 64-bit and a 32-bit system there.
PROCESSORS = {"aarch64": (QEMU, "cortex-a72"), "armv7l": ("qemu-arm-static", "max")}

PROGRAM = """
import sys, numpy as np
from pathlib import Path
from fer_edge.runtime import Interpreter
folder, kernels = Path(sys.argv[1]), sys.argv[2]
interpreter = Interpreter((folder / "model.tflite").read_bytes(), kernels=kernels)
print(interpreter.delegate)
np.save(folder / "answers.npy", interpreter.probabilities(np.load(folder / "faces.npy")))
"""


@dataclass(frozen=True)
class Emulation:
    """An ARM Linux with Python.

    Attributes:
        root: Its folder, with what `scripts/arm64` fakes of /proc and /sys.
        packages: On Python's path.
        machine: The processor, as Linux names it.
    """

    root: Path
    packages: tuple[Path, ...]
    machine: Literal["aarch64", "armv7l"] = "aarch64"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs its Python; arguments are Python's.

        Raises:
            EngineError: It did not end.
        """
        qemu, cpu = PROCESSORS[self.machine]
        (python,) = (self.root / "usr/bin").glob("python3.??")
        environment = {
            "QEMU_CPU": cpu,
            "PYTHONHOME": str(self.root / "usr"),
            "PYTHONPATH": ":".join(map(str, self.packages)),
            "PATH": os.environ["PATH"],
        }
        try:
            return subprocess.run(
                [qemu, "-L", str(self.root), str(python), "-S", "-B", "-P", *arguments],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                env=environment,
                cwd=self.root,  # else this checkout could stand before the packages
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise EngineError(f"The emulated ARM did not answer in {TIMEOUT_S} s.") from exc

    def classify(
        self, model: bytes, faces: NDArray[np.uint8], kernels: Kernels
    ) -> tuple[NDArray[np.float32], str]:
        """Returns (n, k) probabilities of a `.tflite` model, and the delegate that ran it.

        Args:
            model: The file's bytes.
            faces: Of the shape and type that it takes, behind n.
            kernels: The runtime's.

        Raises:
            EngineError: The model did not run.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            (folder / "model.tflite").write_bytes(model)
            np.save(folder / "faces.npy", faces)
            (folder / "program.py").write_text(PROGRAM, "utf-8")
            done = self.run(str(folder / "program.py"), str(folder), kernels)
            if done.returncode:
                raise EngineError(
                    f"The emulated ARM failed (exit {done.returncode}). {done.stderr[-500:]}"
                )
            answers: NDArray[np.float32] = np.load(folder / "answers.npy", allow_pickle=False)
            return answers, done.stdout.strip()


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
    answers, found = Emulation(root, (root / "opt/site", package)).classify(model, faces, kernels)
    expected = "XNNPACK" if kernels == "xnnpack" else "none"
    if found != expected:
        raise EngineError(f"Expected the delegate {expected} on the emulated ARM, found {found}.")
    return answers
