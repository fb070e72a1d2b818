"""The frontier's picture: systems as labelled points in panels. frontier.py fills them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fer_edge.plots import ACCENT, FAINT, INK, SECOND, new_figure

Group = Literal["ours", "ours in float32", "peer", "published"]


Side = Literal["right", "left", "above", "below"]

# Of a label: offset in points, horizontal and vertical alignment.
SIDES: Mapping[Side, tuple[tuple[int, int], str, str]] = {
    "right": ((7, 0), "left", "center"),
    "left": ((-7, 0), "right", "center"),
    "above": ((0, 7), "center", "bottom"),
    "below": ((0, -7), "center", "top"),
}
CORNERS = (
    ((6, 3), "left", "bottom"),
    ((6, -3), "left", "top"),
    ((-6, 3), "right", "bottom"),
    ((-6, -3), "right", "top"),
)
FAR = tuple(  # with a line to the point
    ((x, y), "left" if x > 0 else "right", "bottom" if y > 0 else "top")
    for y in (18, -18, 32, -32)
    for x in (14, -14, 40, -40)
)
POINT_SIZE = 8  # points, of a marker with some air
LINE_SHARE = 0.042  # of a panel's height that a label takes


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
        side: Of the point, where its label stands if nothing is in the way.
    """

    label: str
    group: Group
    percent: float
    x: float | None
    percent_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    side: Side = "right"


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


def draw_frontier(panels: Sequence[Panel], path: Path) -> list[list[Any]]:
    """Draws accuracy against size and against time, a panel each, as SVG or what `path` ends in.

    The same panels give the same bytes.

    Args:
        panels: From the top.
        path: Where the picture goes.

    Returns:
        The labels of each panel, as matplotlib's texts.
    """
    heights = [5.0, *[3.9] * (len(panels) - 1)]
    figure, axes = new_figure(9.0, sum(heights), row_heights=heights)
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel)
    figure.draw_without_rendering()  # settles the layout, which labels are placed in
    figure.set_layout_engine("none")
    labels = [_label_marks(axis, panel) for axis, panel in zip(axes, panels, strict=True)]
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "fer-edge", "svg.fonttype": "path"}):
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return labels


def _draw_panel(axis: Any, panel: Panel) -> None:
    """Draws a panel's points, bars, axes and legend; the labels come when the layout stands."""
    axis.set_xscale("log")
    for mark in panel.marks:
        _draw_mark(axis, mark, panel.x_of(mark))
    low, high = panel.known_range
    left, right = low / 6, high * 2.5  # room for labels
    ticks = _round_numbers(left, high * 1.6)
    names = [_short(tick) for tick in ticks]
    if any(mark.x is None for mark in panel.marks):
        ticks, names = [*ticks, panel.unknown_at], [*names, panel.unknown_x]
        right = panel.unknown_at * (panel.unknown_at / left) ** 0.28
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


def _label_marks(axis: Any, panel: Panel) -> list[Any]:
    """Writes each mark's label beside it; those without an x share a column.

    A label stands on its mark's side, unless it would cover another label, a point or an interval
    there, or leave the panel: then on the first side, at the first corner, or farther away with a
    line to its point, where it does not.
    """
    texts = _label_column(axis, panel)
    taken = [text.get_window_extent() for text in texts]
    taken += [box for mark in panel.marks for box in _mark_boxes(axis, mark, panel.x_of(mark))]
    for mark in panel.marks:
        if mark.x is None:
            continue
        text = axis.annotate(
            mark.label,
            (mark.x, mark.percent),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8.5,
            color=STYLES[mark.group].colour,
        )
        preferred = SIDES[mark.side]
        for place in (preferred, *SIDES.values(), *CORNERS, *FAR, preferred):
            offset, horizontal, vertical = place
            text.set(position=offset, ha=horizontal, va=vertical)
            if _is_free(axis, text.get_window_extent(), taken):
                break
        if place in FAR:
            line = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.8}
            end = {"xytext": place[0], "textcoords": "offset points", "arrowprops": line}
            axis.annotate("", (mark.x, mark.percent), **end)
        taken.append(text.get_window_extent())
        texts.append(text)
    return texts


def _is_free(axis: Any, box: Any, taken: Sequence[Any]) -> bool:
    """Tells whether a box lies in the panel and on nothing, in the picture's dots."""
    frame = axis.get_window_extent()
    inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
    return inside and not any(box.overlaps(other) for other in taken)


def _mark_boxes(axis: Any, mark: Mark, x: float) -> list[Any]:
    """Returns what a mark's point and its intervals' lines cover, in the picture's dots."""
    half = POINT_SIZE / 2 * axis.figure.dpi / 72
    boxes = [_box(axis, (x, x), (mark.percent, mark.percent)).padded(half)]
    if mark.percent_range:
        boxes.append(_box(axis, (x, x), mark.percent_range).padded(1))
    if mark.x_range:
        boxes.append(_box(axis, mark.x_range, (mark.percent, mark.percent)).padded(1))
    return boxes


def _box(axis: Any, x_range: tuple[float, float], y_range: tuple[float, float]) -> Any:
    """Returns a box of a panel's numbers in the picture's dots."""
    from matplotlib.transforms import Bbox

    corners = axis.transData.transform(list(zip(x_range, y_range, strict=True)))
    return Bbox(corners)


def _label_column(axis: Any, panel: Panel) -> list[Any]:
    """Writes the labels of those without an x to the right of them, a line each, from below."""
    marks = sorted((m for m in panel.marks if m.x is None), key=lambda mark: mark.percent)
    low, high = axis.get_ylim()
    line, at = LINE_SHARE * (high - low), low
    texts = []
    for mark in marks:
        at = max(at + line, mark.percent)
        x, colour = panel.unknown_at, STYLES[mark.group].colour
        axis.plot([x, x * 1.3], [mark.percent, at], color=FAINT, linewidth=0.7, zorder=1)
        texts.append(axis.text(x * 1.35, at, mark.label, fontsize=8.5, color=colour, va="center"))
    return texts


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
