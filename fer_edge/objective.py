"""What a training starts from, minimises, and steps by: weights, targets, optimizer, schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.split import Split
from fer_edge.errors import ConfigError
from fer_edge.keras_network import import_keras
from fer_edge.recipe import Recipe

if TYPE_CHECKING:
    import keras


def smoothed_targets(
    split: Split, n_classes: int, smoothing: float, soft_weight: float = 1.0
) -> NDArray[np.float32]:
    """Returns float32 (n, k) targets: one-hot and soft labels mixed, `smoothing` of it spread out.

    Args:
        split: With labels, and soft labels or none.
        n_classes: How many columns.
        smoothing: Share that is spread over all classes.
        soft_weight: Share of the soft labels in the mixture, where there are any.

    Source: Szegedy et al., arXiv:1512.00567, section 7.
    """
    target = np.eye(n_classes, dtype=np.float32)[split.labels]
    if split.soft is not None:
        target = (1 - soft_weight) * target + soft_weight * split.soft
    return np.asarray(target * (1 - smoothing) + smoothing / n_classes, np.float32)


def make_targets(
    split: Split, n_classes: int, recipe: Recipe, taught: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Returns float32 (n, k) targets, or (n, 2k) with those of the auxiliary head behind.

    Args:
        split: What is trained on.
        n_classes: How many columns a head has.
        recipe: How label, votes and teachers are mixed.
        taught: (n, k), what teachers answer; None without any.

    Raises:
        ConfigError: The auxiliary head has nothing to learn from.
    """
    if recipe.auxiliary and split.soft is None:
        raise ConfigError("The auxiliary head learns FER+'s votes: add --ferplus FILE.")
    votes = 0.0 if recipe.auxiliary else recipe.soft_weight
    first = smoothed_targets(split, n_classes, recipe.label_smoothing, votes)
    if taught is not None:
        first = (1 - recipe.teacher_weight) * first + recipe.teacher_weight * taught
    if not recipe.auxiliary:
        return np.asarray(first, np.float32)
    second = smoothed_targets(split, n_classes, recipe.label_smoothing)
    return np.concatenate([first, second], axis=1, dtype=np.float32)


def class_weights(counts: list[int], kind: str) -> NDArray[np.float32]:
    """Returns float32 (k,) loss weights whose mean over the training images is 1.

    Args:
        counts: Images a class; a class without any weighs nothing.
        kind: `none`, `sqrt` (inverse square root of the share) or `balanced` (inverse share).
    """
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    n = np.array(counts, np.float64)
    weights = np.where(n > 0, np.maximum(n, 1) ** -power, 0.0)
    return np.asarray(weights * n.sum() / (weights * n).sum(), np.float32)


HEADS = ("logits", "auxiliary")  # what may start fresh


def start_from(
    model: keras.Model,
    source: keras.Model,
    emotions: Sequence[str] = (),
    known: Sequence[str] = (),
) -> None:
    """Copies weights layer by layer, by name; of a head, what the emotions have in common.

    A second head that the source has dropped starts as the first one.

    Args:
        model: Gets the weights.
        source: Has them.
        emotions: What the answers of `model` mean.
        known: What those of `source` mean; empty when nobody knows, and then a head of another
            size keeps its fresh weights.

    Raises:
        ConfigError: A layer other than a head is absent or has another shape.
    """
    has = {layer.name for layer in source.layers}
    for layer in model.layers:
        if not layer.weights:
            continue
        from_first = layer.name == "auxiliary" and layer.name not in has
        try:
            weights = source.get_layer("logits" if from_first else layer.name).get_weights()
            if layer.name in HEADS and known:
                weights = _shared_columns(layer.get_weights(), weights, emotions, known)
            layer.set_weights(weights)
        except ValueError as exc:
            if layer.name in HEADS:
                continue
            raise ConfigError(
                f"Cannot start from {source.name!r}: its layer {layer.name} does not fit "
                f"{model.name!r}. Pick the --arch of the model that you start from, and a recipe "
                "for it."
            ) from exc


def _shared_columns(
    fresh: list[NDArray[np.float32]],
    trained: list[NDArray[np.float32]],
    emotions: Sequence[str],
    known: Sequence[str],
) -> list[NDArray[np.float32]]:
    """Returns a head's kernel and bias: trained where an emotion was known, else fresh."""
    shared = [emotion for emotion in emotions if emotion in known]
    to, of = (
        [names.index(emotion) for emotion in shared] for names in (list(emotions), list(known))
    )
    weights = [array.copy() for array in fresh]
    for array, source in zip(weights, trained, strict=True):
        array[..., to] = source[..., of]
    return weights


def compile_model(
    model: keras.Model, recipe: Recipe, n_steps: int, n_classes: int
) -> keras.optimizers.Optimizer:
    """Compiles with the recipe's loss, optimizer and schedule; returns the built optimizer."""
    keras = import_keras()
    common = {
        "learning_rate": _learning_rate(recipe, n_steps),
        "weight_decay": recipe.weight_decay,
    }
    optimizer = (
        keras.optimizers.AdamW(**common)
        if recipe.optimizer == "adamw"
        else keras.optimizers.SGD(momentum=0.9, nesterov=True, **common)
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(
        optimizer=optimizer,
        loss=_loss(n_classes, recipe.auxiliary),
        # XLA on a CPU compiles for minutes and is ten times slower here; elsewhere it pays.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def _loss(n_classes: int, auxiliary: float) -> Any:
    """Returns the cross-entropy of the first head's logits, plus the second's by its weight."""
    keras = import_keras()
    if not auxiliary:
        return keras.losses.CategoricalCrossentropy(from_logits=True)

    def both(targets: Any, logits: Any) -> Any:
        first, second = (
            keras.losses.categorical_crossentropy(targets[:, part], logits[:, part], True)
            for part in (slice(n_classes), slice(n_classes, None))
        )
        return first + auxiliary * second

    return both


def _learning_rate(recipe: Recipe, n_steps: int) -> Any:
    """Returns a warm-up and cosine schedule, or the plain rate that `plateau` changes."""
    if recipe.schedule == "plateau":
        return recipe.learning_rate
    warmup = round(recipe.warmup_epochs * n_steps)
    return import_keras().optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=max(1, recipe.epochs * n_steps - warmup),
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
