"""How a face looks: muscles and a person in, flat layers and spots of light out.

Numbers are places and lengths in face units (see `paint.Points`), chosen by eye so that a person
names the expression and OpenCV's face cascade finds the face. Nothing here knows an emotion.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.drawn.paint import Drawing, Layer, Points
from fer_edge.data.drawn.people import Actions, Person

EYE_X, EYE_Y, NOSE_Y, MOUTH_Y, CHIN_Y, TOP_Y = 0.42, -0.24, 0.19, 0.53, 0.98, -1.14

# Dense at the ends, where lids and lips turn sharply.
_T = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 15))
_TURN = np.linspace(0, 2 * np.pi, 32, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_S = np.linspace(0, 1, 11)[:, None]
_BEZIER = np.hstack([(1 - _S) ** 2, 2 * _S * (1 - _S), _S**2])


def draw_portrait(actions: Actions, person: Person) -> Drawing:
    """Returns a person whose face does what the actions say."""
    skin = _contour(person, chin=0.13 * actions.jaw_drop - 0.02 * actions.chin_up)
    solid = np.where(skin[:, 1:] < EYE_Y, _contour(person, grow=person.hair_volume), skin)
    layers = [
        *_bust(person),
        *_head(person, skin),
        *_wrinkles(actions, person),
        *([_beard(person, skin)] if person.beard else ()),
        *_mouth(actions, person),
        *_nose(actions, person),
        *(layer for side in (-1, 1) for layer in _eye(actions, person, side)),
        *_hair(person),
        *(_brow(actions, person, side) for side in (-1, 1)),
        *(_glasses(person) if person.glasses else ()),
    ]
    return Drawing(layers, solid, _spots(actions, person))


def _bust(person: Person) -> list[Layer]:
    """Hair that falls behind the neck, neck and shoulders."""
    layers = []
    if person.hair_length:
        back = _contour(person, grow=person.hair_volume + 0.04)
        below = np.maximum(back[:, 1] - EYE_Y, 0)
        back[:, 1] += person.hair_length * np.sqrt(below)
        back[:, 0] *= 1 + 0.2 * np.minimum(below, 1)
        layers.append(Layer(back, person.hair * 0.75, depth=0))
    neck = np.array([(-0.42, 0.5), (-0.42, 1.3), (0, 1.62), (0.42, 1.3), (0.42, 0.5)])
    arm = np.concatenate([[(-1.75, 12)], _curve((-1.75, 2.6), (-1.65, 1.4), (-0.4, 1.25))])
    return [
        *layers,
        Layer(_closed(arm, arm * (-1, 1)), person.shirt, depth=0),
        Layer(neck, person.skin * 0.72, depth=0),
    ]


def _head(person: Person, skin: Points) -> list[Layer]:
    """Ears and skin."""
    layers = []
    for side in (-1, 1):
        x = side * 0.81 * person.width
        layers.append(Layer(_ellipse(x, -0.08, 0.11, 0.21), person.skin * 0.85, depth=-0.4))
        layers.append(Layer(_ellipse(x, -0.08, 0.05, 0.12), person.skin * 0.65, depth=-0.4))
    return [*layers, Layer(skin, person.skin, depth=0)]


def _beard(person: Person, skin: Points) -> Layer:
    """From ear to ear, up to below the nose."""
    cheek = _curve((-0.86, -0.12), (-0.66, 0.66), (0, 0.34))
    lower = skin[skin[:, 1] > -0.12]
    jaw = lower[np.argsort(lower[:, 0])]
    gray = person.skin + person.beard * (person.hair - person.skin)
    return Layer(np.concatenate([jaw, cheek * (-1, 1), cheek[::-1]]), gray, depth=0)


def _contour(person: Person, *, grow: float = 0.0, chin: float = 0.0) -> Points:
    """Returns a head's contour, `grow` larger at the top: half an ellipse above, a jaw below."""
    x, y = _CIRCLE.T
    below = np.maximum(y, 0)
    round_x = np.sign(x) * np.abs(x) ** np.where(y > 0, 0.85 - 0.2 * person.jaw, 0.9)
    taper = 1 - (0.26 - 0.12 * person.jaw) * below**2
    half_height = np.where(y > 0, CHIN_Y - EYE_Y + chin, EYE_Y - TOP_Y + grow)
    half_width = 0.81 * person.width + grow * np.sqrt(np.maximum(-y, 0))
    return np.stack([round_x * half_width * taper, EYE_Y + y * half_height], axis=1)


