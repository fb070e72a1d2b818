"""Who is drawn and which muscles they move: the emotions as a table, people by chance.

Nothing here knows how a face looks; `portrait` does.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from fer_edge.errors import DataError


@dataclass(frozen=True)
class Actions:
    """How strongly facial muscles act, 0-1, by action unit. Source: Ekman & Friesen, FACS, 1978.

    Attributes:
        inner_brow_up: AU1.
        outer_brow_up: AU2.
        brow_down: AU4, which also draws the brows together.
        lid_up: AU5.
        cheek_up: AU6.
        lid_tight: AU7.
        nose_wrinkle: AU9.
        upper_lip_up: AU10.
        smile: AU12.
        corner_down: AU15.
        lower_lip_down: AU16.
        chin_up: AU17.
        stretch: AU20.
        lip_tight: AU23.
        jaw_drop: AU26.
    """

    inner_brow_up: float = 0.0
    outer_brow_up: float = 0.0
    brow_down: float = 0.0
    lid_up: float = 0.0
    cheek_up: float = 0.0
    lid_tight: float = 0.0
    nose_wrinkle: float = 0.0
    upper_lip_up: float = 0.0
    smile: float = 0.0
    corner_down: float = 0.0
    lower_lip_down: float = 0.0
    chin_up: float = 0.0
    stretch: float = 0.0
    lip_tight: float = 0.0
    jaw_drop: float = 0.0


@dataclass(frozen=True)
class Person:
    """Who is drawn. Grays are 0-255, lengths are in face units, the rest are factors about 1.

    Attributes:
        skin: Gray.
        hair: Gray.
        shirt: Gray.
        iris: Gray.
        width: Of the head.
        jaw: 0 for a pointed chin, 1 for a square one.
        eye_spacing: Between the eyes.
        eye_size: Of the eyes.
        brow_weight: Thickness of the brows.
        nose: Of the nose.
        lips: Thickness of the lips.
        hair_volume: Length that the hair stands off the head; 0 is bald.
        hair_length: Length that it falls below the eyes; 0 is short.
        hairline: Its height in the middle, y.
        parting: Where the hair parts, x.
        tuft: Length of the locks on the forehead.
        beard: 0-1, how dark.
        glasses: Whether there are any.
        skew: How much stronger muscles act on the right, as a share.
    """

    skin: float
    hair: float
    shirt: float
    iris: float
    width: float
    jaw: float
    eye_spacing: float
    eye_size: float
    brow_weight: float
    nose: float
    lips: float
    hair_volume: float
    hair_length: float
    hairline: float
    parting: float
    tuft: float
    beard: float
    glasses: bool
    skew: float


# At full strength, the range in which each muscle acts; a negative low end leaves it out in some.
# Source: EMFACS, in Ekman, Friesen & Hager, FACS Investigator's Guide, 2002.
EXPRESSIONS: dict[str, dict[str, tuple[float, float]]] = {
    "angry": {
        "brow_down": (0.8, 1.0),
        "lid_up": (0.2, 0.6),
        "lid_tight": (0.3, 0.8),
        "lip_tight": (0.4, 1.0),
        "chin_up": (0.0, 0.6),
        "jaw_drop": (-0.5, 0.5),
    },
    "disgust": {
        "brow_down": (0.1, 0.5),
        "lid_tight": (0.2, 0.6),
        "nose_wrinkle": (0.7, 1.0),
        "upper_lip_up": (0.6, 1.0),
        "corner_down": (0.4, 1.0),
        "lower_lip_down": (0.1, 0.8),
        "cheek_up": (0.0, 0.4),
    },
    "fear": {
        "inner_brow_up": (0.9, 1.1),
        "outer_brow_up": (0.1, 0.5),
        "brow_down": (0.2, 0.4),
        "lid_up": (0.8, 1.1),
        "stretch": (0.7, 1.0),
        "jaw_drop": (0.1, 0.6),
        "corner_down": (0.1, 0.5),
    },
    "happy": {
        "cheek_up": (0.4, 1.0),
        "smile": (0.7, 1.0),
        "jaw_drop": (-0.2, 0.7),
    },
    "sad": {
        "inner_brow_up": (0.7, 1.0),
        "brow_down": (0.0, 0.3),
        "corner_down": (0.6, 1.0),
        "chin_up": (0.1, 0.8),
    },
    "surprise": {
        "inner_brow_up": (0.8, 1.0),
        "outer_brow_up": (0.8, 1.0),
        "lid_up": (0.5, 1.0),
        "jaw_drop": (0.6, 1.1),
    },
    "neutral": {},
}


def act(emotion: str, rng: np.random.Generator) -> Actions:
    """Returns the muscles of an emotion at a random strength, over slight unrest everywhere.

    Every emotion takes as many random numbers, so that one seed is one person in all of them.

    Raises:
        DataError: There is no such emotion.
    """
    if emotion not in EXPRESSIONS:
        raise DataError(f"Expected an emotion of {', '.join(EXPRESSIONS)}, found {emotion!r}.")
    names = [spec.name for spec in dataclasses.fields(Actions)]
    strength = rng.uniform(0.5, 1.0)
    unrest, share = rng.uniform(-0.12, 0.12, len(names)), rng.uniform(0, 1, len(names))
    low, high = np.array([EXPRESSIONS[emotion].get(name, (0.0, 0.0)) for name in names]).T
    forces = np.clip(unrest + strength * (low + share * (high - low)), 0, 1)
    return Actions(**dict(zip(names, forces.tolist(), strict=True)))


def meet(rng: np.random.Generator) -> Person:
    """Returns a random person."""
    long_hair = bool(rng.random() < 0.4)
    bald = not long_hair and rng.random() < 0.1
    bearded = not long_hair and rng.random() < 0.25
    hair_grays = [(18, 60), (60, 110), (150, 205)]
    return Person(
        skin=rng.uniform(115, 225),
        hair=rng.uniform(*hair_grays[rng.integers(3)]),
        shirt=rng.uniform(30, 220),
        iris=rng.uniform(35, 95),
        width=rng.uniform(0.92, 1.06),
        jaw=rng.uniform(0, 1),
        eye_spacing=rng.uniform(0.93, 1.07),
        eye_size=rng.uniform(0.88, 1.12),
        brow_weight=rng.uniform(0.7, 1.5),
        nose=rng.uniform(0.8, 1.25),
        lips=rng.uniform(0.65, 1.35),
        hair_volume=0.0 if bald else rng.uniform(0.06, 0.2),
        hair_length=rng.uniform(0.4, 1.2) if long_hair else 0.0,
        hairline=rng.uniform(-0.88, -0.68),
        parting=rng.uniform(-0.5, 0.5),
        tuft=rng.uniform(0.02, 0.12),
        beard=rng.uniform(0.5, 0.9) if bearded else 0.0,
        glasses=bool(rng.random() < 0.12),
        skew=rng.uniform(-0.25, 0.25),
    )
