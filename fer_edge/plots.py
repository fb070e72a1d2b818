"""Figures from plain arrays, and nothing else. Needs matplotlib, which the train extra brings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fer_edge.errors import MissingExtraError
from fer_edge.placement import Box, Label, Placed, place_labels, stack_labels

INK, ACCENT, SECOND, FAINT = "#22252b", "#2b6cb0", "#c05621", "#a0aec0"

Group = Literal["ours", "ours in float32", "peer", "published"]


@dataclass(frozen=True)
class Style:
    """How a group is told apart: by shape as well as by colour, for those who see no colours."""

    marker: str
    colour: str
    is_filled: bool


STYLES: Mapping[Group, Style] = {
    "ours": Style("o", ACCENT, is_filled=True),
    "ours in float32": Style("o", ACCENT, is_filled=False),
    "peer": Style("^", SECOND, is_filled=True),
    "published": Style("D", "#4a5568", is_filled=False),
}


@dataclass(frozen=True)
class Mark:
    """One system in a panel.

    Attributes:
        label: What stands beside it; may have lines.
        group: What it is.
        percent: Top-1.
        x: Parameters, or p50 in ms; None where nobody says.
        percent_range: 95% interval of `percent`; None where there is none.
        x_range: Likewise of `x`.
    """

    label: str
    group: Group
    percent: float
    x: float | None
    percent_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Panel:
    """One of the frontier's pictures.

    Attributes:
        title: Over it.
        x_label: Under its axis, which is logarithmic.
        groups: What the legend says of each group, in its order.
        marks: The systems.
        unknown_x: What stands under those without an x.
    """

    title: str
    x_label: str
    groups: Mapping[Group, str]
    marks: Sequence[Mark]
    unknown_x: str = ""

    @property
    def known_range(self) -> tuple[float, float]:
        """Returns the least and the greatest x."""
        known = [mark.x for mark in self.marks if mark.x is not None]
        return min(known), max(known)

    @property
    def unknown_at(self) -> float:
        """Returns the x at which those without one are drawn."""
        return self.known_range[1] * 2.4

    def x_of(self, mark: Mark) -> float:
        """Returns the x at which a mark is drawn."""
        return self.unknown_at if mark.x is None else mark.x


def draw_curves(columns: Mapping[str, Sequence[float]], *, best_epoch: int, path: Path) -> None:
    """Draws a training's history as SVG.

    Args:
        columns: The columns of history.csv, by name.
        best_epoch: The epoch that was kept, from 1.
        path: Where the SVG goes.
    """
    figure, (left, right) = _figure(9.0, 3.4, columns=2)
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


def draw_frontier(panels: Sequence[Panel], path: Path) -> list[list[Placed]]:
    """Draws accuracy against size and against time, a panel each, as SVG or what `path` ends in.

    The same panels give the same bytes.

    Args:
        panels: From the top.
        path: Where the picture goes.

    Returns:
        Where the labels of each panel went, in pixels.
    """
    heights = [5.0, *[3.9] * (len(panels) - 1)]
    figure, axes = _figure(9.0, sum(heights), row_heights=heights)
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel)
    figure.draw_without_rendering()  # settles the layout, which labels are placed in
    figure.set_layout_engine("none")
    places = [_label_marks(axis, panel) for axis, panel in zip(axes, panels, strict=True)]
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "fer-edge", "svg.fonttype": "path"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return places


def _draw_panel(axis: Any, panel: Panel) -> None:
    """Draws a panel's points, bars, axes and legend; the labels come when the layout stands."""
    axis.set_xscale("log")
    for mark in panel.marks:
        _draw_mark(axis, mark, panel.x_of(mark))
    low, high = panel.known_range
    left, right = low / 1.8, high * 1.8
    ticks = _round_numbers(left, right)
    names = [_short(tick) for tick in ticks]
    if any(mark.x is None for mark in panel.marks):
        ticks, names = [*ticks, panel.unknown_at], [*names, panel.unknown_x]
        right = panel.unknown_at * (panel.unknown_at / left) ** 0.28  # labels stand to the right
        axis.axvline(high * 1.7, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    axis.set_xlim(left, right)
    axis.set_xticks(ticks, names)
    axis.minorticks_off()
    axis.set(xlabel=panel.x_label, ylabel="top-1 accuracy, %")
    axis.margins(y=0.08)
    _draw_legend(axis, panel)


def _draw_legend(axis: Any, panel: Panel) -> None:
    """Writes the title and what each group is, over the panel."""
    for group, text in panel.groups.items():
        axis.plot([], [], linestyle="", label=text, **_marker(group))
    legend = axis.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        title=panel.title,
        alignment="left",
        frameon=False,
        handletextpad=0.3,
        labelspacing=0.3,
        labelcolor=INK,
    )
    legend.get_title().set(fontweight="bold", fontsize=11, color=INK)


