"""Documents that cannot go stale: the command reference is generated, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
