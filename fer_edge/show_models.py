"""Prints what networks are made of, what was exported, what it holds, and which runtimes agree."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from fer_edge import model_tables, pi, tables, web
from fer_edge.contract import Manifest
from fer_edge.export import Exported
from fer_edge.inspect import Inspection
from fer_edge.model_cost import LayerCost
from fer_edge.quantization import PICTURE, TABLE
from fer_edge.report import print_text, say, show_table
from fer_edge.tables import Table
from fer_edge.verify import INT8_ALONE, Verification


def show_model(arch: str, costs: Sequence[LayerCost]) -> None:
    """Prints a network's layers and totals."""
    show_table(model_tables.model_table(arch, costs))


def show_inspection(found: Inspection) -> None:
    """Prints what is inside a model file."""
    for table in model_tables.inspection_tables(found):
        show_table(table)
    print_text(model_tables.verdict(found))


def show_export(done: Exported) -> None:
    """Prints what an export wrote, and what comes next."""
    checked = f"fold checked on {done.n_folded} faces: largest change {done.fold_error:.1e}"
    show_table(
        Table(f"{done.folder} ({checked})", ("file", "size", "SHA-256"), _file_rows(done.manifest))
    )
    if done.sensitivity:
        show_table(tables.sensitivity_table(done.sensitivity))
        say(f"Every layer: {done.folder / TABLE}, drawn in {done.folder / PICTURE}")
    if done.agreement:
        share = done.agreement.share
        percent, of = tables.percent(share), f"{share.n} {done.agreement.images}"
        say(f"int8 has float's answer on {percent}% of {of}")
    if (done.folder / web.FOLDER).is_dir():
        say(f"The page: fer-edge demo --page {done.folder / web.FOLDER}")
    say(f"Next: fer-edge bench {done.model}")


def _file_rows(manifest: Manifest) -> tuple[tuple[str, ...], ...]:
    """Returns a row a file, and one for all of the page's and of the bundle's."""
    rows = [
        (name, tables.size(artifact.size_bytes), artifact.sha256[:16])
        for name, artifact in manifest.files.items()
        if name.partition("/")[0] not in (web.FOLDER, pi.FOLDER)
    ]
    for folder in (web.FOLDER, pi.FOLDER):
        if part := manifest.part(folder).files:
            n_bytes = sum(artifact.size_bytes for artifact in part.values())
            rows.append((f"{folder}/", tables.size(n_bytes), f"{len(part)} files"))
    return tuple(rows)


def show_verification(found: Verification, written: Path | None) -> None:
    """Prints which runtimes agree, and what was not run."""
    show_table(model_tables.verification_table(found))
    for line in _left_out(found):
        say(line)
    if written:
        say(f"Written to {written}")


def verification_markdown(found: Verification, arguments: Sequence[str]) -> str:
    """Returns which runtimes agree as a part of a page that names the command that wrote it."""
    left_out = "".join(f"- {line}\n" for line in _left_out(found))
    return (
        f"## The same answers everywhere: {found.model}\n\n"
        f"Written by this command, not by hand:\n\n```sh\nfer-edge {shlex.join(arguments)}\n```\n\n"
        f"{model_tables.verification_table(found).to_markdown()}"
        + (f"\n{left_out}" if left_out else "")
    )


def _left_out(found: Verification) -> list[str]:
    """Returns a line for each runtime that proves nothing, with why, and what that leaves."""
    left_out = [
        f"{v.runtime}: not run. {v.not_run}"
        if v.not_run
        else f"{v.runtime}: run, and not compared. {v.not_compared}"
        for v in found.verdicts
        if v.not_run or v.not_compared
    ]
    return [*left_out, *([f"{INT8_ALONE}."] if found.is_int8_alone else [])]
