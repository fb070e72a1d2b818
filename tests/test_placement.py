"""Labels beside their points: apart from each other, inside the frame, the same each time."""

import itertools

import numpy as np
import pytest

from fer_edge.placement import GAP, LEADER_FROM, Box, Label, Placed, place_labels, stack_labels

FRAME = Box(0, 0, 600, 400)


def labels_at(*points: tuple[float, float], width: float = 90, height: float = 12) -> list[Label]:
    return [Label(point, width, height) for point in points]


def overlaps(places: list[Placed]) -> int:
    boxes = [place.box for place in places]
    return sum(a.meets(b, 0) for a, b in itertools.combinations(boxes, 2))


def test_boxes_meet_and_hold() -> None:
    box = Box(0, 0, 10, 10)
    assert box.meets(Box(9, 9, 20, 20), 0)
    assert not box.meets(Box(11, 0, 20, 10), 0)
    assert box.meets(Box(11, 0, 20, 10), 2)
    assert box.holds(10, 0)
    assert not box.holds(10.1, 0)
    assert box.nearest(15, 5) == (10, 5)
    assert box.nearest(3, -4) == (3, 0)


def test_a_lone_label_stands_to_the_right_at_its_points_height() -> None:
    [place] = place_labels(labels_at((300, 200)), bounds=FRAME)
    assert 0 < place.box.left - 300 < LEADER_FROM
    assert (place.box.bottom + place.box.top) / 2 == pytest.approx(200)
    assert place.leader == ()


def test_at_the_right_edge_it_stands_to_the_left() -> None:
    [place] = place_labels(labels_at((580, 200)), bounds=FRAME)
    assert place.box.right < 580


def test_a_label_keeps_off_what_is_taken() -> None:
    wall = Box(305, 0, 330, 400)
    [place] = place_labels(labels_at((300, 200)), bounds=FRAME, taken=[wall])
    assert not place.box.meets(wall, GAP)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([(300, 200)] * 4, id="the same point"),
        pytest.param([(200 + 10 * n, 200) for n in range(6)], id="a row"),
        pytest.param([(300, 150 + 5 * n) for n in range(6)], id="a column"),
        pytest.param([(596, 396), (590, 396), (596, 390)], id="a corner"),
    ],
)
def test_crowded_labels_stand_apart(points: list[tuple[float, float]]) -> None:
    places = place_labels(labels_at(*points), bounds=FRAME)
    assert overlaps(places) == 0
    for place in places:
        assert FRAME.holds(place.box.left, place.box.bottom)
        assert FRAME.holds(place.box.right, place.box.top)


def test_scattered_labels_stand_apart_and_cover_no_point() -> None:
    points = np.random.default_rng(0).uniform((20, 20), (580, 380), (20, 2)).tolist()
    places = place_labels(labels_at(*map(tuple, points), width=70), bounds=FRAME)
    assert overlaps(places) == 0
    assert not any(place.box.holds(x, y) for place in places for x, y in points)


def test_a_column_keeps_its_order_and_stays_near() -> None:
    points = [(100, 200.0), (100, 204.0), (100, 190.0), (100, 300.0)]
    places = stack_labels(labels_at(*points))
    assert overlaps(places) == 0
    heights = [place.box.bottom for place in places]
    assert np.argsort(heights).tolist() == np.argsort([y for _, y in points]).tolist()
    assert all(place.box.left > 100 and place.distance < 40 for place in places)


def test_nothing_to_place() -> None:
    assert place_labels([], bounds=FRAME) == []
    assert stack_labels([]) == []
