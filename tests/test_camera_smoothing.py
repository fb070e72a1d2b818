"""What a followed face shows, on made-up answers: the mean over time, the label, the doubt."""

import math
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.camera.frames import TrackedFace
from fer_edge.camera.smoothing import SMOOTHING_S, EmotionSmoother, read_tracks
from fer_edge.camera.tracking import Track
from fer_edge.errors import ConfigError
from fer_edge.faces import FaceBox, crop_face

ROOT = Path(__file__).parents[1]
HAPPY, SAD, NEUTRAL = 3, 4, 6
BOX = FaceBox(10, 20, 48, 48, 0.9)


def answer(**shares: float) -> NDArray[np.float32]:
    """Probabilities with the shares that are named; the other emotions share the rest."""
    labels = {"happy": HAPPY, "sad": SAD, "neutral": NEUTRAL}
    rest = (1 - sum(shares.values())) / (7 - len(shares))
    probabilities = np.full(7, rest, np.float32)
    for name, share in shares.items():
        probabilities[labels[name]] = share
    return probabilities


def track(number: int = 1, *, is_seen: bool = True) -> Track:
    return Track(number, BOX, is_seen)


def show(
    smoother: EmotionSmoother, probabilities: NDArray[np.float32] | None, time_s: float
) -> TrackedFace:
    """Gives one face's answer, or none, and returns what is shown of it."""
    answers = {} if probabilities is None else {1: probabilities}
    (face,) = smoother.update([track(is_seen=bool(answers))], answers, time_s)
    return face


def show_all(
    smoother: EmotionSmoother, answers: Iterable[NDArray[np.float32]], *, fps: float
) -> list[TrackedFace]:
    return [show(smoother, row, number / fps) for number, row in enumerate(answers)]


def changes(faces: list[TrackedFace]) -> list[int]:
    """Returns in which frames another label is shown than before."""
    labels = [face.label for face in faces]
    return [i for i in range(1, len(labels)) if labels[i] != labels[i - 1]]


def test_the_first_answer_shows_at_once() -> None:
    face = show(EmotionSmoother(unsure_below=0.5), answer(sad=0.7), 3.0)
    assert np.array_equal(face.probabilities, answer(sad=0.7))
    assert face.probabilities.dtype == np.float32
    assert (face.id, face.box, face.label, face.is_unsure) == (1, BOX, SAD, False)


