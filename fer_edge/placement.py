"""Where labels go in a figure: boxes in pixels beside their points, apart from one another.

Plain geometry; knows nothing of what is drawn, nor with what.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

MARKER = 6.0  # pixels from a marker's middle to its edge
GAP = 4.0  # pixels between labels
CLEARANCE = 7.0  # between a label and another's point: nearer, it would seem to name that one
# What each costs, in units of so many pixels from the point: text over text or out of the frame;
# text over a point or a bar, and a line over a point or text; text close to either; a line over
# a bar.
HIDDEN, COVERED, CLOSE, CROSSED, COST_PIXELS = 50.0, 10.0, 4.0, 3.0, 12.0
DISTANCES = (10.5, 14.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0, 110.0)
# Right and left of a point read best, then above and below, then slantwise.
DIRECTIONS = tuple(math.radians(d) for d in (0, 180, 90, 270, 30, 330, 150, 210, 60, 300, 120, 240))
ROUNDS = 3
STACK_DISTANCE, STACK_GAP = 16.0, 1.5
LEADER_FROM = 14.5  # pixels between a point and its label
LEADER_STEPS = 12


@dataclass(frozen=True)
class Box:
    """A rectangle; pixels, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: "Box", gap: float) -> bool:
        """Tells whether two boxes overlap or come closer than `gap`."""
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.bottom < other.top + gap
            and other.bottom < self.top + gap
        )

    def holds(self, x: float, y: float) -> bool:
        """Tells whether a point lies inside."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Returns the point of the box that is nearest to another."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


Point = tuple[float, float]


@dataclass(frozen=True)
class Label:
    """What is to be placed.

    Attributes:
        anchor: The point that it names.
        width: Of its text.
        height: Of its text.
    """

    anchor: Point
    width: float
    height: float


@dataclass(frozen=True)
class Placed:
    """A label in its place.

    Attributes:
        anchor: The point that it names.
        box: Where its text goes.
    """

    anchor: Point
    box: Box

    @property
    def distance(self) -> float:
        """Returns how far the text is from its point."""
        return math.dist(self.anchor, self.box.nearest(*self.anchor))

    @cached_property
    def leader(self) -> tuple[Point, ...]:
        """Returns points along the line that joins point and text; none where they are near."""
        if self.distance < LEADER_FROM:
            return ()
        (x, y), (to_x, to_y) = self.anchor, self.box.nearest(*self.anchor)
        shares = [step / LEADER_STEPS for step in range(1, LEADER_STEPS)]
        return tuple((x + share * (to_x - x), y + share * (to_y - y)) for share in shares)


@dataclass(frozen=True)
class _Scene:
    """What labels are placed in: the frame, what is taken, and the points' own markers."""

    bounds: Box
    taken: Sequence[Box]
    points: Sequence[Box]


def place_labels(
    labels: Sequence[Label], *, bounds: Box, taken: Sequence[Box] = ()
) -> list[Placed]:
    """Returns a place for each label, apart from the others where there is room.

    One label after the other takes the best place there is, and all choose again when the others
    have; that is tried from the most crowded point on, forwards and backwards, and the best of the
    three is kept. A place costs by what it covers, what its line crosses, and how far it is.

    Args:
        labels: With their points.
        bounds: What no label should leave.
        taken: What else no label should cover, such as bars and other labels.
    """
    anchors = [label.anchor for label in labels]
    scene = _Scene(bounds, taken, [_around(anchor) for anchor in anchors])
    forwards = list(range(len(labels)))
    crowded_first = sorted(forwards, key=lambda n: _room(anchors, n))
    attempts = [_place(labels, scene, o) for o in (crowded_first, forwards, forwards[::-1])]
    return min(attempts, key=lambda attempt: _total(attempt, scene))


def _place(labels: Sequence[Label], scene: _Scene, order: list[int]) -> list[Placed]:
    """Returns places, chosen one after the other in an order, some rounds of it."""
    placed: dict[int, Placed] = {}
    for number in order * ROUNDS:
        placed.pop(number, None)
        others = tuple(placed.values())
        cost = partial(_cost, scene=scene, others=others)
        placed[number] = min(_candidates(labels[number]), key=cost)
    return [placed[number] for number in range(len(labels))]


def _total(places: list[Placed], scene: _Scene) -> float:
    """Returns what all places cost together."""
    return sum(
        _cost(place, scene=scene, others=places[:n] + places[n + 1 :])
        for n, place in enumerate(places)
    )


def stack_labels(labels: Sequence[Label]) -> list[Placed]:
    """Returns labels in a column to the right of points that stand over one another.

    Each is as near its point's height as those under it leave room; the column as a whole is then
    moved down by half of what it was pushed up.
    """
    order = sorted(range(len(labels)), key=lambda n: labels[n].anchor[1])
    bottoms, free_from = {}, -math.inf
    for number in order:
        label = labels[number]
        bottoms[number] = max(label.anchor[1] - label.height / 2, free_from)
        free_from = bottoms[number] + label.height + STACK_GAP
    pushed = [bottoms[n] + label.height / 2 - label.anchor[1] for n, label in enumerate(labels)]
    down = max(pushed, default=0.0) / 2
    return [
        Placed(
            label.anchor,
            Box(
                label.anchor[0] + STACK_DISTANCE,
                bottoms[number] - down,
                label.anchor[0] + STACK_DISTANCE + label.width,
                bottoms[number] - down + label.height,
            ),
        )
        for number, label in enumerate(labels)
    ]


def _candidates(label: Label) -> list[Placed]:
    """Returns the places around a label's point, the best first."""
    (x, y), width, height = label.anchor, label.width, label.height
    places = []
    for distance, angle in itertools.product(DISTANCES, DIRECTIONS):
        across, up = math.cos(angle), math.sin(angle)
        left = x + across * distance - width / 2 * (1 - across)
        bottom = y + up * distance - height / 2 * (1 - up)
        places.append(Placed(label.anchor, Box(left, bottom, left + width, bottom + height)))
    return places


def _cost(candidate: Placed, *, scene: _Scene, others: Sequence[Placed]) -> float:
    """Returns how bad a place is: what it covers, what its line crosses, how far it is."""
    box, bounds, line = candidate.box, scene.bounds, candidate.leader
    texts = [other.box for other in others]
    points = [point for point in scene.points if not point.holds(*candidate.anchor)]
    bars = [bar for bar in scene.taken if not bar.holds(*candidate.anchor)]
    inside = bounds.holds(box.left, box.bottom) and bounds.holds(box.right, box.top)
    hidden = sum(box.meets(other, GAP) for other in texts) + (not inside)
    covered = sum(box.meets(other, GAP) for other in [*scene.taken, *scene.points])
    close = sum(box.meets(other, CLEARANCE) for other in [*points, *bars])
    cut = sum(any(other.holds(*spot) for spot in line) for other in [*points, *texts])
    cut += sum(any(box.holds(*spot) for spot in other.leader) for other in others)
    crossed = sum(any(bar.holds(*spot) for spot in line) for bar in bars)
    hindrance = HIDDEN * hidden + COVERED * (covered + cut) + CLOSE * close + CROSSED * crossed
    return hindrance + candidate.distance / COST_PIXELS


def _around(anchor: Point) -> Box:
    """Returns what a point's marker covers."""
    x, y = anchor
    return Box(x - MARKER, y - MARKER, x + MARKER, y + MARKER)


def _room(anchors: Sequence[Point], number: int) -> float:
    """Returns the distance from a point to the next one."""
    rest = (other for n, other in enumerate(anchors) if n != number)
    return min((math.dist(anchors[number], other) for other in rest), default=math.inf)
