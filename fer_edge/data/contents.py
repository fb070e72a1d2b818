"""Which images are equal, pixel for pixel, and which show nothing. NumPy only."""

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.split import Split


def content_ids(*groups: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """Returns, for each group of images, one number an image: equal exactly where pixels are.

    Args:
        groups: Arrays of images, uint8, (n, h, w), all of one height and width.
    """
    rows = np.ascontiguousarray(np.concatenate(groups)).reshape(sum(map(len, groups)), -1)
    _, numbers = np.unique(rows.view(f"V{rows.shape[1]}").ravel(), return_inverse=True)
    return np.split(numbers, np.cumsum([len(group) for group in groups])[:-1])


def is_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns bool, (n,): which images, uint8 (n, h, w), have one gray level throughout."""
    flat = images.reshape(len(images), -1)
    return np.asarray(flat.min(axis=1) == flat.max(axis=1))


def is_leaked(split: Split, train: Split) -> NDArray[np.bool_]:
    """Returns bool, (n,): which images of `split` stand, pixel for pixel, in `train` as well."""
    own, other = content_ids(split.images, train.images)
    return np.isin(own, other)
