"""A float network at half its size: its float32 weights stored as float16 in the `.keras` file.

Keras assigns what it reads to variables of the types that the file's configuration names, so the
copy loads as the float32 network that it was, with rounded weights. Knows the file's form, and
nothing of networks.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import files
from fer_edge.errors import ConversionError, MissingExtraError, ModelFormatError
from fer_edge.keras_file import member

WEIGHTS = "model.weights.h5"
OPTIMIZER = "optimizer"
MAX_BYTES = 1024**3  # unpacked, and of all arrays together; vgg16, the largest here, has 56 MiB


def halve(source: Path, target: Path) -> None:
    """Writes a copy of a `.keras` file whose float32 weights are stored as float16.

    The same file gives the same bytes. An optimizer's state is left out; all else is as it was.

    Args:
        source: A `.keras` file of Keras 3.
        target: Where the copy goes; replaced whole or not at all.

    Raises:
        ModelFormatError: The source cannot be read or is no such file.
        ConversionError: A weight is beyond float16.
        OutputError: The target cannot be written.
    """
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(source) as archive, zipfile.ZipFile(packed, "w") as copy:
            _refuse_bomb(sum(info.file_size for info in archive.infolist()))
            for name in dict.fromkeys(archive.namelist()):
                content = archive.read(name)
                kept = _halved(content) if name == WEIGHTS else content
                copy.writestr(member(name), kept, compresslevel=9)
            archive.getinfo(WEIGHTS)
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as exc:
        raise ModelFormatError(
            f"Cannot read the weights of {source}: {exc}. Expected a .keras file of Keras 3."
        ) from exc
    files.write_bytes(target, packed.getvalue())


def _halved(content: bytes) -> bytes:
    """Returns a weights file, HDF5, with float16 in the place of float32."""
    h5py = _import_h5py()
    packed = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as weights, h5py.File(packed, "w") as copy:
        found: list[tuple[str, Any]] = []
        weights.visititems(lambda name, item: found.append((name, item)))
        kept = [(name, item) for name, item in found if name.partition("/")[0] != OPTIMIZER]
        arrays = [item for _, item in kept if isinstance(item, h5py.Dataset)]
        _refuse_bomb(sum(array.nbytes for array in arrays))
        _refuse_elsewhere(arrays)
        for name, item in kept:
            if isinstance(item, h5py.Dataset):
                values = _as_half(item[()], _layer_of(item))
                made = copy.create_dataset(name, data=values, track_times=False)
            else:
                made = copy.require_group(name)
            made.attrs.update(item.attrs)
    return packed.getvalue()


def _as_half(values: Any, layer: str) -> Any:
    """Returns float32 values as float16, rounded to nearest, and others as they are.

    Raises:
        ConversionError: One is beyond float16, or no number at all.
    """
    if values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float16)
    lost = values[~np.isfinite(rounded)]
    if lost.size:
        raise ConversionError(
            f"Expected weights that float16 can hold, within ±{np.finfo(np.float16).max:.0f}, "
            f"found {lost[0]:g} in {layer}. Train the network anew with more weight decay or a "
            "lower learning rate, or keep it in float32."
        )
    return rounded


def _layer_of(array: Any) -> str:
    """Returns the name of the layer that an array belongs to, else where in the file it is."""
    return str(array.parent.attrs.get("name", array.name))


def _refuse_bomb(n_bytes: int) -> None:
    """Raises ModelFormatError when so much would have to be unpacked."""
    if n_bytes > MAX_BYTES:
        raise ModelFormatError(
            f"Expected a .keras file with at most {MAX_BYTES / 2**20:.0f} MiB in it, found "
            f"{n_bytes / 2**20:.0f} MiB declared: it is damaged, or made to fill the memory."
        )


def _refuse_elsewhere(arrays: list[Any]) -> None:
    """Raises ModelFormatError for an array whose values lie in another file."""
    for array in arrays:
        if array.external or array.is_virtual:
            raise ModelFormatError(
                f"Expected weights inside the file, found {array.name} to lie in another one. "
                "A .keras file that Keras wrote has none such: do not use it."
            )


def _import_h5py() -> Any:
    """Returns the h5py module; raises MissingExtraError where it is not installed."""
    try:
        import h5py  # type: ignore[import-untyped]  # it ships no types
    except ImportError as exc:
        raise MissingExtraError("h5py", needed_for="float networks at half size") from exc
    return h5py
