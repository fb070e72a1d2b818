"""Figures from plain arrays, and nothing else. Needs matplotlib, which the train extra brings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.errors import MissingExtraError

INK, ACCENT, SECOND, FAINT = "#22252b", "#2b6cb0", "#c05621", "#a0aec0"


def draw_curves(columns: Mapping[str, Sequence[float]], *, best_epoch: int, path: Path) -> None:
    """Draws a training's history as SVG.

    Args:
        columns: The columns of history.csv, by name.
        best_epoch: The epoch that was kept, from 1.
        path: Where the SVG goes.
    """
    figure, (left, right) = new_figure(9.0, 3.4, columns=2)
    epochs = columns["epoch"]
    left.plot(epochs, columns["train_loss"], color=FAINT, label="train (augmented)")
    left.plot(epochs, columns["validation_loss"], color=ACCENT, label="validation")
    left.set(xlabel="epoch", title="loss, nats", ylim=(0, None))
    percent = [100 * value for value in columns["validation_top1"]]
    right.plot(epochs, percent, color=ACCENT, label="top-1")
    macro = [100 * value for value in columns["validation_macro_f1"]]
    right.plot(epochs, macro, color=SECOND, label="macro-F1")
    best = percent[best_epoch - 1]
    right.plot([best_epoch], [best], "o", color=ACCENT)
    right.annotate(
        f"kept: epoch {best_epoch}, {best:.1f}%",
        (best_epoch, best),
        xytext=(-6, 8),
        textcoords="offset points",
        ha="right" if best_epoch > len(epochs) / 2 else "left",
        color=INK,
    )
    right.set(xlabel="epoch", title="validation, %", ylim=(0, 105))
    for axis in (left, right):
        axis.legend(frameon=False)
    figure.savefig(path, format="svg")


def draw_sensitivity(
    names: Sequence[str],
    *,
    trained: Sequence[float],
    exported: Sequence[float | None],
    n: int,
    path: Path,
) -> None:
    """Draws what 8 bits do to each layer, as a picture of the kind that `path` ends in.

    Args:
        names: What is quantized, from the top.
        trained: Mean absolute change of a probability, in the network as it was trained.
        exported: Likewise in the one that int8 is made from; None where nothing can be told.
        n: Images that it was measured on.
        path: Where the picture goes.
    """
    figure, (axis,) = new_figure(7.0, 1.2 + 0.19 * len(names))
    before = [100 * value for value in trained]
    axis.plot(before, range(len(before)), "o", color=FAINT, label="as trained")
    pairs = [(row, 100 * value) for row, value in enumerate(exported) if value is not None]
    for row, value in pairs:
        axis.plot([before[row], value], [row, row], color=FAINT, linewidth=1.2, zorder=1)
    if pairs:
        rows, after = zip(*pairs, strict=True)
        axis.plot(after, rows, "o", color=ACCENT, label="as exported")
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set_title(
        f"one at a time in 8 bits; {n} calibration images of the train split", fontsize=9
    )
    axis.set(xlabel="mean change of a probability, percentage points", xlim=(0, None))
    axis.invert_yaxis()
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def new_figure(
    width: float, height: float, *, columns: int = 1, row_heights: Sequence[float] = (1.0,)
) -> Any:
    """Returns a bare figure and its axes; no global state of matplotlib is touched."""
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise MissingExtraError("matplotlib", needed_for="drawing figures") from exc
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(row_heights), columns, height_ratios=row_heights, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        axis.tick_params(colors=INK)
    return figure, axes.ravel()
