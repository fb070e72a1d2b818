"""How a model is trained, as data: a frozen record, read from and written to TOML."""

import dataclasses
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from fer_edge.data.augment import Augmentation
from fer_edge.errors import ConfigError

RECIPES = Path(__file__).resolve().parent / "recipes"

Optimizer = Literal["adamw", "sgd"]
Schedule = Literal["cosine", "plateau"]
ClassWeights = Literal["none", "sqrt", "balanced"]
StartWeights = Literal["none", "imagenet"]
Precision = Literal["float32", "mixed_bfloat16"]
KeptEpoch = Literal["best", "last"]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training ends in, the data aside.

    Attributes:
        arch: A network of `fer_edge.model.ALL_NAMES`.
        weights: `imagenet` freezes `vgg16` at ImageNet's weights; the others know only `none`.
        epochs: Passes over the train split; the schedule is reckoned over them.
        stop_after: End after this epoch, the schedule unchanged, as when a later one is not worth
            its time; 0 is after the last. A run that goes on may name another.
        keep: The epoch whose weights are kept: `best` is that of the highest validation top-1,
            `last` the one that the run ends with. A run that goes on may name the other.
        batch_size: Images a step.
        seed: Of weights, order, augmentation and dropout.
        optimizer: `adamw`, or `sgd` with Nesterov momentum 0.9.
        learning_rate: At its peak.
        warmup_epochs: Linear rise from zero to the peak, of the `cosine` schedule.
        schedule: `cosine` to zero, or `plateau`, which starts at the peak and is divided by five
            after `plateau_patience` epochs without a better validation top-1.
        plateau_patience: Epochs, for the `plateau` schedule.
        weight_decay: Decoupled, on kernels only.
        label_smoothing: Share of each target that is spread over all classes.
        soft_weight: Share of FER+'s votes in each target, where they were joined; the rest is the
            label.
        teacher_weight: Share of the teachers' answer in each target, where teachers are given; the
            rest is the label.
        live_teachers: Ask the teachers that are networks about each varied image, as the student
            sees it, and not once about the image as it is. Source: Beyer et al., arXiv:2106.05237.
        class_weights: Loss weight a class: 1, inverse square root of its share, or inverse share;
            a target that is divided among classes weighs their mean.
        ema: Momentum of the weights' running mean, which is what is validated and kept; 0 is off.
        dropout: Share of pooled features dropped in training.
        early_stopping: Stop after so many epochs without a better validation top-1; 0 is never.
        clean: Drop duplicates, conflicts and blanks from the train split first.
        clean_near: Drop near copies of validation's and test's images as well, and near copies
            that contradict each other.
        low_side: Side of the training images in the first `low_epochs` epochs, pixels. At 32 an
            epoch costs under half. Source: Tan and Le, EfficientNetV2, arXiv:2104.00298.
        low_epochs: How many epochs that is; 0 is none.
        auxiliary: Loss weight of a second head, dropped after training, that learns FER+'s vote
            shares where they were joined; the first then learns the label alone. 0 is off.
        precision: Of activations: `float32`; or `mixed_bfloat16`, for CPUs with AMX and for
            accelerators.
        augmentation: How far training images are varied.
    """

    arch: str = "small"
    weights: StartWeights = "none"
    epochs: int = 40
    stop_after: int = 0
    keep: KeptEpoch = "best"
    batch_size: int = 96
    seed: int = 0
    optimizer: Optimizer = "adamw"
    learning_rate: float = 2e-3
    warmup_epochs: float = 1.0
    schedule: Schedule = "cosine"
    plateau_patience: int = 4
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    soft_weight: float = 1.0
    teacher_weight: float = 0.7
    live_teachers: bool = False
    class_weights: ClassWeights = "none"
    ema: float = 0.998
    dropout: float = 0.2
    early_stopping: int = 0
    clean: bool = True
    clean_near: bool = False
    low_side: int = 32
    low_epochs: int = 0
    auxiliary: float = 0.0
    precision: Precision = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        _check_types(self)
        if self.clean_near and not self.clean:
            raise ConfigError("Recipe field clean_near: expected clean to be true as well.")
        for name, (low, high) in _RANGES.items():
            value = getattr(self.augmentation if name in _AUGMENTATION else self, name)
            if not low <= value <= high:
                raise ConfigError(f"Recipe field {name}: expected {low} to {high}, found {value}.")

    def replace(self, **changes: Any) -> "Recipe":
        """Returns a recipe with some fields changed; augmentation fields by their own names."""
        varied = {name: changes.pop(name) for name in list(changes) if name in _AUGMENTATION}
        augmentation = dataclasses.replace(self.augmentation, **varied)
        return dataclasses.replace(self, augmentation=augmentation, **changes)

    @property
    def last_epoch(self) -> int:
        """The epoch that a run ends with, unless early stopping ends it before."""
        return min(self.epochs, self.stop_after or self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, as they stand in TOML."""
        return dataclasses.asdict(self)


