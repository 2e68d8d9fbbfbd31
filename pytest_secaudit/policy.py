"""What becomes of a finding: ignored, expected, baselined or new; and whether the run fails for it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Finding, Gate, Severity
from pytest_secaudit.redact import clean
from pytest_secaudit.settings import Settings
from pytest_secaudit.suppressions import Suppression

#: The reason of a finding of a check that the baseline was written without.
NEW_CHECK = "new check, not gated"


@lean
@dataclass(frozen=True, slots=True)
class Placed:
    """A suppression and the file it stands in."""

    path: str
    suppression: Suppression


def judge(
    findings: Iterable[Finding], placed: Sequence[Placed], settings: Settings
) -> tuple[tuple[Finding, ...], frozenset[tuple[Placed, str]]]:
    """The findings with their status and reason, and the (suppression, code) pairs that matched one.

    In this order: comment, marker, expected, per-file and settings, else new.
    """
    by_path: dict[str, list[Placed]] = {}
    for item in sorted(placed, key=lambda item: item.suppression.kind):  # "comment" before "marker"
        by_path.setdefault(item.path, []).append(item)
    used: set[tuple[Placed, str]] = set()
    judged = []
    for finding in findings:
        matches = [
            (item, code)
            for item in by_path.get(finding.path, ())
            if item.suppression.covers(finding.line)
            for code in item.suppression.codes
            if code.upper() == finding.code or code.lower() == finding.name
        ]
        used.update(matches)
        judged.append(_judge_one(finding, matches, settings))
    return tuple(judged), frozenset(used)


def _judge_one(finding: Finding, matches: Sequence[tuple[Placed, str]], settings: Settings) -> Finding:
    if not settings.suppress:
        return finding
    if matches:
        suppression = matches[0][0].suppression
        return replace(finding, status="ignored", reason=f"{suppression.kind}: {suppression.reason}")
    for expected in settings.expected:
        if expected.covers(finding):
            return replace(finding, status="expected", reason=expected.reason)
    for entry in settings.per_file_ignores:
        if entry.covers(finding):
            return replace(finding, status="ignored", reason=f"secaudit_per_file_ignores: {clean(entry.glob)}")
    if finding.code in settings.ignored:
        return replace(finding, status="ignored", reason="secaudit_ignore")
    return finding


def expired(suppression: Suppression, today: datetime.date) -> bool:
    """Whether the ignore's ``until`` lies in the past. It still holds: a date must not break a build by itself."""
    return suppression.until is not None and datetime.date.fromisoformat(suppression.until) < today


def gate(findings: Iterable[Finding], settings: Settings, exit_status: int, *, tests_ran: bool) -> Gate:
    """Whether a new finding reaches the level that the user gates on, and the line that says so."""
    level = settings.gate_level
    if level is None:
        return Gate()
    over = [
        finding
        for finding in findings
        if finding.status == "new" and finding.severity >= level and not _never_fails(finding)
    ]
    if not over:
        return Gate(settings.fail_on)
    noun = "finding" if len(over) == 1 else "findings"
    reason = f"the audit failed the run: {len(over):,} new {noun} at or above {settings.fail_on}"
    if tests_ran and exit_status == 0:
        reason = f"tests passed; {reason}"
    return Gate(settings.fail_on, failed=True, reason=reason)


def _never_fails(finding: Finding) -> bool:
    """What a test left after its own failure, and what a baseline was written without."""
    return bool(finding.detail.get("after_failure") or finding.detail.get("new_check"))


def count_by_level(findings: Iterable[Finding]) -> Mapping[Severity, int]:
    """How many findings there are of each level."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        counts[finding.severity] += 1
    return counts
