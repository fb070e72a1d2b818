"""The shape of the code: who may import whom, and what starting up must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fer_edge"

# Each module imports from its own layer or the ones before it; see DESIGN's dependency direction.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "fer_edge",
        "errors",
        "board",
        "files",
        "page",
        "site",
        "lookahead",
        "metrics",
        "quiet",
        "confidence",
    ),
    ("contract", "script_environment"),
    (
        "data",
        "faces",
        "images",
        "video",
        "inspect",
        "inspect_tfjs",
        "plots",
        "runtime",
        "converter",
    ),
    ("keras_network", "keras_file", "classics", "batch_norm", "half", "model", "recipe"),
    (
        "layerwise",
        "model_cost",
        "deploy",
        "objective",
        "checkpoint",
        "history",
        "runs",
        "machine",
        "catalog",
    ),
    (
        "train",
        "trainer",
        "distill",
        "live_teachers",
        "temperature",
        "evaluate",
        "improvement",
        "calibration",
        "arena",
        "mcu",
        "android",
        "arm64",
        "targets",
        "web",
        "browser",
        "golden",
        "engines",
        "equalize",
        "rounding",
        "sensitivity",
        "quantization",
        "candidates",
        "coldstart",
        "export",
        "export_inputs",
        "export_folder",
        "label_order",
        "material",
        "pi",
        "wheel",
        "predict",
        "predictor",
    ),
    ("bench", "camera", "mislabels", "verify"),
    ("board_bench", "doctor", "examine"),
    ("plan", "training_plan", "gates"),
    ("quickstart", "tables"),
    ("data_tables", "model_tables"),
    ("report", "show_faces", "show_models"),
    ("cli", "__main__"),
    ("pi_bundle",),
)
LAYER_OF = {module: number for number, layer in enumerate(LAYERS) for module in layer}

ONLY_IN = {
    "tensorflow": {"batch_norm"},
    "keras": {
        "batch_norm",
        "deploy",
        "equalize",
        "keras_network",
        "layerwise",
        "live_teachers",
        "model",
        "model_cost",
        "objective",
        "rounding",
        "sensitivity",
        "temperature",
        "trainer",
    },
    "ai_edge_litert": {"inspect", "runtime"},
    "tflite_runtime": {"runtime"},
    "typer": {"cli"},
    "rich": {"report", "show_faces"},
    "matplotlib": {"plots"},
    "h5py": {"half"},
    "paho": {"camera"},
    "picamera2": {"camera"},
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_converters" not in path.parts)


def part(path: Path) -> str:
    """Returns the part of the design that a file belongs to: a module's or sub-package's name."""
    inside = path.relative_to(PACKAGE)
    return (
        "fer_edge"
        if inside.name == "__init__.py" and len(inside.parts) == 1
        else (inside.parts[0].removesuffix(".py"))
    )


def imported(path: Path) -> set[str]:
    """Returns the dotted names that a file imports anywhere, typing-only imports included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = part(path)
    assert own in LAYER_OF, f"{own} has no layer: give it one"
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "fer_edge":
            other = rest.partition(".")[0]
            other = other if other in LAYER_OF else "fer_edge"
            assert LAYER_OF[other] <= LAYER_OF[own], f"{own} must not import {other}"
        elif top in ONLY_IN:
            assert own in ONLY_IN[top], f"{own} must not import {top}"


def test_no_file_is_two_ideas() -> None:
    too_long = {
        str(path.relative_to(ROOT)): n
        for path in [*modules(), *(ROOT / "converters").glob("*.py")]
        if (n := len(path.read_text().splitlines())) > 310
    }
    assert too_long == {}


@pytest.mark.parametrize(
    "statement",
    [
        "import fer_edge",
        "from fer_edge.cli import app; from typer.testing import CliRunner; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0",
    ],
)
def test_starting_up_loads_nothing_heavy(statement: str) -> None:
    check = (
        f"{statement}\nimport sys\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'ai_edge_litert', 'numpy', 'matplotlib'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