def _hair(person: Person) -> list[Layer]:
    """Hair over the forehead with locks and strands, and curtains at the sides where it is long."""
    if not person.hair_volume:
        return []
    edge = 0.83 * person.width
    x = np.linspace(-1, 1, 33)
    locks = person.tuft * np.abs(np.sin(np.pi * (x - person.parting) * 3.5))
    part = -0.12 * np.exp(-(((x - person.parting) / 0.22) ** 2))
    temple = (EYE_Y + 0.14 - person.hairline) * np.abs(x) ** 7
    front = np.stack([x * edge, person.hairline + locks + part + temple], axis=1)
    crown = _contour(person, grow=person.hair_volume)
    crown = crown[crown[:, 1] < EYE_Y + 0.02]
    crown = crown[np.argsort(crown[:, 0])]
    layers = [Layer(_closed(front, crown), person.hair, depth=0.15)]
    crest = (person.parting * edge, TOP_Y - 0.6 * person.hair_volume)
    for place, tone in ((-0.75, 20), (-0.4, -18), (-0.1, 16), (0.2, -14), (0.5, 20), (0.8, -18)):
        end = (place * edge, person.hairline + 0.02 + 0.3 * abs(place) ** 4)
        bend = (0.5 * (end[0] + crest[0]) + 0.3 * place, crest[1] + 0.12)
        strand = _curve(crest, bend, end)
        layers.append(Layer(strand, person.hair + tone, stroke=0.03, depth=0.15))
    if person.hair_length:
        layers += [_curtain(person, edge, side) for side in (-1, 1)]
    return layers


def _curtain(person: Person, edge: float, side: int) -> Layer:
    """Long hair beside one cheek, over the ear."""
    end = EYE_Y + 0.5 + person.hair_length
    outer = _curve((edge * 0.9, -0.75), (edge + person.hair_volume + 0.18, 0.0), (edge + 0.12, end))
    inner = _curve((edge * 0.8, -0.75), (edge * 0.93, 0.1), (edge, end))
    return Layer(_closed(outer, inner) * (side, 1), person.hair * 0.94, depth=0.1)


def _brow(actions: Actions, person: Person, side: int) -> Layer:
    """A tapered arch, moved by AU1, AU2 and AU4."""
    force = 1 + side * person.skew
    up_in = force * 0.20 * actions.inner_brow_up - 0.17 * actions.brow_down
    up_out = force * 0.20 * actions.outer_brow_up - 0.03 * actions.brow_down
    up_out -= 0.05 * actions.inner_brow_up * (1 - actions.outer_brow_up)
    x = EYE_X * person.eye_spacing
    inner = (x - 0.25 - 0.09 * actions.brow_down, EYE_Y - 0.22 - up_in)
    outer = (x + 0.27, EYE_Y - 0.23 - up_out)
    arch = (x + 0.05, EYE_Y - 0.34 - 0.45 * (up_in + up_out) - 0.12 * max(up_out, 0))
    spine = _curve(inner, arch, outer)
    taper = np.minimum(0.45 + 3 * _S, 1.05 - 0.8 * _S)
    half = 0.048 * person.brow_weight * taper * (0, 1)
    shape = _closed(spine - half, spine + half) * (side, 1)
    return Layer(shape, min(person.hair, person.skin - 60) * 0.9)


def _eye(actions: Actions, person: Person, side: int) -> list[Layer]:
    """White, iris, pupil, glint and lids; the iris is cut off where a lid covers it."""
    size, x = 0.2 * person.eye_size, EYE_X * person.eye_spacing
    squint = 0.45 * actions.lid_tight + 0.4 * actions.cheek_up + 0.3 * actions.nose_wrinkle
    up = size * 0.62 * max(1 + 0.75 * actions.lid_up - squint, 0.18)
    low = size * (0.40 + 0.12 * actions.lid_up) * max(1 - 1.1 * squint, -0.25)
    low -= 0.25 * size * actions.cheek_up
    bow = 1 - _T**2
    slant = 0.28 * size * actions.inner_brow_up * (1 - actions.lid_up) * np.maximum(_T, -0.5)
    upper = EYE_Y - up * bow + slant
    lower = np.maximum(EYE_Y + low * bow + 0.6 * slant, upper + 0.02)
    across = x + size * _T

    def disc(radius: float) -> Points:
        round_x, round_y = _ellipse(x, EYE_Y - 0.01, radius, radius).T
        low_lid, high_lid = np.interp(round_x, across, lower), np.interp(round_x, across, upper)
        return np.stack([side * round_x, np.clip(round_y, high_lid, low_lid)], axis=1)

    lid = np.stack([side * across, upper], axis=1)
    lash = np.stack([side * across, lower], axis=1)
    layers = [
        Layer(_closed(lid, lash), 200 + 0.18 * person.skin),
        Layer(disc(0.56 * size), person.iris),
        Layer(disc(0.27 * size), 15),
        Layer(lid - (0, 0.07), person.skin * 0.78, stroke=0.025),
        Layer(lash, person.skin * 0.62, stroke=0.02),
        Layer(lid, min(person.skin * 0.3, 50), stroke=0.05),
    ]
    if up > 0.06:
        glint = _ellipse(side * x - 0.05 * person.eye_size, EYE_Y - 0.06, 0.03, 0.03)
        layers.insert(3, Layer(glint, 245))
    return layers


