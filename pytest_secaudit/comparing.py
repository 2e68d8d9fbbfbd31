"""What changed between two runs: which findings are gone, which are new, and what is contacted that was not before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.conclusion import plural
from pytest_secaudit.lean import lean
from pytest_secaudit.model import Audit, Contact, Finding


@lean
@dataclass(frozen=True, slots=True)
class Comparison:
    """The findings of two reports, worst first.

    Attributes:
        fixed: in the old one only, and the new run had the chance to find them.
        new: in the new one only.
        still: in both.
        not_judged: in the old one only, but the new run did not run all tests of the file, or not all watchers.
        contacts: outside of the process, reached or tried in the new run only.
    """

    fixed: tuple[Finding, ...]
    new: tuple[Finding, ...]
    still: tuple[Finding, ...]
    not_judged: tuple[Finding, ...]
    contacts: tuple[Contact, ...]


def compared(old: Audit, new: Audit) -> Comparison:
    """What became of the findings of a run; what is ignored or known by then is as good as gone."""
    before = {_key(finding): finding for finding in old.having("new")}
    now = {_key(finding): finding for finding in new.having("new")}
    gone = [finding for key, finding in before.items() if key not in now]
    contacted = {(contact.kind, contact.what) for contact in old.contacts}
    return Comparison(
        fixed=tuple(finding for finding in gone if _had_the_chance(finding, old, new)),
        new=tuple(finding for key, finding in now.items() if key not in before),
        still=tuple(finding for key, finding in now.items() if key in before),
        not_judged=tuple(finding for finding in gone if not _had_the_chance(finding, old, new)),
        contacts=tuple(one for one in new.contacts if (one.kind, one.what) not in contacted),
    )


def _key(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.fingerprint


def _had_the_chance(finding: Finding, old: Audit, new: Audit) -> bool:
    """Whether the new run would have found it."""
    if finding.code not in new.evidence.checks:
        return False
    if finding.evidence == "suspected" and new.run.collect_only:
        return True
    off = {name for name, state in new.evidence.watchers.items() if state != "on"}
    off -= {name for name, state in old.evidence.watchers.items() if state != "on"}
    if off or (finding.evidence == "confirmed" and not new.evidence.watchers):
        return False
    if new.run.complete:
        return True
    ran_before = {file.path: file.passed + file.failed for file in old.files}
    ran_now = {file.path: file.passed + file.failed for file in new.files}
    return finding.path in ran_now and ran_now[finding.path] >= ran_before.get(finding.path, 1)


def lines(comparison: Comparison) -> Iterator[str]:
    """The comparison as text: what is new first, what is gone, and the count of the rest."""
    for word, findings in (("new", comparison.new), ("fixed", comparison.fixed), ("not judged", comparison.not_judged)):
        for finding in findings:
            yield f"{word:<10} {finding.severity.word:<8} {finding.code} {finding.name}   {finding.path}:{finding.line}"
            yield f"{'':<10} {finding.message}"
    for contact in comparison.contacts:
        yield f"{'contacted':<10} {contact.kind} {contact.what}, for the first time, by {', '.join(contact.owners[:3])}"
    counts = [
        f"{len(comparison.fixed):,} fixed",
        f"{len(comparison.new):,} new",
        f"{len(comparison.still):,} still there",
    ]
    if comparison.not_judged:
        counts.append(f"{len(comparison.not_judged):,} not judged: the new run did not run all that the old one did")
    if comparison.contacts:
        counts.append(f"{plural(len(comparison.contacts), 'contact')} that the old run did not have")
    yield ", ".join(counts)
