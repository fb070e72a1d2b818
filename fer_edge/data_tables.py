"""What an audit found, as tables of text."""

from collections.abc import Sequence

from fer_edge.data.audit import Audit, Finding
from fer_edge.data.ferplus import FerPlusReport
from fer_edge.data.tree import shown
from fer_edge.examine import Examination
from fer_edge.mislabels import Suspect
from fer_edge.tables import Table, percent

EXAMPLES = 5


def audit_tables(found: Examination) -> list[Table]:
    """Returns all tables of an audit."""
    tables = [_balance(found.audit), _findings(found.audit, found.dataset.names)]
    if found.ferplus:
        tables.append(_agreement(found.ferplus))
    if found.suspects:
        tables.append(_suspects(found.suspects, found.dataset.names))
    return tables


def _balance(audit: Audit) -> Table:
    columns = ("emotion", *(f"{split.split}, n = {split.n}" for split in audit.balance))
    emotions = audit.balance[0].counts
    rows = [
        (emotion, *(f"{b.counts[emotion]} ({b.counts[emotion] / b.n:.1%})" for b in audit.balance))
        for emotion in emotions
    ]
    ratios = (f"{b.imbalance:.1f}" if b.imbalance else "–" for b in audit.balance)
    rows.append(("largest / smallest", *ratios))
    return Table(f"{audit.source}: images an emotion", columns, tuple(rows))


def _findings(audit: Audit, names: Sequence[str]) -> Table:
    rows = [
        (finding.name, str(finding.n), finding.what, _examples(finding, names))
        for finding in audit.findings
        if finding.n
    ]
    if absent := [finding.name for finding in audit.findings if not finding.n]:
        rows.append(("nothing found of", "0", ", ".join(absent), ""))
    title = f"{audit.source}, n = {audit.n}: what is wrong with it"
    columns = ("finding", "rows", "what they are", "for example")
    return Table(title, columns, tuple(rows), left=(0, 2, 3))


def _examples(finding: Finding, names: Sequence[str]) -> str:
    more = ", …" if finding.n > EXAMPLES else ""
    return ", ".join(_name(i, names) for i in finding.ids[:EXAMPLES]) + more


def _name(row: int, names: Sequence[str]) -> str:
    """Returns a file's name where there are files, else a row's number."""
    return shown(names[row]) if names else str(row)


def _agreement(report: FerPlusReport) -> Table:
    rows = [
        (f"all {label}", percent(interval), str(interval.n))
        for label, interval in report.agreement_by_emotion.items()
    ]
    splits = [
        (f"{name} split", percent(interval), str(interval.n))
        for name, interval in report.agreement_by_split.items()
    ]
    whole = (
        [("all", percent(report.agreement), str(report.agreement.n))] if report.agreement else []
    )
    title = "where FER+'s votes are clear: share of labels that they agree with, 95% intervals"
    return Table(title, ("labelled", "agreement %", "n"), (*rows, *splits, *whole))


def _suspects(suspects: Sequence[Suspect], names: Sequence[str]) -> Table:
    rows = tuple(
        (_name(s.id, names), s.label, f"{s.p_label:.2f}", s.suggested, f"{s.p_suggested:.2f}")
        for s in suspects[:20]
    )
    title = f"likely mislabelled in train: the first {len(rows)} of {len(suspects)}, worst first"
    return Table(title, ("image", "label", "p", "seen", "p"), rows, left=(0, 1, 3))