def _nose(actions: Actions, person: Person) -> list[Layer]:
    """Tip, wings and nostrils, which AU9 lifts."""
    size = 0.145 * person.nose * (1 + 0.12 * actions.nose_wrinkle + 0.08 * actions.smile)
    y = NOSE_Y - 0.06 * actions.nose_wrinkle
    layers = [Layer(_ellipse(0, y - 0.02, 0.55 * size, 0.5 * size), person.skin * 1.06, depth=1.3)]
    for side in (-1, 1):
        wing = _curve((size * 0.95, y - 0.09), (size * 1.35, y + 0.03), (size * 0.7, y + 0.05))
        nostril = _ellipse(side * size * 0.48, y + 0.045, 0.34 * size, 0.17 * size)
        layers += [
            Layer(wing * (side, 1), person.skin * 0.72, stroke=0.03, depth=1.15),
            Layer(nostril, person.skin * 0.42, depth=1.2),
        ]
    return layers


def _mouth(actions: Actions, person: Person) -> list[Layer]:
    """Lips, and between them teeth and tongue where they part."""
    a = actions
    oval = a.jaw_drop * (1 - min(a.stretch + a.smile + a.nose_wrinkle + a.brow_down, 1))
    half = 0.31 * (1 + 0.36 * a.smile + 0.30 * a.stretch - 0.22 * a.lip_tight - 0.36 * oval)
    gap = 0.42 * a.jaw_drop + 0.10 * a.lower_lip_down + 0.05 * a.upper_lip_up
    gap = max(0.0, gap - 0.05)  # unrest alone leaves a mouth closed
    corner = MOUTH_Y - 0.02 - 0.13 * a.smile + 0.11 * a.corner_down + 0.35 * gap
    top = MOUTH_Y + 0.03 * a.smile - 0.09 * a.upper_lip_up - 0.05 * a.chin_up - 0.03 * oval
    thin = person.lips * (1 - 0.65 * a.lip_tight) * (1 - 0.3 * a.stretch)
    bow = (1 - _T**2) ** (1 - 0.5 * max(oval, a.stretch, a.jaw_drop * a.brow_down))
    ends = corner - 0.05 * person.skew * _T * (1 + 3 * a.upper_lip_up)

    def edge(y: float) -> Points:
        return np.stack([half * _T, ends + (y - ends) * bow], axis=1)

    upper, lower = edge(top), edge(top + gap)
    layers = [
        Layer(_closed(edge(top - 0.065 * thin), lower), person.skin * 0.61),
        Layer(_closed(upper, edge(top + gap + 0.095 * thin)), person.skin * 0.70),
    ]
    if gap:
        layers += [Layer(_closed(upper, lower), 28), *_inside(a, upper, lower)]
    return [*layers, Layer(upper, person.skin * 0.32, stroke=0.03)]


def _inside(actions: Actions, upper: Points, lower: Points) -> list[Layer]:
    """Tongue and teeth: bands inside the opening between two edges of lips."""
    opening = lower[:, 1] - upper[:, 1]

    def band(start: NDArray[np.float64], end: NDArray[np.float64], gray: float) -> Layer:
        down = np.array([(0, 1)])
        return Layer(_closed(upper + start[:, None] * down, upper + end[:, None] * down), gray)

    bared = max(actions.smile, actions.stretch, actions.upper_lip_up, actions.brow_down)
    below = max(actions.stretch, actions.lower_lip_down, actions.brow_down)
    tongue = np.minimum(opening, 0.16 * actions.jaw_drop * (1 - _T**2))
    layers = [band(opening - tongue, opening, 105)]
    if bared > 0.2:
        layers.append(band(0 * opening, np.minimum(opening, 0.02 + 0.13 * bared), 232))
    if below > 0.2:
        layers.append(band(opening - np.minimum(opening * 0.45, 0.1 * below), opening, 222))
    return layers


