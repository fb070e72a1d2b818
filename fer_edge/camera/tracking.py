"""Who is who from frame to frame, and boxes that neither jump nor lag. Never sees a picture.

The detector may run on every k-th frame only: between, a face moves on as it did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fer_edge.faces import FaceBox

MAX_TRACKS = 32
PATIENCE_S = 1.0
"""How long a face that is not found is waited for; where detections are rarer, to the next one."""

_CONFIRM_S = 0.4  # within which a new face has to be found again, so that no false alarm shows
_FORGET_S = 10.0  # after such a pause the same place is no sign of the same person
_COAST_S = 0.5  # how far ahead a movement is believed; long enough to pass behind another head
_SAME = 0.3  # overlap (intersection over union) of one face in two frames, as in the browser demo
_REACH = 1.0  # in sides: how far from where it was expected a fast face may be found
_MAX_GROWTH = 1.6  # of the side, for a face that is told by its reach alone
_SANE = (1.0, 1e6)  # px: the smallest side, the largest coordinate

# A Kalman filter of constant velocity on the centre, in sides, and on the logarithm of the side.
# Chosen on tests/clips.py: two portraits and a drawn face, still, at 150 px/s to and fro, on a
# sine of 377 px/s at most, and from 80 to 220 px and back in 4 s; 15 frames a second. "Jumps"
# is the mean step of a still face's box in % of its side; IoU is that with the true boxes of the
# moving ones, its mean and its lowest percentile.
#
#                                      jumps  IoU          jumps  IoU, detection on every 3rd frame
#   YuNet, its boxes, then held         0.27  0.899 0.750   0.09  0.821 0.477
#   YuNet, filtered and moved on        0.10  0.896 0.768   0.06  0.881 0.646
#   Haar, its boxes, then held          3.09  0.847 0.580   1.11  0.790 0.482
#   Haar, filtered and moved on         1.18  0.846 0.592   0.82  0.829 0.550
#
# Detection on every frame is two points of IoU better: matching pixels could hardly gain more.
# The model reads the smoothed box in every frame: from one to the next its probabilities move by
# 3.0% (YuNet) and 3.4% (Haar) as the boxes are smoothed, and by 3.4% and 4.0% as they come.
_NOISE = 0.03  # of a detection, in sides
_RESTLESSNESS = 100.0  # power of the acceleration, in squares of the noise per s^3
_SURPRISE = 2.0  # times the noise; what is further off is a movement that began or ended
_SLOW = 0.4  # sides per s: under it a speed may be noise, and only part of it is believed


@dataclass(frozen=True)
class Track:
    """A face that is followed.

    Attributes:
        id: From 1; no number comes twice.
        box: Where it is, smoothed: a square.
        is_seen: Whether the latest detection found it; else the box is a guess, and what it shows
            may be anything.
    """

    id: int
    box: FaceBox
    is_seen: bool


class Tracker:
    """Follows the faces of one source.

    A detection belongs to the face that it overlaps most where that face is expected by now, so
    that two who cross keep their numbers. It knows places and speeds and no looks: two who meet
    and turn back, or stop behind each other, may swap their numbers, and who was away for over a
    second is somebody new.
    """

    def __init__(self) -> None:
        self._faces: list[_Followed] = []
        self._n_ids = 0
        self._detected_s = -math.inf

    def update(self, boxes: Sequence[FaceBox], time_s: float) -> list[Track]:
        """Takes a frame in which faces were looked for; returns who is in it, by their ids.

        A new face is there from its second detection on, or at once in the first frame and after
        a pause of over a second.

        Args:
            boxes: Of the detector; the 32 surest are followed.
            time_s: Of the frame; where it is earlier than before, everybody is new.
        """
        paused_s = time_s - self._detected_s
        waited_for = self._waited_for(time_s, paused_s)
        surest = sorted(filter(_is_sane, boxes), key=lambda box: -box.score)[:MAX_TRACKS]
        sane = sorted(surest, key=lambda box: box.x)
        pairs = _pair(sane, [(face.box_at(time_s), face.box) for face in waited_for])
        for face_number, face in enumerate(waited_for):
            found = pairs.get(face_number)
            face.take(None if found is None else sane[found], time_s)
        taken = set(pairs.values())
        new = [_Followed(box, time_s) for i, box in enumerate(sane) if i not in taken]
        kept = [face for face in waited_for if face.is_alive(time_s)]
        self._faces = (kept + new)[:MAX_TRACKS]
        self._detected_s = time_s
        self._name_faces(at_once=not 0 <= paused_s <= PATIENCE_S)
        return self.coast(time_s)

    def coast(self, time_s: float) -> list[Track]:
        """Returns who is in a frame in which no faces were looked for, by their ids."""
        return [
            Track(face.id, face.box_at(time_s), face.is_seen)
            for face in sorted(self._faces, key=lambda face: face.id)
            if face.id and face.is_alive(time_s)
        ]

    def is_stale(self, time_s: float) -> bool:
        """Tells whether the last detection is too long ago for its faces to be followed further.

        Then faces should be looked for, whichever frame it is: with a slow camera, after a pause.
        """
        return not 0 <= time_s - self._detected_s <= _COAST_S

    def _waited_for(self, time_s: float, paused_s: float) -> list["_Followed"]:
        """Returns the faces that may be found again; of the last detection even after a pause."""
        if not 0 <= paused_s <= _FORGET_S:
            return []
        return [face for face in self._faces if face.is_seen or face.is_alive(time_s)]

    def _name_faces(self, *, at_once: bool) -> None:
        """Gives a number to each face that has none and was found twice, or `at_once`."""
        for face in self._faces:
            if not face.id and face.is_seen and (at_once or face.n_detections > 1):
                self._n_ids += 1
                face.id = self._n_ids


class _Followed:
    """One face: who it is, when it was found last, and how it moves."""

    def __init__(self, box: FaceBox, time_s: float) -> None:
        self.id = 0  # none yet
        self.n_detections = 1
        self.is_seen = True
        self.box = _box(_measure(box), box.score)  # where it was found last, smoothed
        self._seen_s = time_s
        self._motion = _Motion(box)

    def take(self, box: FaceBox | None, time_s: float) -> None:
        """Takes the box of a detection; None where it did not find this face."""
        self.is_seen = box is not None
        if box is None:
            return
        passed_s = time_s - self._seen_s
        if passed_s > PATIENCE_S:
            self._motion = _Motion(box)  # a speed over such a pause would be nobody's
        else:
            self._motion.correct(box, passed_s)
        self.n_detections += 1
        self._seen_s = time_s
        self.box = _box(self._motion.after(0.0), box.score)

    def is_alive(self, time_s: float) -> bool:
        """Tells whether it was found a short time ago."""
        return time_s - self._seen_s <= (PATIENCE_S if self.id else _CONFIRM_S)

    def box_at(self, time_s: float) -> FaceBox:
        """Returns where it is expected."""
        passed_s = time_s - self._seen_s
        return _box(self._motion.after(passed_s), self.box.score) if passed_s else self.box


class _Motion:
    """The filter's state: x, y and the logarithm of the side, their speeds, and its own doubt."""

    def __init__(self, box: FaceBox) -> None:
        self._place = _measure(box)  # px, px, 1
        self._speed = (0.0, 0.0, 0.0)
        # Variances of place, of both, of speed, in squares of the noise: at first a speed may be
        # about one side per second.
        self._doubt = (1.0, 0.0, 1 / _NOISE**2)

    def after(self, passed_s: float) -> tuple[float, float, float]:
        """Returns where it is some seconds after the last detection."""
        side = math.exp(self._place[2])
        pace = math.hypot(self._speed[0] / side, self._speed[1] / side, self._speed[2])
        trust = pace**2 / (pace**2 + _SLOW**2)
        ahead_s = trust * min(max(passed_s, 0.0), _COAST_S)
        x, y, log_side = (a + v * ahead_s for a, v in zip(self._place, self._speed, strict=True))
        return x, y, log_side

    def correct(self, box: FaceBox, passed_s: float) -> None:
        """Takes the next detection, up to a second after the last."""
        expected = self.after(passed_s)
        x, y, log_side = (m - e for m, e in zip(_measure(box), expected, strict=True))
        side = math.exp(expected[2])
        surprise = math.hypot(x / side, y / side, log_side) / _NOISE / _SURPRISE
        at, with_speed = self._gains(passed_s, _RESTLESSNESS * max(1.0, surprise) ** 4)
        off = (x, y, log_side)
        place = tuple(e + at * o for e, o in zip(expected, off, strict=True))
        speed = tuple(v + with_speed * o for v, o in zip(self._speed, off, strict=True))
        self._place, self._speed = (place[0], place[1], place[2]), (speed[0], speed[1], speed[2])

    def _gains(self, passed_s: float, restlessness: float) -> tuple[float, float]:
        """Returns what share of an error the place takes, and the speed per second.

        Source: Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and
        Navigation (2001), section 6.2.2: white-noise acceleration in continuous time.
        """
        place, both, speed = self._doubt
        place += passed_s * (2 * both + passed_s * speed) + restlessness * passed_s**3 / 3
        both += passed_s * speed + restlessness * passed_s**2 / 2
        speed += restlessness * passed_s
        at, with_speed = place / (place + 1), both / (place + 1)
        self._doubt = ((1 - at) * place, (1 - at) * both, speed - with_speed * both)
        return at, with_speed


