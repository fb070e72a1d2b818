"""What pip installs on each board, with the hash of its wheel: writes fer_edge/pi_bundle/pins.

The versions are those of constraints.txt, but where Debian's NumPy asks for older ones. NumPy
itself is Debian's and never in the list.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "fer_edge" / "pi_bundle" / "pins"
EVERYWHERE = ("paho-mqtt", "rich", "typer")
LITERT = ("ai-edge-litert", "opencv-python-headless")

# Of each board: Python, glibc's minor version, NumPy, the processor, what is asked for, and what
# is older than elsewhere. OpenCV from 4.12 and ml-dtypes from 0.6 want NumPy 2.
BOARDS = {
    "aarch64-bookworm": (
        ("3.11", 36, "1.24.2", "aarch64"),
        LITERT,
        {"opencv-python-headless": "==4.11.0.86", "ml-dtypes": "<0.6"},
    ),
    "aarch64-trixie": (("3.13", 41, "2.2.4", "aarch64"), LITERT, {}),
    "armv7l-bookworm": (("3.11", 36, "1.24.2", "armv7l"), ("tflite-runtime",), {}),
}


def main() -> None:
    """Writes the list of every board."""
    for board in BOARDS:
        lines = [f"{pin} --hash=sha256:{digest}\n" for pin, digest in pins_of(board).items()]
        (PINS / f"{board}.txt").write_text("".join(lines))


def pins_of(board: str) -> dict[str, str]:
    """Returns the SHA-256 of each wheel of a board, by `name==version`."""
    (python, glibc, numpy, machine), wanted, older = BOARDS[board]
    pins = sorted(resolve((*wanted, *EVERYWHERE), python, numpy, older))
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(glibc, 4, -1)]
    platforms = [f"--platform={tag}" for tag in (*tags, f"manylinux2014_{machine}")]
    hashes = {}
    for pin in pins:
        with tempfile.TemporaryDirectory() as folder:
            options = ["--no-deps", "--only-binary=:all:", f"--python-version={python}"]
            command = [sys.executable, "-m", "pip", "download", "--quiet", *options, *platforms]
            subprocess.run([*command, f"--dest={folder}", pin], check=True)
            (wheel,) = Path(folder).iterdir()
            hashes[pin] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return hashes


def resolve(wanted: tuple[str, ...], python: str, numpy: str, older: dict[str, str]) -> list[str]:
    """Returns `name==version` of what is wanted and what that needs, without NumPy."""
    text = (ROOT / "constraints.txt").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)(==[^\s\\]+)", text, re.MULTILINE)
    bounds = {**dict(pinned), **older, "numpy": f"=={numpy}"}
    # uv knows no 32-bit ARM: there the runtime, which needs NumPy alone, is not resolved.
    runtime = [name for name in wanted if name == "tflite-runtime"]
    with tempfile.TemporaryDirectory() as folder:
        bounded = Path(folder, "constraints.txt")
        bounded.write_text("".join(f"{name}{bound}\n" for name, bound in bounds.items()))
        asked = Path(folder, "asked.txt")
        asked.write_text("".join(f"{name}\n" for name in wanted if name not in runtime))
        target = ["--python-platform=aarch64-manylinux_2_28", f"--python-version={python}"]
        plain = ["--no-header", "--no-annotate", "--no-emit-index-url", "--only-binary=:all:"]
        uv = [str(ROOT / ".venv/bin/uv"), "pip", "compile", *target, *plain]
        command = [*uv, f"--constraint={bounded}", str(asked)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = [line for line in done.stdout.split() if not line.startswith("numpy==")]
    return [*found, *(f"{name}{bounds[name]}" for name in runtime)]


if __name__ == "__main__":
    main()
