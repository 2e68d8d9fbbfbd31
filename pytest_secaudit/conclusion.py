"""The verdict, and the sentences that say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_secaudit.model import (
    ADVISORY,
    DEFECT,
    DIMENSIONS,
    INFO,
    Cleared,
    Conclusion,
    DimensionCount,
    EvidenceSummary,
    Finding,
)
from pytest_secaudit.policy import count_by_level

NOT_JUDGED = "not judged here: the product's own code (a scanner such as bandit does), its dependencies, its history"


def conclude(
    findings: Iterable[Finding],
    cleared: Iterable[Cleared | Finding],
    evidence: EvidenceSummary,
    examined: Mapping[int, int],
    *,
    collect_only: bool,
) -> Conclusion:
    """What the whole run amounts to."""
    findings = tuple(findings)
    cleared = tuple(cleared)
    new = tuple(finding for finding in findings if finding.status == "new")
    return Conclusion(
        verdict=_verdict(new, evidence),
        text=_text(new, evidence, collect_only=collect_only),
        security=_security(new, evidence),
        dimensions=tuple(_dimension(digit, findings, cleared, examined.get(digit, 0)) for digit in DIMENSIONS),
    )


def plural(count: int, noun: str) -> str:
    """``1 defect``, ``1,204 modules``, ``2 advisories``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def _watched(evidence: EvidenceSummary) -> bool:
    return any(state == "on" for state in evidence.watchers.values())


def _verdict(new: tuple[Finding, ...], evidence: EvidenceSummary) -> str:
    if not evidence.modules:
        return "nothing audited"
    levels = count_by_level(new)
    if levels[DEFECT]:
        return "defects"
    if levels[ADVISORY]:
        return "advisories"
    return "no defects found" if _watched(evidence) else "no suspicion by reading alone"


def _text(new: tuple[Finding, ...], evidence: EvidenceSummary, *, collect_only: bool) -> str:
    if not evidence.modules:
        return "nothing was audited: no test module was read"
    watched = _watched(evidence)
    levels = count_by_level(new)
    suspected = "" if watched else "suspected "
    counts = [plural(levels[level], f"{suspected}{level.word}") for level in (DEFECT, ADVISORY) if levels[level]]
    found = ", ".join(counts) or ("no defects found" if watched else "no suspicion")
    alone = "" if watched else (", by reading alone" if counts else " by reading alone")
    # With --collect-only the first line of the report has said already what was read.
    ran = f"{evidence.tests_run:,} of " if watched and evidence.tests_run < evidence.tests_collected else ""
    where = f" in {ran}{plural(evidence.tests_collected, 'test')} of {plural(evidence.modules, 'module')}"
    return f"{found}{alone}{'' if collect_only else where}"


def _security(new: tuple[Finding, ...], evidence: EvidenceSummary) -> str:
    if not evidence.modules:
        return "nothing was audited"
    relevant = sorted({finding.code for finding in new if finding.security})
    if relevant:
        count = sum(1 for finding in new if finding.security)
        return f"{plural(count, 'finding')} in tests of security functions ({', '.join(relevant)}); {NOT_JUDGED}"
    return f"no security-relevant finding; {NOT_JUDGED}"


def _dimension(
    digit: int, findings: tuple[Finding, ...], cleared: tuple[Cleared | Finding, ...], examined: int
) -> DimensionCount:
    mine = [finding for finding in findings if finding.dimension == digit and finding.status == "new"]
    levels = count_by_level(mine)
    clear = sum(finding.dimension == digit for finding in cleared)
    return DimensionCount(digit, DIMENSIONS[digit], examined, levels[DEFECT], levels[ADVISORY], levels[INFO], clear)