_AUGMENTATION = {spec.name for spec in dataclasses.fields(Augmentation)}
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, 10_000),
    "stop_after": (0, 10_000),
    "batch_size": (1, 65_536),
    "seed": (0, 2**32 - 1),
    "learning_rate": (1e-8, 10),
    "warmup_epochs": (0, 1000),
    "plateau_patience": (1, 1000),
    "weight_decay": (0, 1),
    "label_smoothing": (0, 0.9),
    "soft_weight": (0, 1),
    "teacher_weight": (0, 1),
    "ema": (0, 0.99999),
    "dropout": (0, 0.95),
    "early_stopping": (0, 10_000),
    "low_side": (16, 48),
    "low_epochs": (0, 10_000),
    "auxiliary": (0, 10),
    "shift": (0, 0.5),
    "scale": (0, 0.9),
    "rotation_deg": (0, 180),
    "light": (0, 1),
    "erase": (0, 1),
    "mixup": (0, 10),
}


def read_recipe(name_or_path: str) -> Recipe:
    """Returns a recipe that ships with fer-edge, by name, or one from a TOML file.

    Raises:
        ConfigError: There is none, it is not TOML, or a field has a wrong name, type or range.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        try:
            return recipe_from_dict(tomllib.loads(path.read_text()))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise ConfigError(f"Cannot read the recipe {path}: {exc}.") from exc
    if name_or_path not in shipped_recipes():
        raise ConfigError(
            f"There is no recipe {name_or_path!r}. "
            f"Expected one of {', '.join(shipped_recipes())}, or the path of a .toml file."
        )
    return recipe_from_dict(tomllib.loads((RECIPES / f"{name_or_path}.toml").read_text()))


def shipped_recipes() -> list[str]:
    """Returns the names of the recipes that come with fer-edge."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """Returns a recipe from plain values; fields that are absent keep their defaults.

    Raises:
        ConfigError: A field has a wrong name, type or range.
    """
    plain = dict(values)
    augmentation = plain.pop("augmentation", {})
    if not isinstance(augmentation, dict):
        raise ConfigError(f"Expected [augmentation] as a table, found {augmentation!r}.")
    for cls, given in ((Recipe, plain), (Augmentation, augmentation)):
        known = [spec.name for spec in dataclasses.fields(cls)]
        if unknown := [name for name in given if name not in known]:
            raise ConfigError(
                f"A recipe has no field {', '.join(unknown)}. It has: {', '.join(known)}."
            )
    return Recipe(**plain, augmentation=Augmentation(**augmentation))


def with_settings(base: Recipe, changes: dict[str, Any], settings: Sequence[str]) -> Recipe:
    """Returns a recipe changed by values and by texts of the form FIELD=VALUE.

    Raises:
        ConfigError: A text is not of that form, or a field has a wrong name, type or range.
    """
    texts: dict[str, str] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ConfigError(f"Expected FIELD=VALUE, found {setting!r}.")
        name, text = name.strip(), text.strip()
        if texts.setdefault(name, text) != text:
            raise ConfigError(_asked_twice(name))
    known = {**base.to_dict(), **base.to_dict()["augmentation"]}
    del known["augmentation"]
    if unknown := [name for name in texts if name not in known]:
        raise ConfigError(
            f"A recipe has no field {', '.join(unknown)}. It has: {', '.join(known)}."
        )
    parsed = {name: _parse(name, text, type(known[name])) for name, text in texts.items()}
    for name in changes.keys() & parsed.keys():
        if changes[name] != parsed[name]:
            raise ConfigError(_asked_twice(name))
    return base.replace(**{**changes, **parsed})


def _asked_twice(name: str) -> str:
    return f"Recipe field {name}: asked for twice, differently. Pass one of both."


def _parse(name: str, text: str, kind: type) -> Any:
    """Returns a text as a value of a field's type."""
    if kind is bool and text in ("true", "false"):
        return text == "true"
    try:
        return text if kind is str else {int: int, float: float}[kind](text)
    except (ValueError, KeyError) as exc:
        expected = "true or false" if kind is bool else kind.__name__
        raise ConfigError(f"Recipe field {name}: expected {expected}, found {text!r}.") from exc


def difference(expected: Recipe, found: Recipe) -> str:
    """Returns the first field in which two recipes differ, with both values; else ''."""
    flat = [
        {**recipe.to_dict(), **recipe.to_dict()["augmentation"]} for recipe in (expected, found)
    ]
    for name in flat[0]:
        if name != "augmentation" and flat[0][name] != flat[1][name]:
            return f"{name} is {flat[0][name]!r} there and {flat[1][name]!r} here"
    return ""


def _check_types(recipe: Recipe) -> None:
    """Raises ConfigError where a field's value has not its declared type or literal."""
    for record in (recipe, recipe.augmentation):
        for spec in dataclasses.fields(record):
            value, expected = getattr(record, spec.name), spec.type
            options = get_args(expected)
            wanted: tuple[type, ...] = (float, int) if expected is float else (expected,)  # type: ignore[assignment]
            good = value in options if options else isinstance(value, wanted)
            if not good or (isinstance(value, bool) and expected is not bool):
                names = " or ".join(map(str, options)) or str(getattr(expected, "__name__", ""))
                raise ConfigError(f"Recipe field {spec.name}: expected {names}, found {value!r}.")