def _draw_mark(axis: Any, mark: Mark, x: float) -> None:
    """Draws one point with its intervals."""
    bar = {"color": STYLES[mark.group].colour, "linewidth": 1.1, "alpha": 0.45, "zorder": 2}
    if mark.percent_range:
        axis.plot([x, x], mark.percent_range, **bar)
    if mark.x_range:
        axis.plot(mark.x_range, [mark.percent] * 2, **bar)
    axis.plot([x], [mark.percent], zorder=3, **_marker(mark.group))


def _marker(group: Group) -> dict[str, Any]:
    """Returns the marker of a group, as matplotlib's options."""
    style = STYLES[group]
    face, edge = (style.colour, "white") if style.is_filled else ("white", style.colour)
    return {
        "marker": style.marker,
        "markersize": 7 if style.is_filled else 6,
        "markerfacecolor": face,
        "markeredgecolor": edge,
    }


def _label_marks(axis: Any, panel: Panel) -> list[Placed]:
    """Writes each mark's label beside it, with a line to it where that is not near."""
    to_data = axis.transData.inverted().transform
    marks = sorted(panel.marks, key=lambda mark: mark.x is None)
    texts = [_write(axis, panel, mark) for mark in marks]
    places = _place(axis, panel, marks, texts)
    for text, place in zip(texts, places, strict=True):
        text.set_position(to_data((place.box.left, place.box.bottom)))
        if place.leader:
            ends = to_data([place.anchor, place.box.nearest(*place.anchor)])
            axis.plot(*ends.T, color=FAINT, linewidth=0.7, zorder=1)
    return places


def _write(axis: Any, panel: Panel, mark: Mark) -> Any:
    """Returns a mark's label as text that stands on its point."""
    colour = STYLES[mark.group].colour
    spot = panel.x_of(mark), mark.percent
    return axis.text(*spot, mark.label, fontsize=8.5, color=colour, va="bottom")


def _place(axis: Any, panel: Panel, marks: list[Mark], texts: list[Any]) -> list[Placed]:
    """Returns the labels' places, in pixels; `marks` has those without an x at its end."""
    to_pixels, frame = axis.transData.transform, axis.get_window_extent()
    labels = []
    for mark, text in zip(marks, texts, strict=True):
        extent, (x, y) = text.get_window_extent(), to_pixels((panel.x_of(mark), mark.percent))
        labels.append(Label((float(x), float(y)), extent.width, extent.height))
    n_known = sum(mark.x is not None for mark in marks)
    column = stack_labels(labels[n_known:])
    bars = [_bar(mark, panel.x_of(mark), to_pixels) for mark in marks]
    places = place_labels(
        labels[:n_known],
        bounds=Box(frame.x0 + 4, frame.y0 + 4, frame.x1, frame.y1),
        taken=[*bars, *(place.box for place in column)],
    )
    return [*places, *column]


def _bar(mark: Mark, x: float, to_pixels: Any) -> Box:
    """Returns what a mark's interval covers, in pixels."""
    low, high = mark.percent_range or (mark.percent, mark.percent)
    (centre, bottom), (_, top) = to_pixels([(x, low), (x, high)])
    return Box(centre - 1, bottom, centre + 1, top)


def _round_numbers(low: float, high: float) -> list[float]:
    """Returns the numbers from `low` to `high` that are 1, 2 or 5 times a power of ten."""
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    numbers = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return [number for number in numbers if low <= number <= high]


def _short(number: float) -> str:
    """Returns a number as people write it: 0.2, 50 k, 10 M."""
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def _figure(
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
