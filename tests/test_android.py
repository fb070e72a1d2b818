"""The Android asset: the bits of the int8 model, its labels inside, and MediaPipe's own reading."""

import subprocess
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from fer_edge import android, converter
from fer_edge.catalog import SHIPPED
from fer_edge.cli import app
from fer_edge.contract import ANDROID_ASSET, EMOTIONS, RGB_INPUT_SHAPE, read_manifest
from fer_edge.converter import run_converter
from fer_edge.data.sources import load_dataset
from fer_edge.errors import ConversionError
from fer_edge.golden import golden_inputs
from fer_edge.runs import Run
from fer_edge.runtime import Interpreter, Kernels
from tests.conftest import write_program

ASSETS = Path(__file__).parents[1] / "android_assets"
SMALL = (SHIPPED / "small" / "int8.tflite").read_bytes()
WEIGHTS = bytes([65, 127, 25])


@pytest.fixture(scope="module")
def asset() -> bytes:
    """What is in android_assets/, which `test_the_assets_are_of_the_shipped_model` looks after."""
    return (ASSETS / ANDROID_ASSET).read_bytes()


def test_the_assets_are_of_the_shipped_model(tmp_path: Path) -> None:
    """`scripts/android_assets.py` writes them anew where this fails."""
    (tmp_path / "int8.tflite").write_bytes(SMALL)
    emotions = read_manifest(SHIPPED / "small").emotions
    android.write_android(tmp_path, "small", emotions, lambda _text: None)
    manifest = read_manifest(ASSETS)
    assert set(manifest.files) == {ANDROID_ASSET, android.LABELS, "README.md"}
    for name in manifest.files:
        made = (tmp_path / android.FOLDER / name).read_bytes()
        assert manifest.read_file(ASSETS, name) == made, f"{name} is stale"
    assert manifest.emotions == emotions
    described = manifest.files[ANDROID_ASSET]
    assert described.input is not None
    assert described.output is not None
    assert (described.input.shape, described.input.dtype) == (RGB_INPUT_SHAPE, "uint8")
    assert (described.input.scale, described.input.zero_point) == (1, 0)
    assert (described.output.scale, described.output.zero_point) == (1 / 256, 0)


@pytest.mark.parametrize("kernels", ["xnnpack", "builtin", "reference"])
def test_a_gray_face_gets_the_same_bits(kernels: Kernels, asset: bytes) -> None:
    faces = golden_inputs().images
    expected = Interpreter(SMALL, kernels=kernels).probabilities(faces[..., None])
    found = Interpreter(asset, kernels=kernels).probabilities(android.as_rgb(faces))
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(expected, axis=0)) > 200


def coloured(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 48, 48, 3), dtype=np.uint8)


def test_a_coloured_face_is_made_gray_as_opencv_does(asset: bytes) -> None:
    faces = coloured(60)
    gray = np.rint(faces @ np.array([65, 127, 25]) / 217).astype(np.uint8)
    expected = Interpreter(SMALL).probabilities(gray[..., None])
    np.testing.assert_array_equal(Interpreter(asset).probabilities(faces), expected)
    of_opencv = cv2.cvtColor(faces.reshape(-1, 48, 3), cv2.COLOR_RGB2GRAY).reshape(gray.shape)
    assert np.abs(gray.astype(int) - of_opencv).max() == 1  # by rounding


@pytest.mark.parametrize("weights", [bytes([25, 127, 65]), bytes([66, 127, 25]), bytes(3)])
def test_another_weighting_is_caught(weights: bytes, asset: bytes) -> None:
    """Of swapped channels a gray face tells nothing, a coloured one does."""
    assert asset.count(WEIGHTS) == 1
    changed = asset.replace(WEIGHTS, weights)
    if sum(weights) == sum(WEIGHTS):
        found, expected = (Interpreter(a).probabilities(coloured(20)) for a in (changed, asset))
        assert not np.array_equal(found, expected)
    else:
        with pytest.raises(ConversionError, match="answers otherwise than the int8 model"):
            android.check_asset(changed, SMALL)


def test_an_asset_that_answers_otherwise_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A converter that writes another model's asset, small's for nano's."""
    body = f"""import shutil, sys
shutil.copyfile({str(ASSETS / ANDROID_ASSET)!r}, sys.argv[sys.argv.index("--out") + 1])
print('{{"versions": {{}}}}')
"""
    program = write_program(tmp_path / "android.py", f"numpy=={np.__version__}", body)
    monkeypatch.setattr(converter, "converter_path", lambda _name: program)
    (tmp_path / "int8.tflite").write_bytes((SHIPPED / "nano" / "int8.tflite").read_bytes())
    with pytest.raises(ConversionError, match="answers otherwise than the int8 model"):
        android.write_android(tmp_path, "nano", EMOTIONS, lambda _text: None)


