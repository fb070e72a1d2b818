"""What `train` decides before it works, and what it refuses."""

import shutil
from pathlib import Path

import pytest

from fer_edge.catalog import find_source
from fer_edge.cli.options import chosen_source
from fer_edge.data.split import Source
from fer_edge.errors import ConfigError, OutputError
from fer_edge.keras_network import import_keras
from fer_edge.recipe import Recipe
from fer_edge.runs import Run, describe_init, training_provenance
from fer_edge.training_plan import TrainingPlan, plan_training

SAMPLE = Source("sample")


def plan(**options: object) -> TrainingPlan:
    settings: dict[str, object] = {"source": SAMPLE, "out": None, "recipe": None, "changes": {}}
    return plan_training(**{**settings, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "folder", "arch", "epochs"),
    [
        pytest.param({}, "small", "small", 94, id="nothing said"),
        pytest.param({"changes": {"arch": "base"}}, "base", "base", 64, id="arch"),
        pytest.param({"changes": {"arch": "elu-cnn"}}, "elu-cnn", "elu-cnn", 24, id="own recipe"),
        pytest.param({"recipe": "base-finish"}, "base-finish", "base", 32, id="recipe"),
        pytest.param({"init": "small"}, "finetune", "small", 30, id="init"),
    ],
)
def test_defaults(
    options: dict[str, object],
    folder: str,
    arch: str,
    epochs: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan(**options)
    assert made.run.folder == Path("runs") / folder
    assert (made.recipe.arch, made.recipe.epochs) == (arch, epochs)
    assert (made.init is not None) == ("init" in options)


def test_the_second_head_is_left_out_without_votes(tmp_path: Path) -> None:
    made = plan(recipe="base", out=tmp_path / "new")
    assert made.recipe.auxiliary == 0
    assert len(made.notes) == 1
    assert "left out without --ferplus" in made.notes[0]
    with_votes = plan(recipe="base", source=Source("fer.csv", ferplus="v"), out=tmp_path / "new")
    assert (with_votes.recipe.auxiliary > 0, with_votes.notes) == (True, ())
    asked = plan(recipe="base", settings=["auxiliary=0.5"], out=tmp_path / "new")
    assert (asked.recipe.auxiliary, asked.notes) == (0.5, ())
    assert plan(recipe="nano", out=tmp_path / "new").notes == ()


def test_shipped_teachers_lie_in_no_folder_of_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (Path(), Path("base")):
        assert plan(teachers=["base", "fer2013-teacher"], out=out, force=True).run.folder == out


def test_an_architecture_that_is_set_is_not_taken_from_the_start(tmp_path: Path) -> None:
    made = plan(init="small", settings=["arch=base"], out=tmp_path / "new")
    assert made.recipe.arch == "base"


def test_live_teachers_that_are_none_are_said(tmp_path: Path) -> None:
    options = {"settings": ["live_teachers=true"], "out": tmp_path / "new"}
    assert "no --teacher is given" in plan(**options).notes[-1]
    assert len(plan(**options, teachers=["base"]).notes) == len(plan(**options).notes) - 1


def test_a_start_of_another_architecture_decides_the_architecture(run: Run, tmp_path: Path) -> None:
    assert plan(init=str(run.folder), out=tmp_path / "new").recipe.arch == "nano"


def test_what_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--force"):
        plan(out=run.folder)
    with pytest.raises(ConfigError, match="which the training would replace"):
        plan(init=str(run.folder), out=run.folder, force=True)
    for teacher in (run.folder, run.model, run.teacher):
        with pytest.raises(ConfigError, match=r"teacher \S+ lies in \S+, which the training would"):
            plan(teachers=["fer2013-teacher", str(teacher)], out=run.folder, force=True)
    shipped = plan(teachers=["fer2013-teacher", "base"], out=tmp_path, force=True)
    assert shipped.teachers == ("fer2013-teacher", "base")
    with pytest.raises(ConfigError, match="learn from with --data"):
        plan(init="small", source=None, out=tmp_path / "new")
    with pytest.raises(ConfigError, match="clean_near: expected clean"):
        Recipe(clean=False, clean_near=True)


def test_a_strangers_network_is_no_start(tmp_path: Path) -> None:
    keras = import_keras()
    image = keras.Input((48, 48, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    keras.Model(image, keras.layers.Dense(7)(flat), name="theirs").save(tmp_path / "theirs.keras")
    with pytest.raises(ConfigError, match="called 'theirs', and none that fer-edge builds"):
        plan(init=str(tmp_path / "theirs.keras"), out=tmp_path / "new")


def test_resuming_needs_the_start_no_more(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(run.folder, folder)
    config = (folder / "config.toml").read_text()
    lost = '[init]\nfile = "/gone/float.keras"\nsha256 = "00"\n'
    assert "[init]\n" in config
    (folder / "config.toml").write_text(config.replace("[init]\n", lost))
    made = plan(out=folder, resume=True, source=None)
    assert (made.init, made.before, made.source) == (None, None, SAMPLE)
    assert made.recipe.arch == "nano"


def test_a_shipped_start_brings_its_provenance() -> None:
    network = find_source("small").network
    assert network is not None
    start = describe_init(str(network))
    known = training_provenance({"data": {"source": "/a/photos"}, "init": start})
    assert known["init"]["file"] == "float.keras"
    assert known["init"]["training"]["data"]["source"].startswith("fer2013")
    assert training_provenance({}) == {}


def test_options_on_how_to_read_need_the_data() -> None:
    assert chosen_source(None, "", "", "fer2013") is None
    for options in (("haar", "", "fer2013"), ("", "v.csv", "fer2013"), ("", "", "ferplus8")):
        with pytest.raises(ConfigError, match="name it, too"):
            chosen_source(None, *options)


def test_the_drawn_sample_stays_a_word_beside_a_folder_of_that_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample").mkdir()
    from fer_edge.data.sources import load_dataset
    from fer_edge.runs import describe_run

    described = describe_run(load_dataset("sample"), run.read_recipe())
    assert described["data"]["source"] == "sample"
