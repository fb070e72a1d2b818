"""Documents that cannot go stale: the command reference is generated, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, BENCHMARKS = ROOT / "README.md", ROOT / "docs" / "BENCHMARKS.md"
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


def test_the_readmes_figures_stand_in_the_benchmark_document() -> None:
    readme, benchmarks = README.read_text(), BENCHMARKS.read_text()
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
