"""Every set that people train on, from its name or layout to a benchmark: real rows re-laid."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.contract import EMOTIONS, read_manifest
from fer_edge.data.ferplus import COLUMNS
from fer_edge.data.kaggle import KAGGLE_SETS
from fer_edge.data.split import Dataset
from tests import layouts
from tests.conftest import csv_text
from tests.test_cli import invoke

WRITERS: dict[str, Callable[[Path, Dataset], Path]] = {
    "fer2013": layouts.write_fer2013_kaggle,
    "fer-challenge": layouts.write_competition,
    "face-expression": layouts.write_face_expression,
    "human-face-emotions": layouts.write_human_face_emotions,
    "fer2013-folders": layouts.write_fer2013_folders,
}
FIVE = ["angry", "fear", "happy", "sad", "surprise"]


@pytest.fixture(scope="module")
def rows(fer2013: Path) -> Dataset:
    return layouts.real_rows(fer2013)


def train_and_bench(source: str, *options: str) -> dict[str, object]:
    """Trains for one epoch, measures, and returns what the benchmark says of its data."""
    one_epoch = ("--recipe", "quickstart", "--epochs", "1", "--out", "runs/one")
    done = invoke("train", "--data", source, *options, *one_epoch)
    assert done.exit_code == 0, done.stderr
    done = invoke("bench", "runs/one", "--rounds", "5", "--no-cold-start", "--json")
    assert done.exit_code == 0, done.stderr
    measured = json.loads(done.stdout)
    (result,) = measured["results"]
    assert result["variant"] == "keras"
    return {**measured["data"], "emotions": list(result["evaluation"]["per_emotion"])}


@pytest.mark.parametrize("name", KAGGLE_SETS)
def test_kaggle_sets_by_name(
    name: str, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a cache that kagglehub could have filled, with no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    assert f"fer-edge data fetch {name}" in invoke("train", "--data", name).stderr
    found = KAGGLE_SETS[name]
    found.folder.mkdir(parents=True)
    WRITERS[name](found.folder, rows)
    found.beside(".complete").touch()
    data = train_and_bench(name)
    assert (data["source"], data["split"]) == (name, "validation")
    expected = {"human-face-emotions": FIVE}.get(name, list(EMOTIONS))
    assert data["emotions"] == expected


@pytest.mark.parametrize("packing", ["folder", "zip", "tar.gz"])
def test_layouts_by_path(
    packing: str, rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = layouts.write_fer2013_folders(tmp_path / "mine", rows)
    contents = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*.*"))
    }
    if packing == "zip":
        source = layouts.write_zip(tmp_path / "mine.zip", contents)
    elif packing == "tar.gz":
        source = layouts.write_tar(tmp_path / "mine.tar.gz", contents)
    assert train_and_bench(str(source))["emotions"] == list(EMOTIONS)


def test_train_csv_alone(rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = layouts.write_competition(tmp_path / "challenge", rows)
    data = train_and_bench(str(folder / "train.csv"))
    assert (data["source"], data["split"]) == ("train.csv", "validation")
    assert "nothing to learn from it" in invoke("train", "--data", folder / "test.csv").stderr


def test_eight_classes_of_ferplus(
    drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From votes beside the rows, by relative paths, to int8 and a benchmark from elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text(csv_text(drawn))
    column = dict(zip(EMOTIONS, (4, 5, 6, 1, 3, 2, 0), strict=True))
    usage = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    lines = ["Usage,Image name," + ",".join(COLUMNS[2:])]
    for name, split in drawn.splits.items():
        for number, label in enumerate(split.labels):
            votes = [0] * 10
            votes[7 if number % 10 == 0 else column[EMOTIONS[label]]] = 10
            lines.append(f"{usage[name]},,{','.join(map(str, votes))}")
    Path("votes.csv").write_text("\n".join(lines) + "\n")
    options = ("--data", "rows.csv", "--ferplus", "votes.csv", "--labels", "ferplus8")
    quick = ("--recipe", "quickstart", "--epochs", "2", "--out", "runs/eight")
    assert invoke("train", *options, *quick).exit_code == 0
    assert invoke("export", "runs/eight", "--int8").exit_code == 0
    manifest = read_manifest(Path("runs/eight/export"))
    assert manifest.emotions == (*EMOTIONS, "contempt")
    assert manifest.calibration["source"] == "rows.csv, FER+ votes (ferplus8 labels)"
    assert manifest.training["data"]["ferplus"] == "votes.csv"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    measure = ("bench", "../runs/eight", "--rounds", "5", "--no-cold-start")
    done = invoke(*measure, "--json")
    assert done.exit_code == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert list(results[0]["evaluation"]["per_emotion"])[-1] == "contempt"
    assert "answers" in invoke(*measure, "--data", "../rows.csv", "--force").stderr


def test_photographs_whose_faces_are_found(
    rows: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cascade does not find is counted, and the run remembers the detector."""
    monkeypatch.chdir(tmp_path)
    source = layouts.write_human_face_emotions(tmp_path / "photos", rows)
    data = train_and_bench(str(source), "--detect", "haar")
    assert data["source"] == "photos, faces by haar"
    assert "no face found" in invoke("data", "show", source, "--detect", "haar").stderr
