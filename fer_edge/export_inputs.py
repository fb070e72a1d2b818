"""What an export starts from beside the network: labels, samples of data, provenance."""

from dataclasses import dataclass
from typing import Any

from fer_edge import files
from fer_edge.calibration import Calibration, pick_calibration
from fer_edge.catalog import Model
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset, Source, Split
from fer_edge.errors import ConversionError
from fer_edge.runs import training_provenance


@dataclass(frozen=True)
class Sample:
    """Which training images int8 is calibrated on.

    Attributes:
        size: How many.
        seed: Of their choice.
    """

    size: int
    seed: int


def int8_of(model: Model) -> bytes:
    """Returns the int8 file that a shipped or exported model comes with; a run's is made anew."""
    has = model.run is None and any(file.variant == "int8" for file in model.files)
    return model.file("int8").read_bytes() if has and model.manifest else b""


def labels_and_samples(
    model: Model, sample: Sample | None, data: Source | str | None
) -> tuple[tuple[str, ...], Calibration | None, Split | None]:
    """Returns the labels, from the model itself where it knows them, and int8's two samples.

    Int8 is calibrated on the one and its confidence measured on the other, the validation split.

    Args:
        model: What is exported.
        sample: For int8; None asks for the labels alone.
        data: None for what a run was trained on.

    Raises:
        ConversionError: The data is not what the model was trained on, or nobody says what is.
    """
    training = training_of(model)
    known = model.manifest.emotions if model.manifest else training.get("data", {}).get("emotions")
    if sample is None and known:
        return tuple(known), None, None
    dataset = load_dataset(data or own_data(model))
    _refuse_other_data(model.name, dataset, training.get("data", {}))
    if sample is None:
        return dataset.emotions, None, None
    calibration = pick_calibration(dataset, n=sample.size, seed=sample.seed)
    return dataset.emotions, calibration, dataset.splits.get("validation")


def _refuse_other_data(name: str, dataset: Dataset, trained_on: dict[str, Any]) -> None:
    """Raises ConversionError unless the training images and emotions are a training's.

    Its images count, not its file: the same rows may come in another file, with other splits
    beside them, or with FER+'s votes joined. Of older runs only the file is known.
    """
    if "train_images_sha256" in trained_on:
        found, expected = dataset.split("train").images_sha256(), trained_on["train_images_sha256"]
    else:
        found, expected = dataset.sha256, trained_on.get("sha256", dataset.sha256)
    emotions = tuple(trained_on.get("emotions", dataset.emotions))
    if expected != found or emotions != dataset.emotions:
        raise ConversionError(
            f"{name} was trained on other data than {dataset.source.name}: expected training "
            f"images with SHA-256 {expected[:16]}… of {', '.join(emotions)}, found {found[:16]}… "
            f"of {', '.join(dataset.emotions)}. Calibration images have to be training images: "
            "pass the same data with --data."
        )


def own_data(model: Model) -> Source:
    """Returns the data that a run was trained on; raises ConversionError for other models."""
    if model.run is None:
        raise ConversionError(
            f"{model.name} does not say where its training images are, and they are needed. "
            "Pass the data that it was trained on with --data."
        )
    return model.run.data


def training_of(model: Model) -> dict[str, Any]:
    """Returns what is known of a model's training."""
    if model.run:
        return training_provenance(model.run.read_config())
    if model.manifest:
        return dict(model.manifest.training)
    assert model.network is not None  # noqa: S101  (checked by the caller)
    return {"network": model.network.name, "sha256": files.sha256_of(model.network)}
