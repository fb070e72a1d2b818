"""The command line: help, exit codes, one line for each known fault, and documents that parse."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from fer_edge.cli import app, data
from fer_edge.data.sample import draw_scene
from fer_edge.runs import Run

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "quickstart",
    "train",
    "teach",
    "export",
    "bench",
    "verify",
    "predict",
    "camera",
    "doctor",
    "demo",
    "inspect",
    "model",
    "data fetch",
    "data audit",
    "data show",
    "data write",
)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Two drawn people."""
    path = tmp_path / "two.png"
    scene = draw_scene(["happy", "surprise"], np.random.default_rng(3))
    cv2.imwrite(str(path), scene.image)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = invoke(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"fer-edge {command}" in re.sub(r"\s+", " ", done.stdout)
    assert "Example" in done.stdout


def test_the_list_of_commands_is_complete() -> None:
    names = {command.name for command in app.registered_commands}
    groups = {f"data {command.name}" for command in data.app.registered_commands}
    assert names | groups == set(COMMANDS)


def test_version_and_nothing() -> None:
    assert invoke("--version").stdout.startswith("fer-edge 0.")
    assert "Usage" in invoke().stdout


def test_usage_errors_exit_2() -> None:
    assert invoke("no-such-command").exit_code == 2
    assert invoke("bench").exit_code == 2
    assert invoke("data", "show", "sample", "--columns", "0").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("model", "large"), "no architecture 'large'"),
        (("train", "--data", "absent.csv"), "There is no data set 'absent.csv'"),
        (("train", "--recipe", "absent"), "no recipe 'absent'"),
        (("train", "--set", "zoom=1"), "no field zoom"),
        (("train", "--epochs", "0"), "epochs: expected 1 to"),
        (("train", "--init", "absent"), "no model 'absent'"),
        (("export", "absent", "--int8"), "no model 'absent'"),
        (("bench", "absent"), "no model 'absent'"),
        (("bench", "absent", "--gate", "int8"), "Expected a gate such as"),
        (("predict", "absent.jpg"), "absent.jpg"),
        (("demo", "--page", "absent"), "absent holds no index.html"),
        (("predict", "absent.jpg", "--detector", "mtcnn"), "Expected the detector haar"),
    ],
)
def test_known_faults_are_one_line_and_exit_1(
    arguments: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 1
    assert says in done.stderr
    assert "Traceback" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_model_table_and_json() -> None:
    assert "67,975" in invoke("model", "nano").stdout
    document = json.loads(invoke("model", "nano", "--json").stdout)
    assert document["schema_version"] == 1
    assert sum(layer["n_parameters"] for layer in document["layers"]) == 67_975


def test_data_show_writes_a_png_and_keeps_an_old_one(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert invoke("data", "show", "sample", "--split", "test", "--out", out).exit_code == 0
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[0] > 7 * 48
    before = out.read_bytes()
    again = invoke("data", "show", "sample", "--out", out)
    assert (again.exit_code, out.read_bytes()) == (1, before)
    assert "--force" in again.stderr


def test_train_then_refuse_then_resume(drawn_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--data", drawn_csv, "--arch", "nano", "--epochs", "2", "--out", out)
    done = invoke("train", *options)
    assert done.exit_code == 0, done.output
    assert re.match(r"kept epoch [12] of 2: ", done.stdout)
    assert "train split cleaned: 210 rows kept" in done.stderr
    assert "fer-edge export" in done.stderr
    again = invoke("train", *options)
    assert again.exit_code == 1
    assert "pass --resume to go on with its training, pass --force to replace" in again.stderr
    other = invoke("train", "--data", drawn_csv, "--seed", "5", "--out", out, "--resume")
    assert (other.exit_code, "seed is 0 there and 5 here" in other.stderr) == (1, True)
    same = invoke("train", "--out", out, "--resume", "--set", "stop_after=1")  # has run two
    assert (same.exit_code, same.stdout) == (0, done.stdout), same.output


def test_predict_json_lines(exported: Run, picture: Path) -> None:
    for model in (exported.folder, "small"):
        done = invoke("predict", picture, "--model", model, "--json")
        assert done.exit_code == 0, done.output
        (line,) = done.stdout.splitlines()
        document = json.loads(line)
        assert (document["width"], document["height"]) == (640, 480)
        assert len(document["faces"]) == 2
        for face in document["faces"]:
            assert sum(face["probabilities"].values()) == pytest.approx(1, abs=0.03)
            assert max(face["probabilities"], key=face["probabilities"].get) == face["emotion"]
    # Of what ships; what the other learned in six epochs depends on the processor.
    assert [face["emotion"] for face in document["faces"]] == ["happy", "surprise"]


def test_predict_saves_copies_and_skips_what_it_cannot_read(
    exported: Run, picture: Path, tmp_path: Path
) -> None:
    (picture.parent / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    options = ("--model", exported.folder, "--save", tmp_path / "out")
    done = invoke("predict", picture.parent, *options)
    assert done.exit_code == 0, done.output
    assert "happy" in done.stdout
    assert "broken.jpg" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["two.jpg"]
    again = invoke("predict", picture, *options)
    assert (again.exit_code, "--force" in again.stderr) == (1, True)
    strict = invoke("predict", picture.parent, "--model", exported.folder, "--strict")
    assert (strict.exit_code, "broken.jpg" in strict.stderr) == (1, True)


def test_predict_reads_films(exported: Run, picture: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    image = cv2.imread(str(picture))
    assert image is not None
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    for _ in range(30):
        writer.write(image)
    writer.release()
    done = invoke("predict", film, "--model", exported.folder, "--json", "--every", "1")
    times = [json.loads(line)["time_s"] for line in done.stdout.splitlines()]
    assert times == pytest.approx([0, 1, 2])


def test_predict_wants_to_know_the_labels(exported: Run, picture: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "int8.tflite").write_bytes((exported.export / "int8.tflite").read_bytes())
    done = invoke("predict", picture, "--model", bare / "int8.tflite")
    assert (done.exit_code, "no manifest.json beside it" in done.stderr) == (1, True)


def test_a_missed_gate_exits_3_and_keeps_the_samples(exported: Run, tmp_path: Path) -> None:
    options = ("bench", exported.export / "int8.tflite", "--rounds", "5", "--no-cold-start")
    missed = invoke(*options, "--gate", "int8.top1>=1.01", "--out", tmp_path / "b.json")
    assert missed.exit_code == 3, missed.output
    assert "int8.top1>=1.01" in missed.stderr
    assert json.loads((tmp_path / "b.json").read_text())["results"]
    passed = invoke(*options, "--gate", "int8.top1>=0.1", "--json")
    assert passed.exit_code == 0, passed.output
    assert json.loads(passed.stdout)["data"]["source"] == "sample"


def test_a_missing_extra_says_what_to_install() -> None:
    """In a Python that has the base install and no Keras."""
    script = (
        "import sys; sys.modules['keras'] = None\n"
        "from fer_edge.cli import main\n"
        "sys.argv = ['fer-edge', 'model', 'nano']\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'fer-edge[train]'" in done.stderr


def test_predict_needs_no_training_packages(exported: Run, picture: Path) -> None:
    heavy = ["tensorflow", "keras", "jax", "matplotlib", "tomli_w", "kagglehub"]
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({heavy!r}))\n"
        "from fer_edge.cli import main\n"
        f"sys.argv = ['fer-edge', 'predict', {str(picture)!r}, '--model', "
        f"{str(exported.folder)!r}]\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "happy" in done.stdout) == (0, True), done.stderr
    assert "XNNPACK" not in done.stderr


def test_interrupting_a_training_exits_130(drawn_csv: Path, tmp_path: Path) -> None:
    import signal
    import time

    out = tmp_path / "run"
    options = ["train", "--data", str(drawn_csv), "--arch", "nano", "--epochs", "500"]
    arguments = ["fer-edge", *options, "--out", str(out)]
    # A shell that runs the tests in the background has them, and so us, ignore SIGINT.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from fer_edge.cli import main; sys.argv = {arguments}\n"
        "main()"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not Run(out).checkpoint.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors


def test_an_unwritable_folder() -> None:
    """Nobody can make files in /proc, root included."""
    done = invoke("data", "show", "sample", "--out", "/proc/sheets/sheet.png")
    assert (done.exit_code, "Cannot write" in done.stderr) == (1, True)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A process that may write 4 KiB a file, which is what a full disk looks like to it."""
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from fer_edge.cli import main\n"
        "sys.argv = ['fer-edge', 'data', 'show', 'sample', '--out', 'sheet.png']\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Cannot write" in done.stderr) == (1, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lone_broken_picture_is_an_error(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    done = invoke("predict", tmp_path / "broken.png", "--model", exported.folder)
    assert (done.exit_code, "broken.png" in done.stderr) == (1, True)


def test_copies_never_replace_the_pictures(exported: Run, picture: Path) -> None:
    original = picture.with_suffix(".jpg")
    image = cv2.imread(str(picture))
    assert image is not None
    cv2.imwrite(str(original), image)
    before = original.read_bytes()
    options = ("--model", exported.folder, "--save", original.parent, "--force")
    done = invoke("predict", original, *options)
    assert (done.exit_code, original.read_bytes() == before) == (1, True)
