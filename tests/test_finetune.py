"""Fine-tuning on a folder of one's own faces: the tutorial's commands, and what is kept."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fer_edge.catalog import SHIPPED, network_emotions
from fer_edge.data.sample import draw_face, sample_dataset
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset
from fer_edge.data.write import write_folders
from fer_edge.errors import DataError
from fer_edge.images import encode_image
from fer_edge.improvement import measure_improvement
from fer_edge.keras_network import load_network, logits_of
from fer_edge.model import build_model
from fer_edge.objective import start_from
from fer_edge.runs import Run
from tests.test_cli import ROOT, invoke

SMALL = SHIPPED / "small" / "float.keras"
EMOTIONS = network_emotions(SMALL)


TUTORIAL = (ROOT / "docs" / "FINETUNE.md").read_text()
COMMANDS = re.findall(r"^fer-edge .*$", TUTORIAL.partition("executed by")[2], re.MULTILINE)[:5]


@pytest.mark.slow
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands as they stand: 7 x 40 drawn faces in folders, better after than before."""
    monkeypatch.chdir(tmp_path)
    outputs = {}
    for command in COMMANDS:
        done = invoke(*shlex.split(command)[1:])
        assert done.exit_code == 0, (command, done.stderr)
        outputs[command.split()[1]] = done.stdout
    assert len(list(Path("photos").glob("*/*.png"))) == 280
    assert "photos, test split, n = 28" in outputs["train"]
    figures = r"top-1 %\D+([\d.]+) \([\d.]+–[\d.]+\)\D+([\d.]+) \("
    ((before, after),) = re.findall(figures, outputs["train"])
    assert float(after) > float(before) + 15
    run = Run(Path("runs/mine"))
    assert (run.read_recipe().arch, run.read_recipe().learning_rate) == ("small", 1e-3)
    assert run.data.name == str(tmp_path / "photos")
    assert {"int8", "float32"} <= set(outputs["bench"].split())


def test_a_head_for_fewer_emotions_keeps_what_it_knew() -> None:
    few = ("happy", "sad", "contempt")
    network = load_network(SMALL)
    model = build_model("small", 3)
    fresh = model.get_layer("logits").get_weights()
    start_from(model, network, few, EMOTIONS)
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48)).astype(np.uint8)
    columns = [EMOTIONS.index("happy"), EMOTIONS.index("sad")]
    np.testing.assert_allclose(
        logits_of(model, faces)[:, :2], logits_of(network, faces)[:, columns], atol=1e-5
    )
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_array_equal(kernel[:, 2], fresh[0][:, 2])
    assert bias[2] == fresh[1][2]


def test_before_and_after_of_the_same_network_are_the_same() -> None:
    drawn = sample_dataset(n_per_class=(2, 6, 2))
    found = measure_improvement(SMALL, SMALL, drawn)
    assert found is not None
    assert (found.data.name, found.before.top1) == ("validation", found.after.top1)
    assert 0.2 < found.after.top1.value < 1
    assert found.after.against_float is not None
    assert found.after.against_float.mcnemar_p == 1.0


def test_what_folders_hold_is_what_was_written(drawn: Dataset, tmp_path: Path) -> None:
    n = write_folders(drawn, tmp_path / "faces")
    again = load_dataset(str(tmp_path / "faces"))
    assert n == sum(map(len, drawn.splits.values())) == 350
    for name, split in drawn.splits.items():
        other = again.split(name)
        order = np.argsort([again.names[i] for i in other.ids])
        images = sorted(
            (drawn.emotions[label], f"{i:05d}", image.tobytes())
            for label, i, image in zip(split.labels, split.ids, split.images, strict=True)
        )
        assert [image for _, _, image in images] == [other.images[i].tobytes() for i in order]


def test_writing_destroys_nothing_that_it_did_not_make(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    assert invoke("data", "write", "sample", "--limit", "2", "--out", photos).exit_code == 0
    for target in (photos, photos / "inside", tmp_path):
        done = invoke("data", "write", photos, "--out", target, "--force")
        assert (done.exit_code, "inside it, or around it" in done.stderr) == (1, True)
    again = invoke("data", "write", "sample", "--limit", "1", "--out", photos, "--force")
    assert again.exit_code == 0
    (photos / "thesis.txt").write_text("years of work")
    done = invoke("data", "write", "sample", "--limit", "1", "--out", photos, "--force")
    assert "thesis.txt, which fer-edge data write has not made" in done.stderr
    assert (photos / "thesis.txt").read_text() == "years of work"


def test_before_counts_what_it_never_learnt_as_wrong(tmp_path: Path) -> None:
    """A network of happy and sad, and the shipped one, on sad and contempt."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for emotion in ("sad", "contempt"):
        (folder / emotion).mkdir(parents=True)
        for number in range(10):
            face = rng.integers(0, 256, (48, 48)).astype(np.uint8)
            (folder / emotion / f"{number}.png").write_bytes(encode_image(face, ".png"))
    dataset = load_dataset(str(folder))
    assert dataset.emotions == ("sad", "contempt")
    two = tmp_path / "two.keras"
    build_model("nano", 2).save(two)
    found = measure_improvement(SMALL, two, dataset)
    assert found is not None
    assert found.before.per_emotion["contempt"].recall == 0
    assert (found.before.per_emotion["sad"].recall, found.data.name) == (1, "test")
    assert measure_improvement(two, two, dataset) is None  # nothing says what it answers


def test_a_run_is_measured_on_its_own_emotions_and_warns_of_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, emotions in (("mine", ("angry", "fear")), ("other", ("happy", "sad"))):
        rng = np.random.default_rng(1)
        for emotion in emotions:
            (tmp_path / folder / emotion).mkdir(parents=True)
            for number in range(10):
                face = draw_face(emotion, rng)
                path = tmp_path / folder / emotion / f"{number}.png"
                path.write_bytes(encode_image(face, ".png"))
    quick = ("--recipe", "quickstart", "--epochs", "1", "--out", "runs/mine")
    assert invoke("train", "--data", "mine", *quick).exit_code == 0
    measure = ("bench", "runs/mine", "--rounds", "5", "--no-cold-start")
    assert "warning" not in invoke(*measure).stderr
    done = invoke(*measure, "--data", "other")
    assert (done.exit_code, "answers angry, fear, and other is labelled" in done.stderr) == (
        1,
        True,
    )
    (tmp_path / "mine" / "fear" / "0.png").unlink()
    assert "warning: " in invoke(*measure, "--force").stderr


def test_one_split_and_a_limit(drawn: Dataset, tmp_path: Path) -> None:
    assert write_folders(drawn, tmp_path / "some", split="test", limit=3) == 21
    assert {path.parent.name for path in (tmp_path / "some").glob("*/*.png")} == set(drawn.emotions)
    with pytest.raises(DataError, match="has no train split"):
        write_folders(
            Dataset(drawn.source, "", drawn.emotions, {}), tmp_path / "none", split="train"
        )
    assert not (tmp_path / "none").exists()
