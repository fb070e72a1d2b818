"""A bundle on an emulated Raspberry Pi answers like here: what install.sh takes fits together."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fer_edge.catalog import SHIPPED
from fer_edge.pi import FOLDER, write_pi
from tests.load_script import load_script

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "pi"
PROGRAMS = ("qemu-aarch64-static", "qemu-arm-static", "mmdebstrap")
IN_CI = "aarch64-bookworm"  # the oldest NumPy and OpenCV; others where their roots were made
LIMIT_S = 1200
NO_DEBIAN = 75

pi_answers = load_script("pi_answers")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    export = tmp_path_factory.mktemp("emulation")
    for file in ("int8.tflite", "manifest.json"):
        shutil.copyfile(SHIPPED / "small" / file, export / file)
    write_pi(export)
    return export / FOLDER


def emulate(board: str, bundle: Path) -> dict[str, Any]:
    """Returns the differences on a board; skips where its root cannot be had."""
    if absent := [program for program in PROGRAMS if not shutil.which(program)]:
        pytest.skip(
            f"{', '.join(absent)} not here; on Debian: apt install qemu-user-static mmdebstrap"
        )
    is_made = (CACHE / board / "opt" / "pins.txt").is_file()
    if not is_made and board != IN_CI:
        pytest.skip(f"no root of {board}: scripts/pi_emulation {board} BUNDLE makes it")
    command = [str(ROOT / "scripts/pi_emulation"), board, str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode == NO_DEBIAN:
        pytest.skip(f"no Debian reached from here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-2000:]
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.slow
@pytest.mark.parametrize(
    ("board", "versions", "delegate", "n_other_emotions"),
    [
        (IN_CI, "Python 3.11.2, NumPy 1.24.2, OpenCV 4.11.0, ai-edge-litert 2.3.0", "XNNPACK", 0),
        (
            "aarch64-trixie",
            "Python 3.13.5, NumPy 2.2.4, OpenCV 4.14.0, ai-edge-litert 2.3.0",
            "XNNPACK",
            0,
        ),
        (
            "armv7l-bookworm",
            "Python 3.11.2, NumPy 1.24.2, OpenCV 4.6.0, tflite-runtime 2.14.0",
            "none",
            2,
        ),
    ],
)
def test_a_board_answers_like_this_machine(
    board: str, versions: str, delegate: str, n_other_emotions: int, bundle: Path
) -> None:
    """Limits of each difference stand in scripts/pi_answers.py, which ends with 1 beyond them."""
    found = emulate(board, bundle)
    assert (found["versions"], found["delegate"]) == (versions, delegate)
    assert found["n_faces"] >= 12
    assert found["n_faces"] - found["n_same_emotion"] <= n_other_emotions


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reference_steps", 1),
        ("xnnpack_steps", 2),
        ("box_pixels", 0.5),
        ("picture_steps", 2),
        ("camera_steps", 14),
    ],
)
def test_a_larger_difference_is_a_miss(name: str, value: float) -> None:
    same = dict.fromkeys(pi_answers.LIMITS["aarch64"], 0)
    rest = {"delegate": "", "n_crops": 1, "n_faces": 1, "n_same_emotion": 1, "versions": ""}
    assert pi_answers.Answers(**same, **rest).misses("aarch64") == []
    (miss,) = pi_answers.Answers(**{**same, name: value}, **rest).misses("aarch64")
    assert miss.startswith(name)
