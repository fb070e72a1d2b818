"""The web's engines on our models: TF.js in Node, TF.js and LiteRT.js in a real browser.

The TF.js converter runs in its own environment, the page is the built one.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from fer_edge.browser import Engine, classify_in_browser, find_browser
from fer_edge.cli import app
from fer_edge.contract import read_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.deploy import fold
from fer_edge.errors import EngineError, MissingProgramError
from fer_edge.keras_network import load_network, logits_of
from fer_edge.metrics import softmax
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter
from fer_edge.site import find_page
from fer_edge.targets import TfjsWeights, convert_tfjs

pytestmark = [pytest.mark.slow, pytest.mark.network]

WEB_DEMO = Path(__file__).parents[1] / "web_demo"
FACES = sample_dataset(n_per_class=(1, 1, 10)).split("test").images


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[TfjsWeights, Path]:
    """The graph models of a trained run: float16 by the command line, float32 by the program."""
    folder = tmp_path_factory.mktemp("tfjs")
    done = CliRunner().invoke(
        app, ["export", str(run.folder), "--tfjs", "--out", str(folder / "out")]
    )
    assert done.exit_code == 0, done.output
    convert_tfjs(fold(load_network(run.model)), "float32", folder, lambda _text: None)
    return {"float16": folder / "out" / "tfjs", "float32": folder / "tfjs"}


@pytest.fixture(scope="module")
def web_demo() -> Path:
    """The web demo's folder with its npm packages, which `scripts/install dev` installs."""
    if shutil.which("node") is None:
        pytest.skip("Node 20 or newer is not installed")
    if not (WEB_DEMO / "node_modules").is_dir():
        pytest.skip("the npm packages are not installed; in web_demo: npm ci --ignore-scripts")
    return WEB_DEMO


def answers(web_demo: Path, model: Path, backend: str, scratch: Path) -> NDArray[np.float64]:
    """Returns (n, k) probabilities of the drawn faces."""
    (scratch / "faces.bin").write_bytes(FACES.tobytes())
    done = subprocess.run(
        ["node", "verify/run_tfjs.mjs", str(model), str(scratch / "faces.bin"), backend],
        cwd=web_demo,
        capture_output=True,
        text=True,
        check=True,
    )
    return np.array(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize(
    ("weights", "tolerance"),
    [("float32", 1e-5), ("float16", 1e-2)],  # half precision keeps 11 bits of each weight
)
def test_it_answers_like_the_network(
    weights: TfjsWeights,
    tolerance: float,
    backend: str,
    made: dict[TfjsWeights, Path],
    web_demo: Path,
    run: Run,
    tmp_path: Path,
) -> None:
    expected = softmax(logits_of(load_network(run.model), FACES))
    found = answers(web_demo, made[weights], backend, tmp_path)
    assert found.shape == expected.shape == (70, 7)
    assert np.abs(found - expected).max() <= tolerance
    assert expected.std() > 0.05


def test_its_manifest_stands_beside_it(made: dict[TfjsWeights, Path]) -> None:
    folder = made["float16"]
    manifest, whole = read_manifest(folder), read_manifest(folder.parent)
    assert set(manifest.files) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert {f"tfjs/{name}" for name in manifest.files} < set(whole.files)
    for name in manifest.files:
        assert 0 < len(manifest.read_file(folder, name)) < 4 * 1024 * 1024
    assert manifest.emotions == whole.emotions
    assert manifest.converter["tfjs"]["weights"] == "float16"
    assert manifest.converter["tfjs"]["tensorflowjs"] == "4.22.0"


def test_half_the_precision_is_half_the_bytes(made: dict[TfjsWeights, Path]) -> None:
    half, whole = (
        sum(path.stat().st_size for path in made[weights].glob("*.bin"))
        for weights in ("float16", "float32")
    )
    assert half == pytest.approx(whole / 2, rel=0.01)


def test_the_same_network_gives_the_same_bytes(
    made: dict[TfjsWeights, Path], run: Run, tmp_path: Path
) -> None:
    convert_tfjs(fold(load_network(run.model)), "float32", tmp_path, lambda _text: None)
    first, second = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (made["float32"], tmp_path / "tfjs")
    )
    assert first == second


@pytest.fixture
def page() -> None:
    """Skips where there is no browser or the page is not built."""
    try:
        find_browser(), find_page("verify")
    except MissingProgramError as exc:
        pytest.skip(str(exc))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize("engine", ["tfjs-wasm", "tfjs-cpu"])
def test_tfjs_in_a_browser(engine: Engine, made: dict[TfjsWeights, Path], run: Run) -> None:
    expected = softmax(logits_of(load_network(run.model), FACES))
    found = classify_in_browser(engine, files_of(made["float32"]), FACES)
    assert found.shape == (70, 7)
    assert np.abs(found - expected).max() <= 1e-5


@pytest.mark.usefixtures("page")
def test_litert_in_a_browser(exported: Run) -> None:
    """The very file that other devices run; XNNPACK's builds may round a step or two apart."""
    content = (exported.export / "int8.tflite").read_bytes()
    expected = Interpreter(content).probabilities(FACES[..., None])
    found = classify_in_browser("litert", {"model.tflite": content}, FACES)
    assert np.abs(found - expected).max() <= 2 / 256
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.98


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("engine", "model"),
    [
        ("tfjs-wasm", {"model.json": b"{}"}),
        ("tfjs-wasm", {}),
        ("litert", {"model.tflite": b"\x1c\x00\x00\x00TFL3"}),
    ],
    ids=["empty", "absent", "cut short"],
)
def test_a_model_that_is_none_is_refused(engine: Engine, model: dict[str, bytes]) -> None:
    with pytest.raises(EngineError, match=f"{engine} in the browser failed: .*Error"):
        classify_in_browser(engine, model, FACES)


def test_no_browser_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingProgramError, match="apt install chromium"):
        classify_in_browser("tfjs-cpu", {}, FACES)
