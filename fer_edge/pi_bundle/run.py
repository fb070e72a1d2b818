#!/usr/bin/env python3
"""Runs this folder's model: `./run.py` before the camera, `./run.py predict photo.jpg` on a file.

What follows goes to `fer-edge`, with the model named: `./run.py --source 0 --json -`,
`./run.py doctor`, `./run.py bench`. Needs what install.sh installs, and nothing of a workstation.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACES = (HERE / "venv", Path("/opt/fer-edge/venv"))  # where install.sh makes the environment
COMMANDS = ("camera", "predict", "doctor", "bench")  # all but the last take --model


def main() -> None:
    """Runs a command of fer-edge in the environment that install.sh has made."""
    command, *rest = sys.argv[1:] if sys.argv[1:2] and sys.argv[1][:1] != "-" else _camera()
    if command not in COMMANDS:
        sys.exit(f"Expected {', '.join(COMMANDS)} or an option of camera, found {command}.")
    _enter_environment()
    try:
        from fer_edge.cli import main as fer_edge
    except ImportError as exc:
        sys.exit(f"{exc}. Expected what install.sh installs: {HERE / 'install.sh'}")
    model = ["--device", str(HERE)] if command == "bench" else ["--model", str(HERE)]
    sys.argv = ["fer-edge", command, *model, *rest]  # a later --model counts
    fer_edge()


def _camera() -> list[str]:
    return ["camera", *sys.argv[1:]]


def _enter_environment() -> None:
    """Starts anew in the environment, unless this is it already; where there is none, stays."""
    for place in PLACES:
        python = place / "bin" / "python"
        if Path(sys.prefix) == place:
            return
        if python.exists():
            # -s: a NumPy that somebody once installed under ~/.local would break picamera2's.
            os.execv(python, [str(python), "-s", str(HERE / "run.py"), *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
