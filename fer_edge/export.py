"""From a trained float network to checked model files and their manifest.

float network -> fold (one place, checked) -> for int8 weights equalised and rounded -> converter
program -> contract checked -> int8's confidence measured -> manifest.
Everything is made in a temporary folder and moved into place when all of it is right.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import __version__, files
from fer_edge.calibration import CALIBRATION_SIZE
from fer_edge.catalog import FLOAT_NETWORK, Model
from fer_edge.contract import INT8_FILE, Manifest, write_manifest
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Source
from fer_edge.deploy import check_fold, fold
from fer_edge.errors import ConfigError, ConversionError
from fer_edge.export_folder import (
    describe_files,
    describe_rest,
    find_not_reproducible,
    refuse_folder,
)
from fer_edge.export_inputs import Sample, int8_of, labels_and_samples, training_of
from fer_edge.keras_network import load_network
from fer_edge.pi import write_pi
from fer_edge.quantization import (
    Agreement,
    Int8Record,
    Rounding,
    measure_int8,
    prepare_int8,
    write_analysis,
)
from fer_edge.runtime import runtime_version
from fer_edge.sensitivity import Sensitivity, compare
from fer_edge.targets import (
    WITH_MANIFEST,
    TfjsWeights,
    convert_for_targets,
    convert_tflite,
)
from fer_edge.web import find_web_page, write_web

OF_INT8 = {"int8", "mcu", "android", "web", "pi"}
FOLD_FACES = 64  # that the folded network is compared on


@dataclass(frozen=True)
class Export:
    """What to export.

    Attributes:
        variants: Of `float16`, `dynamic`, `int8`, `saved_model`, `keras`, `tfjs`, `mcu`,
            `android`, `web` and `pi`; float32 always is.
        seed: Of the calibration sample.
        calibration_size: Images in it.
        rounding: How int8's weights are rounded: `calibrated`, after their ranges are equalised,
            so that the answers move least; or `nearest`, which is the converter's own.
        analyze: Measure what int8 does to each layer.
        tfjs_weights: How TF.js's weights are stored.
    """

    variants: tuple[str, ...]
    seed: int = 0
    calibration_size: int = CALIBRATION_SIZE
    rounding: Rounding = "calibrated"
    analyze: bool = False
    tfjs_weights: TfjsWeights = "float16"

    def __post_init__(self) -> None:
        if self.analyze and "int8" not in self.variants:
            raise ConfigError("An analysis is of int8's effect on each layer. Add --int8.")

    @property
    def takes_int8(self) -> bool:
        """Whether something of it is the int8 model or made of it."""
        return bool(OF_INT8 & set(self.variants))

    @property
    def takes_int8_as_it_is(self) -> bool:
        """Whether an int8 file that a model comes with will do: nothing is asked of its making."""
        return self.takes_int8 and self == Export(self.variants, tfjs_weights=self.tfjs_weights)


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        folder: Where.
        model: What `bench` takes to measure it.
        manifest: What it holds.
        fold_error: Largest difference of a probability between trained and deployed network.
        n_folded: Faces that it was looked for on.
        agreement: Of int8 with float; None without int8.
        sensitivity: Of each layer to 8 bits, where that was asked for.
    """

    folder: Path
    model: str
    manifest: Manifest
    fold_error: float
    n_folded: int
    agreement: Agreement | None = None
    sensitivity: tuple[Sensitivity, ...] = ()


def export_model(
    model: Model,
    export: Export,
    *,
    data: Source | str | None = None,
    folder: Path | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _text: None,
) -> Exported:
    """Exports a float network.

    Args:
        model: With a float network.
        export: What to make of it.
        data: Where the labels, the calibration images and the faces that int8's confidence is
            measured on come from; a run knows its own, and a shipped or exported model's int8
            file is taken as it is.
        folder: Where the files and the manifest go; a run's own `export` by default.
        force: Replace an existing export.
        say: Told what happens.

    Raises:
        ConversionError: The network cannot become what was asked; nothing is left behind.
        MissingProgramError: The page for `web` is not built.
        OutputError: The folder holds an export and not `force`, or cannot be written.
    """
    if model.network is None:
        raise ConversionError(
            f"{model.name} has no float network to export from. "
            "Expected a run folder, a shipped model's name or a .keras file."
        )
    folder = folder or (model.run.export if model.run else Path("exports") / model.name)
    refuse_folder(folder, force=force)
    page = find_web_page() if "web" in export.variants else None
    network = load_network(model.network)
    reused = int8_of(model) if data is None and export.takes_int8_as_it_is else b""
    sample = Sample(export.calibration_size, export.seed)
    needed = sample if export.takes_int8 and not reused else None
    emotions, calibration, validation = labels_and_samples(model, needed, data)
    if network.output_shape[1] != len(emotions):
        raise ConversionError(
            f"{model.name} tells {network.output_shape[1]} classes apart, and its labels are "
            f"{', '.join(emotions)}. Expected the data that it was trained on."
        )
    deployed = fold(network)
    faces = (calibration.images if calibration else _drawn_faces())[:FOLD_FACES]
    error = check_fold(network, deployed, faces)
    sensitivity: tuple[Sensitivity, ...] = ()
    with files.replacing(folder) as target:
        target.mkdir()
        networks = {"network": deployed}
        if calibration:
            prepared = prepare_int8(deployed, calibration.images, export.rounding, say)
            networks["int8-network"] = prepared
        if calibration and export.analyze:
            say("measuring how sensitive each layer is to 8 bits")
            sensitivity = compare(deployed, prepared, calibration.images)
            write_analysis(target, sensitivity)
        converted = convert_tflite(networks, export.variants, calibration, target, say)
        if reused and model.manifest:
            say(f"taking the int8 file that comes with {model.name}")
            (target / INT8_FILE).write_bytes(reused)
            int8 = Int8Record.of(model.manifest)
        elif calibration:
            agreement, confidence = measure_int8(target, calibration, validation, say)
            rounding = {"int8_rounding": export.rounding}
            int8 = Int8Record(calibration.provenance, confidence, rounding, agreement)
        else:
            int8 = Int8Record()
        converted |= convert_for_targets(
            deployed,
            export.variants,
            model.name,
            emotions,
            target,
            say,
            tfjs_weights=export.tfjs_weights,
        )
        if model.run is None:  # a run has its network; elsewhere the export stands alone
            shutil.copyfile(model.network, target / FLOAT_NETWORK)
        manifest = Manifest(
            name=model.name,
            emotions=emotions,
            files=describe_files(target, len(emotions)),
            training=training_of(model),
            calibration=int8.calibration,
            converter={
                "fer_edge": __version__,
                "runtime": runtime_version(),
                **int8.converter,
                **converted,
            },
            scores=int8.scores,
            confidence=int8.confidence,
            not_reproducible=find_not_reproducible(target),
        )
        write_manifest(target, manifest)
        for part in WITH_MANIFEST:
            if (target / part).is_dir():
                write_manifest(target / part, manifest.part(part))
        if page:
            write_web(page, target)
        if "pi" in export.variants:
            say("packing the bundle for a Raspberry Pi")
            write_pi(target)
        rest = describe_rest(target, manifest.files)
        manifest = replace(manifest, files={**manifest.files, **rest})
        write_manifest(target, manifest)
    named = str(model.run.folder if model.run else folder)
    return Exported(folder, named, manifest, error, len(faces), int8.agreement, sensitivity)


def _drawn_faces() -> NDArray[np.uint8]:
    return sample_dataset(n_per_class=(10, 1, 1)).split("train").images
