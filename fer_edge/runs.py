"""A run folder: where training puts what the later stages read. Paths and provenance only."""

import platform
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fer_edge import __version__, files
from fer_edge.contract import MANIFEST_NAME, has_manifest, read_manifest
from fer_edge.data.split import Dataset, Source
from fer_edge.errors import ConfigError, MissingExtraError, OutputError
from fer_edge.recipe import Recipe, recipe_from_dict


@dataclass(frozen=True)
class Run:
    """The files of one training, by name."""

    folder: Path

    @property
    def config(self) -> Path:
        """What was trained, on what, with which versions."""
        return self.folder / "config.toml"

    @property
    def model(self) -> Path:
        """The network of the best epoch; it answers logits."""
        return self.folder / "model.keras"

    @property
    def history(self) -> Path:
        """A row an epoch."""
        return self.folder / "history.csv"

    @property
    def curves(self) -> Path:
        """The history, drawn."""
        return self.folder / "curves.svg"

    @property
    def checkpoint(self) -> Path:
        """All that resuming needs, as of the last whole epoch."""
        return self.folder / "checkpoint" / "state.npz"

    @property
    def teacher(self) -> Path:
        """What the teachers answered to its training images, where there were any."""
        return self.folder / "teacher.npz"

    @property
    def live_teachers(self) -> Path:
        """Copies of the teachers that are asked while it learns, where there are any."""
        return self.folder / "teachers"

    @property
    def bench(self) -> Path:
        """Where `bench` keeps its raw samples."""
        return self.folder / "bench.json"

    @property
    def export(self) -> Path:
        """Where `export` writes."""
        return self.folder / "export"

    def clear(self) -> None:
        """Removes what an earlier training left: none of it belongs to the next one."""
        try:
            for path in (
                self.model,
                self.history,
                self.curves,
                self.bench,
                self.teacher,
                self.checkpoint,
            ):
                path.unlink(missing_ok=True)
            shutil.rmtree(self.live_teachers, ignore_errors=True)
            if (self.export / MANIFEST_NAME).is_file():
                shutil.rmtree(self.export)
        except OSError as exc:
            raise OutputError(f"Cannot replace the run in {self.folder}: {exc.strerror}.") from exc

    def read_config(self) -> dict[str, Any]:
        """Returns what config.toml says.

        Raises:
            ConfigError: There is none, or it is damaged.
        """
        try:
            return tomllib.loads(self.config.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(
                f"{self.folder} is not a run folder: its config.toml cannot be read ({exc}). "
                "Expected a folder that fer-edge train has made."
            ) from exc

    @property
    def data(self) -> Source:
        """The data set that it was trained on; raises as `read_config` does."""
        data = self.read_config().get("data", {})
        options = {key: data[key] for key in ("detect", "ferplus", "labels") if key in data}
        return Source(str(data.get("source", "sample")), **options)

    def read_recipe(self) -> Recipe:
        """Returns the recipe that the run was started with; raises as `read_config` does."""
        return recipe_from_dict(self.read_config().get("recipe", {}))


def describe_run(dataset: Dataset, recipe: Recipe, *, init: str = "") -> dict[str, Any]:
    """Returns a run's provenance: data, recipe, versions, commit; plain values for TOML."""
    return {
        "fer_edge": {"version": __version__, "commit": source_commit()},
        "data": {
            "source": _absolute(dataset.source.name),
            "detect": _absolute_detector(dataset.source.detect),
            "ferplus": _absolute(dataset.source.ferplus),
            "labels": dataset.source.labels,
            "format": dataset.format,
            "notes": list(dataset.notes),
            "sha256": dataset.sha256,
            "train_images_sha256": dataset.split("train").images_sha256(),
            "emotions": list(dataset.emotions),
            "counts": {name: len(split) for name, split in dataset.splits.items()},
        },
        "init": describe_init(init),
        "recipe": recipe.to_dict(),
        "versions": {"python": platform.python_version(), **package_versions()},
    }


def describe_init(network: str) -> dict[str, Any]:
    """Returns what a training started from: the file, its hash, and its own training if known."""
    if not network:
        return {}
    path = Path(network)
    description: dict[str, Any] = {"file": str(path.resolve()), "sha256": files.sha256_of(path)}
    run = Run(path.parent)
    if has_manifest(path.parent):
        description["training"] = dict(read_manifest(path.parent).training)
    elif run.config.is_file():
        description["training"] = run.read_config()
    return description


def training_provenance(config: dict[str, Any]) -> dict[str, Any]:
    """Returns what a manifest says of a training: its config, without folders and file names."""
    if not config:
        return {}
    data = dict(config.get("data", {}))
    data["source"] = Path(str(data.get("source", ""))).name
    data.pop("notes", None)
    data["ferplus"] = Path(str(data.get("ferplus", ""))).name
    data["detect"] = str(data.get("detect", "")).partition(":")[0]
    init = dict(config.get("init", {}))
    if init:
        init["file"] = Path(str(init["file"])).name
        init["training"] = training_provenance(init.get("training", {}))
    return {**config, "data": data, "init": init}


def write_config(run: Run, description: dict[str, Any]) -> None:
    """Writes config.toml."""
    try:
        import tomli_w
    except ImportError as exc:
        raise MissingExtraError("tomli-w", needed_for="training") from exc
    files.write_text(run.config, tomli_w.dumps(description))


def package_versions() -> dict[str, str]:
    """Returns the installed versions of what decides results."""
    names = ("numpy", "keras", "tensorflow", "jax", "torch", "ai-edge-litert")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def source_commit() -> str:
    """Returns the git commit of the checkout that this code runs from, `+` where it was changed.

    Empty when the code was installed from elsewhere: the version then says what it was.
    """
    top = Path(__file__).resolve().parent.parent
    if not (top / ".git").exists():
        return ""
    try:
        commit = _git(top, "rev-parse", "HEAD")
        return commit + (
            "+" if _git(top, "status", "--porcelain", "--", "fer_edge", "converters") else ""
        )
    except (OSError, subprocess.SubprocessError):
        return ""


def _absolute(source: str) -> str:
    """Returns a path as one that works from every folder; a name stays what it is."""
    is_path = source not in ("", "sample") and Path(source).exists()
    return str(Path(source).resolve()) if is_path else source


def _absolute_detector(spec: str) -> str:
    kind, colon, path = spec.partition(":")
    return kind + colon + _absolute(path)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
