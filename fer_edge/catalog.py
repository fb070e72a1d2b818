"""From what a user names to model files: a shipped model, a run, an export folder or one file."""

import platform
from dataclasses import dataclass
from pathlib import Path

from fer_edge.contract import MANIFEST_NAME, Manifest, has_manifest, read_manifest
from fer_edge.errors import ModelFormatError
from fer_edge.runs import Run

SHIPPED = Path(__file__).resolve().parent / "models"
FLOAT_NETWORK = "float.keras"
GRAPH_MODEL = "model.json"
BOARDS = ("aarch64", "armv7l", "armv6l")  # as Linux names the processors of small boards
TFLITE_VARIANTS = ("float32", "float16", "dynamic", "int8")


@dataclass(frozen=True)
class ModelFile:
    """One model file that can be opened.

    Attributes:
        variant: `int8`, `float32`, …, `keras`; a file without a manifest is called by its stem.
        path: Where it is.
        manifest: What describes it; None for a stranger.
    """

    variant: str
    path: Path
    manifest: Manifest | None

    def read_bytes(self) -> bytes:
        """Returns the file's bytes, checked against the manifest where there is one.

        Raises:
            ModelFormatError: The file cannot be read or is not the one described.
        """
        if self.manifest:
            return self.manifest.read_file(self.path.parent, self.path.name)
        try:
            return self.path.read_bytes()
        except OSError as exc:
            raise ModelFormatError(f"Cannot read {self.path}: {exc.strerror}.") from exc


@dataclass(frozen=True)
class Model:
    """What a name stands for.

    Attributes:
        name: For people and tables.
        files: Its files, float first, int8 last.
        network: The trained float network, answering logits; None where there is none.
        manifest: None for a stranger's file.
        run: The run folder that it is; None for other models.
    """

    name: str
    files: tuple[ModelFile, ...]
    network: Path | None
    manifest: Manifest | None
    run: Run | None = None

    def check_network(self) -> None:
        """Raises ModelFormatError when the float network is not the one that a manifest lists."""
        if self.network and self.manifest and self.network.name in self.manifest.files:
            self.manifest.read_file(self.network.parent, self.network.name)

    def file(self, variant: str) -> ModelFile:
        """Returns one variant.

        Raises:
            ModelFormatError: The model has no such variant.
        """
        for file in self.files:
            if file.variant == variant:
                return file
        have = ", ".join(file.variant for file in self.files) or "none"
        source = self.run.folder if self.run else self.name
        option = "" if variant == "float32" else f" --{variant}"  # float32 is always made
        raise ModelFormatError(
            f"{self.name} has no {variant} model; it has: {have}. "
            f"Make it with: fer-edge export {source}{option}"
        )


def default_model() -> str:
    """Returns the shipped model that suits this machine: `small` on an ARM board, else `base`."""
    suits = "small" if platform.machine() in BOARDS else "base"
    return suits if suits in shipped_names() else "small"


def shipped_names() -> list[str]:
    """Returns the names of the models that come with fer-edge."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST_NAME}"))


def find_model(name: str) -> Model:
    """Returns the model that `name` stands for.

    Args:
        name: A shipped model's name, a run folder, an export folder, or a `.tflite` or `.keras`
            file. A file that a manifest beside it lists is described by that manifest.

    Raises:
        ModelFormatError: There is no such model, or its manifest is damaged.
    """
    path = Path(name)
    if path.is_file():
        return _from_file(path)
    if Run(path).model.is_file():
        return _from_folder(path.resolve().name, Run(path).export, Run(path).model, Run(path))
    if (path / MANIFEST_NAME).is_file():
        return _from_folder(path.resolve().name, path, path / FLOAT_NETWORK)
    if name in shipped_names():
        return _from_folder(name, SHIPPED / name, SHIPPED / name / FLOAT_NETWORK)
    raise ModelFormatError(
        f"There is no model {name!r}. Expected {', '.join(shipped_names()) or 'a shipped name'}, "
        "a run folder with a finished training, an export folder, or a .tflite or .keras file."
    )


def find_tflite(name: str, variant: str) -> ModelFile:
    """Returns one `.tflite` file of the model that `name` stands for; a file is itself.

    Raises:
        ModelFormatError: There is no such model, or it has no such file.
    """
    model = find_model(name)
    if not Path(name).is_file():
        return model.file(variant)
    if not model.files:
        raise ModelFormatError(
            f"{name} is no .tflite file. Make one of it with: fer-edge export {name} --int8"
        )
    return model.files[0]


def find_graph_model(name: str, variant: str) -> Path | None:
    """Returns the `model.json` of a TF.js model that `name` stands for; None where it is another.

    Args:
        name: That file, the folder that it is in, or with the variant `tfjs` a run or an export.
        variant: What was asked for.

    Raises:
        ModelFormatError: `tfjs` was asked for, and the model has none.
    """
    path = Path(name)
    if path.name == GRAPH_MODEL and path.is_file():
        return path
    if (path / GRAPH_MODEL).is_file():
        return path / GRAPH_MODEL
    if variant != "tfjs":
        return None
    for folder in (Run(path).export, path):
        if (found := folder / "tfjs" / GRAPH_MODEL).is_file():
            return found
    raise ModelFormatError(
        f"{name} has no TF.js model. Make it with: fer-edge export {name} --tfjs"
    )


def find_source(name: str) -> Model:
    """Returns a model to export or start from: of a run only the network, not its last export.

    Raises:
        ModelFormatError: There is no such model, or its network is not what its manifest says.
    """
    run = Run(Path(name))
    if run.model.is_file():
        return Model(run.folder.resolve().name, (), run.model, None, run)
    model = find_model(name)
    model.check_network()
    return model


def find_network(name: str) -> Path:
    """Returns the float network of the model that `name` stands for.

    Raises:
        ModelFormatError: There is no such model, or it comes without one.
    """
    network = find_source(name).network
    if network is None:
        raise ModelFormatError(
            f"{name} has no float network. Expected a run folder, a shipped name or a .keras file."
        )
    return network


def network_emotions(network: Path) -> tuple[str, ...]:
    """Returns what a network's answers mean, from what lies beside it; () where nothing says."""
    folder = network.parent
    if has_manifest(folder) and network.name in (manifest := read_manifest(folder)).files:
        return manifest.emotions
    run = Run(folder)
    if run.config.is_file():
        return tuple(run.read_config().get("data", {}).get("emotions", ()))
    return ()


def _from_folder(name: str, folder: Path, network: Path, run: Run | None = None) -> Model:
    """Returns the model of an export folder; a run that was not exported yet has no files."""
    if not (folder / MANIFEST_NAME).is_file():
        return Model(name, (), network, None, run)
    manifest = read_manifest(folder)
    files = tuple(
        ModelFile(variant, folder / f"{variant}.tflite", manifest)
        for variant in TFLITE_VARIANTS
        if f"{variant}.tflite" in manifest.files
    )
    return Model(name, files, network if network.is_file() else None, manifest, run)


def _from_file(path: Path) -> Model:
    manifest = read_manifest(path.parent) if has_manifest(path.parent) else None
    if manifest and path.name not in manifest.files:
        manifest = None
    if path.suffix == ".keras":
        return Model(path.stem, (), path, manifest)
    if path.suffix != ".tflite":
        raise ModelFormatError(f"{path} is no model. Expected a .tflite or .keras file.")
    return Model(path.stem, (ModelFile(path.stem, path, manifest),), None, manifest)
