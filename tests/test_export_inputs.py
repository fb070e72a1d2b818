"""What int8 is calibrated on: the very images of the training, whatever file they come in."""

import shutil
from pathlib import Path

import pytest
import tomli_w

from fer_edge.catalog import find_source
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Source
from fer_edge.errors import ConversionError
from fer_edge.export_inputs import Sample, labels_and_samples
from fer_edge.runs import Run
from tests.conftest import csv_text

SAMPLE = Sample(size=10, seed=0)


@pytest.fixture(scope="module")
def same_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's images as a CSV, which the run has not seen."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    path.write_text(csv_text(sample_dataset()))
    return path


def test_the_same_images_from_another_file_are_taken(run: Run, same_rows: Path) -> None:
    model = find_source(str(run.folder))
    _, own, _ = labels_and_samples(model, SAMPLE, None)
    emotions, calibration, validation = labels_and_samples(model, SAMPLE, Source(str(same_rows)))
    assert own is not None
    assert calibration is not None
    assert validation is not None
    assert emotions == sample_dataset().emotions
    assert (calibration.images == own.images).all()


def test_one_other_pixel_is_another_data_set(run: Run, same_rows: Path, tmp_path: Path) -> None:
    head, first, *rest = same_rows.read_text().splitlines(keepends=True)
    label, pixel, others = first[:2], first[2:].split(" ", 1)[0], first[2:].split(" ", 1)[1]
    changed = tmp_path / "changed.csv"
    changed.write_text(head + label + str((int(pixel) + 1) % 256) + " " + others + "".join(rest))
    with pytest.raises(ConversionError, match="training images with SHA-256"):
        labels_and_samples(find_source(str(run.folder)), SAMPLE, Source(str(changed)))


def test_other_emotions_are_another_data_set(run: Run, same_rows: Path, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    copy = Run(tmp_path / "run")
    config = copy.read_config()
    config["data"]["emotions"] = config["data"]["emotions"][::-1]
    copy.config.write_text(tomli_w.dumps(config))
    with pytest.raises(ConversionError, match=r"of neutral, surprise, .* of angry, disgust"):
        labels_and_samples(find_source(str(copy.folder)), SAMPLE, Source(str(same_rows)))


def test_of_an_older_run_the_file_counts(run: Run, same_rows: Path, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    copy = Run(tmp_path / "run")
    config = copy.read_config()
    del config["data"]["train_images_sha256"]
    copy.config.write_text(tomli_w.dumps(config))
    model = find_source(str(copy.folder))
    labels_and_samples(model, SAMPLE, None)
    with pytest.raises(ConversionError, match="was trained on other data"):
        labels_and_samples(model, SAMPLE, Source(str(same_rows)))