def _wrinkles(actions: Actions, person: Person) -> list[Layer]:
    """Lines that muscles leave: forehead, between the brows, nose, cheeks, under eyes, chin."""
    a, x = actions, EYE_X * person.eye_spacing
    out = 0.1 * max(a.smile, a.stretch)
    folds = max(a.smile, a.nose_wrinkle, 0.8 * a.stretch, 0.5 * a.corner_down)
    forehead = [_curve((-0.4, y), (0, y - 0.07), (0.4, y)) for y in (-0.88, -0.77)]
    frown = _curve((0.07, -0.52), (0.03, -0.42), (0.06, -0.32))
    bridge = [_curve((0.06, y), (0.1, y - 0.01), (0.16, y - 0.09)) for y in (-0.13, -0.01)]
    fold = _curve((0.22, NOSE_Y), (0.36 + out, 0.26), (0.40 + out, 0.44))
    bag = _curve((x - 0.17, EYE_Y + 0.12), (x, EYE_Y + 0.2), (x + 0.2, EYE_Y + 0.1))
    chin = _curve((-0.15, 0.82), (0, 0.74), (0.15, 0.82))
    lines: list[tuple[float, Sequence[Points]]] = [
        (min(a.inner_brow_up, 0.35 + a.outer_brow_up), forehead),
        (a.brow_down, _both(frown)),
        (a.nose_wrinkle, _both(*bridge)),
        (folds, _both(fold)),
        (a.cheek_up, _both(bag)),
        (a.chin_up, [chin]),
    ]
    return [
        Layer(points, person.skin * (1 - 0.38 * force), stroke=0.028)
        for force, group in lines
        for points in group
        if force > 0.15
    ]


def _glasses(person: Person) -> list[Layer]:
    """Two rims and a bridge."""
    x = EYE_X * person.eye_spacing
    rims = [_ellipse(side * x, EYE_Y + 0.02, 0.29, 0.25) for side in (-1, 1)]
    bridge = _curve((0.29 - x, EYE_Y), (0, EYE_Y - 0.07), (x - 0.29, EYE_Y))
    lines = [*(np.concatenate([rim, rim[:1]]) for rim in rims), bridge]
    return [Layer(line, 35, stroke=0.035) for line in lines]


def _spots(actions: Actions, person: Person) -> NDArray[np.float64]:
    """Returns the soft lights and shadows of a face, as `Drawing.spots`."""
    x, jaw = EYE_X * person.eye_spacing, 0.1 * actions.jaw_drop
    cheek = 0.14 + 0.08 * max(actions.smile, actions.cheek_up)
    return np.array(
        [
            (-x, EYE_Y - 0.04, 0.27, 0.17, -0.26),  # eye sockets
            (x, EYE_Y - 0.04, 0.27, 0.17, -0.26),
            (0, -0.05, 0.09, 0.26, 0.16),  # bridge of the nose, and below the nose
            (0, 0.29, 0.2, 0.06, -0.2),
            (-0.46, 0.16, 0.22, 0.18, cheek),
            (0.46, 0.16, 0.22, 0.18, cheek),
            (0, -0.65, 0.45, 0.2, 0.1),  # forehead
            (0, 0.74 + jaw, 0.22, 0.05, -0.16),  # below the lips, and the chin
            (0, 0.87 + jaw, 0.16, 0.09, 0.1),
        ]
    )


def _both(*curves: Points) -> list[Points]:
    """Returns curves and their mirror images."""
    return [curve * (side, 1) for side in (-1, 1) for curve in curves]


def _closed(there: Points, back: Points) -> Points:
    """Returns the polygon between two curves that run the same way."""
    return np.concatenate([there, back[::-1]])


def _ellipse(x: float, y: float, across: float, down: float) -> Points:
    return _CIRCLE * (across, down) + (x, y)


def _curve(*points: tuple[float, float]) -> Points:
    """Returns a quadratic Bézier curve of three control points, (11, 2)."""
    return _BEZIER @ np.array(points, np.float64)
