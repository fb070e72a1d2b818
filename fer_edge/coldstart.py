"""Cold start and peak memory of one model, measured by a process that does nothing else.

    python -m fer_edge.coldstart MODEL_FILE START_NS

prints one line of JSON: from START_NS (time.time_ns() of the caller) to the first answer, and the
process's peak resident memory.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_edge.errors import ModelFormatError


@dataclass(frozen=True)
class ColdStart:
    """What a fresh process needs for its first answer.

    Attributes:
        cold_start_ms: From the start of the process to the first answer, imports included.
        peak_memory_bytes: Largest resident memory of that process.
    """

    cold_start_ms: float
    peak_memory_bytes: int


def measure_cold_start(path: Path) -> ColdStart:
    """Returns the cold start of a `.tflite` or `.keras` file, in a process of its own.

    Raises:
        ModelFormatError: The process failed.
    """
    package = str(Path(__file__).resolve().parent.parent)
    search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "fer_edge.coldstart", str(path), str(time.time_ns())]
    environment = {**os.environ, "PYTHONPATH": search}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=300, env=environment
        )
    except subprocess.TimeoutExpired as exc:
        raise ModelFormatError(f"{path} gave no answer within {exc.timeout:.0f} s.") from exc
    if done.returncode:
        raise ModelFormatError(f"{path} does not start: {done.stderr.strip()[-300:]}")
    return ColdStart(**json.loads(done.stdout.splitlines()[-1]))


def peak_memory_bytes() -> int:
    """Returns this process's largest resident memory.

    Linux's getrusage reports the parent's memory for a child that has just been forked, so the
    kernel's own high-water mark is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main(path: Path, start_ns: int) -> None:
    if path.suffix == ".keras":
        from fer_edge.keras_network import KerasRunner, load_model

        KerasRunner(load_model(path)).probabilities(np.zeros((1, 48, 48), np.uint8))
    else:
        from fer_edge.runtime import Interpreter

        interpreter = Interpreter(path.read_bytes())
        spec = interpreter.input
        interpreter.probabilities(np.zeros(spec.shape, spec.dtype))
    elapsed_ms = (time.time_ns() - start_ns) / 1e6
    print(json.dumps({"cold_start_ms": elapsed_ms, "peak_memory_bytes": peak_memory_bytes()}))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]))
