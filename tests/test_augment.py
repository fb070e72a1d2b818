"""Augmentation: bytes in, bytes out, decided by the generator alone."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.data.augment import Augmentation, augment_batch, mix_pairs

OFF = Augmentation(flip=False, shift=0, scale=0, rotation_deg=0, light=0, erase=0)
FACES = np.random.default_rng(3).integers(0, 256, (64, 48, 48)).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_everything_off_changes_nothing() -> None:
    np.testing.assert_array_equal(augment_batch(FACES, OFF, rng()), FACES)


def test_the_generator_decides() -> None:
    full = Augmentation()
    first = augment_batch(FACES, full, rng())
    np.testing.assert_array_equal(first, augment_batch(FACES, full, rng()))
    assert not np.array_equal(first, augment_batch(FACES, full, np.random.default_rng(6)))
    assert first.dtype == np.uint8
    assert first.shape == FACES.shape


def test_flip_mirrors_about_half_exactly() -> None:
    flipped = augment_batch(FACES, Augmentation(True, 0, 0, 0, 0, 0), rng())
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, FACES, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(flipped, FACES, strict=True)]
    assert sum(mirrored) + sum(same) == 64
    assert 16 < sum(mirrored) < 48


def test_shift_moves_and_repeats_the_edge() -> None:
    image = np.zeros((200, 48, 48), np.uint8)
    image[:, 20:28, 20:28] = 255
    moved = augment_batch(image, Augmentation(False, 0.25, 0, 0, 0, 0), rng())
    columns = np.arange(48)
    weights = moved.astype(float).sum(axis=1)
    centres = (weights * columns).sum(axis=1) / weights.sum(axis=1)
    assert centres.min() < 23.5 - 9
    assert centres.max() > 23.5 + 9
    assert np.abs(centres - 23.5).max() <= 12.01


def test_rotation_keeps_the_centre() -> None:
    image = np.zeros((50, 49, 49), np.uint8)
    image[:, 24, 24] = 255
    turned = augment_batch(image, Augmentation(False, 0, 0, 45, 0, 0), rng())
    assert (turned[:, 24, 24] == 255).all()


def test_lanczos_keeps_what_linear_blurs() -> None:
    """Sharpness is what a Laplacian answers; images lie up to a pixel aside."""
    half = Augmentation(False, 0.02, 0, 0, 0, 0)
    sharpness = {}
    for resampling in ("linear", "cubic", "lanczos"):
        moved = augment_batch(FACES, replace(half, resampling=resampling), rng())
        sharpness[resampling] = np.mean([cv2.Laplacian(i, cv2.CV_64F).var() for i in moved])
    sharp = np.mean([cv2.Laplacian(i, cv2.CV_64F).var() for i in FACES])
    assert sharpness["linear"] < 0.6 * sharp
    assert sharpness["linear"] < sharpness["cubic"] < sharpness["lanczos"] < sharp
    everything_off = replace(OFF, resampling="lanczos")
    np.testing.assert_array_equal(augment_batch(FACES, everything_off, rng()), FACES)


def test_light_is_about_mid_gray() -> None:
    gray = np.full((300, 48, 48), 128, np.uint8)
    levels = augment_batch(gray, Augmentation(False, 0, 0, 0, 0.2, 0), rng())[:, 0, 0].astype(int)
    assert abs(levels.mean() - 128) < 3
    assert 20 <= np.abs(levels - 128).max() <= 26


def test_erase_touches_the_stated_share() -> None:
    erased = augment_batch(np.tile(FACES, (8, 1, 1)), Augmentation(False, 0, 0, 0, 0, 0.5), rng())
    changed = (erased != np.tile(FACES, (8, 1, 1))).mean(axis=(1, 2))
    assert 0.4 < (changed > 0).mean() < 0.6
    assert changed.max() < 0.22


def test_mixup_blends_images_and_targets_alike() -> None:
    images = np.stack([np.full((48, 48), 0, np.uint8), np.full((48, 48), 200, np.uint8)] * 8)
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 8]
    mixed, blended = mix_pairs(images, targets, 1.0, rng())
    np.testing.assert_allclose(mixed[:, 0, 0], 200 * blended[:, 1], atol=0.51)
    np.testing.assert_allclose(blended.sum(axis=1), 1, rtol=1e-6)
    assert ((blended[:, 1] > 0.05) & (blended[:, 1] < 0.95)).any()
    assert mix_pairs(images, targets, 0.0, rng())[0] is images


@pytest.mark.parametrize("side", [1, 48])
def test_small_and_empty(side: int) -> None:
    assert augment_batch(np.zeros((0, side, side), np.uint8), Augmentation(), rng()).shape[0] == 0
    assert augment_batch(np.zeros((2, side, side), np.uint8), Augmentation(), rng()).shape[0] == 2


def test_a_smaller_side_shows_the_same_scene() -> None:
    """Half the side, unvaried: each pixel lies between the four that it stands for."""
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 4, (1, 48, 1))
    half = augment_batch(ramp, OFF, rng(), 24)[0].astype(int)
    assert half.shape == (24, 24)
    np.testing.assert_allclose(half[12, 1:-1], np.arange(1, 23) * 8 + 2, atol=1)


@given(st.integers(0, 2**32 - 1))
def test_the_same_draw_varies_a_face_in_the_same_way_at_every_side(seed: int) -> None:
    y, x = np.mgrid[:48, :48]
    blob = (255 * np.exp(-((x - 30) ** 2 + (y - 18) ** 2) / 60)).astype(np.uint8)[None]
    moving = Augmentation(True, 0.1, 0.1, 15, 0, 0)
    full, small = (
        augment_batch(blob, moving, np.random.default_rng(seed), side)[0].astype(float)
        for side in (0, 24)
    )
    centres = []
    for image in (full, small):
        v, u = np.mgrid[: len(image), : len(image)]
        centres.append([((c + 0.5) * image).sum() / image.sum() / len(image) for c in (u, v)])
    np.testing.assert_allclose(centres[0], centres[1], atol=0.012)  # about half a pixel of 48
