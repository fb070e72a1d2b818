"""Training images, varied: one warp an image (flip, shift, scale, rotation), light, erasing, mixup.

Bytes in, bytes out, and only the generator that is passed in decides: the same generator state
gives the same batch, which is what makes an interrupted training resumable to the bit.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Resampling = Literal["linear", "cubic", "lanczos"]
INTERPOLATIONS: dict[Resampling, int] = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True)
class Augmentation:
    """How far training images are varied; each draw is uniform within its bound.

    Attributes:
        flip: Mirror half of the images.
        shift: Largest shift, as a share of the side.
        scale: Largest change of size, as a share.
        rotation_deg: Largest rotation.
        light: Largest change of contrast, and of brightness as a share of half the range.
        erase: Share of images in which a rectangle becomes noise. Source: arXiv:1708.04896.
        mixup: Alpha of the Beta that blends pairs; 0 is off. Source: arXiv:1710.09412.
        resampling: How a warped image's pixels are made. `linear` blurs, so that a network sees
            sharper images in use than it was trained on; `lanczos` keeps them nearly as sharp.
    """

    flip: bool = True
    shift: float = 0.08
    scale: float = 0.12
    rotation_deg: float = 12.0
    light: float = 0.2
    erase: float = 0.4
    mixup: float = 0.0
    resampling: Resampling = "linear"


def augment_batch(
    images: NDArray[np.uint8], augmentation: Augmentation, rng: np.random.Generator, side: int = 0
) -> NDArray[np.uint8]:
    """Returns varied copies of images, uint8 (n, h, w), or (n, side, side) of square ones.

    The same generator state warps and lights them in the same way at every side. Mixup is not
    applied here.
    """
    n, height, width = images.shape
    matrices = _warps(n, height, width, augmentation, rng)
    if side:
        matrices = _to_side(matrices, side / height)
        height = width = side
    tables = _light_tables(n, augmentation.light, rng)
    flags, border = INTERPOLATIONS[augmentation.resampling], cv2.BORDER_REPLICATE
    varied = np.empty((n, height, width), np.uint8)
    for image, matrix, table, out in zip(images, matrices, tables, varied, strict=True):
        warped = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=border)
        cv2.LUT(warped, table, dst=out)
    _erase(varied, augmentation.erase, rng)
    return varied


def mix_pairs(
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    alpha: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Returns each image and target blended with another of the batch, by a share from Beta(a, a).

    Args:
        images: uint8, (n, h, w).
        targets: float32, (n, k), rows that sum to 1.
        alpha: Of the Beta distribution; 0 returns the batch as it is.
        rng: Decides the pairs and the shares.
    """
    if alpha <= 0:
        return images, targets
    shares = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    other = rng.permutation(len(images))
    image_shares, target_shares = shares[:, None, None], shares[:, None]
    mixed = image_shares * images + (1 - image_shares) * images[other]
    return (
        np.rint(mixed).astype(np.uint8),
        target_shares * targets + (1 - target_shares) * targets[other],
    )


def _warps(
    n: int, height: int, width: int, augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Returns (n, 2, 3) affine matrices about the centre of the image."""
    angle = np.deg2rad(rng.uniform(-1, 1, n) * augmentation.rotation_deg)
    size = 1 + rng.uniform(-1, 1, n) * augmentation.scale
    mirror = np.where(rng.random(n) < 0.5 * augmentation.flip, -1.0, 1.0)
    shift = rng.uniform(-1, 1, (n, 2)) * augmentation.shift * (width, height)
    cos, sin = size * np.cos(angle), size * np.sin(angle)
    linear = np.stack([np.stack([cos * mirror, sin], 1), np.stack([-sin * mirror, cos], 1)], 1)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    offset = centre + shift - linear @ centre
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def _to_side(matrices: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Returns matrices that also resize by a factor; pixel centres lie at half-integers."""
    return factor * matrices + (factor - 1) / 2 * np.array([0.0, 0.0, 1.0])


def _light_tables(n: int, light: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Returns uint8 (n, 256): contrast about mid-gray and brightness, as look-up tables."""
    levels = np.arange(256)
    contrast = 1 + rng.uniform(-1, 1, (n, 1)) * light
    brightness = rng.uniform(-1, 1, (n, 1)) * light * 255 / 2
    return np.clip(np.rint((levels - 128) * contrast + 128 + brightness), 0, 255).astype(np.uint8)


def _erase(images: NDArray[np.uint8], share: float, rng: np.random.Generator) -> None:
    """Fills a rectangle of 2-20% of the area with noise, in a share of the images, in place."""
    _, height, width = images.shape
    for row in np.flatnonzero(rng.random(len(images)) < share):
        area = rng.uniform(0.02, 0.20) * height * width
        aspect = np.exp(rng.uniform(np.log(0.4), np.log(2.5)))
        h = min(height, max(1, round(float(np.sqrt(area * aspect)))))
        w = min(width, max(1, round(float(np.sqrt(area / aspect)))))
        top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        images[row, top : top + h, left : left + w] = rng.integers(0, 256, (h, w), np.uint8)
