"""What a followed face shows: probabilities that flow, and a label that does not flicker.

All in seconds, so that a slow camera behaves as a fast one. Finds no faces and opens no model.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fer_edge.camera.frames import TrackedFace
from fer_edge.camera.tracking import Track
from fer_edge.errors import ConfigError
from fer_edge.faces import crop_face
from fer_edge.predict import Classify

Answers = Mapping[int, NDArray[np.float32]]
"""Probabilities, float32 (k,), by the id of the face."""

SMOOTHING_S = 0.18 / math.log(2)
"""The browser demo's half-life of 180 ms as a time constant: 0.26 s."""

_LEAD = 0.1  # of another emotion's probability over the shown one's
_LEAD_S = 0.3  # for how long it has to be there
_SHOWN_S = 1.0  # how long a label stays at least once it has changed
_PAUSE_S = 1.0  # after which a face's last answers say nothing of it any more
_DOUBT = 0.03  # each side of the model's threshold, so that the question mark does not blink


def read_tracks(
    image: NDArray[np.uint8], tracks: Sequence[Track], classify: Classify
) -> dict[int, NDArray[np.float32]]:
    """Returns the probabilities of the faces that are seen in a frame, by their ids.

    Args:
        image: uint8, (h, w, 3), BGR.
        tracks: Of that frame; one that is not seen is not read, for it may show a wall.
        classify: What reads them; called once, and not at all where there are none.
    """
    seen = [track for track in tracks if track.is_seen]
    if not seen:
        return {}
    probabilities = classify(np.stack([crop_face(image, track.box) for track in seen]))
    return {track.id: row for track, row in zip(seen, probabilities, strict=True)}


class EmotionSmoother:
    """Follows what each face shows.

    Args:
        unsure_below: The manifest's: the probability under which an answer is unsure.
        smoothing_s: Time constant of the mean over time; 0 for the model's own answers, where
            neither label nor doubt is held back.

    Raises:
        ConfigError: The time constant is negative or not finite.
    """

    def __init__(self, *, unsure_below: float = 0.0, smoothing_s: float = SMOOTHING_S) -> None:
        if not 0 <= smoothing_s < math.inf:
            raise ConfigError(f"Expected a smoothing of 0 seconds or more, found {smoothing_s}.")
        self._unsure_below = unsure_below
        self._smoothing_s = smoothing_s
        self._shown: dict[int, _Shown] = {}

    def update(
        self, tracks: Sequence[Track], answers: Answers, time_s: float
    ) -> tuple[TrackedFace, ...]:
        """Takes a frame's answers; returns what is shown, in the order of the tracks.

        A face without an answer keeps its last one, one that never had any is left out, and one
        that is no longer among the tracks is forgotten.

        Args:
            tracks: Who is in the frame.
            answers: What the model says of them, or of some.
            time_s: Of the frame.
        """
        self._shown = {
            track.id: shown
            for track in tracks
            if (shown := self._take(track.id, answers.get(track.id), time_s))
        }
        return tuple(
            TrackedFace(track.id, track.box, shown.probabilities, shown.label, shown.is_unsure)
            for track in tracks
            if (shown := self._shown.get(track.id))
        )

    def _take(
        self, face: int, answer: NDArray[np.float32] | None, time_s: float
    ) -> "_Shown | None":
        """Returns what is shown of a face from now on."""
        shown = self._shown.get(face)
        if answer is None:
            return shown
        passed_s = math.inf if shown is None else time_s - shown.time_s
        if shown is None or not self._smoothing_s or not 0 <= passed_s <= _PAUSE_S:
            return _Shown(answer, self._unsure_below, time_s)
        shown.take(answer, -math.expm1(-passed_s / self._smoothing_s), time_s)
        return shown


class _Shown:
    """What is shown of one face: at first the model's answer as it is."""

    def __init__(self, answer: NDArray[np.float32], unsure_below: float, time_s: float) -> None:
        self.probabilities = answer
        self.label = int(answer.argmax())
        self.is_unsure = float(answer[self.label]) < unsure_below
        self.time_s = time_s
        self._unsure_below = unsure_below
        self._changed_s = -math.inf
        self._led_since_s = math.inf

    def take(self, answer: NDArray[np.float32], share: float, time_s: float) -> None:
        """Takes an answer, which makes up a share of the mean from now on."""
        mixed = self.probabilities + share * (answer - self.probabilities)
        self.probabilities = mixed.astype(np.float32, copy=False)
        self.time_s = time_s
        self._choose_label(time_s)
        doubt = _DOUBT if self.is_unsure else -_DOUBT
        self.is_unsure = float(self.probabilities[self.label]) < self._unsure_below + doubt

    def _choose_label(self, time_s: float) -> None:
        """Takes the likeliest emotion once the shown one has been behind for long enough."""
        likeliest = int(self.probabilities.argmax())
        if self.probabilities[likeliest] - self.probabilities[self.label] < _LEAD:
            self._led_since_s = math.inf
            return
        self._led_since_s = min(self._led_since_s, time_s)
        if time_s - self._led_since_s >= _LEAD_S and time_s - self._changed_s >= _SHOWN_S:
            self.label, self._changed_s, self._led_since_s = likeliest, time_s, math.inf