def _measure(box: FaceBox) -> tuple[float, float, float]:
    """Returns a box's centre and the logarithm of its side."""
    side = math.log(max(box.width, box.height))
    return box.x + box.width / 2, box.y + box.height / 2, side


def _box(place: tuple[float, float, float], score: float) -> FaceBox:
    """Returns the square with a centre and the logarithm of a side."""
    x, y, log_side = place
    side = math.exp(log_side)
    return FaceBox(x - side / 2, y - side / 2, side, side, score)


def _is_sane(box: FaceBox) -> bool:
    smallest, largest = _SANE
    coordinates = (box.x, box.y, box.width, box.height)
    return min(box.width, box.height) >= smallest and max(map(abs, coordinates)) <= largest


def _pair(boxes: Sequence[FaceBox], faces: Sequence[tuple[FaceBox, FaceBox]]) -> dict[int, int]:
    """Returns the number of each face's box, by the face's; the closest pairs are made first.

    Args:
        boxes: What was detected.
        faces: Where each face is expected, and where it was last: it may have turned back.
    """
    closest = sorted(
        (-closeness, i, j)
        for i, (expected, last) in enumerate(faces)
        for j, box in enumerate(boxes)
        if (closeness := _closeness(box, expected, last)) is not None
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in closest:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


def _closeness(box: FaceBox, expected: FaceBox, last: FaceBox) -> float | None:
    """Returns an overlap; less than 0 for boxes side by side; None for strangers."""
    shared = overlap(box, expected)
    if shared > _SAME:
        return shared
    distance = min(_distance(box, expected), _distance(box, last))
    growth = max(box.width, last.width) / min(box.width, last.width)
    return -distance if distance < _REACH and growth < _MAX_GROWTH else None


def _distance(a: FaceBox, b: FaceBox) -> float:
    """Returns how far the centres of two boxes are apart, in sides."""
    x, y = a.x - b.x + (a.width - b.width) / 2, a.y - b.y + (a.height - b.height) / 2
    return 2 * math.hypot(x, y) / (a.width + b.width)


def overlap(a: FaceBox, b: FaceBox) -> float:
    """Returns the intersection over union of two boxes, 0-1."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    shared = max(0.0, width) * max(0.0, height)
    union = a.width * a.height + b.width * b.height - shared
    return shared / union if union else 0.0