def test_the_labels_are_inside(asset: bytes, tmp_path: Path) -> None:
    (tmp_path / "asset.tflite").write_bytes(asset)
    with zipfile.ZipFile(tmp_path / "asset.tflite") as packed:
        assert packed.read("labels.txt").decode().split() == list(EMOTIONS)
    assert (ASSETS / "labels.txt").read_text().split() == list(EMOTIONS)
    assert b"M001" in asset  # the metadata's identifier
    assert asset[4:8] == b"TFL3"


def test_a_model_that_begins_otherwise_is_refused(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    arguments = ["--int8", str(exported.export / "float32.tflite"), "--name", "x"]
    arguments += ["--labels", str(tmp_path / "labels.txt"), "--out", str(tmp_path / "asset")]
    with pytest.raises(ConversionError, match="makes int8 of uint8 gray levels"):
        run_converter("android", arguments)
    assert not (tmp_path / "asset").exists()


def test_a_shipped_model_is_exported_without_its_training_data(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", "small", "--android", "--mcu", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert (out / "int8.tflite").read_bytes() == SMALL
    assert (out / "android" / "fer_edge.tflite").read_bytes() == (
        ASSETS / "fer_edge.tflite"
    ).read_bytes()
    manifest, shipped = read_manifest(out), read_manifest(SHIPPED / "small")
    assert manifest.calibration == shipped.calibration
    assert manifest.confidence == shipped.confidence
    assert manifest.converter["int8"] == shipped.converter
    assert read_manifest(out / "android").files[ANDROID_ASSET].size_bytes == len(
        (out / "android" / "fer_edge.tflite").read_bytes()
    )


@pytest.mark.parametrize("option", ["--rounding=nearest", "--seed=3", "--analyze"])
def test_what_int8_is_made_of_needs_the_data(option: str, tmp_path: Path) -> None:
    arguments = ["export", "small", "--int8", "--android", option, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "Pass the data that it was trained on with --data" in " ".join(done.output.split())


def test_other_data_than_it_was_trained_on_are_refused(tmp_path: Path) -> None:
    arguments = ["export", "small", "--android", "--data", "sample", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "was trained on other data" in " ".join(done.output.split())


def test_predict_refuses_the_asset(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), golden_inputs().images[0])
    arguments = ["predict", str(tmp_path / "face.png"), "--detector", "none", "--model"]
    done = CliRunner().invoke(app, [*arguments, str(ASSETS / ANDROID_ASSET)])
    assert done.exit_code == 1
    assert "use the int8.tflite" in " ".join(done.output.split())


def in_mediapipe(asset: bytes, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns MediaPipe's answers; skips where its graphics libraries are absent."""
    libraries = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False)
    if "libEGL.so.1" not in libraries.stdout or "libGLESv2.so.2" not in libraries.stdout:
        pytest.skip("libEGL or libGLESv2 is not installed (Debian: libegl1, libgles2)")
    return android.classify_with_mediapipe(asset, faces, lambda _text: None)


@pytest.mark.network
def test_mediapipe_gives_the_same_bits(asset: bytes) -> None:
    faces = np.concatenate([android.as_rgb(golden_inputs().images), coloured(60)])
    np.testing.assert_array_equal(
        in_mediapipe(asset, faces), Interpreter(asset).probabilities(faces)
    )


@pytest.mark.network
def test_mediapipe_gives_the_same_bits_on_real_faces(asset: bytes, fer2013: Path) -> None:
    """300 crops of FER2013, whose answers are those of the gray file too."""
    faces = load_dataset(str(fer2013)).split("validation").images[:300]
    found = in_mediapipe(asset, android.as_rgb(faces))
    np.testing.assert_array_equal(found, Interpreter(SMALL).probabilities(faces[..., None]))
    assert len(set(found.argmax(axis=1).tolist())) == 7


@pytest.mark.network
def test_mediapipe_reads_the_labels_of_any_model(exported: Run, tmp_path: Path) -> None:
    emotions = ("böse", "a b", "c", "d", "e", "f", "g")
    (tmp_path / "int8.tflite").write_bytes((exported.export / "int8.tflite").read_bytes())
    android.write_android(tmp_path, "mine & yours", emotions, lambda _text: None)
    asset = (tmp_path / android.FOLDER / ANDROID_ASSET).read_bytes()
    faces = golden_inputs().images[:20]
    found = in_mediapipe(asset, android.as_rgb(faces))  # in the order of the labels inside
    expected = Interpreter((tmp_path / "int8.tflite").read_bytes()).probabilities(faces[..., None])
    np.testing.assert_array_equal(found, expected)
