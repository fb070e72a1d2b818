"""Documents that cannot go stale: the command reference is generated, links lead somewhere."""

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fer_edge.cli import app
from fer_edge.distill import stored_labels
from fer_edge.recipe import RECIPES, read_recipe, shipped_recipes
from fer_edge.training_plan import FINE_TUNING
from tests.load_script import load_script

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BENCHMARKS = sorted((ROOT / "docs").glob("BENCHMARKS*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md")])


def test_the_command_reference_is_what_help_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_headings(document: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*\.md|)#([^)]+)", document.read_text()):
        page = document.parent / target if target else document
        headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
        anchors = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
        assert anchor in anchors, f"{target}#{anchor}"


def test_the_benchmarks_are_of_the_shipped_files() -> None:
    from fer_edge.catalog import SHIPPED, shipped_names
    from fer_edge.contract import read_manifest

    benchmarks = "".join(page.read_text() for page in BENCHMARKS)
    for name in shipped_names():
        assert f"`{read_manifest(SHIPPED / name).files['int8.tflite'].sha256}`" in benchmarks, name


def test_the_readmes_figures_stand_in_the_benchmark_document() -> None:
    readme = README.read_text()
    benchmarks = "".join(page.read_text() for page in BENCHMARKS)
    intervals = re.findall(r"\d+\.\d \(\d+\.\d–\d+\.\d\)", readme)
    assert len(intervals) >= 8
    for figure in intervals:
        assert figure in benchmarks, figure


def test_the_readmes_networks_have_their_parameters() -> None:
    from fer_edge.model import ARCHITECTURES, build_model

    for arch in ARCHITECTURES:
        row = next(
            line for line in README.read_text().splitlines() if line.startswith(f"| `{arch}`")
        )
        assert f"{build_model(arch).count_params():,}" in row


def test_every_command_in_the_readme_exists() -> None:
    commands = set(re.findall(r"fer-edge ([a-z]+)", README.read_text()))
    reference = (ROOT / "docs" / "COMMANDS.md").read_text()
    for command in commands:
        assert f"## fer-edge {command}" in reference, command


def test_what_training_says_of_the_shipped_models_is_in_their_manifests(tmp_path: Path) -> None:
    page = tmp_path / "TRAINING.md"
    page.write_text((ROOT / "docs" / "TRAINING.md").read_text())
    load_script("shipped_tables").main(["--page", str(page)])
    assert page.read_text() == (ROOT / "docs" / "TRAINING.md").read_text()


def test_trainings_that_are_told_can_be_begun() -> None:
    """In TRAINING.md's tables and above the recipes: options parse, and recipes are there."""
    tables = re.findall(r"\| `(train .+?)` \|", (ROOT / "docs" / "TRAINING.md").read_text())
    heads = [
        re.findall(r"^# fer-edge (train .+)$", (RECIPES / f"{name}.toml").read_text(), re.MULTILINE)
        for name in shipped_recipes()
    ]
    commands = [*tables, *itertools.chain(*heads)]
    assert len(tables) >= 9
    assert len(commands) - len(tables) >= 8
    command = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    for text in commands:
        options = command.make_context("train", shlex.split(text)[1:]).params
        recipe = read_recipe(options["recipe"] or options["arch"] or FINE_TUNING)
        assert options["ferplus"] or not recipe.auxiliary, text
        for teacher in options["teacher"] or []:
            assert stored_labels(teacher) or teacher.startswith("runs/"), text
