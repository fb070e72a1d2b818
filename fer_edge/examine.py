"""`data audit` as one call: what is wrong with a source's images and with its labels."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.data.audit import Audit, Finding, audit_dataset
from fer_edge.data.ferplus import FerPlusReport, not_a_face, read_votes, with_votes
from fer_edge.data.sources import load_dataset
from fer_edge.data.split import Dataset, Source
from fer_edge.mislabels import Suspect, find_suspects


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        dataset: What was looked at, under its own labels.
        audit: Class balance and findings; likely mislabels last where they were looked for.
        ferplus: What FER+'s votes say of the rows; None without votes.
        suspects: Likely mislabels, worst first; None where nobody asked.
    """

    dataset: Dataset
    audit: Audit
    ferplus: FerPlusReport | None = None
    suspects: list[Suspect] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns values and records for JSON; `files` names the ids that findings mention."""
        mentioned = sorted({i for finding in self.audit.findings for i in finding.ids})
        names = self.dataset.names
        return {
            "audit": self.audit,
            "ferplus": self.ferplus,
            "suspects": self.suspects,
            "notes": list(self.dataset.notes),
            "files": {i: names[i] for i in mentioned} if names else {},
        }


def examine(
    source: Source,
    *,
    mislabels: bool = False,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> Examination:
    """Returns what is wrong with a data set.

    Args:
        source: With FER+ votes or without; the labels looked at are the source's own.
        mislabels: Train judges, and look for labels that they do not believe.
        progress: Gets what is being done and the share that is done.

    Raises:
        DataError: The data cannot be read, or are too few for judges.
    """
    plain = dataclasses.replace(source, ferplus="", labels="fer2013")
    dataset = load_dataset(plain, progress=progress)
    report, no_faces = None, None
    if source.ferplus:
        votes = read_votes(Path(source.ferplus))
        _, report = with_votes(dataset, votes, labels="fer2013")
        no_faces = np.concatenate(list(not_a_face(dataset, votes).values()))
    progress("comparing images", 0.0)
    audit = audit_dataset(dataset, not_a_face=no_faces)
    progress("comparing images", 1.0)
    if not mislabels:
        return Examination(dataset, audit, report)
    suspects = find_suspects(dataset, progress=progress)
    finding = Finding(
        name="likely mislabelled",
        what="networks that never saw the image are sure of another emotion",
        n=len(suspects),
        ids=[suspect.id for suspect in suspects],
        groups=[],
    )
    found = dataclasses.replace(audit, findings=[*audit.findings, finding])
    return Examination(dataset, found, report, suspects)
