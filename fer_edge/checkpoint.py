"""The state of a training between two epochs: one file, written whole or not at all."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import ConfigError


@dataclass(frozen=True)
class Best:
    """The epoch that validation would keep now.

    Attributes:
        epoch: From 1; 0 before the first.
        top1: Its validation top-1.
        weights: The network's weights then, in its order.
    """

    epoch: int
    top1: float
    weights: list[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """All that resuming needs.

    Attributes:
        variables: Of the network and then of its optimizer, in their order.
        averaged: The running mean of the network's weights, in its order.
        history: float64 (epochs, columns).
        best: The best epoch so far.
    """

    variables: list[NDArray[Any]]
    averaged: list[NDArray[Any]]
    history: NDArray[np.float64]
    best: Best


def save(path: Path, state: State) -> None:
    """Writes a state.

    Raises:
        OutputError: It cannot be written; the one before stays.
    """
    arrays: dict[str, Any] = {
        "history": state.history,
        "best_epoch": np.array(state.best.epoch),
        "best_top1": np.array(state.best.top1),
    }
    for name, values in (
        ("variable", state.variables),
        ("averaged", state.averaged),
        ("kept", state.best.weights),
    ):
        arrays |= {f"{name}-{number}": value for number, value in enumerate(values)}
    with files.replacing(path) as temporary:
        np.savez(temporary, **arrays)


def load(path: Path) -> State | None:
    """Returns the state in a file; None where no epoch was finished.

    Raises:
        ConfigError: The file is damaged.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            best = Best(
                int(arrays["best_epoch"]), float(arrays["best_top1"]), _numbered(arrays, "kept")
            )
            variables, averaged = _numbered(arrays, "variable"), _numbered(arrays, "averaged")
            return State(variables, averaged, arrays["history"], best)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise ConfigError(
            f"The checkpoint {path} is damaged ({exc}). Start a new run, or delete the file to "
            "begin this one again."
        ) from exc


def _numbered(arrays: Any, name: str) -> list[NDArray[Any]]:
    """Returns the arrays called NAME-0, NAME-1, …, in that order."""
    count = sum(key.startswith(f"{name}-") for key in arrays.files)
    return [arrays[f"{name}-{number}"] for number in range(count)]
