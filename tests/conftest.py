"""Fixtures: an own cache, comparable output, small data, and one trained and exported run."""

import contextlib
import lzma
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["COLUMNS"] = "200"
os.environ["NO_COLOR"] = "1"
os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.converter import run_program
from fer_edge.data.sample import sample_dataset
from fer_edge.data.split import Dataset
from fer_edge.errors import EnvironmentNotMadeError
from fer_edge.recipe import read_recipe
from fer_edge.runs import Run

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
YUNET = SHARED / "detectors" / "yunet_n_320_320.onnx"
FER2013 = SHARED / "fer2013" / "fer2013_train_public.csv.xz"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the registry to the tests that are marked with `network`, before their own fixtures."""
    for item in items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("network"):
            item.fixturenames.insert(0, "registry")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps the tests' caches away from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("FER_EDGE_CACHE")
    os.environ["FER_EDGE_CACHE"] = str(folder)
    yield folder
    os.environ.pop("FER_EDGE_CACHE")
    if before:
        os.environ["FER_EDGE_CACHE"] = before


@contextlib.contextmanager
def mounted_disk(folder: Path, size: str) -> Iterator[Path]:
    """Yields a disk of a size such as `64k`; skips the test where none may be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as exc:
        pytest.skip(f"nothing can be mounted here: {exc}")
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    with mounted_disk(tmp_path / "disk", "64k") as folder:
        yield folder


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """Real FER2013 rows; tests that ask for them are skipped where they are absent."""
    if not FER2013.exists():
        pytest.skip(f"the real FER2013 rows are not here ({FER2013})")
    return FER2013


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A package registry; tests that ask for it are skipped where none is reached."""
    folder = tmp_path_factory.mktemp("registry")
    program = write_program(folder / "tiny.py", "six==1.16.0", "print('{}')\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(folder / "cache"))
        try:
            run_program(program, [])
        except EnvironmentNotMadeError as exc:
            pytest.skip(f"no package registry is reached from here: {str(exc)[-300:]}")


@pytest.fixture(scope="session")
def drawn() -> Dataset:
    """Drawn faces: 30 / 10 / 10 an emotion."""
    return sample_dataset(n_per_class=(30, 10, 10))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A nano network, trained on the drawn sample until its answers mean something."""
    from fer_edge.train import train

    made = Run(tmp_path_factory.mktemp("runs") / "nano")
    train(sample_dataset(), NANO, made)
    return made


@pytest.fixture(scope="session")
def exported(run: Run) -> Run:
    """The trained run, exported to every variant."""
    from fer_edge.catalog import find_model
    from fer_edge.export import Export, export_model

    variants = ("int8", "float16", "dynamic", "keras", "saved_model")
    export_model(find_model(str(run.folder)), Export(variants))
    return run


NANO = read_recipe("quickstart").replace(epochs=6)


def write_program(path: Path, pin: str, body: str) -> Path:
    """Writes a stand-alone program with one dependency, and returns where."""
    header = f'# /// script\n# requires-python = ">=3.11"\n# dependencies = ["{pin}"]\n# ///\n'
    path.write_text(header + body)
    return path


def csv_row(label: int, image: NDArray[np.uint8], usage: str) -> str:
    """Returns one row as FER2013 writes it."""
    return f"{label},{' '.join(map(str, image.ravel()))},{usage}"


def csv_text(dataset: Dataset) -> str:
    """Returns a data set as FER2013's CSV."""
    usage = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    rows = [
        csv_row(int(label), image, usage[name])
        for name, split in dataset.splits.items()
        for image, label in zip(split.images, split.labels, strict=True)
    ]
    return "\n".join(["emotion,pixels,Usage", *rows]) + "\n"


@pytest.fixture(scope="session")
def drawn_csv(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn faces as an xz-packed FER2013 CSV."""
    path = tmp_path_factory.mktemp("data") / "drawn.csv.xz"
    path.write_bytes(lzma.compress(csv_text(drawn).encode(), preset=0))
    return path
