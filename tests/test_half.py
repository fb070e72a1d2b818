"""Float networks at half their size: rounded and nothing else, the same bytes twice, refusals."""

import io
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest

from fer_edge.catalog import SHIPPED
from fer_edge.errors import ConversionError, ModelFormatError
from fer_edge.half import MAX_BYTES, WEIGHTS, halve
from fer_edge.keras_network import import_keras, load_network, logits_of
from fer_edge.model import ARCHITECTURES
from tests.test_model import with_lived_in_norms

FOLDER = tempfile.TemporaryDirectory()
SMALL = Path(FOLDER.name) / "small.keras"  # with weights in float32: what ships is halved already
FACES = np.random.default_rng(1).integers(0, 256, (9, 48, 48)).astype(np.uint8)


@pytest.fixture(autouse=True, scope="module")
def small_in_float32() -> Iterator[None]:
    load_network(SHIPPED / "small" / "float.keras").save(SMALL)
    yield
    FOLDER.cleanup()


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def arrays(path: Path) -> dict[str, Any]:
    """Returns every array of a network's weights file by its place."""
    found = {}
    with h5py.File(io.BytesIO(members(path)[WEIGHTS])) as weights:
        weights.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def groups(path: Path) -> dict[str, dict[str, Any]]:
    """Returns every group of a network's weights file, with its attributes."""
    found = {}
    with h5py.File(io.BytesIO(members(path)[WEIGHTS])) as weights:
        weights.visititems(
            lambda name, item: (
                found.update({name: dict(item.attrs)}) if isinstance(item, h5py.Group) else None
            )
        )
    return found


def packed(path: Path, weights: bytes) -> Path:
    """Writes the small network's file with other weights."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members(SMALL) | {WEIGHTS: weights}).items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_it_answers_as_the_network_with_rounded_weights(arch: str, tmp_path: Path) -> None:
    model = with_lived_in_norms(arch)
    model.save(tmp_path / "float.keras")
    exact = logits_of(model, FACES)
    model.set_weights([np.asarray(w, np.float16).astype(w.dtype) for w in model.get_weights()])
    halve(tmp_path / "float.keras", tmp_path / "half.keras")
    loaded = load_network(tmp_path / "half.keras")
    assert {str(weight.dtype) for weight in loaded.weights} == {"float32"}
    np.testing.assert_array_equal(logits_of(loaded, FACES), logits_of(model, FACES))
    assert not np.array_equal(logits_of(loaded, FACES), exact)  # rounding is no formality
    assert (tmp_path / "half.keras").stat().st_size <= 2 * 1024**2


def test_only_float32_changes(tmp_path: Path) -> None:
    source, target = with_other_kinds(tmp_path / "float.keras"), tmp_path / "half.keras"
    halve(source, target)
    before, after = members(source), members(target)
    assert list(before) == list(after)
    assert {name for name in before if before[name] != after[name]} == {WEIGHTS}
    assert groups(source) == groups(target)
    old, new = arrays(source), arrays(target)
    assert list(old) == list(new)
    kinds = {str(values.dtype) for values in old.values()}
    assert kinds == {"float32", "float64", "uint32"}
    for name, values in old.items():
        kind = np.float16 if values.dtype == np.float32 else values.dtype
        assert new[name].dtype == kind, name
        np.testing.assert_array_equal(new[name], values.astype(kind), err_msg=name)
    assert target.stat().st_size < 0.45 * source.stat().st_size


def with_other_kinds(path: Path) -> Path:
    """Writes the small network's file with arrays of other types in it, as random layers keep."""
    content = io.BytesIO(members(SMALL)[WEIGHTS])
    with h5py.File(content, "r+") as weights:
        group = weights.create_group("layers/random/vars")
        group.attrs["name"] = "random"
        group["0"] = np.array([1, 2**31], np.uint32)
        group["1"] = np.float64(1e300)
        group.create_group("empty")
    return packed(path, content.getvalue())


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second, again = (tmp_path / f"{name}.keras" for name in ("first", "second", "again"))
    halve(SMALL, first)
    time.sleep(2.1)  # zip keeps the time in steps of two seconds, HDF5 in steps of one
    halve(SMALL, second)
    halve(first, again)
    assert first.read_bytes() == second.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("value", [65_520.0, -1e6, np.inf, np.nan])
def test_a_weight_beyond_float16_is_named(value: float, tmp_path: Path) -> None:
    content = io.BytesIO(members(SMALL)[WEIGHTS])
    with h5py.File(content, "r+") as weights:
        group = weights["layers/batch_normalization_3/vars"]
        layer = group.attrs["name"]
        group["0"][1] = value
    source = packed(tmp_path / "float.keras", content.getvalue())
    with pytest.raises(ConversionError, match=re.escape(f"found {value:g} in {layer}")):
        halve(source, tmp_path / "half.keras")
    assert not (tmp_path / "half.keras").exists()


def test_the_largest_float16_is_kept(tmp_path: Path) -> None:
    content = io.BytesIO(members(SMALL)[WEIGHTS])
    with h5py.File(content, "r+") as weights:
        weights["layers/batch_normalization_3/vars/0"][1] = 65_504
    halve(packed(tmp_path / "float.keras", content.getvalue()), tmp_path / "half.keras")
    assert arrays(tmp_path / "half.keras")["layers/batch_normalization_3/vars/0"][1] == 65_504


def test_an_optimizers_state_is_left_out(tmp_path: Path) -> None:
    keras = import_keras()
    model = with_lived_in_norms("nano")
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "float.keras")
    halve(tmp_path / "float.keras", tmp_path / "half.keras")
    assert any(name.startswith("optimizer") for name in arrays(tmp_path / "float.keras"))
    assert not any(name.startswith("optimizer") for name in arrays(tmp_path / "half.keras"))
    assert load_network(tmp_path / "half.keras").count_params() == model.count_params()
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        assert keras.models.load_model(tmp_path / "half.keras").count_params()


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    source, target = tmp_path / "float.keras", tmp_path / "half.keras"
    whole = SMALL.read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2]):
        source.write_bytes(content)
        with pytest.raises(ModelFormatError, match=r"Expected a \.keras file"):
            halve(source, target)
    for weights in (b"", b"no HDF5", members(SMALL)[WEIGHTS][:100_000]):
        with pytest.raises(ModelFormatError, match=r"Expected a \.keras file"):
            halve(packed(source, weights), target)
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ModelFormatError, match=WEIGHTS):
        halve(source, target)
    with pytest.raises(ModelFormatError, match="No such file"):
        halve(tmp_path / "absent.keras", target)
    assert not target.exists()


def test_weights_that_lie_in_another_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(400))
    with h5py.File(tmp_path / "weights.h5", "w") as weights:
        place = [(str(tmp_path / "other"), 0, 400)]
        weights.create_dataset("layers/a/vars/0", (100,), np.float32, external=place)
    source = packed(tmp_path / "float.keras", (tmp_path / "weights.h5").read_bytes())
    with pytest.raises(ModelFormatError, match="to lie in another one"):
        halve(source, tmp_path / "half.keras")


def test_an_array_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with h5py.File(content, "w") as weights:
        shape, chunk = (MAX_BYTES // 4 + 1,), (1024,)
        weights.create_dataset("layers/a/vars/0", shape, np.float32, chunks=chunk)
    assert len(content.getvalue()) < 10_000
    source = packed(tmp_path / "float.keras", content.getvalue())
    with pytest.raises(ModelFormatError, match="made to fill the memory"):
        halve(source, tmp_path / "half.keras")
