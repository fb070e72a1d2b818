"""Recipes: what is read is checked, by name, type and range."""

from pathlib import Path

import pytest
import tomli_w

from fer_edge.errors import ConfigError
from fer_edge.model import ALL_NAMES
from fer_edge.recipe import (
    Recipe,
    difference,
    read_recipe,
    recipe_from_dict,
    shipped_recipes,
    with_settings,
)


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_read_and_name_a_network(name: str) -> None:
    assert read_recipe(name).arch in ALL_NAMES


def test_toml_round_trip(tmp_path: Path) -> None:
    recipe = Recipe(arch="nano", seed=7).replace(mixup=0.3, epochs=5)
    path = tmp_path / "r.toml"
    path.write_text(tomli_w.dumps(recipe.to_dict()))
    assert read_recipe(str(path)) == recipe


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"epoch": 3}, "no field epoch"),
        ({"augmentation": {"zoom": 1}}, "no field zoom"),
        ({"epochs": "3"}, "epochs: expected int"),
        ({"epochs": True}, "epochs: expected int"),
        ({"epochs": 0}, "epochs: expected 1 to"),
        ({"learning_rate": -1.0}, "learning_rate: expected"),
        ({"optimizer": "adam"}, "optimizer: expected adamw or sgd"),
        ({"augmentation": {"flip": 1}}, "flip: expected bool"),
        ({"augmentation": {"erase": 1.5}}, "erase: expected 0 to 1"),
    ],
)
def test_faults(values: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        recipe_from_dict(values)


def test_unknown_and_broken_recipes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recipe 'smal'"):
        read_recipe("smal")
    (tmp_path / "r.toml").write_text("epochs = ")
    with pytest.raises(ConfigError, match="Cannot read the recipe"):
        read_recipe(str(tmp_path / "r.toml"))


def test_settings_from_text() -> None:
    changed = with_settings(
        Recipe(), {"epochs": 3}, ["mixup=0.2", "clean=false", "class_weights=sqrt", "seed=4"]
    )
    assert (changed.epochs, changed.augmentation.mixup, changed.seed) == (3, 0.2, 4)
    assert (changed.clean, changed.class_weights) == (False, "sqrt")


def test_a_field_asked_for_twice() -> None:
    assert with_settings(Recipe(), {"epochs": 3}, ["epochs=3"]).epochs == 3
    with pytest.raises(ConfigError, match="Recipe field epochs: asked for twice"):
        with_settings(Recipe(), {"epochs": 3}, ["epochs=4"])
    with pytest.raises(ConfigError, match="Recipe field seed: asked for twice"):
        with_settings(Recipe(), {}, ["seed=3", "seed=4"])


@pytest.mark.parametrize(
    ("setting", "says"),
    [("mixup", "FIELD=VALUE"), ("mix=1", "no field mix"), ("seed=x", "expected int, found 'x'")],
)
def test_bad_settings(setting: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_settings(Recipe(), {}, [setting])


def test_difference_names_the_field() -> None:
    assert difference(Recipe(), Recipe()) == ""
    assert difference(Recipe(), Recipe(epochs=3)) == "epochs is 40 there and 3 here"
    assert "mixup" in difference(Recipe(), Recipe().replace(mixup=0.5))