@pytest.mark.parametrize("fps", [2, 10, 60])
def test_the_mean_takes_the_same_time_at_every_rate(fps: int) -> None:
    """From 0.1 towards 0.8: after one time constant of 0.5 s, 1 - 1/e of the way."""
    smoother = EmotionSmoother(smoothing_s=0.5)
    show(smoother, answer(happy=0.1), 0.0)
    for number in range(1, fps // 2 + 1):
        face = show(smoother, answer(happy=0.8), number / fps)
    assert face.probabilities[HAPPY] == pytest.approx(0.8 - 0.7 / math.e, abs=1e-5)
    assert face.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_browser_smooths_as_much() -> None:
    source = (ROOT / "web_demo/src/tracks.ts").read_text()
    found = re.search(r"^const HALF_LIFE_MS = (\d+);", source, re.MULTILINE)
    assert found
    assert pytest.approx(float(found[1]) / 1000 / math.log(2)) == SMOOTHING_S


@pytest.mark.parametrize(
    ("seconds", "lead", "shown"),
    [
        (0.2, 0.3, HAPPY),  # too short
        (0.4, 0.3, SAD),
        (5.0, 0.08, HAPPY),  # too small a lead
        (5.0, 0.12, SAD),
        (5.0, -0.1, HAPPY),
    ],
)
def test_when_another_label_is_shown(seconds: float, lead: float, shown: int) -> None:
    """With next to no mean over time, so that only the label is held back."""
    smoother = EmotionSmoother(smoothing_s=1e-6)
    show(smoother, answer(happy=0.6), -1 / 20)
    other = answer(happy=0.4 - lead / 2, sad=0.4 + lead / 2)
    faces = show_all(smoother, [other] * round(20 * seconds + 1), fps=20)
    assert faces[-1].label == shown
    assert faces[-1].probabilities == pytest.approx(other, abs=1e-6)


def test_a_lead_that_is_broken_counts_from_anew() -> None:
    """0.2 s of sad, a frame of happy, and so on for 4 s."""
    smoother = EmotionSmoother(smoothing_s=1e-6)
    rows = ([answer(happy=0.6)] + [answer(sad=0.6)] * 5) * 20
    assert changes(show_all(smoother, rows, fps=30)) == []


def test_two_rivals_together_replace_a_label() -> None:
    """Sad and neutral take turns before a happy that is gone: it must not stay for ever."""
    smoother = EmotionSmoother(smoothing_s=1e-6)
    rows = [answer(happy=0.6)] + [answer(sad=0.5, neutral=0.3), answer(sad=0.3, neutral=0.5)] * 6
    assert changes(show_all(smoother, rows, fps=20)) == [7]  # 0.3 s after the first


@pytest.mark.parametrize("period_s", [0.1, 0.4, 0.8, 1.4, 2.5])
@pytest.mark.parametrize("fps", [5, 15, 60])
def test_a_label_changes_at_most_once_a_second(period_s: float, fps: int) -> None:
    """Answers as sure as can be that alternate, for 20 s."""
    times = np.arange(20 * fps) / fps
    rows = [answer(happy=0.9) if t % period_s < period_s / 2 else answer(sad=0.9) for t in times]
    found = changes(show_all(EmotionSmoother(), rows, fps=fps))
    assert all(b - a >= fps for a, b in pairwise(found))
    if period_s == 2.5:
        assert len(found) >= 14  # two a period; it must not be deaf either


def test_smoothing_of_zero_shows_the_models_own_answers() -> None:
    smoother = EmotionSmoother(unsure_below=0.5, smoothing_s=0)
    rows = [answer(happy=0.9), answer(sad=0.49), answer(happy=0.51), answer(sad=0.9)] * 5
    faces = show_all(smoother, rows, fps=15)
    for face, row in zip(faces, rows, strict=True):
        assert np.array_equal(face.probabilities, row)
        assert (face.label, face.is_unsure) == (int(row.argmax()), bool(row.max() < 0.5))


@pytest.mark.parametrize(
    ("shares", "is_unsure"),
    [
        ([0.60, 0.49], [False, False]),  # doubt begins under 0.47
        ([0.60, 0.46, 0.49], [False, True, True]),  # and ends from 0.53 on
        ([0.60, 0.46, 0.52, 0.54], [False, True, True, False]),
        ([0.49, 0.52], [True, True]),
        ([0.51, 0.48], [False, False]),
    ],
)
def test_doubt_does_not_blink(shares: list[float], is_unsure: list[bool]) -> None:
    smoother = EmotionSmoother(unsure_below=0.5, smoothing_s=1e-6)
    faces = show_all(smoother, [answer(happy=share) for share in shares], fps=15)
    assert [face.is_unsure for face in faces] == is_unsure


@pytest.mark.parametrize(("threshold", "is_unsure"), [(0.0, False), (1.0, True)])
def test_models_that_are_always_or_never_sure(threshold: float, is_unsure: bool) -> None:
    smoother = EmotionSmoother(unsure_below=threshold)
    rows = [answer(happy=0.99), answer(happy=0.15), answer(happy=0.99)]
    assert [face.is_unsure for face in show_all(smoother, rows, fps=1.5)] == [is_unsure] * 3


def test_doubt_is_about_the_label_that_is_shown() -> None:
    """Happy is still shown at 0.1; that sad is sure does not make happy sure."""
    smoother = EmotionSmoother(unsure_below=0.5, smoothing_s=1e-6)
    show(smoother, answer(happy=0.9), 0.0)
    face = show(smoother, answer(happy=0.1, sad=0.8), 0.1)
    assert (face.label, face.is_unsure) == (HAPPY, True)


@pytest.mark.parametrize(("time_s", "starts_again"), [(5.9, False), (6.1, True), (4.9, True)])
def test_after_a_pause_it_starts_again(time_s: float, starts_again: bool) -> None:
    smoother = EmotionSmoother(smoothing_s=10.0)
    show(smoother, answer(happy=0.9), 5.0)
    face = show(smoother, answer(sad=0.9), time_s)
    assert (face.label == SAD) is starts_again
    assert (face.probabilities[SAD] == np.float32(0.9)) is np.bool_(starts_again)


def test_a_face_that_is_not_seen_keeps_its_answer() -> None:
    smoother = EmotionSmoother()
    seen = show(smoother, answer(happy=0.9), 0.0)
    kept = show(smoother, None, 0.5)
    assert (kept.label, kept.is_unsure) == (seen.label, seen.is_unsure)
    assert np.array_equal(kept.probabilities, seen.probabilities)


def test_a_face_without_any_answer_is_left_out() -> None:
    faces = EmotionSmoother().update([track(1), track(2)], {2: answer(sad=0.9)}, 0.0)
    assert [face.id for face in faces] == [2]


def test_a_face_that_went_is_forgotten() -> None:
    smoother = EmotionSmoother(smoothing_s=10.0)
    show(smoother, answer(happy=0.9), 0.0)
    assert smoother.update([], {}, 0.1) == ()
    assert show(smoother, answer(sad=0.9), 0.2).label == SAD


def test_faces_do_not_mix() -> None:
    smoother = EmotionSmoother()
    tracks = [track(1), track(2)]
    for number in range(30):
        answers = {1: answer(happy=0.9), 2: answer(sad=0.8)}
        first, second = smoother.update(tracks, answers, number / 15)
    assert first.probabilities == pytest.approx(answer(happy=0.9), abs=1e-6)
    assert second.probabilities == pytest.approx(answer(sad=0.8), abs=1e-6)
    assert (first.label, second.label) == (HAPPY, SAD)


def test_what_was_returned_stays_as_it_was() -> None:
    smoother = EmotionSmoother()
    row = answer(happy=0.9)
    first = show(smoother, row, 0.0)
    show(smoother, answer(sad=0.9), 0.2)
    assert np.array_equal(first.probabilities, answer(happy=0.9))
    assert np.array_equal(row, answer(happy=0.9))


@pytest.mark.parametrize("smoothing_s", [-0.1, math.nan, math.inf])
def test_smoothing_that_makes_no_sense(smoothing_s: float) -> None:
    with pytest.raises(ConfigError, match="Expected a smoothing of 0 seconds or more"):
        EmotionSmoother(smoothing_s=smoothing_s)


def test_all_faces_that_are_seen_are_read_in_one_call() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    boxes = [FaceBox(0, 0, 100, 100, 1.0), FaceBox(50, 0, 80, 80, 1.0), FaceBox(90, 9, 99, 99, 1.0)]
    tracks = [Track(4, boxes[0], True), Track(7, boxes[1], False), Track(9, boxes[2], True)]
    calls: list[NDArray[np.uint8]] = []

    def classify(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(crops)
        return np.stack([answer(happy=0.9), answer(sad=0.9)])

    answers = read_tracks(image, tracks, classify)
    (crops,) = calls
    assert np.array_equal(crops, [crop_face(image, boxes[0]), crop_face(image, boxes[2])])
    assert {number: int(row.argmax()) for number, row in answers.items()} == {4: HAPPY, 9: SAD}


@pytest.mark.parametrize("tracks", [[], [track(is_seen=False)]], ids=["nobody", "nobody seen"])
def test_without_faces_the_model_is_not_asked(tracks: list[Track]) -> None:
    def classify(_: NDArray[np.uint8]) -> NDArray[np.float32]:
        pytest.fail("asked for no faces")

    assert read_tracks(np.zeros((48, 48, 3), np.uint8), tracks, classify) == {}
